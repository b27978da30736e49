"""Every statement on a dataset whose rows have several labels each."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from registering import refusal
from sklearn.metrics import average_precision_score, f1_score
from tiny_models import (
    MOODS,
    TINY_STAGES,
    create_dataset,
    multi_label_image_rows,
    multi_label_rows,
    named_labels,
)
from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline
from watched_training import interrupted_training

import modelstore
from modelstore.connection.best_model import BestModel
from modelstore.data.task_data import TaskData
from modelstore.options import PROXIES
from modelstore.planner.datasets import load_dataset
from modelstore.training import features
from modelstore.training.finetune import FineTuning
from modelstore.udfs.logme import logme

Store = modelstore.Connection
SELECT = f"SELECT BEST MODEL FOR moods FROM texts_only WITH ({TINY_STAGES})"


@pytest.fixture(scope="module")
def moods_file(zoo_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("moods") / "moods.db"
    path.write_bytes(zoo_file.read_bytes())
    with modelstore.connect(path) as store:
        for name, draw in (("moods", multi_label_rows), ("pictures", multi_label_image_rows)):
            create_dataset(store, name, named_labels(draw(120, np.random.default_rng(5))))
        store.execute("CREATE VIEW texts_only AS FROM models WHERE name IN ('bert', 'distilbert')")
    return path


@pytest.fixture
def moods(moods_file: Path, opened_copy: Callable[[Path], Store]) -> Store:
    """The zoo with two datasets of several labels a row."""
    return opened_copy(moods_file)


def data_of(store: Store, name: str) -> TaskData:
    return load_dataset(store.store, store.store.catalog.dataset(name))


def read_by_transformers(checkpoint: str, texts: list[str]) -> np.ndarray:
    """The probabilities of a saved model, (texts, labels)."""
    classify = pipeline("text-classification", model=checkpoint, device=-1, top_k=None)
    found = [{one["label"]: one["score"] for one in scores} for scores in classify(texts)]
    return np.array([[scores[name] for name in MOODS] for scores in found])


def test_a_selections_winner_is_read_by_transformers_alone_with_the_same_score(moods: Store) -> None:
    longer = TINY_STAGES.replace("epochs = 2", "epochs = 6")
    row = moods.execute(f"SELECT BEST MODEL FOR moods FROM texts_only WITH ({longer})").fetchone()
    best = BestModel(*row[1:])
    data = data_of(moods, "moods")
    assert best.checkpoint is not None
    probabilities = read_by_transformers(best.checkpoint, data.test["text"].to_pylist())
    truth = data.targets("test")
    assert best.test > 0
    assert best.test == pytest.approx(f1_score(truth, probabilities >= 0.5, average="micro"))
    network, _ = best.load()
    assert network.config.problem_type == "multi_label_classification"
    assert list(network.config.id2label.values()) == list(MOODS)
    registered = moods.execute("SELECT base, has_head FROM models WHERE name LIKE '%finetuned%'").fetchall()
    assert registered == [(best.model, False)]  # LEEP needs a head of classes


def test_images_are_selected_for(moods: Store) -> None:
    moods.execute(
        "CREATE OR REPLACE DATASET p AS FROM dataset_rows.pictures WITH (metric = 'average_precision')"
    )
    row = moods.execute(f"SELECT BEST MODEL FOR p WITH ({TINY_STAGES})").fetchone()
    data = data_of(moods, "p")
    network = AutoModelForImageClassification.from_pretrained(row[7]).eval()
    processor = AutoImageProcessor.from_pretrained(row[7])
    images = [Image.open(io.BytesIO(image)).convert("RGB") for image in data.test["image"].to_pylist()]
    with torch.inference_mode():
        probabilities = network(**processor(images=images, return_tensors="pt")).logits.sigmoid().numpy()
    expected = average_precision_score(data.targets("test"), probabilities, average="macro")
    assert row[4] == pytest.approx(expected, abs=1e-4)


def test_a_benchmark_fills_the_matrix_and_skips_what_is_there(moods: Store) -> None:
    sql = f"BENCHMARK MODELS FROM texts_only ON moods WITH ({TINY_STAGES})"
    done = moods.execute(sql).fetchall()
    assert [row[-1] for row in done] == ["done", "done"]
    assert [row[-1] for row in moods.execute(sql).fetchall()] == ["skipped", "skipped"]
    recorded = moods.execute(
        "SELECT DISTINCT metric FROM benchmark_results WHERE dataset = 'moods'"
    ).fetchall()
    assert recorded == [("f1_micro",)]
    points = moods.execute("SELECT validation, test FROM training_curves WHERE dataset = 'moods'").fetchall()
    assert len(points) == 8
    assert all(0 <= score <= 1 for point in points for score in point)


def test_every_proxy_scores_in_one_pass(moods: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[str] = []

    def counted(model: str, *arguments: Any, **options: Any) -> features.Features:
        passes.append(model)
        return extract(model, *arguments, **options)

    extract = features.extract
    monkeypatch.setattr(features, "extract", counted)
    found = moods.execute(f"RECALL MODELS FOR moods FROM texts_only USING {', '.join(PROXIES)}").fetchall()
    assert len(found) == 2
    assert sorted(passes) == ["bert", "distilbert"]
    stored = dict(
        moods.execute(
            "SELECT proxy, score FROM proxy_scores WHERE model = 'bert' AND dataset = 'moods'"
        ).fetchall()
    )
    assert stored.keys() == {"nleep", "logme", "hscore", "knn"}  # no head for LEEP
    [uri] = moods.execute("SELECT uri FROM models WHERE name = 'bert'").fetchone()
    taken = extract("bert", Path(uri), data_of(moods, "moods"))
    assert stored["logme"] == pytest.approx(logme(taken.features, taken.labels))


def test_leep_scores_a_model_with_a_head(moods: Store) -> None:
    moods.execute("RECALL MODELS FOR moods WHERE name = 'bert_classifier' USING leep")
    [score] = moods.execute("SELECT score FROM proxy_scores WHERE proxy = 'leep'").fetchone()
    assert -np.log(2) <= score < 0


def test_a_stopped_selection_goes_on(moods: Store) -> None:
    sql = SELECT.replace("texts_only", "texts_only USING brute_force")
    straight = moods.execute(sql.replace("'tiny'", "'straight'")).fetchall()
    with interrupted_training(lambda run: len(run.curve) == 2):
        moods.execute(sql)
    [number] = moods.execute("SELECT max(id) FROM selections").fetchone()
    resumed = moods.execute(f"RESUME SELECTION {number}").fetchall()
    assert [row[1] for row in resumed] == [row[1] for row in straight]
    assert [row[3:5] for row in resumed] == [row[3:5] for row in straight]


def test_recorded_curves_are_replayed_compared_and_explained(moods: Store) -> None:
    moods.execute(f"BENCHMARK MODELS FROM texts_only ON moods WITH ({TINY_STAGES})")
    replay = "SELECT BEST MODEL FOR moods WITH (recipe = 'tiny', executor = 'replay', epochs = 2)"
    row = moods.execute(replay).fetchone()
    recorded = moods.execute("SELECT model, test FROM training_curves WHERE dataset = 'moods'").fetchall()
    assert (row[1], row[4]) in recorded
    assert moods.execute(f"EXPLAIN ANALYZE {replay}").fetchall()
    compared = moods.execute(
        "COMPARE STRATEGIES brute_force ON moods WITH (recipe = 'tiny', epochs = 2)"
    ).fetchall()
    assert [one[:2] for one in compared] == [("brute_force", "moods")]
    assert moods.execute(f"EXPLAIN {SELECT}").fetchall()


def test_an_ensemble_votes_by_mean_probabilities(moods: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each model knows one label and is unsure of the others, so together they know more."""
    turns: dict[str, int] = {}

    def given(self: FineTuning, split: str) -> np.ndarray:
        turn = turns.setdefault(self.model, len(turns))
        truth = self.data.targets(split)
        scores = np.where(truth, 0.45, 0.4)
        scores[:, turn] = np.where(truth[:, turn], 0.95, 0.05)
        return scores

    monkeypatch.setattr(FineTuning, "predict_scores", given)
    rows = moods.execute(
        f"SELECT BEST 2 MODELS FOR moods FROM texts_only USING brute_force WITH ({TINY_STAGES}, ensemble = true)"
    ).fetchall()
    vote = rows[0]
    assert vote[1].startswith("ensemble(")
    truth = data_of(moods, "moods").targets("validation")
    predicted = truth.copy()
    predicted[:, 2] = False  # which none of the two knows
    assert vote[3] == pytest.approx(f1_score(truth, predicted, average="micro"))


