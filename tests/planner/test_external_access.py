"""`SET enable_external_access = false` holds for extension statements as it does for DuckDB's own."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from tiny_models import TINY

import modelstore

Store = modelstore.Connection
Path_ = Callable[[str], Path]


def rows(folder: Path, text: str = "image") -> Path:
    path = folder / "rows.csv"
    path.write_text(f"{text},label\n" + "".join(f"{folder}/{i}.png,{i % 2}\n" for i in range(20)))
    return path


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE MODEL m FROM '{model}'",
        "CREATE OR REPLACE MODEL m FROM '{model}'",
        "CREATE MODEL m FROM 'hf://owner/name'",
        "CREATE DATASET d FROM '{rows}'",
        "CREATE DATASET d FROM '{folder}'",
        "CREATE DATASET d FROM 'hf://owner/name'",
        "CREATE DATASET d AS FROM '{rows}'",
    ],
)
def test_nothing_outside_of_the_database_is_read(
    statement: str, store: Store, model_path: Path_, tmp_path: Path, hub: object
) -> None:
    (tmp_path / "data").mkdir()
    text = statement.format(model=model_path("bert"), rows=rows(tmp_path / "data"), folder=tmp_path / "data")
    store.execute("SET enable_external_access = false")
    with pytest.raises(duckdb.PermissionException, match="disabled by configuration"):
        store.execute(text)


def test_rows_that_name_images_do_not_have_them_read(store: Store, tmp_path: Path, model_path: Path_) -> None:
    from PIL import Image

    for i in range(20):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{i}.png")
    store.execute(f"CREATE MODEL vit FROM '{model_path('vit')}'")
    store.execute(f"CREATE DATASET d AS FROM '{rows(tmp_path)}'")
    store.execute("SET enable_external_access = false")
    store.execute(f"BENCHMARK MODELS ON d WITH ({TINY}, device = 'cpu')")
    [(reason,)] = store.execute("SELECT reason FROM benchmark_failures").fetchall()
    assert "disabled by configuration" in reason


def test_a_uri_that_was_inserted_is_not_read_either(zoo: Store, model_path: Path_) -> None:
    zoo.execute("DELETE FROM models WHERE name <> 'bert'")
    zoo.execute("SET enable_external_access = false")
    zoo.execute(f"BENCHMARK MODELS ON texts WITH ({TINY}, device = 'cpu')")
    [(reason,)] = zoo.execute("SELECT reason FROM benchmark_failures").fetchall()
    assert "disabled by configuration" in reason


def test_what_duckdb_allows_is_allowed(store: Store, model_path: Path_, tmp_path: Path) -> None:
    model = model_path("bert")
    data = tmp_path / "data"
    data.mkdir()
    lines = "".join(f"good text {i},{i % 2}\n" for i in range(20))
    (data / "train.csv").write_text("text,label\n" + lines)
    (tmp_path / "other.csv").write_text("text,label\n" + lines)
    store.execute(f"SET allowed_directories = ['{model}', '{data}']")
    store.execute(f"SET allowed_paths = ['{tmp_path / 'other.csv'}']")
    store.execute("SET enable_external_access = false")
    store.execute(f"CREATE MODEL m FROM '{model}'")
    store.execute(f"CREATE DATASET d FROM '{data / 'train.csv'}'")
    store.execute(f"CREATE DATASET e FROM '{tmp_path / 'other.csv'}'")
    with pytest.raises(duckdb.PermissionException):
        store.execute(f"CREATE MODEL n FROM '{model}/../x'")


def test_a_statement_alone_sends_nothing_to_a_cluster(store: Store, model_path: Path_) -> None:
    store.execute(f"CREATE MODEL m FROM '{model_path('bert')}'")
    store.execute("CREATE DATASET d AS SELECT 'text ' || i AS text, i % 2 AS label FROM range(40) AS r(i)")
    store.execute("SET enable_external_access = false")
    for statement in ("BENCHMARK MODELS ON d", "EXPLAIN SELECT BEST MODEL FOR d", "RECALL 1 MODELS FOR d"):
        with pytest.raises(duckdb.PermissionException, match="Cannot send models to a Ray cluster"):
            store.execute(f"{statement} WITH (executor = 'ray')")
