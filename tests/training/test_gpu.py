"""Training on a GPU: captured steps train as eager ones do, and runs rest on the device between stages."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import TINY, create_text_dataset

import modelstore
from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training import cuda_graphs, residency
from modelstore.training.finetune import FineTuning

pytestmark = pytest.mark.gpu

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]
OPTIONS = TrainingOptions(epochs=6, batch_size=8, learning_rate=1e-3, device="cuda")


@pytest.fixture(autouse=True)
def captured_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "BREAK_EVEN", 1)


def without_dropout(run: FineTuning) -> FineTuning:
    for module in run.network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for name in ("attention_probs_dropout_prob", "attn_pdrop", "attention_dropout"):
        if hasattr(run.network.config, name):
            setattr(run.network.config, name, 0.0)
    return run


def curve(run: FineTuning, stages: int = 6) -> list[tuple[float, float]]:
    while len(run.curve) < stages:
        run.advance()
    return [(point.validation, point.train_loss) for point in run.curve]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("bert", "text"),
        ("gpt2", "text"),
        ("distilbert", "text"),
        ("vit", "image"),
        ("resnet", "image"),
        ("bert", "multi_label"),
        ("vit", "multi_label_image"),
    ],
)
def test_captured_steps_train_as_eager_ones_do(
    model: str, kind: str, model_path: Paths, dataset: Datasets
) -> None:
    captured, eager = (
        without_dropout(FineTuning(model, model_path(model), dataset(kind), OPTIONS)) for _ in range(2)
    )
    eager.steps.graphs = None
    one, other = curve(captured), curve(eager)
    assert captured.steps.graphs is not None
    assert captured.steps.graphs.captured
    assert [loss for _, loss in one] == pytest.approx([loss for _, loss in other], rel=0.05, abs=0.02)
    captured.release()
    eager.release()


def test_captured_steps_weigh_classes_as_eager_ones_do(model_path: Paths, dataset: Datasets) -> None:
    options = replace(OPTIONS, class_weights="balanced", label_smoothing=0.1)
    captured, eager = (
        without_dropout(FineTuning("bert", model_path("bert"), dataset("text"), options)) for _ in range(2)
    )
    eager.steps.graphs = None
    one, other = curve(captured), curve(eager)
    assert captured.steps.graphs is not None
    assert captured.steps.graphs.captured
    assert [loss for _, loss in one] == pytest.approx([loss for _, loss in other], rel=0.05, abs=0.02)
    captured.release()
    eager.release()


@pytest.mark.parametrize("change", [{"gradient_accumulation": 2}, {"gradient_checkpointing": True}])
def test_steps_that_are_not_captured_train_too(
    change: dict[str, object], model_path: Paths, dataset: Datasets
) -> None:
    options = replace(OPTIONS, **change)  # type: ignore[arg-type]
    run = without_dropout(FineTuning("bert", model_path("bert"), dataset("text"), options))
    points = curve(run)
    assert run.steps.graphs is None or not run.steps.graphs.captured
    assert points[-1][1] < points[0][1]
    run.release()


@pytest.mark.parametrize("tuning", ["full", "layerwise", "lora", "frozen"])
def test_a_model_learns_on_the_gpu_by_each_tuning(
    tuning: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset("text")
    pretrained = FineTuning("bert", model_path("bert"), replace(data, labels=("one", "other")), OPTIONS)
    curve(pretrained)
    pretrained.save(tmp_path)  # a frozen base of random weights has nothing to tell
    pretrained.release()
    options = replace(OPTIONS, tuning=tuning, learning_rate=1e-3 if tuning in ("full", "layerwise") else 1e-2)
    run = FineTuning("bert", tmp_path, data, options)
    losses = [loss for _, loss in curve(run)]
    assert losses[-1] < losses[0]
    labels = data.test.column("label").to_numpy()
    assert (run.predict("test") == labels).mean() > np.bincount(labels).max() / len(labels) + 0.1


def test_dropout_draws_new_random_numbers_in_each_replay(model_path: Paths, dataset: Datasets) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text"), replace(OPTIONS, learning_rate=1e-9))
    losses = {round(run.advance().train_loss, 5) for _ in range(5)}
    assert len(losses) == 5


def test_a_network_that_reads_a_value_in_its_forward_pass_trains_eagerly(
    model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text"), OPTIONS)
    forward = run.network.forward

    def reading(**batch: torch.Tensor) -> object:
        assert float(batch["input_ids"].sum()) > 0
        return forward(**batch)

    monkeypatch.setattr(run.network, "forward", reading)
    losses = [loss for _, loss in curve(run)]
    assert run.steps.graphs is not None
    assert not run.steps.graphs.captured
    assert losses[-1] < losses[0]


def test_a_run_moved_off_the_device_between_stages_continues_unchanged(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    straight, moved, resumed = (
        FineTuning("bert", model_path("bert"), dataset("text"), OPTIONS) for _ in range(3)
    )
    expected = curve(straight)
    curve(moved, 3)
    assert next(moved.network.parameters()).is_cuda
    moved.save_state(tmp_path / "state")
    assert residency.make_room(moved.device)
    assert not next(moved.network.parameters()).is_cuda
    resumed.restore(tmp_path / "state")
    for run in (moved, resumed):
        assert [loss for _, loss in curve(run)] == pytest.approx(
            [loss for _, loss in expected], rel=0.05, abs=0.02
        )


def test_running_out_of_memory_moves_resting_runs_off_the_device(
    model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    resting, run = (FineTuning("bert", model_path("bert"), dataset("text"), OPTIONS) for _ in range(2))
    resting.advance()
    forward, failed = run.network.forward, []

    def full(**batch: torch.Tensor) -> object:
        if next(resting.network.parameters()).is_cuda:
            failed.append(True)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(**batch)

    monkeypatch.setattr(run.network, "forward", full)
    run.advance()
    assert failed
    assert run.micro_batches.fitting >= OPTIONS.batch_size


def test_a_capture_that_fails_leaves_the_other_runs_of_the_device_alone(
    model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, resting, failing, later = (
        FineTuning("bert", model_path("bert"), dataset("text"), OPTIONS) for _ in range(4)
    )
    expected = curve(alone)
    curve(resting, 3)
    forward = failing.network.forward

    def reading(**batch: torch.Tensor) -> object:
        assert float(batch["input_ids"].sum()) > 0
        return forward(**batch)

    monkeypatch.setattr(failing.network, "forward", reading)
    curve(failing, 2)
    failing.release()
    assert curve(resting) == pytest.approx(expected, rel=1e-6)
    curve(later, 2)
    assert later.steps.graphs is not None
    assert later.steps.graphs.captured


@pytest.mark.parametrize(("model", "kind"), [("bert", "text"), ("vit", "image")])
def test_a_found_rate_trains_as_a_given_one_does(
    model: str, kind: str, model_path: Paths, dataset: Datasets
) -> None:
    """Each trial has an optimizer of its own, and so its graphs."""
    options = replace(OPTIONS, learning_rate=None)
    found = without_dropout(FineTuning(model, model_path(model), dataset(kind), options))
    one = curve(found)
    rate = found.curve[0].learning_rate
    given = without_dropout(
        FineTuning(model, model_path(model), dataset(kind), replace(OPTIONS, learning_rate=rate))
    )
    other = curve(given)
    assert found.steps.graphs is not None
    assert found.steps.graphs.captured
    assert [loss for _, loss in one] == pytest.approx([loss for _, loss in other], rel=0.05, abs=0.02)
    found.release()
    given.release()


def test_models_that_share_a_gpu_are_all_recorded(store: modelstore.Connection, model_path: Paths) -> None:
    for number in range(6):
        store.execute(f"CREATE MODEL m{number} FROM '{model_path('bert')}'")
    create_text_dataset(store, "texts", 160, 0)
    statement = f"BENCHMARK MODELS ON texts WITH ({TINY}, device = 'cuda')"
    assert torch.get_num_threads() == 1 or " at once" in str(store.execute(f"EXPLAIN {statement}").fetchall())
    store.execute(statement)
    assert store.execute("SELECT count(DISTINCT model) FROM benchmark_results").fetchone() == (6,)
    assert store.execute("SELECT count(*) FROM benchmark_failures").fetchone() == (0,)
