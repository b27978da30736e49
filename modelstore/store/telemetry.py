"""What recorded runs and proxy scores took in seconds and memory."""

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

    def seconds_per_epoch(self, recipe: str, on: str | None = None) -> dict[tuple[str, str], float]:
        """The mean seconds of an epoch by (model, dataset), over all datasets or the dataset ``on``."""
        rows = self._rows(
            "SELECT model, dataset, avg(seconds / epochs) FROM main.benchmark_results "
            "WHERE seconds > 0 AND epochs > 0 AND coalesce(recipe, 'default') = $recipe "
            "AND ($on IS NULL OR dataset = $on) GROUP BY ALL",
            {"recipe": recipe, "on": on},
        )
        return {(model, dataset): seconds for model, dataset, seconds in rows}

    def seconds_per_work(self, recipe: str) -> float | None:
        """The mean seconds of an epoch per parameter and training row; None without such a record."""
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
        """The mean seconds of proxy scoring per parameter and row; None without such a record."""
        [(rate,)] = self._rows(
            # Proxies that were computed together each have the seconds of all of them.
            "SELECT sum(s.seconds) / sum(m.parameters * s.rows) FROM (SELECT DISTINCT model, dataset, rows, seconds "
            "FROM main.proxy_scores) s JOIN main.models m ON m.name = s.model "
            "WHERE s.seconds > 0 AND m.parameters * s.rows > 0"
        )
        return rate
