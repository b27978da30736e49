"""`CREATE DATASET` and `DROP DATASET`: inferred tasks and columns, splits, and errors with their messages."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

import modelstore
from modelstore.data import preparation
from modelstore.progress import shown_by

Store = modelstore.Connection
ROWS = "SELECT 'text ' || i AS text, ['yes', 'no'][1 + i % 2] AS label FROM range(100) t(i)"


def describe(store: Store, name: str = "d") -> tuple[object, ...]:
    columns = "task, metric, labels, train_rows, validation_rows, test_rows, modality"
    row = store.execute(f"SELECT {columns} FROM datasets WHERE name = ?", [name]).fetchone()
    assert row is not None
    return tuple(row)


def test_a_query_makes_a_dataset_whose_rows_the_file_keeps(store: Store) -> None:
    store.execute(f"CREATE DATASET d AS {ROWS}")
    assert describe(store) == ("text_classification", "accuracy", ["no", "yes"], 80, 10, 10, "text")
    kept = store.execute(
        "SELECT split, label, count(*) FROM dataset_rows.d GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert [row[2] for row in kept] == [5, 5, 40, 40, 5, 5]  # stratified


def test_splits_are_made_alike_whatever_the_order_of_the_rows(store: Store) -> None:
    store.execute(f"CREATE DATASET d AS {ROWS}")
    store.execute(f"CREATE DATASET e AS {ROWS} ORDER BY i DESC")
    store.execute(f"CREATE DATASET f AS {ROWS} WITH (seed = 1)")
    both = "SELECT count(*) FROM dataset_rows.d JOIN dataset_rows.{} other USING (text) WHERE d.split = other.split"
    assert store.execute(both.format("e")).fetchone() == (100,)
    assert store.execute(both.format("f")).fetchone() != (100,)
    kept = [store.execute(f"SELECT text FROM dataset_rows.{name}").fetchall() for name in ("d", "e")]
    assert kept[0] == kept[1]


@pytest.mark.parametrize(
    ("query", "task", "metric", "labels"),
    [
        (
            "SELECT 'a' AS text, (i % 3)::DOUBLE AS label FROM range(50) t(i)",
            "text_classification",
            "accuracy",
            ["0", "1", "2"],
        ),
        ("SELECT 'a' AS text, (i % 7) / 2 AS label FROM range(50) t(i)", "regression", "pearson", []),
        (
            "SELECT 'a' AS text, 'b' AS text_pair, i % 3 + 9 AS label FROM range(50) t(i)",
            "text_pair_classification",
            "accuracy",
            ["9", "10", "11"],
        ),
        (
            "SELECT 'x'::BLOB AS image, i % 2 = 0 AS label FROM range(50) t(i)",
            "image_classification",
            "accuracy",
            None,
        ),
    ],
)
def test_the_task_is_inferred_from_the_columns(
    store: Store, query: str, task: str, metric: str, labels: list[str] | None
) -> None:
    store.execute(f"CREATE DATASET d AS {query}")
    assert describe(store)[:2] == (task, metric)
    assert labels is None or describe(store)[2] == labels


def test_columns_task_and_metric_can_be_named(store: Store) -> None:
    store.execute(
        "CREATE DATASET d AS SELECT 'a' AS review, i AS stars FROM range(50) t(i) "
        "WITH (text = 'review', label = 'stars', task = 'regression', metric = 'spearman')"
    )
    assert describe(store)[:2] == ("regression", "spearman")


def test_given_splits_are_kept_and_a_missing_one_is_made_from_train(store: Store) -> None:
    store.execute(
        "CREATE DATASET d AS SELECT 'a' || i AS text, i % 2 AS label, if(i < 80, 'TRAIN', 'test') AS split "
        "FROM range(100) t(i)"
    )
    assert describe(store)[3:6] == (72, 8, 20)


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_a_file_makes_a_dataset(store: Store, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"rows.{kind}"
    store.execute(f"COPY ({ROWS}) TO '{file}'")
    store.execute(f"CREATE DATASET d FROM '{file}'")
    assert describe(store)[:4] == ("text_classification", "accuracy", ["no", "yes"], 80)


def test_a_directory_in_the_hubs_layout_names_its_splits_in_its_files(store: Store, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    store.execute(f"COPY ({ROWS}) TO '{tmp_path}/data/train-00000-of-00002.parquet'")
    store.execute(f"COPY ({ROWS}) TO '{tmp_path}/data/train-00001-of-00002.parquet'")
    store.execute(f"COPY ({ROWS} LIMIT 20) TO '{tmp_path}/data/test-00000-of-00001.parquet'")
    store.execute(f"CREATE DATASET d FROM '{tmp_path}'")
    assert describe(store)[3:6] == (180, 20, 20)


def test_a_folder_of_images_has_its_labels_in_its_folders(store: Store, tmp_path: Path) -> None:
    for split, count in (("train", 10), ("test", 4)):
        for label in ("cat", "dog"):
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.png").write_bytes(b"bytes")
    store.execute(f"CREATE DATASET d FROM '{tmp_path}'")
    assert describe(store) == ("image_classification", "accuracy", ["cat", "dog"], 18, 2, 8, "image")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 'a' AS text FROM range(9)", "no column label"),
        ("SELECT 1 AS label FROM range(9)", "no column text or image"),
        ("SELECT 'a' AS text, 1 AS label FROM range(0)", "it has no rows"),
        ("SELECT 'a' AS text, nullif(i % 3, 0) AS label FROM range(9) t(i)", "3 of 9 rows have no label"),
        ("SELECT nullif('a', 'a') AS text, 1 AS label FROM range(9)", "9 of 9 rows have no text"),
        ("SELECT 'a' AS text, 'x' AS label FROM range(99)", "every label in train is 'x'"),
        ("SELECT 'a' AS text, 0.5 AS label FROM range(99)", "every label in train is 0.5"),
        ("SELECT 'a' AS text, 'nan'::DOUBLE AS label FROM range(9)", "have no number"),
        (
            "SELECT 'a' AS text, i % 2 AS label, 'test' AS split FROM range(9) t(i)",
            "no rows in the split train",
        ),
        ("SELECT 'a' AS text, i % 2 AS label, 'foo' AS split FROM range(9) t(i)", "the split 'foo' in row 1"),
        (
            "SELECT 'a' AS text, i // 50 AS label, if(i < 90, 'train', 'test') AS split FROM range(150) t(i)",
            "the label '2' stands in 50 rows of test and in none of train",
        ),
        ("SELECT 'a' AS text, i AS label FROM range(3) t(i)", "the split validation is empty"),
        ("SELECT 1 AS image, i % 2 AS label FROM range(9) t(i)", "image column is of type INTEGER"),
        ("SELECT 'a' AS txt, i % 2 AS label FROM range(9) t(i) WITH (text = 'tx')", 'did you mean "txt"'),
        ("SELECT 'a' AS text, i % 2 AS label FROM range(99) t(i) WITH (metric = 'pearson')", "use accuracy"),
        (
            "SELECT 'a' AS text, i % 2 AS label FROM range(99) t(i) WITH (task = 'image_classification')",
            "no image",
        ),
    ],
)
def test_rows_that_cannot_be_trained_on_are_refused_with_the_reason(
    store: Store, query: str, message: str
) -> None:
    with pytest.raises(modelstore.Error) as caught:
        store.execute(f"CREATE DATASET d AS {query}")
    assert message in str(caught.value)
    assert store.execute("SELECT count(*) FROM datasets").fetchone() == (0,)


def test_a_missing_file_is_one_sentence(store: Store) -> None:
    with pytest.raises(modelstore.DatasetError, match=r'there is no file or directory "/nope\.csv"'):
        store.execute("CREATE DATASET d FROM '/nope.csv'")


def test_a_name_is_taken_once_unless_the_statement_says_so(store: Store) -> None:
    store.execute(f"CREATE DATASET d AS {ROWS}")
    with pytest.raises(modelstore.AlreadyExistsError, match="OR REPLACE"):
        store.execute(f"CREATE DATASET d AS {ROWS}")
    store.execute(f"CREATE DATASET IF NOT EXISTS d AS {ROWS} LIMIT 60")
    assert describe(store)[3] == 80
    store.execute(f"CREATE OR REPLACE DATASET d AS {ROWS} LIMIT 60")
    assert describe(store)[3] == 48


def test_a_failed_replacement_leaves_what_was_there(store: Store) -> None:
    store.execute(f"CREATE DATASET d AS {ROWS}")
    with pytest.raises(modelstore.DatasetError):
        store.execute("CREATE OR REPLACE DATASET d AS SELECT 'a' AS text, 1 AS label")
    assert describe(store)[3] == 80
    assert store.execute("SELECT count(*) FROM dataset_rows.d").fetchone() == (100,)


def test_replacing_a_dataset_says_which_records_stay(recorded: Store) -> None:
    said: list[str] = []
    display = SimpleNamespace(notify=said.append)
    with shown_by(display):  # type: ignore[arg-type]
        recorded.execute(f"CREATE DATASET d1 AS {ROWS}")
        assert not any("records" in line for line in said)
        recorded.execute(f"CREATE OR REPLACE DATASET d1 AS {ROWS}")
    [line] = [line for line in said if "records" in line]
    assert "its 40 records stay" in line
    assert "WHERE dataset = 'd1'" in line


def test_dropping_keeps_the_records_and_says_how_many(recorded: Store) -> None:
    recorded.execute(f"CREATE DATASET d1 AS {ROWS}")
    assert recorded.execute("DROP DATASET d1").fetchall() == [("d1", 8 + 32)]
    assert recorded.execute("SELECT count(*) FROM benchmark_results WHERE dataset = 'd1'").fetchone() == (8,)
    assert recorded.execute("DROP DATASET IF EXISTS d1").fetchall() == []
    with pytest.raises(modelstore.NotFoundError, match='no dataset "d1"'):
        recorded.execute("DROP DATASET d1")


def test_registering_needs_little_memory_and_leaves_the_limit_as_it_was(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = "SELECT current_setting('memory_limit')"
    seen: list[str] = []
    prepare = preparation.prepare_files

    def watched(connection: duckdb.DuckDBPyConnection, *arguments: Any, **named: Any) -> preparation.Prepared:
        seen.append(connection.execute(limit).fetchall()[0][0])
        if len(seen) == 2:
            raise duckdb.OutOfMemoryException("Out of Memory Error: one row takes more")
        return prepare(connection, *arguments, **named)

    monkeypatch.setattr(preparation, "prepare_files", watched)
    (tmp_path / "d.csv").write_text("text,label\n" + "".join(f"text {i},{i % 2}\n" for i in range(40)))
    before = store.execute(limit).fetchall()[0][0]
    for name in "ab":
        store.execute(f"CREATE DATASET {name} FROM '{tmp_path}/d.csv'")
        assert store.execute(limit).fetchall()[0][0] == before
    assert seen == [
        "953.6 MiB",
        "953.6 MiB",
        before,
    ]  # where that is too little, it is done once more without
    store.execute("SET memory_limit = '500MB'")
    store.execute(f"CREATE DATASET c FROM '{tmp_path}/d.csv'")
    assert seen[-1] == store.execute(limit).fetchall()[0][0] == "476.8 MiB"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'a' AS text, 1 AS nothing",
        "SELECT 'a' || i AS text, i % 2 AS label, 'nowhere' AS split FROM range(20) t(i)",
        "SELECT 'a' AS text, 1 AS label FROM range(20)",
        "SELECT [1] AS text, {'a': 1} AS label FROM range(20)",
        "SELECT NULL::VARCHAR AS text, 1 AS label FROM range(20)",
    ],
)
@pytest.mark.parametrize("begin", ["", "BEGIN; "])
def test_a_dataset_that_is_refused_keeps_no_copy_of_its_rows(
    store: modelstore.Connection, sql: str, begin: str
) -> None:
    with pytest.raises(modelstore.Error):
        store.execute(f"{begin}CREATE DATASET d AS {sql}")
    if begin:
        store.execute("ROLLBACK")
    assert store.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall() == []
    store.execute("CREATE DATASET d AS SELECT 'good text ' || i AS text, i % 2 AS label FROM range(40) t(i)")
    assert store.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall() == []
