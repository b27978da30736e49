"""What it costs to use the models: the latency, the speed and the memory on record."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelstore.options import COST_COLUMNS
from modelstore.records import InferenceCost
from modelstore.sql_text import literal
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table


@dataclass(frozen=True)
class RecordedCost:
    """What is on record of a model's inference; None: unknown.

    Attributes
    ----------
    latency_ms
        Milliseconds of one row by itself.
    rows_per_second
        In a batch.
    memory
        Bytes.
    """

    latency_ms: float | None = None
    rows_per_second: float | None = None
    memory: int | None = None


class InferenceCosts(Repository):
    """Reads and writes ``inference_costs``.

    Of each figure the newest counts, and one that was loaded before one that was measured. Figures of other weights
    than those that a model was registered with do not count, nor does what is no number of at least 0. ``device`` is
    always a kind of device, ``cpu`` or ``cuda``: all GPUs count as equal.
    """

    def add(self, model: str, cost: InferenceCost, weights: str | None) -> None:
        """Stores what was measured, in place of what was measured before; figures that were loaded stay.

        Parameters
        ----------
        model
            The model.
        cost
            What was measured.
        weights
            The contents of the model; None where they are unknown.
        """
        self._run(
            "DELETE FROM main.inference_costs WHERE model = ? AND device = ? AND max_length IS NOT DISTINCT FROM ? "
            "AND weights IS NOT NULL",
            [model, cost.device, cost.max_length],
        )
        self._run(
            "INSERT INTO main.inference_costs "
            "(model, device, max_length, rows_per_second, latency_ms, memory, weights) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                model,
                cost.device,
                cost.max_length,
                cost.rows_per_second,
                cost.latency_ms,
                cost.memory,
                weights or "",
            ],
        )

    def of(self, models: Sequence[str], device: str, max_length: int) -> dict[str, RecordedCost]:
        """What is on record of models, by name: those of which nothing is are left out."""
        with temp_table(self._connection, models) as few:
            rows = self._rows(
                f"SELECT model, {', '.join(COST_COLUMNS)} FROM {self._counted(device, max_length)} "
                f"WHERE model IN (SELECT model FROM {few})"
            )
        return {model: RecordedCost(*costs) for model, *costs in rows}

    def joined(self, models: str, device: str, max_length: int) -> str:
        """A table of models, such as ``models`` or a query of it, with the columns `COST_COLUMNS` beside its own."""
        columns = ", ".join(f"costs.{column}" for column in COST_COLUMNS)
        counted = self.full(self._counted(device, max_length))
        return (
            f"(SELECT candidates.*, {columns} FROM {models} AS candidates "
            f"LEFT JOIN {counted} AS costs ON costs.model = candidates.name) AS models"
        )

    def _counted(self, device: str, max_length: int) -> str:
        """A table of the figures of each model that count on a device, for texts of so many tokens and for images."""
        figures = ", ".join(
            f"arg_max({column}, (weights IS NULL, stored)) FILTER (isfinite({column}) AND {column} >= 0) AS {column}"
            for column in COST_COLUMNS
        )
        return (
            f"(SELECT model, {figures} FROM ("
            "SELECT measured.*, coalesce(measured.created_at, TIMESTAMP '1970-01-01') AS stored "
            "FROM main.inference_costs AS measured "
            "LEFT JOIN main.fingerprints AS registered ON registered.kind = 'model' AND registered.name = model "
            f"WHERE coalesce(split_part(device, ':', 1), {literal(device)}) = {literal(device)} "
            f"AND coalesce(max_length, {max_length}) = {max_length} "
            "AND coalesce(weights IN ('', registered.contents), true)) GROUP BY model)"
        )
