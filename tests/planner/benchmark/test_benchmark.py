"""`BENCHMARK` that really trains: its records, pairs that fail alone, and what it keeps when it is killed."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import run_program
from tiny_models import TINY

import modelstore

Store = modelstore.Connection


def test_benchmark_records_results_and_curves_and_skips_them_the_next_time(zoo: Store) -> None:
    sql = (
        "BENCHMARK MODELS WHERE name IN ('bert', 'vit') ON texts, pairs, numbers, images "
        f"WITH ({TINY}, stages_per_epoch = 2)"
    )
    rows = zoo.execute(sql).fetchall()
    assert [(row[0], row[1], row[4], row[6]) for row in rows] == [
        ("bert", "texts", 2.0, "done"),
        ("bert", "pairs", 2.0, "done"),
        ("bert", "numbers", 2.0, "done"),
        ("vit", "images", 2.0, "done"),
    ]
    curves = zoo.execute(
        "SELECT list(epoch ORDER BY stage), count(validation), count(test), any_value(recipe) FROM training_curves "
        "GROUP BY model, dataset"
    ).fetchall()
    assert curves == [([0.5, 1.0, 1.5, 2.0], 4, 4, "tiny")] * 4
    assert zoo.execute(
        "SELECT count(*) FROM benchmark_results r WHERE r.epochs = 2 AND r.seconds > 0 AND r.score = (SELECT c.test "
        "FROM training_curves c WHERE (c.model, c.dataset) = (r.model, r.dataset) "
        "ORDER BY c.validation DESC, c.stage LIMIT 1)"
    ).fetchone() == (4,)
    assert [row[6] for row in zoo.execute(sql).fetchall()] == ["skipped"] * 4
    # The recipe remembers its options; other options are another recipe.
    assert [
        row[6] for row in zoo.execute("BENCHMARK MODELS WHERE name = 'vit' ON images WITH (recipe = 'tiny')")
    ] == ["skipped"]
    zoo.execute("BENCHMARK MODELS WHERE name = 'vit' ON images WITH (recipe = 'tiny', epochs = 1)")
    assert zoo.execute("SELECT DISTINCT recipe FROM benchmark_results ORDER BY 1").fetchall() == [
        ("tiny",),
        ("tiny+epochs=1",),
    ]


def test_a_model_whose_weights_go_bad_fails_alone_and_the_reason_is_recorded(
    zoo: Store, model_copy: Callable[[str], Path]
) -> None:
    directory = model_copy("roberta")
    zoo.execute(f"CREATE MODEL spoilt FROM '{directory}'")
    (directory / "model.safetensors").write_bytes(b"not weights")
    rows = zoo.execute(
        f"BENCHMARK MODELS WHERE name IN ('bert', 'spoilt') ON texts, others WITH ({TINY})"
    ).fetchall()
    assert [(row[0], row[1], row[6]) for row in rows] == [
        ("bert", "texts", "done"),
        ("spoilt", "texts", "failed"),
        ("bert", "others", "done"),
        ("spoilt", "others", "failed"),
    ]
    reasons = zoo.execute("SELECT DISTINCT model, reason FROM benchmark_failures").fetchall()
    assert len(reasons) == 1
    assert "spoilt" in reasons[0][1]

    zoo.execute(
        "SELECT BEST MODEL FOR pairs WHERE name IN ('bert', 'spoilt') USING successive_halving WITH (recipe = 'tiny')"
    )
    assert zoo.execute("SELECT status, model FROM selections").fetchone() == ("done", "bert")
    failed = zoo.execute("SELECT model, reason FROM selection_stages WHERE action = 'failed'").fetchall()
    assert [model for model, _ in failed] == ["spoilt"]


def test_a_dataset_whose_file_is_gone_fails_its_pairs_and_the_others_go_on(
    zoo: Store, tmp_path: Path
) -> None:
    file = tmp_path / "gone.parquet"
    zoo.execute(f"COPY (SELECT text, label, split FROM dataset_rows.texts) TO '{file}'")
    zoo.execute(f"CREATE DATASET gone FROM '{file}'")
    file.unlink()
    rows = zoo.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON gone, texts WITH ({TINY})").fetchall()
    assert [row[6] for row in rows] == ["failed", "done"]


def test_a_benchmark_of_the_wrong_modality_says_so(zoo: Store) -> None:
    with pytest.raises(modelstore.NotFoundError, match="no model is of a dataset's modality"):
        zoo.execute(f"BENCHMARK MODELS WHERE name = 'vit' ON texts WITH ({TINY})")


KILLED_IN_THE_FOURTH_RUN = """
import os, sys
from modelstore.shell.main import main
from modelstore.training.finetune import FineTuning

