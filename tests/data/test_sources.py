"""Where a dataset's rows come from."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from modelstore.data.hub import DatasetRef, resolve_dataset
from modelstore.data.sources import query_of
from modelstore.errors import DatasetError

COMMIT = "0123456789012345678901234567890123456789"


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"FROM ({query_of(path)}) ORDER BY ALL").fetchall()


def test_words_in_a_csv_stay_words(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,yes\nb,2020-01-01\n")
    assert rows_of(tmp_path / "rows.csv") == [("a", "yes"), ("b", "2020-01-01")]


def test_json_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "label": 1}\n{"text": "b", "label": 0}\n')
    assert rows_of(tmp_path / "rows.jsonl") == [("a", 1), ("b", 0)]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/train-00000-of-00001.csv", "train"),
        ("validation/part.csv", "validation"),
        ("dev.csv", "dev"),
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


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(DatasetError):
            query_of(path)
    with pytest.raises(DatasetError, match="there is no file or directory"):
        resolve_dataset("d", str(tmp_path / "nothing"))


def test_a_dataset_of_this_machine_has_no_revision(tmp_path: Path) -> None:
    assert resolve_dataset("d", str(tmp_path)) == DatasetRef("d", tmp_path, None)


def test_the_hub_is_read_through_its_cache(tmp_path: Path) -> None:
    """Offline, in a process of its own since the client reads its settings once."""
    repository = tmp_path / "hub" / "datasets--someone--reviews"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "train.csv").write_text("text,label\na,x\n")
    program = (
        "from modelstore.data.hub import resolve_dataset\n"
        "from modelstore.data.sources import query_of\n"
        "import duckdb\n"
        "print(duckdb.sql(query_of(resolve_dataset('d', 'hf://someone/reviews').path)).fetchall())\n"
        "try: resolve_dataset('other', 'hf://someone/other')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    first, second = ran.stdout.splitlines()
    assert first == "[('a', 'x', 'train')]"
    assert second.startswith('DatasetError the dataset "hf://someone/other" cannot be fetched from the hub')
    assert ran.stderr == ""
