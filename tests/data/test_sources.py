"""How a dataset's rows are read from files."""

from pathlib import Path

import duckdb
import pytest

from modelstore.arrow_tables import registered
from modelstore.data.source import FOLDER_COLUMN
from modelstore.data.sources import open_source
from modelstore.errors import DatasetError
from modelstore.options import DatasetOptions


def rows_of(path: Path) -> list[tuple[object, ...]]:
    source = open_source(path, DatasetOptions())
    with duckdb.connect() as connection, registered(connection, source.tables):
        return connection.execute(
            f"SELECT * EXCLUDE ({FOLDER_COLUMN}) FROM ({source.query}) ORDER BY ALL"
        ).fetchall()


def test_words_in_a_csv_stay_words(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,yes\nb,2020-01-01\n")
    assert rows_of(tmp_path / "rows.csv") == [("a", "yes"), ("b", "2020-01-01")]


def test_json_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n')
    assert rows_of(tmp_path / "rows.jsonl") == [("a", "1"), ("b", "0")]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/train-00000-of-00001.csv", "train"),
        ("validation/part.csv", "validation"),
        ("dev.csv", "validation"),
        ("my_test_rows.csv", "test"),
    ],
)
def test_a_split_is_read_off_files_and_folders(tmp_path: Path, name: str, split: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("text,label\na,x\n")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "other.csv").write_text("no,data\n1,2\n")
    assert rows_of(tmp_path) == [("a", "x", split)]


def test_a_word_that_only_holds_a_splits_name_is_none(tmp_path: Path) -> None:
    (tmp_path / "latest.csv").write_text("text,label\na,x\n")
    assert rows_of(tmp_path) == [("a", "x")]


def test_a_quote_in_a_path_is_no_end_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    folder.mkdir()
    (folder / "train.csv").write_text("text,label\na,x\n")
    assert rows_of(folder) == [("a", "x", "train")]


def test_a_source_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(DatasetError):
            open_source(path, DatasetOptions())
