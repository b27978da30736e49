"""`BENCHMARK` and `SELECT BEST` that really train, on models of a few thousand weights saved to disk."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from tiny_models import image_rows, pair_rows, regression_rows, text_rows
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification, AutoTokenizer

import modelstore
from modelstore.planner.plan import duration, size

Store = modelstore.Connection
TINY = "recipe = 'tiny', epochs = 2, learning_rate = 5e-3, batch_size = 16, max_length = 32"


@pytest.fixture
def zoo(store: Store, model_path: Callable[[str], Path]) -> Store:
    """Four text models, two image models, and datasets of every task."""
    import numpy as np

    for kind in ("bert", "bert_classifier", "distilbert", "albert", "vit", "vit_classifier"):
        store.execute(f"CREATE MODEL {kind} FROM '{model_path(kind)}'")
    draws = {
        "texts": text_rows,
        "others": text_rows,
        "pairs": pair_rows,
        "numbers": regression_rows,
        "images": image_rows,
    }
    for seed, (name, draw) in enumerate(draws.items()):
        rows = draw(120, np.random.default_rng(seed))
        store.register("rows", rows)
        store.execute(f"CREATE DATASET {name} AS SELECT * FROM rows")
        store.unregister("rows")
    return store


def test_a_registered_model_is_described(zoo: Store) -> None:
    row = zoo.execute(
        "SELECT modality, architecture, parameters > 1000, labels, has_head "
        "FROM models WHERE name = 'bert_classifier'"
    ).fetchone()
    assert row == ("text", "BertForSequenceClassification", True, ["red", "green", "blue"], True)


def test_benchmark_records_results_and_curves_and_skips_them_the_next_time(zoo: Store) -> None:
    sql = (
        "BENCHMARK MODELS WHERE name IN ('bert', 'vit') ON texts, pairs, numbers, images "
        f"WITH ({TINY}, stages_per_epoch = 2)"
    )
    rows = zoo.execute(sql).fetchall()
    assert [(row[0], row[1], row[3], row[5]) for row in rows] == [
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
        "SELECT count(*) FROM benchmark_results r JOIN training_curves c USING (model, dataset) "
        "WHERE c.stage = 4 AND c.test = r.score AND r.epochs = 2 AND r.seconds > 0"
    ).fetchone() == (4,)
    assert [row[5] for row in zoo.execute(sql).fetchall()] == ["skipped"] * 4
    # The recipe remembers its options; other options are another recipe.
    assert [
        row[5] for row in zoo.execute("BENCHMARK MODELS WHERE name = 'vit' ON images WITH (recipe = 'tiny')")
    ] == ["skipped"]
    zoo.execute("BENCHMARK MODELS WHERE name = 'vit' ON images WITH (recipe = 'tiny', epochs = 1)")
    assert zoo.execute("SELECT DISTINCT recipe FROM benchmark_results ORDER BY 1").fetchall() == [
        ("tiny",),
        ("tiny+epochs=1",),
    ]


def test_a_selection_saves_registers_and_records_its_winner(zoo: Store, tmp_path: Path) -> None:
    zoo.execute(f"BENCHMARK MODELS ON others, numbers WITH ({TINY})")
    zoo.execute("CLUSTER MODELS WITH (recipe = 'tiny')")
    [row] = zoo.execute(
        "SELECT BEST MODEL FOR texts WITH (recipe = 'tiny', recall = 2, prior = 'mean')"
    ).fetchall()
    rank, model, validation, test, epochs, _, checkpoint, selection = row
    assert (rank, epochs, selection) == (1, 2.0, 1)
    assert checkpoint == str(tmp_path / "zoo.db.checkpoints" / f"1-{model}")

    network = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    assert network.config.id2label == {0: "0", 1: "1"}
    assert AutoTokenizer.from_pretrained(checkpoint)("good film")["input_ids"]
    assert sorted(file.suffix for file in Path(checkpoint).iterdir() if "model" in file.name) == [
        ".safetensors"
    ]

    assert zoo.execute(
        "SELECT base, fine_tuned_on, labels FROM models WHERE name = ?", [f"{model}-finetuned-texts"]
    ).fetchone() == (model, ["texts"], ["0", "1"])
    assert zoo.execute(
        "SELECT epoch, validation, test FROM training_curves WHERE dataset = 'texts' ORDER BY stage DESC"
    ).fetchone() == (2.0, validation, test)
    assert zoo.execute("SELECT status, model, method FROM selections").fetchone() == (
        "done",
        model,
        "two_phase",
    )
    actions = zoo.execute(
        "SELECT stage, action FROM selection_stages ORDER BY stage, validation DESC"
    ).fetchall()
    assert actions == [(1, "kept"), (1, "dropped"), (2, "won")]
    assert zoo.execute("SELECT count(*) FROM proxy_scores WHERE dataset = 'texts'").fetchone() != (0,)


@pytest.mark.parametrize("dataset", ["texts", "images"])
def test_the_python_way_loads_the_winner_with_what_prepares_its_inputs(zoo: Store, dataset: str) -> None:
    best = zoo.select_best_model(
        dataset, recipe="tiny", epochs=1, learning_rate=5e-3, batch_size=16, max_length=32
    )
    model, processor = best.load()
    if dataset == "texts":
        logits = model(**processor(["red green"], return_tensors="pt")).logits
    else:
        import numpy as np

        logits = model(**processor(np.zeros((32, 32, 3), dtype=np.uint8), return_tensors="pt")).logits
    labels = zoo.execute("SELECT labels FROM datasets WHERE name = ?", [dataset]).fetchall()[0][0]
    assert [model.config.id2label[i] for i in range(logits.shape[1])] == labels


def test_the_winner_is_no_candidate_for_its_own_target_again(zoo: Store) -> None:
    sql = "SELECT BEST MODEL FOR {} WHERE name LIKE 'bert%' WITH (recipe = 'tiny', recall = 9, reuse = false)"
    zoo.execute(sql.format("texts").replace("recipe = 'tiny'", TINY))
    zoo.execute(sql.format("others"))
    zoo.execute(sql.format("texts"))
    last = zoo.execute("SELECT DISTINCT model FROM selection_stages WHERE selection = 3").fetchall()
    assert {model for (model,) in last} == {
        model
        for (model,) in zoo.execute("SELECT name FROM models WHERE name LIKE 'bert%'").fetchall()
        if "-finetuned-texts" not in model
    } - {zoo.execute("SELECT name FROM models ORDER BY created_at DESC").fetchall()[0][0]}


def test_register_false_leaves_the_models_as_they_were(zoo: Store) -> None:
    before = zoo.execute("SELECT count(*) FROM models").fetchone()
    [row] = zoo.execute(
        f"SELECT BEST MODEL FOR images USING brute_force WITH ({TINY}, register = false)"
    ).fetchall()
    assert AutoModelForImageClassification.from_pretrained(row[6]).config.num_labels == 2
    assert zoo.execute("SELECT count(*) FROM models").fetchone() == before


def test_a_selection_that_trains_and_its_replay_decide_alike(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS ON texts, others WITH ({TINY})")
    trained = zoo.execute(
        "SELECT BEST MODEL FOR texts USING successive_halving WITH (recipe = 'tiny', reuse = false)"
    ).fetchall()
    replayed = zoo.execute(
        "SELECT BEST MODEL FOR texts USING successive_halving WITH (recipe = 'tiny', executor = 'replay')"
    ).fetchall()
    assert [row[1:4] for row in trained] == [row[1:4] for row in replayed]
    decisions = (
        "SELECT stage, model, validation, action FROM selection_stages WHERE selection = {} ORDER BY ALL"
    )
    assert zoo.execute(decisions.format(1)).fetchall() == zoo.execute(decisions.format(2)).fetchall()


def test_a_bad_model_is_refused_with_its_reason(store: Store, model_copy: Callable[[str], Path]) -> None:
    directory = model_copy("bert")
    weights = directory / "model.safetensors"
    weights.rename(directory / "pytorch_model.bin")
    with pytest.raises(modelstore.ModelError, match="pickle"):
        store.execute(f"CREATE MODEL m FROM '{directory}'")
    with pytest.raises(modelstore.ModelError):
        store.execute("CREATE MODEL m FROM '/nowhere'")
    assert store.execute("SELECT count(*) FROM models").fetchone() == (0,)


def test_a_model_that_goes_bad_fails_alone_and_the_reason_is_recorded(
    zoo: Store, model_copy: Callable[[str], Path]
) -> None:
    directory = model_copy("roberta")
    zoo.execute(f"CREATE MODEL spoilt FROM '{directory}'")
    (directory / "model.safetensors").write_bytes(b"not weights")
    rows = zoo.execute(
        f"BENCHMARK MODELS WHERE name IN ('bert', 'spoilt') ON texts, others WITH ({TINY})"
    ).fetchall()
    assert [(row[0], row[1], row[5]) for row in rows] == [
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


def test_a_model_whose_features_are_not_finite_is_no_end_of_a_recall(
    zoo: Store, model_copy: Callable[[str], Path]
) -> None:
    from safetensors.torch import load_file, save_file

    weights = model_copy("albert") / "model.safetensors"
    broken = {name: tensor * float("nan") for name, tensor in load_file(weights).items()}
    save_file(broken, weights, metadata={"format": "pt"})
    zoo.execute(f"CREATE MODEL broken FROM '{weights.parent}'")
    rows = zoo.execute("RECALL 5 MODELS FOR texts WHERE name IN ('bert', 'broken')").fetchall()
    assert [row[1] for row in rows] == ["bert"]
    with pytest.raises(modelstore.TrainingError, match="the proxies of broken cannot be computed"):
        zoo.execute("RECALL 5 MODELS FOR texts WHERE name = 'broken'")


def test_a_dataset_whose_file_is_gone_fails_its_pairs_and_the_others_go_on(
    zoo: Store, tmp_path: Path
) -> None:
    file = tmp_path / "gone.parquet"
    zoo.execute(f"COPY (SELECT text, label, split FROM dataset_rows.texts) TO '{file}'")
    zoo.execute(f"CREATE DATASET gone FROM '{file}'")
    file.unlink()
    rows = zoo.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON gone, texts WITH ({TINY})").fetchall()
    assert [row[5] for row in rows] == ["failed", "done"]


def test_an_unreadable_image_is_one_sentence(zoo: Store) -> None:
    zoo.execute(
        "CREATE DATASET broken AS SELECT if(rowid = 3, 'no image'::BLOB, image) AS image, label, split "
        "FROM dataset_rows.images"
    )
    with pytest.raises(modelstore.DatasetError, match="broken"):
        zoo.execute(f"SELECT BEST MODEL FOR broken WITH ({TINY})")
    assert zoo.execute("SELECT status FROM selections").fetchone() == ("failed",)


def test_a_benchmark_of_the_wrong_modality_says_so(zoo: Store) -> None:
    with pytest.raises(modelstore.NotFoundError, match="no model is of a dataset's modality"):
        zoo.execute(f"BENCHMARK MODELS WHERE name = 'vit' ON texts WITH ({TINY})")


def test_what_trains_is_refused_inside_a_transaction(zoo: Store) -> None:
    zoo.execute("BEGIN")
    for sql in (f"BENCHMARK MODELS ON texts WITH ({TINY})", f"SELECT BEST MODEL FOR texts WITH ({TINY})"):
        with pytest.raises(modelstore.StoreError, match="cannot run inside BEGIN"):
            zoo.execute(sql)
    zoo.execute("ROLLBACK")


def test_a_full_disk_loses_nothing_that_is_stored(
    zoo: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    zoo.execute(f"BENCHMARK MODELS WHERE name LIKE 'bert%' ON others WITH ({TINY})")
    from modelstore.training.finetune import FineTuning

    def full(self: FineTuning, directory: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FineTuning, "save", full)
    with pytest.raises(modelstore.StoreError, match=r"cannot be saved in .* No space left on device"):
        zoo.execute("SELECT BEST MODEL FOR texts WHERE name LIKE 'bert%' WITH (recipe = 'tiny')")
    assert zoo.execute("SELECT status FROM selections").fetchone() == ("failed",)
    assert zoo.execute("SELECT count(*) FROM selection_stages").fetchone() != (0,)
    assert zoo.execute("SELECT count(*) FROM benchmark_results").fetchone() == (2,)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_benchmark_keeps_each_pair_that_ended_and_goes_on_there(zoo: Store, number: int) -> None:
    """The pairs of the first run are not trained again by the second."""
    path = zoo.execute("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL").fetchall()[0][0]
    zoo.close()
    longer = TINY.replace("epochs = 2", "epochs = 8")  # so that it does not end before it is stopped
    sql = f"BENCHMARK MODELS ON texts, others, pairs WITH ({longer})"
    running = subprocess.Popen(
        [sys.executable, "-m", "modelstore.shell", path, "-c", sql],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Tests that run in the background ignore Ctrl-C, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # A few pairs have ended when the log beside the file has grown past what opening it writes.
    log = Path(path + ".wal")
    deadline = time.monotonic() + 120
    while running.poll() is None and time.monotonic() < deadline:
        if log.exists() and log.stat().st_size > 6000:
            break
        time.sleep(0.02)
    os.kill(running.pid, number)
    _, errors = running.communicate()
    assert b"Traceback" not in errors
    with modelstore.connect(path) as store:
        stored = store.execute("SELECT model, dataset, created_at FROM benchmark_results").fetchall()
        assert 1 <= len(stored) < 12
        assert store.execute(
            "SELECT count(*) FROM (FROM training_curves SELECT model, dataset GROUP BY ALL HAVING count(*) = 8)"
        ).fetchone() == (len(stored),)
        statuses = [row[5] for row in store.execute(sql).fetchall()]
        assert statuses.count("skipped") == len(stored)
        assert statuses.count("done") == 12 - len(stored)
        again = store.execute("SELECT model, dataset, created_at FROM benchmark_results").fetchall()
        assert set(stored) <= set(again)


def test_an_interrupted_selection_is_marked_stopped_with_its_stages(
    zoo: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelstore.training.finetune import FineTuning

    advance = FineTuning.advance

    def interrupted(self: FineTuning, *arguments: object, **options: object) -> object:
        if self.curve:
            raise KeyboardInterrupt
        return advance(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(FineTuning, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        zoo.execute(f"SELECT BEST MODEL FOR texts USING successive_halving WITH ({TINY})")
    assert zoo.execute("SELECT status, reason FROM selections").fetchone() == ("stopped", "interrupted")
    assert zoo.execute("SELECT DISTINCT stage FROM selection_stages").fetchall() == [(1,)]
    monkeypatch.undo()
    assert zoo.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("statement", "logged"),
    [
        ("SELECT BEST MODEL FOR texts USING brute_force", [("stopped", "interrupted")]),
        ("BENCHMARK MODELS ON texts", []),
    ],
)
def test_an_interrupt_from_another_thread_ends_training(
    zoo: Store, statement: str, logged: list[str]
) -> None:
    from modelstore.progress import progress

    training = threading.Event()

    def stop() -> None:
        training.wait(60)
        zoo.interrupt()

    with pytest.MonkeyPatch.context() as patch:
        for place in ("planner.select.trainers", "planner.benchmark.training"):
            patch.setattr(f"modelstore.{place}.progress", lambda *a: (training.set(), progress(*a))[1])
        thread = threading.Thread(target=stop)
        thread.start()
        with pytest.raises(duckdb.InterruptException, match="Interrupted"):
            zoo.execute(f"{statement} WITH (recipe = 'long', epochs = 1000, batch_size = 2)")
        thread.join()
    assert zoo.execute("SELECT status, reason FROM selections").fetchall() == logged
    assert zoo.execute("SELECT count(*) FROM benchmark_failures").fetchone() == (0,)
    assert zoo.execute("SELECT count(*) FROM training_curves").fetchone() == (0,)


def test_text_similarity_clusters_by_the_cards(zoo: Store) -> None:
    zoo.execute(
        "UPDATE models SET card = CASE WHEN modality = 'text' THEN 'good film' ELSE 'bad camera plot' END"
    )
    zoo.execute("CLUSTER MODELS WITH (similarity = 'text', encoder = 'bert', threshold = 0.0001)")
    rows = zoo.execute(
        "SELECT list(model ORDER BY model) FROM model_clusters GROUP BY cluster ORDER BY 1"
    ).fetchall()
    assert rows == [(["albert", "bert", "bert_classifier", "distilbert"],), (["vit", "vit_classifier"],)]
    with pytest.raises(modelstore.OptionError, match="needs a text encoder"):
        zoo.execute("CLUSTER MODELS WITH (similarity = 'text')")


def test_explain_expects_what_records_say(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS ON others WITH ({TINY})")
    rows = zoo.execute("EXPLAIN SELECT BEST MODEL FOR texts WITH (recipe = 'tiny', recall = 2)").fetchall()
    assert rows[0][1].startswith("5 epochs, ")  # two models, one of them to the end, and four scored
    assert re.fullmatch(r"5 epochs, .* s, [0-9.]+ [kM]B", rows[0][1])
    assert rows[-1] == ("      └─ models", "4")
    assert rows[2][1] == "4 scored, 2 epochs"
    zoo.execute("RECALL 4 MODELS FOR others")
    zoo.execute(
        "CREATE TABLE rate AS SELECT sum(seconds) / sum(parameters * rows) AS rate "
        "FROM proxy_scores JOIN models ON name = model"
    )
    [expected] = (
        zoo.execute(
            "SELECT rate * sum(parameters) * 96 FROM rate, models WHERE modality = 'text' GROUP BY rate"
        ).fetchone()
        or ()
    )
    rows = zoo.execute("EXPLAIN SELECT BEST MODEL FOR texts WITH (recipe = 'tiny', recall = 2)").fetchall()
    assert rows[2][1] == f"4 scored, 2 epochs, {duration(expected)}"


def test_explain_expects_and_measures_memory(zoo: Store) -> None:
    sql = f"SELECT BEST MODEL FOR texts USING brute_force WITH ({TINY})"
    rows = zoo.execute(f"EXPLAIN ANALYZE {sql}").fetchall()
    sizes = [
        n
        for (n,) in zoo.execute(
            "SELECT parameters FROM models WHERE modality = 'text' AND base IS NULL"
        ).fetchall()
    ]
    expected = 16 * max(sizes) + 12 * (sum(sizes) - max(sizes))
    assert rows[1][1] == f"4 models, 8 epochs, {size(expected)}"
    assert re.fullmatch(r"4 models, 8 epochs, .* s, [0-9.]+ [kM]B", rows[1][2])
    assert re.fullmatch(r"8 epochs, .* s, [0-9.]+ [kM]B", rows[0][2])


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
