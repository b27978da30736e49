"""Several labels a row: the loss, the head that is saved, and its probabilities as transformers reads them."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from tiny_models import MOODS as WORDS
from transformers import AutoImageProcessor, AutoModelForImageClassification, pipeline
from whole_runs import finished

from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training.features import extract
from modelstore.training.finetune import FineTuning
from modelstore.training.loading import load_for_training
from modelstore.training.metrics import score
from modelstore.training.targets import LabelTargets

MOODS = tuple(WORDS)
OPTIONS = TrainingOptions(epochs=2, batch_size=16, learning_rate=3e-3, device="cpu")

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


def trained(model: str, path: Path, data: TaskData, options: TrainingOptions = OPTIONS) -> FineTuning:
    return finished(FineTuning(model, path, data, options))


def indicators(rows: pa.ChunkedArray) -> np.ndarray:
    return np.array([[one in ids for one in range(len(MOODS))] for ids in rows.to_pylist()])


def test_the_targets_are_which_labels_each_row_has(dataset: Datasets) -> None:
    data = dataset("multi_label", rows=40)
    assert (data.targets("train") == indicators(data.train["label"])).all()
    some = np.array([3, 7, 7])
    assert (data.targets("train", some) == data.targets("train")[some]).all()
    chunks = pa.concat_tables([data.train.slice(0, 5), data.train.slice(9, 20)])
    assert (replace(data, train=chunks).targets("train") == indicators(chunks["label"])).all()


def test_a_rows_stratum_is_its_rarest_label(dataset: Datasets) -> None:
    labels = pa.array([[0], [0, 1], [1], [1, 2], [], [1], [0, 1, 2], []], pa.list_(pa.int64()))
    data = replace(dataset("multi_label", rows=8), train=pa.table({"text": ["a"] * 8, "label": labels}))
    strata = data.strata("train").tolist()
    groups = {stratum: [row for row in range(8) if strata[row] == stratum] for stratum in strata}
    assert sorted(groups.values()) == [[0, 1], [2, 5], [3, 6], [4, 7]]


def test_the_loss_is_the_mean_cross_entropy_of_the_labels(dataset: Datasets) -> None:
    data = dataset("multi_label", rows=30)
    targets = LabelTargets(data)
    logits = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    truth = data.targets("train")
    p = 1 / (1 + np.exp(-logits.astype(float)))
    expected = -np.where(truth, np.log(p), np.log(1 - p)).mean()
    assert targets.evaluation_loss(logits, truth) == pytest.approx(expected, rel=1e-5)
    assert float(targets.loss(torch.from_numpy(logits), targets.train)) == pytest.approx(expected, rel=1e-5)
    assert targets.scores(logits) == pytest.approx(p)
    assert (targets.predictions(logits) == (logits >= 0)).all()


def test_large_outputs_keep_their_order(dataset: Datasets) -> None:
    targets = LabelTargets(dataset("multi_label", rows=4))
    logits = np.array([[20.0], [25.0], [30.0]], np.float32)
    truth = np.array([[False], [False], [True]])
    assert score("average_precision", targets.scores(logits), truth) == 1


@pytest.mark.parametrize(("model", "kind"), [("bert", "multi_label"), ("albert", "multi_label_pair")])
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_transformers_alone_reads_the_same_probabilities_of_texts(
    model: str, kind: str, tuning: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset(kind, rows=96)
    run = trained(model, model_path(model), data, replace(OPTIONS, tuning=tuning))
    run.save(tmp_path / "saved")
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    assert config["id2label"] == {str(i): name for i, name in enumerate(MOODS)}
    classify = pipeline("text-classification", model=str(tmp_path / "saved"), device=-1, top_k=None)
    rows = data.test.drop(["label"]).to_pylist()
    inputs = [row if "text_pair" in row else row["text"] for row in rows]
    by_name = [{one["label"]: one["score"] for one in classify([one])[0]} for one in inputs]
    read = np.array([[scores[name] for name in MOODS] for scores in by_name])
    ours = run.predict_scores("test")
    assert read == pytest.approx(ours, abs=1e-4)
    assert not np.allclose(ours.sum(axis=1), 1, atol=0.01)  # no softmax
    assert (run.predict("test") == (ours >= 0.5)).all()


def test_transformers_alone_reads_the_same_probabilities_of_images(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset("multi_label_image", rows=96)
    run = trained("resnet", model_path("resnet"), data)
    run.save(tmp_path / "saved")
    network = AutoModelForImageClassification.from_pretrained(tmp_path / "saved").eval()
    processor = AutoImageProcessor.from_pretrained(tmp_path / "saved")
    images = [Image.open(io.BytesIO(image)).convert("RGB") for image in data.test["image"].to_pylist()]
    with torch.inference_mode():
        read = network(**processor(images=images, return_tensors="pt")).logits.sigmoid().numpy()
    assert read == pytest.approx(run.predict_scores("test"), abs=1e-4)


@pytest.mark.parametrize("tuning", ["frozen", "lora", "layerwise"])
def test_each_tuning_learns_and_goes_on_from_a_checkpoint(
    tuning: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset("multi_label", rows=128)
    rate = 3e-3 if tuning == "layerwise" else 2e-2
    options = replace(OPTIONS, tuning=tuning, learning_rate=rate)
    straight = trained("bert", model_path("bert"), data, options)
    assert straight.curve[1].train_loss < straight.curve[0].train_loss
    begun = FineTuning("bert", model_path("bert"), data, options)
    begun.advance()
    begun.save_state(tmp_path / "state")
    resumed = FineTuning("bert", model_path("bert"), data, options)
    resumed.restore(tmp_path / "state")
    resumed.advance()
    assert (resumed.predict_scores("test") == straight.predict_scores("test")).all()


def test_a_learning_rate_is_found_and_parts_of_a_batch_train_alike(
    model_path: Paths, dataset: Datasets
) -> None:
    data = dataset("multi_label", rows=64)
    found = FineTuning("bert", model_path("bert"), data, replace(OPTIONS, learning_rate=None))
    assert found.advance().learning_rate in found._rates
    gradients = []
    for fitting in (64, 5):
        run = FineTuning("distilbert", model_path("distilbert"), data, OPTIONS)
        run.network.eval()
        run.micro_batches.fitting = fitting
        run.steps.backward(np.arange(16))
        gradients.append([p.grad.clone() for p in run.network.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-6)


def test_a_head_is_kept_for_the_same_labels_and_the_same_kind_alone(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset("multi_label", rows=64)
    trained("bert", model_path("bert"), data).save(tmp_path / "saved")
    heads = {}
    for kind, labels in (("same", MOODS), ("fewer", MOODS[:2]), ("classes", MOODS)):
        problem = "single_label_classification" if kind == "classes" else "multi_label_classification"
        network, _ = load_for_training("m", tmp_path / "saved", "text", labels, problem)
        assert network.config.problem_type == problem
        heads[kind] = network.classifier.bias.abs().sum().item()
    assert heads["same"] > 0
    assert heads["fewer"] == heads["classes"] == 0  # a new head begins with a bias of zero


def test_one_label_alone_can_be_trained(model_path: Paths, dataset: Datasets, tmp_path: Path) -> None:
    data = dataset("multi_label", rows=64)
    ids = pa.array([[0] if 0 in one else [] for one in data.train["label"].to_pylist()], pa.list_(pa.int64()))
    validation = data.validation.set_column(1, "label", pa.array([[0]] * 70, pa.list_(pa.int64())))
    one = replace(
        data, labels=("angry",), train=data.train.set_column(1, "label", ids), validation=validation
    )
    run = trained("bert", model_path("bert"), replace(one, test=validation))
    assert run.predict_scores("test").shape == (70, 1)


def test_a_sample_for_proxies_has_the_rows_labels(model_path: Paths, dataset: Datasets) -> None:
    data = dataset("multi_label", rows=200)
    found = extract("bert_classifier", model_path("bert_classifier"), data, rows=50)
    assert found.labels.shape == (50, 3)
    assert found.labels.dtype == bool
    assert found.probabilities is not None
    whole = extract("bert", model_path("bert"), data, rows=500)
    assert (whole.labels == data.targets("train")).all()
