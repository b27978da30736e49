"""`SELECT BEST` that really trains: what it saves, registers and records of its winner, and of one that failed."""

import re
from pathlib import Path

import numpy as np
import pytest
from tiny_models import TINY
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification, AutoTokenizer
from watched_training import interrupted_training

import modelstore
from modelstore.training.finetune import FineTuning

Store = modelstore.Connection


def test_a_selection_saves_registers_and_records_its_winner(zoo: Store, tmp_path: Path) -> None:
    zoo.execute(f"BENCHMARK MODELS ON others, numbers WITH ({TINY})")
    zoo.execute("CLUSTER MODELS WITH (recipe = 'tiny')")
    [row] = zoo.execute(
        "SELECT BEST MODEL FOR texts USING two_phase WITH (recipe = 'tiny', recall = 2, prior = 'mean')"
    ).fetchall()
    rank, model, recipe, validation, test, epochs, _, checkpoint, selection = row
    assert (rank, recipe, epochs, selection) == (1, "tiny", 2.0, 1)
    assert Path(checkpoint).parent == tmp_path / "zoo.db.checkpoints"
    assert re.fullmatch(rf"1-{model}-[0-9a-f]{{8}}", Path(checkpoint).name)
    assert {file.stat().st_mode for file in Path(checkpoint).iterdir()} == {
        (Path(checkpoint) / "config.json").stat().st_mode
    }

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
        "SELECT max(epoch), max(validation), max(test) FROM training_curves WHERE dataset = 'texts'"
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
def test_select_best_model_loads_the_winner_with_its_preprocessor(zoo: Store, dataset: str) -> None:
    best = zoo.select_best_model(
        dataset, recipe="tiny", epochs=1, learning_rate=5e-3, batch_size=16, max_length=32
    )
    model, processor = best.load()
    if dataset == "texts":
        logits = model(**processor(["red green"], return_tensors="pt")).logits
    else:
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


def test_a_winner_that_is_not_to_be_registered_is_only_saved(zoo: Store) -> None:
    before = zoo.execute("SELECT count(*) FROM models").fetchone()
    [row] = zoo.execute(
        f"SELECT BEST MODEL FOR images USING brute_force WITH ({TINY}, register = false)"
    ).fetchall()
    assert AutoModelForImageClassification.from_pretrained(row[7]).config.num_labels == 2
    assert zoo.execute("SELECT count(*) FROM models").fetchone() == before


def test_a_selection_that_trains_and_its_replay_decide_alike(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS ON texts, others WITH ({TINY})")
    trained = zoo.execute(
        "SELECT BEST MODEL FOR texts USING successive_halving WITH (recipe = 'tiny', reuse = false)"
    ).fetchall()
    replayed = zoo.execute(
        "SELECT BEST MODEL FOR texts USING successive_halving WITH (recipe = 'tiny', executor = 'replay')"
    ).fetchall()
    assert [row[1:5] for row in trained] == [row[1:5] for row in replayed]
    decisions = (
        "SELECT stage, model, validation, action FROM selection_stages WHERE selection = {} ORDER BY ALL"
    )
    assert zoo.execute(decisions.format(1)).fetchall() == zoo.execute(decisions.format(2)).fetchall()


def test_a_selection_on_an_unreadable_image_fails_with_the_dataset_s_name(zoo: Store) -> None:
    zoo.execute(
        "CREATE DATASET broken AS SELECT if(rowid = 3, 'no image'::BLOB, image) AS image, label, split "
        "FROM dataset_rows.images"
    )
    with pytest.raises(modelstore.DatasetError, match="broken"):
        zoo.execute(f"SELECT BEST MODEL FOR broken WITH ({TINY})")
    assert zoo.execute("SELECT status FROM selections").fetchone() == ("failed",)


def test_a_selection_that_cannot_save_its_winner_keeps_its_records(
    zoo: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    zoo.execute(f"BENCHMARK MODELS WHERE name LIKE 'bert%' ON others WITH ({TINY})")

    def full(self: FineTuning, directory: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FineTuning, "save", full)
    with pytest.raises(modelstore.StoreError, match=r"cannot be saved in .* No space left on device"):
        zoo.execute("SELECT BEST MODEL FOR texts WHERE name LIKE 'bert%' WITH (recipe = 'tiny')")
    assert zoo.execute("SELECT status FROM selections").fetchone() == ("failed",)
    assert zoo.execute("SELECT count(*) FROM selection_stages").fetchone() != (0,)
    assert zoo.execute("SELECT count(*) FROM benchmark_results").fetchone() == (2,)


def test_an_interrupted_selection_is_marked_stopped_with_its_stages(zoo: Store) -> None:
    with interrupted_training(lambda run: bool(run.curve)):
        zoo.execute(f"SELECT BEST MODEL FOR texts USING successive_halving WITH ({TINY})")
    assert zoo.execute("SELECT status, reason FROM selections").fetchone() == ("stopped", "interrupted")
    assert zoo.execute("SELECT DISTINCT stage FROM selection_stages").fetchall() == [(1,)]
    assert zoo.execute("SELECT 1").fetchone() == (1,)
