"""Tunings and schedules: which weights are trained, at which rate; checkpoints and saved models of each tuning."""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification, AutoTokenizer
from whole_runs import finished

from modelstore.data.task_data import TaskData
from modelstore.errors import StoreError, TrainingError
from modelstore.options import TrainingOptions
from modelstore.training import frozen_features, tuning
from modelstore.training.finetune import FineTuning
from modelstore.training.inputs.text import TextInputs

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]

# The fewer weights are trained, the higher the learning rate.
RATES = {"full": 3e-3, "layerwise": 3e-3, "lora": 1e-2, "frozen": 3e-2}
OPTIONS = TrainingOptions(epochs=6, batch_size=16, device="cpu")
needs_peft = pytest.mark.skipif(
    find_spec("peft") is None, reason="needs peft: pip install 'modelstore[lora]'"
)
TUNINGS = ["full", "layerwise", "frozen", pytest.param("lora", marks=needs_peft)]
RESTING = ["frozen", pytest.param("lora", marks=needs_peft)]


def options_of(kind: str, **changes: object) -> TrainingOptions:
    return replace(OPTIONS, tuning=kind, learning_rate=RATES[kind], **changes)


def trained(model: str, path: Path, data: TaskData, options: TrainingOptions) -> FineTuning:
    return finished(FineTuning(model, path, data, options))


@pytest.fixture(scope="module")
def pretrained(
    model_path: Paths, dataset: Datasets, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Path]:
    """Makes a model that was trained on another task with the same kind of data, so that its features are useful."""
    root = tmp_path_factory.mktemp("pretrained")

    def make(model: str, kind: str) -> Path:
        path = root / model
        if not path.exists():
            data = replace(dataset(kind), labels=("one", "other"))
            trained(model, model_path(model), data, options_of("full", epochs=4)).save(path)
        return path

    return make


@pytest.mark.parametrize("kind", TUNINGS)
@pytest.mark.parametrize(
    ("model", "task"),
    [("bert", "text"), ("gpt2", "text"), ("t5", "text"), ("vit", "image"), ("resnet", "image")],
)
def test_each_tuning_learns(
    kind: str, model: str, task: str, pretrained: Callable[[str, str], Path], dataset: Datasets
) -> None:
    data = dataset(task)
    run = FineTuning(model, pretrained(model, task), data, options_of(kind, epochs=3))
    train_labels = data.train.column("label").to_numpy()
    probabilities = run.predict_scores("train")[np.arange(len(train_labels)), train_labels]
    untrained_loss = -np.log(probabilities).mean()
    for _ in range(run.stages):
        run.advance()
    labels = data.test.column("label").to_numpy()
    majority = np.bincount(labels).max() / len(labels)
    assert (run.predict("test") == labels).mean() > majority + 0.2
    # The loss of the first epoch would be no measure: a pretrained model learns most of the task within it.
    assert run.curve[-1].train_loss < 0.6 * untrained_loss


@pytest.mark.parametrize("kind", RESTING)
@pytest.mark.parametrize(
    ("model", "task"), [("roberta", "text"), ("bert", "text"), ("vit", "image"), ("resnet", "image")]
)
def test_a_frozen_base_and_a_base_with_adapters_keep_their_pretrained_weights(
    kind: str, model: str, task: str, model_path: Paths, dataset: Datasets
) -> None:
    """All but the weights that its file lacks: the pooler of this BERT."""
    run = FineTuning(model, model_path(model), dataset(task, rows=64), options_of(kind, epochs=1))
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.advance()
    moved = {name for name, value in run.network.state_dict().items() if not torch.equal(value, before[name])}
    of_base = {name for name in moved if name.startswith(f"{run.network.base_model_prefix}.")}
    adapters = {name for name in of_base if ".lora_" in name}
    statistics = {name for name in of_base if "running_" in name or "num_batches_" in name}
    pooler = {"bert.pooler.dense.weight", "bert.pooler.dense.bias"} if model == "bert" else set()
    assert moved - of_base  # the head
    assert of_base - adapters - statistics == pooler
    assert bool(adapters) == (kind == "lora")
    assert kind == "lora" or not statistics


