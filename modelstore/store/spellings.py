"""Stores of versions that took names differing by case for different ones: each such name gets one of its own."""

from collections.abc import Callable, Iterator

import duckdb

from modelstore.sql_text import folded
from modelstore.store.catalog import RECORDS

# Other columns with names, by what the names are of; `RECORDS` have one of each.
_COLUMNS = {
    "model": (
        ("models", "base"),
        ("models", "base_model"),
        ("model_clusters", "model"),
        ("model_clusters", "representative"),
        ("last_clustering", "model"),
        ("selections", "model"),
        ("selection_stages", "model"),
    ),
    "dataset": (("selections", "dataset"),),
}
_LISTS = {"model": ("selections", "candidates"), "dataset": ("models", "fine_tuned_on")}


def rename_twins(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Renames all but one of the models, and of the datasets, whose names differ by case alone.

    Their records are renamed with them. The oldest keeps its name; of datasets whose rows are in the file, the one
    that the rows are of.

    Returns
    -------
    list of str
        What was renamed, a sentence each.
    """
    said = []
    for old, new in _twins(connection, "models", lambda name: False):
        _rename(connection, "model", old, new)
        said.append(f'the model "{old}" is now called "{new}": another one differed from it by case alone')
    kept = {
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'dataset_rows' "
            "AND database_name = current_database()"
        ).fetchall()
    }
    for old, new in _twins(connection, "datasets", kept.__contains__):
        [(uri,)] = connection.execute("SELECT uri FROM main.datasets WHERE name = ?", [old]).fetchall()
        _rename(connection, "dataset", old, new)
        lost = ", which has taken the place of its rows: create it again" if uri is None else ""
        said.append(
            f'the dataset "{old}" is now called "{new}": another one differed from it by case alone{lost}'
        )
    return said


def _twins(
    connection: duckdb.DuckDBPyConnection, table: str, is_kept: Callable[[str], bool]
) -> Iterator[tuple[str, str]]:
    """The names to be changed, each with its new one; the first of a kind, and one that ``is_kept``, stay."""
    rows = connection.execute(
        f"SELECT name FROM main.{table} ORDER BY created_at NULLS FIRST, name"
    ).fetchall()
    names = [name for (name,) in rows]
    taken = {folded(name) for name in names}
    keepers: dict[str, str] = {}
    for name in [*filter(is_kept, names), *names]:
        keepers.setdefault(folded(name), name)
    for name in names:
        if keepers[folded(name)] == name:
            continue
        number = 2
        while folded(new := f"{name}-{number}") in taken:
            number += 1
        taken.add(folded(new))
        yield name, new


def _rename(connection: duckdb.DuckDBPyConnection, kind: str, old: str, new: str) -> None:
    names = {"old": old, "new": new}
    columns = [(f"{kind}s", "name"), *((table, kind) for table in RECORDS), *_COLUMNS[kind]]
    for table, column in columns:
        connection.execute(f"UPDATE main.{table} SET {column} = $new WHERE {column} = $old", names)
    table, column = _LISTS[kind]
    connection.execute(
        f"UPDATE main.{table} SET {column} = list_transform({column}, lambda name: if(name = $old, $new, name)) "
        f"WHERE list_contains({column}, $old)",
        names,
    )
    if kind == "model":
        connection.execute(
            "UPDATE main.selections SET contenders = list_transform(contenders, lambda one: struct_pack("
            "model := if(one.model = $old, $new, one.model), recall_score := one.recall_score, uri := one.uri)) "
            "WHERE contenders IS NOT NULL",
            names,
        )
