"""Opening files: new, old, newer, foreign, locked, read-only."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import modelstore
from modelstore.schema import migrations


def test_a_new_file_has_the_tables_and_a_plain_client_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    with modelstore.connect(path) as store:
        store.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m', 'd', 0.5)")
    with duckdb.connect(str(path)) as plain:
        assert plain.execute("FROM performance_matrix").fetchall() == [("m", "d", "default", 0.5)]
        assert plain.execute("SELECT name FROM recorded_models('default')").fetchall() == [("m",)]


def test_what_is_stored_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        with modelstore.connect(tmp_path / "zoo.db") as store:
            store.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m', 'd', 0.5)")
    with modelstore.connect(tmp_path / "zoo.db", read_only=True) as store:
        assert store.execute("SELECT count(*) FROM benchmark_results").fetchone() == (2,)


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    modelstore.connect(path).close()
    newer = migrations()[-1][0] + 1
    with duckdb.connect(str(path)) as plain:
        plain.execute("INSERT INTO modelstore_version VALUES (?)", [newer])
    with pytest.raises(modelstore.StoreError, match=rf"newer modelstore.*version {newer}.*upgrade"):
        modelstore.connect(path)


def test_a_file_with_other_tables_of_a_stores_names_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    with duckdb.connect(str(path)) as plain:
        plain.execute("CREATE TABLE models (a INT); CREATE TABLE mine (b INT)")
    with pytest.raises(modelstore.StoreError, match="tables of its own named models"):
        modelstore.connect(path)
    with duckdb.connect(str(path)) as plain:
        assert plain.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall() == [
            ("mine",),
            ("models",),
        ]


def test_a_file_with_tables_of_other_names_becomes_a_store(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "zoo.db")) as plain:
        plain.execute("CREATE TABLE mine AS SELECT 1 AS b")
    with modelstore.connect(tmp_path / "zoo.db") as store:
        assert store.execute("SELECT b FROM mine").fetchall() == [(1,)]


def test_a_file_open_for_writing_in_another_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(modelstore.StoreError, match="open in another process"):
            modelstore.connect(path)
    finally:
        holder.communicate("\n")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    path.write_text("not a database, but long enough to be taken for one" * 1000)
    with pytest.raises(modelstore.StoreError, match="not a DuckDB database file"):
        modelstore.connect(path)


def test_a_name_with_lock_in_it_is_not_taken_for_a_file_in_use(tmp_path: Path) -> None:
    (tmp_path / "clock.db").mkdir()
    with pytest.raises(modelstore.StoreError, match="cannot be opened") as raised:
        modelstore.connect(tmp_path / "clock.db")
    assert "another process" not in str(raised.value)


def test_reading_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(modelstore.StoreError, match="does not exist"):
        modelstore.connect(tmp_path / "zoo.db", read_only=True)


def test_migrations_have_a_number_each() -> None:
    numbers = [number for number, _ in migrations()]
    assert numbers[0] == 1
    assert sorted(set(numbers)) == numbers
