"""Class weights, label smoothing, gradient accumulation and checkpointing, against what they are defined as."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F
from transformers import DistilBertPreTrainedModel
from whole_runs import finished

from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning
from modelstore.training.loss import TrainingLoss, balanced_weights
from modelstore.training.targets import ClassTargets

OPTIONS = TrainingOptions(epochs=2, batch_size=8, learning_rate=3e-3, stages_per_epoch=2, device="cpu")
Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


@pytest.fixture
def without_dropout(model_copy: Paths) -> Paths:
    def copy(kind: str) -> Path:
        path = model_copy(kind)
        config = json.loads((path / "config.json").read_text())
        dropouts = {name: 0.0 for name in config if "drop" in name and isinstance(config[name], float)}
        (path / "config.json").write_text(json.dumps(config | dropouts))
        return path

    return copy


def trained(path: Path, data: TaskData, options: TrainingOptions) -> FineTuning:
    return finished(FineTuning("model", path, data, options))


def restored(path: Path, data: TaskData, options: TrainingOptions, state: Path) -> FineTuning:
    """A run that goes on from a saved state to its end."""
    run = FineTuning("model", path, data, options)
    run.restore(state)
    return finished(run)


def losses(run: FineTuning) -> list[float]:
    return [point.train_loss for point in run.curve]


def assert_alike(one: FineTuning, other: FineTuning, within: float) -> None:
    """Compares losses and predictions: Adam makes steps of the noise of gradients that are zero."""
    assert losses(one) == pytest.approx(losses(other), abs=within)
    np.testing.assert_allclose(
        one.predict_scores("validation"), other.predict_scores("validation"), rtol=within, atol=within
    )


def unbalanced(data: TaskData) -> TaskData:
    """The dataset with a train split in which the second class has a quarter of its rows."""
    labels = data.train.column("label").to_numpy()
    rows = np.sort(np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[::4]]))
    return replace(data, train=data.train.take(pa.array(rows)))


# Class weights and label smoothing


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [2, 0, 1, 1, 1, 2, 2, 2, 2], [0, 0]])
def test_balanced_weights_are_those_of_scikit_learn(labels: list[int]) -> None:
    expected = compute_class_weight("balanced", classes=np.unique(labels), y=np.array(labels))
    assert balanced_weights(torch.tensor(labels), len(set(labels))).tolist() == pytest.approx(expected)


def test_a_class_without_rows_takes_no_part_in_the_weights() -> None:
    assert balanced_weights(torch.tensor([0, 0, 0, 2]), 4).tolist() == pytest.approx([4 / 6, 1, 2, 1])


@pytest.mark.parametrize(("weights", "smoothing"), [("balanced", 0.0), ("none", 0.2), ("balanced", 0.1)])
def test_the_training_loss_is_the_weighted_cross_entropy_over_the_rows(
    weights: str, smoothing: float, dataset: Datasets
) -> None:
    data = unbalanced(dataset("text"))
    targets = ClassTargets(data)
    loss = TrainingLoss(targets, 2, replace(OPTIONS, class_weights=weights, label_smoothing=smoothing))
    logits = torch.randn(len(targets.train), 2, generator=torch.Generator().manual_seed(0))
    labels = targets.train.numpy()
    of_class = compute_class_weight("balanced", classes=np.array([0, 1]), y=labels)
    if weights == "none":
        of_class = np.ones(2)
    each = []
    for row, label in zip(logits.log_softmax(1).numpy(), labels, strict=True):
        spread = smoothing / 2 * sum(of_class[c] * row[c] for c in (0, 1))
        each.append(-(1 - smoothing) * of_class[label] * row[label] - spread)
    assert float(loss.of(logits, targets.train)) == pytest.approx(np.mean(each), rel=1e-5)
    assert targets.evaluation_loss(logits.numpy(), labels) == pytest.approx(
        float(F.cross_entropy(logits, targets.train))
    )


def test_both_change_training_and_leave_validation_unweighted(
    without_dropout: Paths, dataset: Datasets
) -> None:
    data, path = unbalanced(dataset("text")), without_dropout("bert")
    plain = trained(path, data, OPTIONS)
    for change in ({"class_weights": "balanced"}, {"label_smoothing": 0.3}):
        other = trained(path, data, replace(OPTIONS, **change))
        assert losses(other) != losses(plain)
        assert all(0 <= point.validation <= 1 for point in other.curve)


# Gradient accumulation


@pytest.mark.parametrize("rows", [64, 75, 67])  # whole steps; a last step of 11 rows; of 3, less than a batch
@pytest.mark.parametrize("kind", ["text", "regression"])
def test_accumulated_batches_are_a_larger_batch(
    kind: str, rows: int, without_dropout: Paths, dataset: Datasets
) -> None:
    path, data = without_dropout("bert"), dataset(kind, rows=rows)
    large = trained(path, data, replace(OPTIONS, batch_size=32))
    accumulated = trained(path, data, replace(OPTIONS, gradient_accumulation=4))
    assert accumulated.plan == large.plan
    assert accumulated.batches_per_stage == large.batches_per_stage
    assert_alike(accumulated, large, within=1e-5)


def test_weighted_rows_add_up_to_a_larger_batch_too(without_dropout: Paths, dataset: Datasets) -> None:
    path, data = without_dropout("bert"), unbalanced(dataset("text", rows=90))
    options = replace(OPTIONS, class_weights="balanced", label_smoothing=0.1)
    large = trained(path, data, replace(options, batch_size=32))
    assert_alike(trained(path, data, replace(options, gradient_accumulation=4)), large, within=1e-5)


def test_no_forward_pass_has_more_rows_than_a_batch(without_dropout: Paths, dataset: Datasets) -> None:
    run = FineTuning(
        "bert", without_dropout("bert"), dataset("text", rows=75), replace(OPTIONS, gradient_accumulation=3)
    )
    sizes: list[int] = []
    run.network.register_forward_pre_hook(
        lambda network, _, inputs: sizes.append(len(inputs["input_ids"])) if network.training else None,
        with_kwargs=True,
    )
    finished(run)
    assert max(sizes) <= 8
    assert sum(sizes) == 75 * 2


def test_the_schedule_counts_steps(without_dropout: Paths, dataset: Datasets) -> None:
    run = FineTuning(
        "bert", without_dropout("bert"), dataset("text", rows=64), replace(OPTIONS, gradient_accumulation=4)
    )
    assert run.plan.batches == 4  # steps of 32 rows in two epochs
    assert run.steps.optimizer.learning_rate(0) == OPTIONS.learning_rate
    assert run.steps.optimizer.learning_rate(3) == pytest.approx(OPTIONS.learning_rate / 3)


def test_an_accumulating_run_is_restored_within_an_epoch(
    without_dropout: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    path, data = without_dropout("bert"), dataset("text", rows=75)
    options = replace(OPTIONS, gradient_accumulation=2)
    stopped = FineTuning("model", path, data, options)
    stopped.advance()
    stopped.save_state(tmp_path / "state")
    assert_alike(restored(path, data, options, tmp_path / "state"), trained(path, data, options), within=0)


def test_frozen_features_serve_accumulated_batches(without_dropout: Paths, dataset: Datasets) -> None:
    path, data = without_dropout("bert"), dataset("text", rows=75)
    options = replace(OPTIONS, tuning="frozen")
    large = trained(path, data, replace(options, batch_size=32))
    assert_alike(trained(path, data, replace(options, gradient_accumulation=4)), large, within=1e-5)


def test_a_batch_that_does_not_fit_is_split_further(
    without_dropout: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, data = without_dropout("bert"), dataset("text", rows=64)
    large = trained(path, data, replace(OPTIONS, batch_size=32))
    run = FineTuning("model", path, data, replace(OPTIONS, gradient_accumulation=4))
    logits = run.placed.logits

    def of_few_rows(split: str, rows: np.ndarray) -> torch.Tensor:
        if len(rows) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return logits(split, rows)

    monkeypatch.setattr(run.placed, "logits", of_few_rows)
    finished(run)
    assert run.micro_batches.fitting == 4
    assert_alike(run, large, within=1e-5)


# Gradient checkpointing


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("bert", "text"),
        ("distilbert", "regression"),
        ("gpt2", "text"),
        ("t5", "text"),
        ("vit", "image"),
        ("convnext", "image"),
    ],
)
@pytest.mark.parametrize("tuning", ["full", "layerwise"])
def test_checkpointed_activations_change_no_figure(
    model: str, kind: str, tuning: str, model_path: Paths, dataset: Datasets
) -> None:
    path, data = model_path(model), dataset(kind, rows=48)  # with dropout, which is drawn again
    options = replace(OPTIONS, epochs=1, tuning=tuning, learning_rate=1e-3)
    plain = trained(path, data, options)
    checkpointed = trained(path, data, replace(options, gradient_checkpointing=True))
    assert losses(checkpointed) == pytest.approx(losses(plain), abs=1e-6)


def test_layers_are_computed_again(model_path: Paths, dataset: Datasets) -> None:
    counts = []
    for checkpointing in (False, True):
        options = replace(OPTIONS, gradient_checkpointing=checkpointing, batch_size=64, stages_per_epoch=1)
        run = FineTuning("bert", model_path("bert"), dataset("text", rows=64), options)
        passes: list[bool] = []
        layer = run.network.base_model.encoder.layer[0].attention
        layer.register_forward_hook(lambda module, *_: passes.append(module.training))  # noqa: B023
        run.advance()
        counts.append(sum(passes))
    assert counts == [1, 2]


@pytest.mark.parametrize(
    ("model", "why"), [("resnet", "has batch norms"), ("distilbert_without", "does not support")]
)
def test_a_model_that_cannot_trains_without_and_it_is_said(
    model: str,
    why: str,
    model_path: Paths,
    dataset: Datasets,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kind = "image" if model == "resnet" else "text"
    if model != "resnet":
        monkeypatch.setattr(DistilBertPreTrainedModel, "supports_gradient_checkpointing", False)
    path, data = model_path(model.partition("_")[0]), dataset(kind, rows=48)
    options = replace(OPTIONS, epochs=1)
    plain = trained(path, data, options)
    with caplog.at_level("INFO", "modelstore.progress"):
        other = trained(path, data, replace(options, gradient_checkpointing=True))
    assert f"model model trains without gradient checkpointing, to the same figures: it {why}" in caplog.text
    assert_alike(other, plain, within=0)


def test_all_four_together_restore_bit_for_bit(model_path: Paths, dataset: Datasets, tmp_path: Path) -> None:
    path, data = model_path("bert"), unbalanced(dataset("text", rows=120))
    options = replace(
        OPTIONS,
        class_weights="balanced",
        label_smoothing=0.1,
        gradient_accumulation=2,
        gradient_checkpointing=True,
        learning_rate=None,
    )
    stopped = FineTuning("model", path, data, options)
    stopped.advance()
    stopped.save_state(tmp_path / "state")
    assert_alike(restored(path, data, options, tmp_path / "state"), trained(path, data, options), within=0)
