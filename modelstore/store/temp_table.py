"""A Python list as a DuckDB table: for thousands of names many times as fast as a parameter."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from modelstore.arrow_tables import registered

_numbers = itertools.count(1)


@contextmanager
def temp_table(connection: duckdb.DuckDBPyConnection, models: Sequence[str], **columns: Any) -> Iterator[str]:
    """Registers a table of models for as long as the block runs.

    Parameters
    ----------
    connection
        The DuckDB connection that the table is registered with.
    models
        The column ``model``; the column ``place`` numbers it from 0.
    **columns
        More columns, each as long as ``models``.

    Yields
    ------
    str
        The table's name.
    """
    name = f"modelstore_list_{next(_numbers)}"
    table = pa.table({"model": pa.array(models, pa.string()), "place": np.arange(len(models)), **columns})
    with registered(connection, {name: table}):
        yield f"temp.main.{name}"
