"""The temporary tables in which DuckDB prepares a dataset's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from modelstore.data.shape_error import ShapeError
from modelstore.errors import DatasetError
from modelstore.sql_text import in_full

SOURCE = "temp.main.modelstore_source"  # the rows as they were given
PREPARED = "temp.main.modelstore_prepared"  # the rows as training takes them
# Of rows with several labels each, a row for each of them.
EACH_LABEL = f"(SELECT row, split, unnest(label) AS label FROM {PREPARED})"


@dataclass(frozen=True)
class WorkingTable:
    """The rows of one dataset while they are prepared.

    Parameters
    ----------
    connection
        Where the temporary tables are.
    dataset
        The dataset's name, for error messages.
    """

    connection: duckdb.DuckDBPyConnection
    dataset: str

    def run(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Runs a statement and returns its rows."""
        return self.connection.execute(in_full(sql), values or []).fetchall()

    def column_types(self) -> dict[str, str]:
        """DuckDB's types of the columns of `SOURCE`, by name."""
        return {row[0]: str(row[1]) for row in self.run(f"DESCRIBE {SOURCE}")}

    def error(self, problem: str) -> DatasetError:
        """An error that names the dataset."""
        return DatasetError(f'dataset "{self.dataset}": {problem}')

    def shape_error(self, problem: str) -> ShapeError:
        """An error that names the dataset, of rows that a query could bring into shape."""
        return ShapeError(f'dataset "{self.dataset}": {problem}')

    def labels_by_id(self, rows: str, names: Sequence[str]) -> list[tuple[str, bool]]:
        """The different labels, each with whether train has it, in the order of their ids.

        Parameters
        ----------
        rows
            `PREPARED`, or `EACH_LABEL`.
        names
            Those that come first, in the order that the dataset's own description has. Others that are numbers are
            ordered by their value.
        """
        return self.run(
            f"SELECT label, bool_or(split = 'train') FROM {rows} GROUP BY label "
            "ORDER BY list_position(?, label) NULLS LAST, TRY_CAST(label AS DOUBLE) NULLS LAST, label",
            [list(names)],
        )
