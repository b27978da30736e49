"""What recorded runs and proxy scores took in seconds and memory."""

from dataclasses import dataclass

from modelstore.store.repository import Repository


@dataclass(frozen=True)
class RecordedEpoch:
    """The seconds of an epoch of a pair, validation included, and how often an epoch was validated."""

    model: str
    dataset: str
    seconds: float
    validations: float


@dataclass(frozen=True)
class RecordedScoring:
    """The seconds that the scores of a model took, on so many rows of a dataset."""

    model: str
    dataset: str
    rows: int
    seconds: float


class Telemetry(Repository):
    """Reads the seconds and bytes of recorded runs, and writes ``training_telemetry``."""

    def add(
        self,
        model: str,
        dataset: str,
        recipe: str,
        seed: int,
        device: str,
        rows_per_second: float,
        peak_memory: int | None,
    ) -> None:
        """Stores what one run took.

        Parameters
        ----------
        model, dataset, recipe, seed
            The run.
        device
            Such as ``cpu`` or ``cuda:0``.
        rows_per_second
            Training rows a second, with the time of validation included.
        peak_memory
            Bytes; None where the system does not tell.
        """
        self._run(
            "INSERT INTO main.training_telemetry "
            "(model, dataset, recipe, seed, device, rows_per_second, peak_memory) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [model, dataset, recipe, seed, device, rows_per_second, peak_memory],
        )

    def peak_memory(self, recipe: str, device: str) -> dict[str, float]:
        """The most bytes that each model took in a run of the recipe on a device (``auto``: any device)."""
        rows = self._rows(
            "SELECT model, max(peak_memory) FROM main.training_telemetry WHERE recipe = $recipe "
            "AND ($device = 'auto' OR starts_with(device, $device)) AND peak_memory IS NOT NULL GROUP BY ALL",
            {"recipe": recipe, "device": device},
        )
        return {model: float(size) for model, size in rows}

    def epochs_of_runs(self, recipe: str, on: str | None, limit: int) -> list[RecordedEpoch]:
        """The mean seconds of an epoch of each pair on record.

        Parameters
        ----------
        recipe
            Whose runs are read.
        on
            A dataset whose pairs come first.
        limit
            How many pairs are read at most; always the same ones.
        """
        rows = self._rows(
            """
            WITH timed AS (
                SELECT model, dataset, avg(seconds / epochs) AS seconds, avg(epochs) AS epochs
                FROM main.benchmark_results
                WHERE seconds > 0 AND isfinite(seconds) AND epochs > 0 AND isfinite(epochs)
                AND coalesce(recipe, 'default') = $recipe
                GROUP BY ALL
            ), pairs AS (
                FROM timed
                ORDER BY dataset IS NOT DISTINCT FROM $on DESC, hash(model, dataset), model, dataset LIMIT $limit
            ), points AS (
                SELECT model, dataset, count(DISTINCT coalesce(epoch, stage)) AS validations
                FROM main.training_curves JOIN pairs USING (model, dataset)
                WHERE coalesce(recipe, 'default') = $recipe GROUP BY ALL
            )
            SELECT model, dataset, seconds, coalesce(validations / pairs.epochs, 1)
            FROM pairs LEFT JOIN points USING (model, dataset) ORDER BY model, dataset
            """,
            {"recipe": recipe, "on": on, "limit": limit},
        )
        return [RecordedEpoch(*row) for row in rows]

    def scoring_runs(self, limit: int) -> list[RecordedScoring]:
        """What proxy scoring took on record: at most so many pairs, always the same ones."""
        rows = self._rows(
            # Proxies that were computed together each have the seconds of all of them.
            "SELECT DISTINCT model, dataset, rows, seconds FROM main.proxy_scores "
            "WHERE seconds > 0 AND isfinite(seconds) AND rows > 0 "
            "ORDER BY hash(model, dataset), model, dataset, rows, seconds LIMIT $limit",
            {"limit": limit},
        )
        return [RecordedScoring(*row) for row in rows]
