"""The learning rate is found in the first stage: by trials that change nothing else."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from whole_runs import finished

from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError, TrainingError
from modelstore.options import TUNINGS, TrainingOptions
from modelstore.training import finetune
from modelstore.training.finetune import FineTuning
from modelstore.training.learning_rates import FACTOR, LAYERS, layers_of, rates_to_try, width_of
from modelstore.training.targets import Targets

FOUND = TrainingOptions(epochs=2, batch_size=16, stages_per_epoch=2, device="cpu")
needs_peft = pytest.mark.skipif(
    find_spec("peft") is None, reason="needs peft: pip install 'modelstore[lora]'"
)

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


def rates_of(run: FineTuning) -> tuple[float, ...]:
    size = width_of(run.network), layers_of(run.network)
    return rates_to_try(*size, run.plan.batches, run.options.tuning)


def assert_same_run(one: FineTuning, other: FineTuning) -> None:
    same = [(p.stage, p.epoch, p.validation, p.train_loss, p.learning_rate) for p in one.curve] == [
        (p.stage, p.epoch, p.validation, p.train_loss, p.learning_rate) for p in other.curve
    ]
    assert same
    weights = other.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.network.state_dict().items())
    assert np.array_equal(one.predict_scores("test"), other.predict_scores("test"))


@pytest.mark.parametrize(
    ("model", "kind", "tuning"),
    [
        ("bert", "text", "full"),
        ("bert", "text", "frozen"),
        pytest.param("bert", "text", "lora", marks=needs_peft),
        ("bert", "text", "layerwise"),
        ("albert", "pair", "full"),
        ("gpt2", "regression", "full"),
        ("resnet", "image", "full"),
    ],
)
@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_a_run_with_a_found_rate_equals_the_run_with_that_rate_given(
    model: str,
    kind: str,
    tuning: str,
    chosen: int,
    model_path: Paths,
    dataset: Datasets,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, options = dataset(kind, rows=64), replace(FOUND, tuning=tuning)
    losses = iter([1.0 if place == chosen else 2.0 for place in range(3)])
    monkeypatch.setattr(Targets, "evaluation_loss", lambda *_: next(losses))
    found = finished(FineTuning(model, model_path(model), data, options))
    rate = found.curve[0].learning_rate
    assert rate == rates_of(found)[chosen]
    given = finished(FineTuning(model, model_path(model), data, replace(options, learning_rate=rate)))
    assert_same_run(found, given)
    assert [point.trial_epochs for point in found.curve] == [1.0, 0.0, 0.0, 0.0]
    assert [point.trial_epochs for point in given.curve] == [0.0] * 4


def test_the_rate_of_the_least_validation_loss_goes_on(model_path: Paths, dataset: Datasets) -> None:
    data = dataset("text", rows=96)
    found = FineTuning("bert", model_path("bert"), data, FOUND)
    rates = rates_of(found)
    found.advance()
    labels = data.validation.column("label").to_numpy()
    losses = []
    for rate in rates:
        run = FineTuning("bert", model_path("bert"), data, replace(FOUND, learning_rate=rate))
        run.advance()
        probabilities = run.predict_scores("validation")[np.arange(len(labels)), labels]
        losses.append(-np.log(probabilities).mean())
    assert found.curve[0].learning_rate == rates[int(np.argmin(losses))]


def test_progress_counts_the_batches_of_all_trials(model_path: Paths, dataset: Datasets) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=96), FOUND)
    assert run.batches_per_stage == [9, 3, 3, 3]
    for batches in run.batches_per_stage:
        counted: list[int] = []
        run.advance(on_batch=lambda: counted.append(1))  # noqa: B023
        assert len(counted) == batches


@pytest.mark.parametrize("tuning", ["full", "frozen"])
def test_a_restored_run_goes_on_at_the_rate_that_it_found(
    tuning: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data, options = dataset("text", rows=64), replace(FOUND, tuning=tuning)
    straight = FineTuning("bert", model_path("bert"), data, options)
    straight.save_state(tmp_path / "0")
    for stage in range(1, 5):
        straight.advance()
        straight.save_state(tmp_path / f"{stage}")
    for stage in range(5):
        restored = FineTuning("bert", model_path("bert"), data, options)
        restored.restore(tmp_path / f"{stage}")
        assert_same_run(finished(restored), straight)


def test_a_rate_that_diverges_is_not_taken(
    model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataset("text", rows=64)
    monkeypatch.setattr(finetune, "rates_to_try", lambda *_: (1e-3, 1e30))
    run = FineTuning("bert", model_path("bert"), data, FOUND)
    assert run.advance().learning_rate == 1e-3
    given = FineTuning("bert", model_path("bert"), data, replace(FOUND, learning_rate=1e-3))
    assert_same_run(finished(run), finished(given))


def test_a_run_that_diverges_at_each_rate_fails(
    model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune, "rates_to_try", lambda *_: (1e29, 1e30))
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=64), FOUND)
    with pytest.raises(
        TrainingError, match=r"bert on .* diverged .*: use a smaller learning_rate than 1e\+29"
    ):
        run.advance()


def test_runs_that_take_turns_find_the_rates_that_they_would_alone(
    model_path: Paths, dataset: Datasets
) -> None:
    data = dataset("text", rows=64)

    def runs() -> list[FineTuning]:
        return [FineTuning("bert", model_path("bert"), data, replace(FOUND, seed=seed)) for seed in (0, 1)]

    turns = runs()
    for _ in range(4):
        for run in turns:
            torch.rand(3)  # as other code in the process may draw
            run.advance()
    for run, alone in zip(turns, runs(), strict=True):
        assert_same_run(run, finished(alone))


@pytest.mark.parametrize("tuning", TUNINGS)
def test_three_rates_lie_around_one_that_falls_with_size_and_steps(tuning: str) -> None:
    low, centre, high = rates_to_try(384, 6, 60, tuning)
    assert high / centre == pytest.approx(FACTOR, rel=0.1)  # they are rounded
    assert centre / low == pytest.approx(FACTOR, rel=0.1)  # they are rounded
    assert rates_to_try(768, 6, 60, tuning)[1] < centre < rates_to_try(64, 6, 60, tuning)[1]
    assert rates_to_try(384, 12, 60, tuning)[1] < centre < rates_to_try(384, 3, 60, tuning)[1]
    assert rates_to_try(384, 6, 6_000, tuning)[1] < centre < rates_to_try(384, 6, 6, tuning)[1]


@pytest.mark.parametrize(
    ("model", "width"), [("bert", 32), ("gpt2", 32), ("t5", 32), ("vit", 32), ("albert", 32)]
)
def test_the_width_is_that_of_the_hidden_states(
    model: str, width: int, model_path: Paths, dataset: Datasets
) -> None:
    kind = "image" if model == "vit" else "text"
    run = FineTuning(model, model_path(model), dataset(kind, rows=32), FOUND)
    assert width_of(run.network) == width
    assert layers_of(run.network) == run.network.config.num_hidden_layers


@pytest.mark.parametrize("model", ["resnet", "convnext"])
def test_the_width_of_a_network_whose_stages_widen_is_their_mean(
    model: str, model_path: Paths, dataset: Datasets
) -> None:
    run = FineTuning(model, model_path(model), dataset("image", rows=32), FOUND)
    sizes = run.network.config.hidden_sizes
    assert min(sizes) <= width_of(run.network) <= max(sizes)
    assert layers_of(run.network) == sum(run.network.config.depths)


def test_a_network_whose_config_says_neither_has_the_mean_width_of_its_layers() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.Conv2d(16, 64, 3))
    network.config = object()
    assert width_of(network) == pytest.approx(32)
    assert layers_of(network) == LAYERS


def test_a_model_whose_outputs_overflow_is_not_told_to_learn_slower(
    model_copy: Paths, dataset: Datasets
) -> None:
    path = model_copy("bert_classifier")
    weights = load_file(path / "model.safetensors")
    save_file(
        {name: 1e30 * value for name, value in weights.items()}, path / "model.safetensors", {"format": "pt"}
    )
    run = FineTuning("huge", path, dataset("text", rows=64), TrainingOptions(epochs=1, device="cpu"))
    with pytest.raises(
        TrainingError, match="outputs are not finite before any training, whatever the learning rate"
    ):
        run.advance()


def test_weights_that_are_no_numbers_are_named(model_copy: Paths, dataset: Datasets) -> None:
    path = model_copy("bert_classifier")
    weights = load_file(path / "model.safetensors")
    name = next(iter(weights))
    weights[name].view(-1)[-1] = float("inf")
    save_file(weights, path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=f"not finite .{name} holds NaN or infinity"):
        FineTuning("m", path, dataset("text", rows=64), TrainingOptions(epochs=1, device="cpu"))