def test_winners_of_several_labels_can_be_registered_and_scored_again(moods: Store) -> None:
    row = moods.execute(SELECT).fetchone()
    moods.execute(f"CREATE MODEL again FROM '{row[7]}'")
    assert moods.execute("SELECT modality, has_head FROM models WHERE name = 'again'").fetchone() == (
        "text",
        False,
    )
    found = moods.execute("RECALL MODELS FOR texts WHERE name = 'again' USING leep").fetchall()
    assert len(found) == 1


def test_python_selects_by_every_tuning(moods: Store) -> None:
    for tuning in ("frozen", "lora", "layerwise"):
        best = moods.select_best_model(
            "moods", models="texts_only", where="name = 'bert'", epochs=1, batch_size=16, max_length=32,
            device="cpu", tuning=tuning, register=False,
        )  # fmt: skip
        texts = pa.array(data_of(moods, "moods").test["text"].to_pylist())
        assert best.checkpoint is not None
        assert read_by_transformers(best.checkpoint, texts.to_pylist()).shape == (len(texts), 3)


def test_rows_in_the_database_file_keep_their_lists(moods: Store) -> None:
    kept = moods.execute("SELECT typeof(label), count(*) FROM dataset_rows.moods GROUP BY ALL").fetchall()
    assert kept == [("VARCHAR[]", 120)]
    moods.execute("CREATE DATASET again AS FROM dataset_rows.moods")
    one, other = data_of(moods, "moods"), data_of(moods, "again")
    assert one.train.equals(other.train)
    assert "takes one label a row" in refusal(
        moods, "SELECT * FROM dataset_rows.moods", "task = 'text_classification'"
    )
