"""What training and scoring took, on record."""

from modelstore.store.repository import Repository


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
        """What a run took of the machine: rows it trained on a second, and bytes."""
        self._rows(
            "INSERT INTO main.training_telemetry "
            "(model, dataset, recipe, seed, device, rows_per_second, peak_memory) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [model, dataset, recipe, seed, device, rows_per_second, peak_memory],
        )

    def peak_memory(self, recipe: str, device: str) -> dict[str, float]:
        """The most bytes that a model took in any run of the recipe on a device (auto: on any), by model."""
        rows = self._rows(
            "SELECT model, max(peak_memory) FROM main.training_telemetry WHERE recipe = $recipe "
            "AND ($device = 'auto' OR starts_with(device, $device)) AND peak_memory IS NOT NULL GROUP BY ALL",
            {"recipe": recipe, "device": device},
        )
        return {model: float(size) for model, size in rows}

    def seconds_per_epoch(self, recipe: str, on: str | None = None) -> dict[tuple[str, str], float]:
        """The mean seconds that an epoch took by (model, dataset), of the recorded pairs that say so.

        Of one dataset, if ``on`` names it.
        """
        rows = self._rows(
            "SELECT model, dataset, avg(seconds / epochs) FROM main.benchmark_results "
            "WHERE seconds > 0 AND epochs > 0 AND coalesce(recipe, 'default') = $recipe "
            "AND ($on IS NULL OR dataset = $on) GROUP BY ALL",
            {"recipe": recipe, "on": on},
        )
        return {(model, dataset): seconds for model, dataset, seconds in rows}

    def seconds_per_work(self, recipe: str) -> float | None:
        """Seconds an epoch for each parameter and training row, over the recorded pairs that say so."""
        [(rate,)] = self._rows(
            "SELECT sum(r.seconds / r.epochs) / nullif(sum(m.parameters * d.train_rows), 0) "
            "FROM main.benchmark_results r JOIN main.models m ON m.name = r.model "
            "JOIN main.datasets d ON d.name = r.dataset "
            "WHERE r.seconds > 0 AND r.epochs > 0 AND m.parameters * d.train_rows > 0 "
            "AND coalesce(r.recipe, 'default') = ?",
            [recipe],
        )
        return rate

    def seconds_per_scoring_work(self) -> float | None:
        """Seconds for each parameter and row scored, over the stored proxy scores that say so."""
        [(rate,)] = self._rows(
            # Scores that were computed together each have the seconds of all.
            "SELECT sum(s.seconds) / sum(m.parameters * s.rows) FROM (SELECT DISTINCT model, dataset, rows, seconds "
            "FROM main.proxy_scores) s JOIN main.models m ON m.name = s.model "
            "WHERE s.seconds > 0 AND m.parameters * s.rows > 0"
        )
        return rate
