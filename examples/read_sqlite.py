"""Copies the tables of an SQLite file into a DuckDB file, where DuckDB's own extension for SQLite cannot be had.

python examples/read_sqlite.py mlruns.db mlflow.db
"""

import sqlite3
import sys
from contextlib import closing

import duckdb
import pandas


def copy(source: str, target: str) -> None:
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reader,
        duckdb.connect(target) as writer,
    ):
        for (table,) in reader.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            quoted = '"' + table.replace('"', '""') + '"'
            rows = pandas.read_sql(f"SELECT * FROM {quoted}", reader)
            writer.register("copied", rows)
            writer.execute(f"CREATE TABLE {quoted} AS FROM copied")


if __name__ == "__main__":
    copy(*sys.argv[1:])
