"""The public records of the package are what their descriptions say, and are made of their sources by a script."""

import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pytest

from modelstore import public
from modelstore.public import RECORDS, PublicRecords

ROOT = Path(__file__).parents[2]
FOLDER = Path(public.__file__).parent
MATRIX = "dataset,a/one,two\ncola,-0.04,0.5\nrte,,0.75\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script makes of a few rows of the exports, and of two small matrices."""
    paper, out = tmp_path_factory.mktemp("paper"), tmp_path_factory.mktemp("public")
    for kind in ("nlp", "cv"):
        (paper / f"{kind}_matrix.csv").write_text(MATRIX)
    script = [sys.executable, str(ROOT / "benchmarks" / "public_records.py")]
    exports = Path(__file__).parent / "exports"
    subprocess.run([*script, "--euroeval", exports, "--paper", paper, "--out", out], check=True)
    return out


def test_encoders_alone_are_taken_from_a_leaderboard_with_their_first_scores_as_shares(made: Path) -> None:
    rows = duckdb.sql(
        f"SELECT * EXCLUDE (parameters) FROM '{made}/euroeval.parquet' WHERE model = 'ltg/norbert3-large'"
    ).fetchall()
    model = "ltg/norbert3-large"
    assert [row for row in rows if row[5] == "norwegian"] == [
        (model, "norec", 0.5999, "matthews", 0.0192, "norwegian", "sentiment classification"),
        (model, "norne_nb", 0.8785, "f1_entity", 0.0098, "norwegian", "named entity recognition"),
        (model, "norne_nn", 0.8374, "f1_entity", 0.0161, "norwegian", "named entity recognition"),
        (model, "norquad", 0.791, "f1", 0.0102, "norwegian", "reading comprehension"),
        (model, "scala_nb", 0.7175, "matthews", 0.0779, "norwegian", "linguistic acceptability"),
        (model, "scala_nn", 0.7224, "matthews", 0.0261, "norwegian", "linguistic acceptability"),
    ]
    models = duckdb.sql(f"SELECT DISTINCT model FROM '{made}/euroeval.parquet'").fetchall()
    assert not any("(" in name or "<" in name for (name,) in models)


def test_a_gap_is_no_result_and_exports_of_several_languages_repeat_none(made: Path) -> None:
    rows = duckdb.sql(
        f"SELECT dataset FROM '{made}/euroeval.parquet' "
        "WHERE model = 'AI-Sweden-Models/bert-large-nordic-pile-1M-steps' AND language = 'norwegian'"
    ).fetchall()
    assert ("norne_nb",) in rows
    assert ("norne_nn",) not in rows
    languages = duckdb.sql(f"SELECT DISTINCT language FROM '{made}/euroeval.parquet' ORDER BY ALL").fetchall()
    assert languages == [("danish",), ("norwegian",)]


def test_the_cells_of_a_matrix_become_results(made: Path) -> None:
    rows = duckdb.sql(f"FROM '{made}/paper_cv.parquet'").fetchall()
    assert rows == [("a/one", "cola", -0.04, None), ("two", "cola", 0.5, None), ("two", "rte", 0.75, None)]


@pytest.mark.parametrize("records", RECORDS.values(), ids=lambda records: records.name)
def test_a_description_counts_what_is_in_the_file(records: PublicRecords) -> None:
    table = records.read()
    counted = [len(table.column(name).unique()) for name in ("model", "dataset")]
    assert [*counted, len(table)] == [records.models, records.datasets, records.results]
    assert table.group_by(["model", "dataset"]).aggregate([]).num_rows == len(table)
    assert pc.min(table.column("score")).as_py() >= -1
    assert pc.max(table.column("score")).as_py() <= 1
    assert table.column("score").null_count == 0
    assert f"`{records.name}.parquet`" in (FOLDER / "LICENSES.md").read_text("utf-8")


def test_all_files_are_in_the_package_and_are_small() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    packed = {path for pattern in patterns["modelstore.public"] for path in FOLDER.glob(pattern)}
    files = {path for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".py"}
    assert packed == files
    assert {path.stem for path in files if path.suffix == ".parquet"} == set(RECORDS)
    assert sum(path.stat().st_size for path in files) < 3e6
