"""Greedy ensemble selection against its definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modelstore.selection.greedy_ensemble import greedy_ensemble


def accuracy(labels: np.ndarray) -> object:
    return lambda mean: float((mean.argmax(axis=1) == labels).mean())


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(2, 4))
def test_an_ensemble_is_no_worse_than_its_best_model(seed: int, models: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, 30)
    predictions = [random.dirichlet(np.ones(classes), 30) for _ in range(models)]
    score = accuracy(labels)
    weights, best = greedy_ensemble(predictions, score)  # type: ignore[arg-type]
    assert np.isclose(weights.sum(), 1)
    assert best >= max(score(one) for one in predictions)  # type: ignore[operator]
    voted = sum(weight * one for weight, one in zip(weights, predictions, strict=True))
    assert np.isclose(score(voted), best)  # type: ignore[operator]


def test_models_that_err_apart_are_better_together() -> None:
    target = np.array([0.0, 1.0, 2.0, 3.0])
    error = np.array([1.0, -1.0, 1.0, -1.0])
    predictions = [target + error, target - error, target + 5]
    weights, best = greedy_ensemble(predictions, lambda mean: -float(((mean - target) ** 2).mean()))
    assert weights.tolist() == [0.5, 0.5, 0.0]
    assert best == 0.0


def test_a_model_that_no_other_improves_is_alone() -> None:
    labels = np.array([0, 1, 0, 1])
    right, wrong = np.eye(2)[labels], np.eye(2)[1 - labels]
    weights, best = greedy_ensemble([wrong, right], accuracy(labels))  # type: ignore[arg-type]
    assert weights.tolist() == [0.0, 1.0]
    assert best == 1.0
