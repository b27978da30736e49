"""`keep`: what a run saves, predicts and tests is its best validation point, or its last."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning
from modelstore.training.used_rows import with_all_rows

OPTIONS = TrainingOptions(epochs=4, batch_size=16, learning_rate=3e-3, device="cpu")
SCORES = [0.5, 0.75, 0.625, 0.75]  # the second is the first of the best
needs_peft = pytest.mark.skipif(
    find_spec("peft") is None, reason="needs peft: pip install 'modelstore[lora]'"
)

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


class Scripted(FineTuning):
    """A run that trains, but whose validation scores are given."""

    scores = SCORES

    def _evaluate(self, split: str) -> float:
        return self.scores[len(self.curve)] if split == "validation" else super()._evaluate(split)


def predictions(run: FineTuning) -> np.ndarray:
    return run.predict_scores("test")


@pytest.mark.parametrize(
    ("model", "kind", "tuning"),
    [
        ("bert", "text", "full"),
        ("gpt2", "regression", "full"),
        ("bert", "text", "frozen"),
        pytest.param("bert", "text", "lora", marks=needs_peft),
        ("resnet", "image", "full"),
    ],
)
def test_a_run_is_kept_at_its_best_validation_and_trains_on_as_if_it_was_not(
    model: str, kind: str, tuning: str, model_path: Paths, dataset: Datasets
) -> None:
    data, options = dataset(kind, rows=64), replace(OPTIONS, tuning=tuning)
    last = Scripted(model, model_path(model), data, replace(options, keep="last"))
    best = Scripted(model, model_path(model), data, options)
    seen, tests = [], []
    for _ in SCORES:
        tests.append(last.advance(test=True).test)
        best.advance()
        seen.append(predictions(last))
        kept = seen[min(1, len(seen) - 1)]
        assert np.array_equal(predictions(best), kept)
        assert best.test() == tests[min(1, len(tests) - 1)]
        assert last.test() == tests[-1]
    assert not np.array_equal(seen[1], seen[3])
    assert [p.train_loss for p in best.curve] == [p.train_loss for p in last.curve]
    ends = last.network.state_dict()
    assert all(torch.equal(value, ends[name]) for name, value in best.network.state_dict().items())


def test_the_saved_model_is_that_of_the_best_point(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset("text", rows=64)
    run = Scripted("bert", model_path("bert"), data, OPTIONS)
    weights = []
    for _ in SCORES:
        run.advance()
        weights.append({name: value.clone() for name, value in with_all_rows(run.network).items()})
    run.save(tmp_path / "saved")
    saved = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").state_dict()
    assert all(torch.equal(saved[name], weights[1][name]) for name in saved)
    assert any(not torch.equal(saved[name], weights[3][name]) for name in saved)
    assert all(torch.equal(value, weights[3][name]) for name, value in with_all_rows(run.network).items())


@pytest.mark.parametrize("model", ["bert", "albert"])  # ALBERT's layers share their weights
def test_a_restored_run_has_the_best_point_of_the_saved_one(
    model: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset("text", rows=64)
    straight = Scripted(model, model_path(model), data, OPTIONS)
    for stage in range(1, 5):
        straight.advance()
        straight.save_state(tmp_path / f"{stage}")
    for stage in range(1, 5):
        restored = Scripted(model, model_path(model), data, OPTIONS)
        restored.restore(tmp_path / f"{stage}")
        while len(restored.curve) < 4:
            restored.advance()
        assert np.array_equal(predictions(restored), predictions(straight))
        assert restored.test() == straight.test()


def test_no_copy_is_held_where_the_last_point_is_the_best(model_path: Paths, dataset: Datasets) -> None:
    class Improving(Scripted):
        scores = [0.5, 0.6, 0.7, 0.8]

    run = Improving("bert", model_path("bert"), dataset("text", rows=64), OPTIONS)
    for _ in range(4):
        run.advance()
        assert run.kept.values is None


def test_the_best_of_a_stage_that_breaks_off_is_the_point_before_it(
    model_path: Paths, dataset: Datasets
) -> None:
    data = dataset("text", rows=64)
    run = FineTuning("bert", model_path("bert"), data, OPTIONS)
    run.advance()
    before = predictions(run)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.advance(on_batch=stop)
    assert np.array_equal(predictions(run), before)
