"""How long training is expected to take: corrections by recorded runs, and tokens of rows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from forked import run_program
from hypothesis import given
from hypothesis import strategies as st

import modelstore
from modelstore.planner.row_sizes import SPECIAL, USUAL_CHARACTERS, TokensPerRow
from modelstore.planner.training_times import Corrections

Store = modelstore.Connection


def test_without_records_nothing_is_corrected() -> None:
    assert Corrections({}).of("m", "d") == 1


@given(st.floats(0.01, 100))
def test_a_common_factor_holds_for_every_pair(factor: float) -> None:
    corrections = Corrections({(m, d): factor for m in "abc" for d in "xy"})
    assert corrections.of("unknown", "new") == pytest.approx(factor)
    assert corrections.of("a", "new") == pytest.approx(factor)


def test_factors_of_models_and_datasets_multiply() -> None:
    models, datasets = {f"m{i}": 1.5**i for i in range(-4, 5)}, {f"d{i}": 2.0**i for i in range(-4, 5)}
    ratios = {(m, d): a * b for m, a in models.items() for d, b in datasets.items() if (m, d) != ("m4", "d4")}
    found = Corrections(ratios).of("m4", "d4")
    assert abs(np.log(found / (1.5**4 * 2.0**4))) < 0.25 * np.log(1.5**4 * 2.0**4)


def test_one_run_says_less_than_many() -> None:
    others = {(f"m{i}", f"d{i}"): 1.0 for i in range(20)}
    one = Corrections({**others, ("slow", "d0"): 4.0}).of("slow", "new")
    many = Corrections({**others, **{("slow", f"d{i}"): 4.0 for i in range(20)}}).of("slow", "new")
    assert 1 < one < many < 4.5


@pytest.fixture
def texts(store: Store) -> Store:
    return store.execute(
        "CREATE DATASET texts AS SELECT repeat('word ', 1 + i % 4) AS text, ['a', 'b'][1 + i % 2] AS label "
        "FROM range(120) AS r(i)"
    )


def test_texts_are_cut_at_the_length_at_which_the_tokenizer_cuts(texts: Store) -> None:
    dataset = texts.store.catalog.dataset("texts")
    tokens = TokensPerRow(texts.store, dataset)
    assert tokens.of(None, dataset, 100) == pytest.approx(SPECIAL + 12.5 / USUAL_CHARACTERS, rel=0.2)
    assert tokens.of(None, dataset, 3) == 3


def test_rows_that_cannot_be_read_count_as_half_of_the_most(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" + "\n".join(f"some words {i},{'ab'[i % 2]}" for i in range(60)))
    store.execute(f"CREATE DATASET rows FROM '{file}'")
    file.unlink()
    dataset = store.store.catalog.dataset("rows")
    assert TokensPerRow(store.store, dataset).of(None, dataset, 64) == 32


def test_records_without_sizes_or_of_endless_runs_do_not_count(zoo: Store) -> None:
    zoo.execute(
        "INSERT INTO datasets (name, task, metric, modality) "
        "VALUES ('bare', 'text_classification', 'accuracy', 'text')"
    )
    zoo.execute(
        "INSERT INTO benchmark_results (model, dataset, score, epochs, seconds) VALUES "
        "('bert', 'bare', 0.5, 5, 100), ('bert', 'others', 0.5, 5, 'inf'), ('bert', 'gone', 0.5, 5, 100)"
    )
    [(_, said), *_] = zoo.execute("EXPLAIN BENCHMARK MODELS ON texts").fetchall()
    assert said.endswith("by a probe")


PLANS = """
import sys, modelstore
with modelstore.connect(sys.argv[1], read_only=True) as store:
    for sql in ("EXPLAIN SELECT BEST MODEL FOR texts", "EXPLAIN BENCHMARK MODELS ON texts, others"):
        rows = store.execute(sql).fetchall()
        assert "by a probe" in rows[0][1], rows
print("modelstore.training.speed_probe" in sys.modules, "torch" in sys.modules)
"""


def test_a_plan_from_records_or_a_remembered_probe_does_not_load_torch(
    zoo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(modelstore.__file__).parents[1]))
    probes = run_program(PLANS, str(zoo_file))
    assert (probes.returncode, probes.stdout) == (0, "True True\n"), probes.stderr
    remembers = subprocess.run(
        [sys.executable, "-c", PLANS, str(zoo_file)], capture_output=True, text=True, check=True
    )
    assert remembers.stdout == "False False\n"
