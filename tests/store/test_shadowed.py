"""What a user makes under a name of the store's neither takes its rows nor changes its answers."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import modelstore

STATEMENTS = [
    "CLUSTER MODELS",
    "RECALL 3 MODELS FOR d0",
    "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4)",
    "EXPLAIN SELECT BEST MODEL FOR d1 USING two_phase WITH (executor = 'replay', epochs = 4)",
    "COMPARE STRATEGIES brute_force, two_phase ON d0, d1 WITH (epochs = 4)",
    "SUGGEST 2 BENCHMARKS",
    "CREATE DATASET made AS SELECT 'good text ' || i AS text, i % 2 AS label FROM range(40) t(i)",
    "DROP DATASET made",
    "DROP MODEL IF EXISTS nothing",
]


def tables(store: modelstore.Connection) -> list[str]:
    """The tables of the schema."""
    rows = store.execute(
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' AND database_name = 'zoo' ORDER BY 1"
    ).fetchall()
    return [name for (name,) in rows]


def names(store: modelstore.Connection) -> list[str]:
    """Its tables, views and macros."""
    views = store.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()
    return [*tables(store), *(name for (name,) in views), "convergence_trends", "recorded_models"]


def answers(store: modelstore.Connection) -> list[Any]:
    """What the statements return, and what they leave in the store's tables, but for times and numbers."""
    found: list[Any] = []
    for sql in STATEMENTS:
        store.execute(sql)
        rows = store.fetchall() if store.description else []
        found.append([[cell for cell in row if not isinstance(cell, float | int)] for row in rows])
    counts = "SELECT " + ", ".join(
        f"(SELECT count(*) FROM zoo.main.{name})"
        for name in ("selections", "selection_stages", "model_clusters", "last_clustering", "datasets")
    )
    found.append(store.execute(counts).fetchall())
    catalog = store.store.catalog
    found.append(catalog.list_models().fetchall())
    found.append(store.store.curves.trends("a1", 1.0, "default"))
    return found


def shadow_by_tables(store: modelstore.Connection) -> None:
    for name in names(store):
        store.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM (VALUES ('no', 1)) t(name, model)")


def shadow_by_views(store: modelstore.Connection) -> None:
    for name in names(store):
        store.execute(
            f"CREATE TEMP VIEW {name} AS SELECT 'no' AS name, 'no' AS model, 0.5 AS score WHERE false"
        )


def shadow_by_frames(store: modelstore.Connection) -> None:
    for name in names(store):
        store.register(name, pa.table({"name": ["no"], "model": ["no"]}))


def shadow_by_full_copies(store: modelstore.Connection) -> None:
    # Tables of the same columns take rows without an error.
    for name in tables(store):
        store.execute(f"CREATE TEMP TABLE {name} AS FROM zoo.main.{name} LIMIT 0")


def shadow_by_macros(store: modelstore.Connection) -> None:
    for name in names(store):
        store.execute(
            f"CREATE OR REPLACE TEMP MACRO {name}(a := 1, b := 2) AS TABLE SELECT 'no' AS name WHERE false"
        )
    for name in (
        "avg",
        "isfinite",
        "list_contains",
        "md5",
        "hash",
        "count",
        "translate",
        "lower",
        "starts_with",
    ):
        store.execute(f"CREATE OR REPLACE TEMP MACRO {name}(a, b := 1, c := 2) AS NULL")


def shadow_by_another_database(store: modelstore.Connection) -> None:
    store.execute("ATTACH ':memory:' AS other; USE other; CREATE SCHEMA dataset_rows; CREATE SCHEMA zoo")
    for name in names(store):
        store.execute(f"CREATE TABLE {name} (name VARCHAR, model VARCHAR)")
        store.execute(f"CREATE TABLE other.zoo.{name} (name VARCHAR, model VARCHAR)")


def shadow_by_a_search_path(store: modelstore.Connection) -> None:
    store.execute("CREATE SCHEMA mine; CREATE SCHEMA temp; CREATE SCHEMA system")
    for name in names(store):
        store.execute(f"CREATE TABLE mine.{name} (name VARCHAR, model VARCHAR)")
    store.execute("SET search_path = 'mine,main'")


@pytest.mark.parametrize(
    "shadow",
    [
        shadow_by_tables,
        shadow_by_views,
        shadow_by_frames,
        shadow_by_full_copies,
        shadow_by_macros,
        shadow_by_another_database,
        shadow_by_a_search_path,
    ],
)
def test_shadows_change_nothing(
    recorded_file: Path,
    tmp_path: Path,
    shadow: Callable[[modelstore.Connection], None],
) -> None:
    found = []
    for folder in ("plain", "shadowed"):
        (tmp_path / folder).mkdir()
        with modelstore.connect(shutil.copy(recorded_file, tmp_path / folder)) as store:
            if folder == "shadowed":
                shadow(store)
            found.append(answers(store))
    assert found[0] == found[1]


def test_a_benchmark_and_a_selection_are_stored_in_the_file_alone(
    store: modelstore.Connection, model_path: Callable[[str], Path]
) -> None:
    store.execute("CREATE MODEL bert FROM ?", [str(model_path("bert"))])
    store.execute(
        "CREATE DATASET texts AS SELECT 'good text ' || i AS text, i % 2 AS label FROM range(40) t(i)"
    )
    shadow_by_full_copies(store)
    store.execute("CREATE OR REPLACE TEMP MACRO md5(a) AS 'x'")
    store.execute("BENCHMARK MODELS FROM (VALUES ('bert')) t(name) ON texts WITH (epochs = 1)")
    store.execute(
        "SELECT BEST MODEL FOR texts FROM (VALUES ('bert')) t(name) WITH (epochs = 1, reuse = false)"
    )
    for table, rows in (("benchmark_results", 1), ("selections", 1), ("models", 2), ("datasets", 1)):
        assert store.execute(f"SELECT count(*) FROM zoo.main.{table}").fetchall() == [(rows,)], table
        assert store.execute(f"SELECT count(*) FROM temp.main.{table}").fetchall() == [(0,)], table


def test_a_users_own_query_sees_what_duckdb_shows_it(recorded: modelstore.Connection) -> None:
    recorded.execute("CREATE TEMP TABLE models AS SELECT 'a2' AS name")
    best = recorded.execute("SELECT model FROM (RECALL 5 MODELS FOR d0 FROM models)").fetchall()
    assert best == [("a2",)]