@pytest.mark.parametrize(
    ("model", "task", "read"),
    [
        ("roberta", "text", {"last_hidden_state": "first"}),
        ("gpt2", "text", {"last_hidden_state": "tokens"}),
        ("t5", "pair", {"last_hidden_state": "tokens"}),
        ("distilbert", "regression", {"last_hidden_state": "first"}),
        ("vit", "image", {"last_hidden_state": "first"}),
        ("resnet", "image", {"pooler_output": "whole"}),
    ],
)
def test_a_frozen_base_computes_each_row_once(
    model: str,
    task: str,
    read: dict[str, str],
    model_path: Paths,
    dataset: Datasets,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The result equals that of a base that computes each batch in every epoch."""
    data, options = dataset(task, rows=96), options_of("frozen", epochs=3)

    def counted() -> tuple[FineTuning, int]:
        run, rows = FineTuning(model, model_path(model), data, options), []
        base = type(run.network.base_model)
        forward = base.forward

        def counting(*arguments: Any, **inputs: Any) -> Any:
            output = forward(*arguments, **inputs)
            rows.append(len(output.last_hidden_state))
            return output

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base, "forward", counting)
            while len(run.curve) < run.stages:
                run.advance(test=True)
        return run, sum(rows)

    run, rows = counted()
    monkeypatch.setattr(frozen_features, "MAX_BYTES", 0)
    anew, all_rows = counted()
    assert run.placed.features is not None
    assert {name: one.read for name, one in run.placed.features.head_inputs.items()} == read
    assert rows == frozen_features.SAMPLE_ROWS + 96 + 70 + 50
    assert all_rows == frozen_features.SAMPLE_ROWS + 3 * (96 + 70 + 50)
    for point, other in zip(run.curve, anew.curve, strict=True):
        assert point.train_loss == pytest.approx(other.train_loss, rel=1e-4)
        assert point.validation == pytest.approx(other.validation, abs=0.02)


def test_features_that_depend_on_padding_are_not_stored(model_path: Paths, dataset: Datasets) -> None:
    """With padding on the left, GPT-2 counts positions from the first padding token."""
    run = FineTuning("gpt2", model_path("gpt2"), dataset("text", rows=64), options_of("frozen", epochs=1))
    for split in ("train", "validation"):
        inputs = run.placed.inputs(split)
        assert isinstance(inputs, TextInputs)
        inputs.left = True
    run.advance()
    assert run.placed.features is not None
    assert run.placed.features.nbytes == 0


def test_a_pooler_that_the_weights_lack_is_trained_with_a_frozen_base(
    model_path: Paths, dataset: Datasets
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=32), options_of("frozen"))
    learning = {name for name, p in run.network.named_parameters() if p.requires_grad}
    assert learning == {
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    }
    assert run.placed.features is None


@pytest.mark.parametrize("kind", TUNINGS)
@pytest.mark.parametrize(("model", "task"), [("roberta", "text"), ("resnet", "image")])
def test_a_restored_run_of_each_tuning_continues_bit_for_bit(
    kind: str, model: str, task: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data, options = dataset(task, rows=80), options_of(kind, epochs=2, schedule="cosine")
    straight = trained(model, model_path(model), data, options)
    stopped = FineTuning(model, model_path(model), data, options)
    stopped.advance()
    stopped.save_state(tmp_path / "state")
    stopped.release()
    restored = FineTuning(model, model_path(model), data, options)
    restored.restore(tmp_path / "state")
    torch.rand(3)  # as other code in the process may draw
    restored.advance()
    assert [(p.validation, p.train_loss) for p in restored.curve] == [
        (p.validation, p.train_loss) for p in straight.curve
    ]
    weights = straight.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in restored.network.state_dict().items())


def test_the_checkpoint_of_a_frozen_run_holds_only_its_head(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data, path = dataset("text", rows=32), model_path("roberta")
    for kind in ("full", "frozen"):
        FineTuning("roberta", path, data, options_of(kind)).save_state(tmp_path / kind)
    assert (tmp_path / "frozen").stat().st_size < (tmp_path / "full").stat().st_size / 5
    with pytest.raises(
        StoreError, match=r"the saved state of roberta in .* cannot be restored: .* another tuning"
    ):
        FineTuning("roberta", path, data, options_of("full")).restore(tmp_path / "frozen")


@pytest.mark.parametrize("kind", RESTING)
def test_a_batch_too_large_for_the_memory_is_split_in_frozen_and_lora_tuning(
    kind: str, model_path: Paths, dataset: Datasets
) -> None:
    run = FineTuning("roberta", model_path("roberta"), dataset("text", rows=40), options_of(kind, epochs=1))
    forward = run.network.forward

    def limited(**inputs: torch.Tensor) -> object:
        if len(inputs["input_ids"]) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(**inputs)

    run.network.forward = limited
    assert math.isfinite(run.advance().train_loss)
    assert run.micro_batches.fitting == 4


@needs_peft
@pytest.mark.parametrize(
    ("model", "task"), [("bert", "text"), ("albert", "text"), ("gpt2", "regression"), ("resnet", "image")]
)
def test_adapters_are_merged_into_an_ordinary_model_when_saved(
    model: str, task: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset(task, rows=64)
    run = trained(model, model_path(model), data, options_of("lora", epochs=2))
    before = run.predict_scores("test")
    run.save(tmp_path / "saved")
    assert (run.predict_scores("test") == before).all()  # saving changes nothing in the run
    assert not any("adapter" in file.name for file in (tmp_path / "saved").iterdir())
    auto = AutoModelForImageClassification if task == "image" else AutoModelForSequenceClassification
    network, report = auto.from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    if task == "image":
        inputs = run.placed.inputs("test").batch(np.arange(data.test.num_rows))
    else:
        encoded = AutoTokenizer.from_pretrained(tmp_path / "saved")(
            data.test["text"].to_pylist(), padding=True, return_tensors="pt"
        )
        inputs = {name: encoded[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        logits = network.eval()(**inputs).logits
    if data.labels:
        assert logits.softmax(dim=1).numpy() == pytest.approx(before, abs=1e-4)
    else:
        config = network.config
        assert logits[:, 0].numpy() * config.target_deviation + config.target_mean == pytest.approx(
            before, rel=1e-4
        )


def test_lora_without_peft_raises_training_error_that_says_what_to_install(
    model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(
        TrainingError, match=r"^tuning = 'lora' needs the package peft.*pip install 'modelstore\[lora\]'$"
    ):
        FineTuning("bert", model_path("bert"), dataset("text", rows=32), options_of("lora"))


@pytest.mark.parametrize(
    ("model", "task", "lowest", "layers"),
    [
        ("bert", "text", "bert.embeddings.word_embeddings.weight", 2),
        ("gpt2", "text", "transformer.wpe.weight", 2),
        ("t5", "text", "transformer.shared.weight", 4),  # two of the encoder, two of the decoder
        ("vit", "image", "vit.embeddings.patch_embeddings.projection.weight", 2),
        ("resnet", "image", "resnet.embedder.embedder.convolution.weight", 2),  # stages
    ],
)
def test_layerwise_tuning_trains_lower_layers_at_lower_rates(
    model: str, task: str, lowest: str, layers: int, model_path: Paths, dataset: Datasets
) -> None:
    run = FineTuning(model, model_path(model), dataset(task, rows=32), options_of("layerwise"))
    depths = tuning.layer_depths(run.network)
    assert depths[lowest] == 0
    assert sorted({*depths.values()}) == list(range(layers + 1))
    run.advance()
    names = {id(p): name for name, p in run.network.named_parameters()}
    rates = {names[id(p)]: g["lr"] for g in run.steps.optimizer.adamw.param_groups for p in g["params"]}
    head = max(rates.values())
    assert {name for name in rates if rates[name] == head} == {name for name in rates if name not in depths}
    for name, depth in depths.items():
        assert rates[name] == pytest.approx(head * tuning.LAYER_DECAY ** (layers + 1 - depth))


def test_learning_rates_follow_the_schedule_after_the_warm_up(model_path: Paths, dataset: Datasets) -> None:
    data, path = dataset("text", rows=320), model_path("bert")

    def rates(**changes: object) -> np.ndarray:
        run = FineTuning("bert", path, data, options_of("full", epochs=5, **changes))
        assert run.plan.batches == 100
        return np.array([run.steps.optimizer.learning_rate(step) for step in range(100)]) / RATES["full"]

    cosine = rates(schedule="cosine", warm_up=0.2)
    assert cosine[:20] == pytest.approx(np.arange(1, 21) / 20)
    assert cosine[20:] == pytest.approx((1 + np.cos(np.pi * np.arange(80) / 80)) / 2)
    assert rates(schedule="constant", warm_up=0.0) == pytest.approx(np.ones(100))
    assert rates(warm_up=0.0) == pytest.approx(np.r_[1, np.arange(99, 0, -1) / 99])
    assert rates(warm_up=1.0) == pytest.approx(np.arange(1, 101) / 100)


def test_weight_decay_is_that_of_the_options(model_path: Paths, dataset: Datasets) -> None:
    options = options_of("full", weight_decay=0.3)
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=32), options)
    assert {group["weight_decay"] for group in run.steps.optimizer.adamw.param_groups} == {0.3, 0.0}