advance, begun = FineTuning.advance, []

def advance_or_be_killed(run, *arguments, **options):
    if not run.curve:
        begun.append(run.model)
    elif len(begun) == 4:
        os.kill(os.getpid(), {number})
    return advance(run, *arguments, **options)

FineTuning.advance = advance_or_be_killed
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_benchmark_keeps_each_pair_that_ended_and_goes_on_there(zoo: Store, number: int) -> None:
    """The pairs of the first run are not trained again by the second."""
    path = zoo.execute("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL").fetchall()[0][0]
    zoo.close()
    sql = f"BENCHMARK MODELS ON texts, others, pairs WITH ({TINY})"
    killed = run_program(KILLED_IN_THE_FOURTH_RUN.format(number=int(number)), path, "-c", sql)
    assert killed.returncode in (-signal.SIGKILL, 130)
    assert "Traceback" not in killed.stderr
    assert ("the same statement run again goes on from there" in killed.stderr) == (number == signal.SIGINT)
    with modelstore.connect(path) as store:
        stored = store.execute("SELECT model, dataset, created_at FROM benchmark_results").fetchall()
        assert 1 <= len(stored) < 12
        assert store.execute(
            "SELECT count(*) FROM (FROM training_curves SELECT model, dataset GROUP BY ALL HAVING max(epoch) = 2)"
        ).fetchone() == (len(stored),)
        statuses = [row[6] for row in store.execute(sql).fetchall()]
        assert statuses.count("skipped") == len(stored)
        assert statuses.count("done") == 12 - len(stored)
        again = store.execute("SELECT model, dataset, created_at FROM benchmark_results").fetchall()
        assert set(stored) <= set(again)


def test_a_benchmark_records_what_the_machine_did_and_plans_count_with_it(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON texts WITH ({TINY}, device = 'cpu')")
    [(*run, speed, peak)] = zoo.execute(
        "SELECT model, dataset, recipe, seed, device, rows_per_second, peak_memory FROM training_telemetry"
    ).fetchall()
    assert run == ["bert", "texts", "tiny", 0, "cpu"]
    [(seconds, epochs, rows)] = zoo.execute(
        "SELECT r.seconds, r.epochs, d.train_rows FROM benchmark_results r JOIN datasets d ON d.name = r.dataset"
    ).fetchall()
    assert speed == pytest.approx(epochs * rows / seconds)
    assert peak is None or peak >= 0
    zoo.execute("UPDATE training_telemetry SET peak_memory = 5e9::BIGINT")
    explained = (
        "EXPLAIN SELECT BEST MODEL FOR others WHERE name = 'bert' USING brute_force "
        "WITH (recipe = 'tiny', device = '{}')"
    )
    for device, expected in (("auto", True), ("cpu", True), ("cuda", False)):
        plan = str(zoo.execute(explained.format(device)).fetchall())
        assert ("5.0 GB" in plan) == expected


def test_curves_are_recorded_at_the_ends_of_growing_stages_and_of_each_epoch(zoo: Store) -> None:
    options = TINY.replace("epochs = 2", "epochs = 4").replace("batch_size = 16", "batch_size = 2")
    zoo.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON texts WITH ({options})")
    epochs = "SELECT list(epoch ORDER BY stage) FROM training_curves WHERE recipe LIKE '{}'"
    assert zoo.execute(epochs.format("tiny")).fetchone() == ([0.25, 0.5, 1.0, 2.0, 3.0, 4.0],)
    replayed = zoo.execute(
        "SELECT BEST MODEL FOR texts WITH (recipe = 'tiny', executor = 'replay')"
    ).fetchone()
    assert replayed is not None
    assert (replayed[1], replayed[5]) == ("bert", 4.0)


def test_a_model_that_a_selection_fine_tuned_on_a_dataset_is_left_out_there(
    zoo: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo.execute("UPDATE models SET fine_tuned_on = ['texts'] WHERE name = 'bert'")
    sql = f"BENCHMARK MODELS WHERE name IN ('bert', 'distilbert') ON texts, others WITH ({TINY})"
    trained = {(row[0], row[1]) for row in zoo.execute(sql).fetchall()}
    assert trained == {("bert", "others"), ("distilbert", "texts"), ("distilbert", "others")}
