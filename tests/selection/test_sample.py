"""The variance of scores by the draw of their rows, against the scores of drawn rows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from modelstore.selection.sample import Sample
from modelstore.training.metrics import score

ROWS, DRAWS = 150, 400


def drawn(metric: str, random: np.random.Generator, good: float) -> tuple[NDArray, NDArray]:
    """Predictions and labels of rows, the better the nearer ``good`` is to 1."""
    if metric in ("pearson", "spearman"):
        labels = random.normal(size=ROWS)
        return good * labels + (1 - good**2) ** 0.5 * random.normal(size=ROWS), labels
    labels = random.integers(0, 2, ROWS)
    return np.where(random.random(ROWS) < good, labels, 1 - labels), labels


@pytest.mark.parametrize("metric", ["accuracy", "matthews", "pearson", "spearman"])
@pytest.mark.parametrize("good", [0.5, 0.7, 0.9])
def test_the_variance_is_that_of_the_scores_of_drawn_rows(metric: str, good: float) -> None:
    random = np.random.default_rng(0)
    scores = np.array([score(metric, *drawn(metric, random, good)) for _ in range(DRAWS)])
    expected = float(Sample(ROWS, metric).variance(float(scores.mean())))
    assert expected == pytest.approx(float(scores.var()), rel=0.3)


def test_rows_or_metrics_that_are_not_known_tell_nothing() -> None:
    assert Sample.of(300, "f1_macro") == Sample(300, "f1_macro")
    assert [Sample.of(300, metric) for metric in ("bleu", "mcc", None)] == [None] * 3
    assert [Sample.of(rows, "accuracy") for rows in (0, None)] == [None] * 2


def test_scores_out_of_range_count_as_the_nearest_within() -> None:
    assert Sample(10).variance(1.2) == 0.0
    assert Sample(10).variance(np.array([-0.1, 0.5])).tolist() == [0.0, 0.025]
    assert Sample(10, "pearson").variance(-1.5) == 0.0
    assert Sample(0).variance(0.5) == 0.25
