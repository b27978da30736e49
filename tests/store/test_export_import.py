"""`EXPORT DATABASE`, `IMPORT DATABASE` and `COPY FROM DATABASE`: a store comes back as it was, here and in DuckDB."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

import modelstore
from modelstore.schema import migrations
from modelstore.udfs.register import register

REPLAY = "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4)"
ODD = 'it\'s, {odd}: ["a"] = ü\n汉'


@pytest.fixture
def filled(recorded: modelstore.Connection) -> modelstore.Connection:
    """`recorded` with rows in most tables, and names and values that are hard to quote."""
    recorded.execute("CLUSTER MODELS")
    recorded.execute(REPLAY).fetchall()
    recorded.execute(
        "CREATE DATASET texts AS SELECT $1 || i AS text, 'l' || i % 2 AS label FROM range(40) t(i)", [ODD]
    )
    recorded.execute(
        "INSERT INTO models (name, uri, labels, card, base, fine_tuned_on) VALUES ($1, NULL, [$1, ''], '', $1, [$1])",
        [ODD],
    )
    recorded.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) VALUES ('a', 'b', 'leep', 'nan')"
    )
    recorded.execute(
        "UPDATE selections SET candidates = [$1], contenders = [{'model': $1, 'recall_score': 0.5, 'uri': $1}]",
        [ODD],
    )
    recorded.execute("CREATE TABLE mine AS SELECT ? AS odd; ", [ODD])
    recorded.execute("CREATE VIEW z_view AS FROM mine")
    recorded.execute(
        "CREATE VIEW a_view AS FROM z_view; CREATE MACRO best() AS (SELECT max(score) FROM performance_matrix)"
    )
    return recorded


def contents(store: Any) -> dict[str, str]:
    """The rows of every table, and how many each view has (means are summed in another order)."""
    tables = store.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY ALL"
    ).fetchall()
    found = {
        f"{schema}.{table}": str(sorted(map(repr, store.execute(f'FROM "{schema}"."{table}"').fetchall())))
        for schema, table in tables
    }
    views = store.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    counts = {view: str(len(store.execute(f"FROM {view}").fetchall())) for (view,) in views}
    return found | counts


@pytest.mark.parametrize("form", ["", " (FORMAT parquet)"])
def test_an_export_comes_back_in_a_new_store_and_in_duckdb(
    filled: modelstore.Connection, tmp_path: Path, form: str
) -> None:
    filled.execute(f"EXPORT DATABASE '{tmp_path / 'exported'}'{form}")
    before = contents(filled)
    folder = (tmp_path / "exported").rename(tmp_path / "it's moved")
    quoted = str(folder).replace("'", "''")
    with modelstore.connect(tmp_path / "new.db") as store:
        assert (
            store.execute(f"import  Database '{quoted}'; SELECT best()").fetchall()
            == filled.execute("SELECT best()").fetchall()
        )
        assert contents(store) == before
        assert (
            store.execute("RECALL 3 MODELS FOR d0").fetchall()
            == filled.execute("RECALL 3 MODELS FOR d0").fetchall()
        )
        assert store.execute(f"SELECT selection FROM ({REPLAY})").fetchall() == [(2,)]
    with modelstore.connect(tmp_path / "new.db", read_only=True) as store:
        assert store.execute("SELECT count(*) FROM selections").fetchall() == [(2,)]


def test_winners_are_found_in_a_copy_of_the_folder_of_checkpoints(
    store: modelstore.Connection, tmp_path: Path
) -> None:
    store.execute(
        "INSERT INTO models (name, uri, base) VALUES ('tuned', '/gone/1-bert-01234567', 'bert')",
    )
    store.execute(f"EXPORT DATABASE '{tmp_path / 'exported'}'")
    winner = tmp_path / "new.db.checkpoints" / "1-bert-01234567"
    winner.mkdir(parents=True)
    with modelstore.connect(tmp_path / "new.db") as new:
        new.execute(f"IMPORT DATABASE '{tmp_path / 'exported'}'")
        assert new.execute("SELECT uri FROM models").fetchall() == [(str(winner),)]


def test_an_empty_store_comes_back(store: modelstore.Connection, tmp_path: Path) -> None:
    store.execute(f"EXPORT DATABASE '{tmp_path / 'exported'}'")
    with duckdb.connect() as plain:
        plain.execute(f"IMPORT DATABASE '{tmp_path / 'exported'}'")
        assert plain.execute("FROM performance_matrix").fetchall() == []
    with modelstore.connect() as other:
        assert other.sql(f"IMPORT DATABASE '{tmp_path / 'exported'}'") is None
        assert contents(other) == contents(store)


def test_the_tables_and_views_load_through_plain_duckdb(
    recorded: modelstore.Connection, tmp_path: Path
) -> None:
    recorded.execute("CLUSTER MODELS")
    recorded.execute(f"EXPORT DATABASE '{tmp_path / 'exported'}'")
    with duckdb.connect(str(tmp_path / "plain.db")) as plain:
        plain.execute(f"IMPORT DATABASE '{tmp_path / 'exported'}'")
        assert contents(plain) == contents(recorded)
        assert plain.execute("SELECT count(*) FROM recorded_models('default')").fetchall() == [(8,)]
    with modelstore.connect(tmp_path / "plain.db") as store:  # which makes a store of it
        assert store.execute(f"SELECT selection FROM ({REPLAY})").fetchall() == [(1,)]


def test_a_database_is_copied(filled: modelstore.Connection, tmp_path: Path) -> None:
    filled.execute(f"ATTACH '{tmp_path / 'copy.db'}' AS copy; DROP MACRO best; DROP VIEW a_view")
    filled.execute("COPY FROM DATABASE zoo TO copy; DETACH copy")
    with modelstore.connect(tmp_path / "copy.db") as store:
        assert contents(store) == contents(filled)
        assert store.execute(f"SELECT selection FROM ({REPLAY})").fetchall() == [(2,)]


def test_a_store_with_rows_is_not_imported_into(
    recorded: modelstore.Connection, store_folder: Path, tmp_path: Path
) -> None:
    before = contents(recorded)
    with pytest.raises(
        modelstore.StoreError,
        match=r"has rows in benchmark_results, proxy_scores, training_curves: connect to a new",
    ):
        recorded.execute(f"IMPORT DATABASE '{store_folder}'")
    assert contents(recorded) == before
    with modelstore.connect() as store:
        store.execute("BEGIN")
        with pytest.raises(modelstore.StoreError, match="outside BEGIN"):
            store.execute(f"IMPORT DATABASE '{store_folder}'")


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    """An export of a store with a few rows."""
    with modelstore.connect() as store:
        store.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m', 'd', 0.5)")
        store.execute(f"EXPORT DATABASE '{tmp_path / 'exported'}'")
    return tmp_path / "exported"


def test_an_import_that_fails_leaves_a_store_that_works(
    store: modelstore.Connection, store_folder: Path
) -> None:
    (store_folder / "benchmark_results.csv").unlink()
    before = contents(store)
    with pytest.raises(duckdb.Error, match="benchmark_results"):
        store.execute(f"IMPORT DATABASE '{store_folder}'")
    assert contents(store) == before
    store.execute(
        "CREATE DATASET texts AS SELECT 'good text ' || i AS text, i % 2 AS label FROM range(40) t(i)"
    )
    with pytest.raises(duckdb.Error):
        store.execute("IMPORT DATABASE '/nowhere/at/all'")


def test_an_export_of_another_database_comes_in_unless_it_has_a_stores_names(tmp_path: Path) -> None:
    for name, refused in (("films", False), ("models", True)):
        with duckdb.connect() as plain:
            plain.execute(f"CREATE TABLE {name} AS SELECT 1 AS a; EXPORT DATABASE '{tmp_path / name}'")
        with modelstore.connect() as store:
            if refused:
                with pytest.raises(modelstore.StoreError, match="tables of its own named models"):
                    store.execute(f"IMPORT DATABASE '{tmp_path / name}'")
            else:
                store.execute(f"IMPORT DATABASE '{tmp_path / name}'")
                assert store.execute(f"FROM {name}").fetchall() == [(1,)]
            assert store.execute("SELECT name FROM datasets").fetchall() == []


def test_an_export_of_version_0_1_comes_in(tmp_path: Path) -> None:
    with duckdb.connect() as plain:
        register(plain)
        plain.execute("CREATE TABLE modelstore_version (version INTEGER)")
        for number, sql in migrations():
            if number < 15:
                plain.execute(sql)
                plain.execute("INSERT INTO modelstore_version VALUES (?)", [number])
        plain.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m', 'd', 0.5)")
        plain.execute(f"EXPORT DATABASE '{tmp_path / 'exported'}'")
    with modelstore.connect() as store:
        store.execute(f"IMPORT DATABASE '{tmp_path / 'exported'}'")
        assert store.execute("FROM performance_matrix").fetchall() == [("m", "d", "default", 0.5)]
        assert store.execute("SELECT max(version) FROM modelstore_version").fetchall() == [
            (migrations()[-1][0],)
        ]
        assert store.execute("FROM convergence_trends('m', 1)").fetchall() == []
