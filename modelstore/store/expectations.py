"""What selections are expected to find, by replay on the store's own datasets."""

from dataclasses import astuple, dataclass

from modelstore.store.repository import Repository


@dataclass(frozen=True)
class Expectation:
    """What replays of a selection came to; the columns are those of ``replay_expectations``."""

    datasets: int
    models: float
    epochs: float
    regret: float
    error: float
    compared: int
    within_noise: int


class Expectations(Repository):
    """Reads and writes ``replay_expectations``."""

    def state(self, recipe: str) -> str:
        """A fingerprint of all records that a replay reads: it changes when they do."""
        [(state,)] = self._rows(
            """
            SELECT md5(concat_ws(' ',
                (SELECT concat(count(*), ' ', sum(hash(model, dataset, score)::HUGEINT))
                 FROM main.benchmark_results WHERE coalesce(recipe, 'default') = $recipe),
                (SELECT concat(count(*), ' ',
                               sum(hash(model, dataset, stage, epoch, validation, test, seed)::HUGEINT))
                 FROM main.training_curves WHERE coalesce(recipe, 'default') = $recipe),
                (SELECT concat(count(*), ' ', sum(hash(model, dataset, trial_epochs)::HUGEINT))
                 FROM main.found_learning_rates WHERE recipe = $recipe),
                (SELECT concat(count(*), ' ', sum(hash(model, dataset, proxy, score, rows, layers)::HUGEINT))
                 FROM main.proxy_scores)))
            """,
            {"recipe": recipe},
        )
        return str(state)

    def find(self, selection: str, records: str) -> Expectation | None:
        """What was expected of a selection by these records; None where that is not on record."""
        rows = self._rows(
            "SELECT datasets, models, epochs, regret, error, compared, within_noise FROM main.replay_expectations "
            "WHERE selection = ? AND records = ? LIMIT 1",
            [selection, records],
        )
        return Expectation(*rows[0]) if rows else None

    def put(self, selection: str, records: str, found: Expectation) -> None:
        """Stores an expectation in place of those that other records gave."""
        self._run(
            "DELETE FROM main.replay_expectations WHERE selection = ? OR records <> ?", [selection, records]
        )
        self._run(
            "INSERT INTO main.replay_expectations (selection, records, datasets, models, epochs, regret, error, "
            "compared, within_noise) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [selection, records, *astuple(found)],
        )
