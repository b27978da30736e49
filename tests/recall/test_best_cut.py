"""The threshold that a dendrogram is best cut at, against the silhouettes of all cuts."""

import numpy as np
import pytest
from by_scipy import groups, linked
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall import best_cut
from modelstore.recall.best_cut import find_best_cut
from modelstore.recall.distances import PerformanceDistances
from modelstore.recall.silhouettes import silhouette_of


def families(
    sizes: list[int], noise: float, seed: int = 0, unit: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of families that are far apart, and the family of each model."""
    random = np.random.default_rng(seed)
    family = np.repeat(np.arange(len(sizes)), sizes)
    scores = 0.2 * family[:, None] + random.normal(0, noise, (len(family), 8))
    return unit * scores, family


@pytest.mark.parametrize("unit", [1.0, 100.0, 1e-4])
@pytest.mark.parametrize("sizes", [[10, 10], [30, 6, 4], [5, 1, 7, 20], [40, 40, 40, 40, 40]])
def test_clear_families_are_found_in_any_unit(sizes: list[int], unit: float) -> None:
    scores, family = families(sizes, noise=0.01, unit=unit)
    by = PerformanceDistances(scores, 5)
    found = find_best_cut(by)
    assert found is not None
    labels = linked(by, found.threshold)
    assert groups(labels) == groups(family)
    assert found.silhouette == pytest.approx(silhouette_of(by, labels), abs=1e-5)
    assert find_best_cut(by) == found


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_no_cut_that_leaves_a_tenth_of_the_models_elsewhere_has_a_greater_silhouette(
    seed: int, models: int
) -> None:
    random = np.random.default_rng(seed)
    scores = random.uniform(size=(models, 4))
    scores[random.random(scores.shape) < 0.2] = np.nan
    by = PerformanceDistances(scores, 3)
    found = find_best_cut(by)
    silhouettes = []
    for threshold in np.linspace(0, 1, 150):
        labels = np.unique(linked(by, threshold), return_inverse=True)[1]
        if np.bincount(labels).max() <= best_cut.LARGEST * models:
            silhouettes.append(silhouette_of(by, labels) or -np.inf)
    if found is None:
        assert not np.isfinite(silhouettes).any()
    elif np.isfinite(silhouettes).any():
        assert found.silhouette >= max(silhouettes) - 1e-5
        assert silhouette_of(by, linked(by, found.threshold)) == pytest.approx(found.silhouette, abs=1e-5)


def test_a_few_outliers_do_not_make_one_cluster_of_the_rest() -> None:
    scores, family = families([30, 30], noise=0.01)
    scores, family = np.concatenate([scores, np.full((2, 8), -3.0)]), np.append(family, [2, 2])
    by = PerformanceDistances(scores, 5)
    found = find_best_cut(by)
    assert found is not None
    assert groups(linked(by, found.threshold)) == groups(family)


@pytest.mark.parametrize(
    "scores",
    [
        np.zeros((0, 3)),
        np.zeros((1, 3)),
        np.array([[0.1], [0.9]]),
        np.full((9, 3), 0.5),
        np.diag([0.5, 0.6, 0.7]) + np.where(np.eye(3) > 0, 0, np.nan),
    ],
)
def test_where_no_cut_has_a_silhouette_there_is_none(scores: np.ndarray) -> None:
    assert find_best_cut(PerformanceDistances(scores, 5)) is None


def test_kinds_alike_to_the_last_digit_that_share_no_dataset_are_told_apart() -> None:
    scores = np.full((6, 2), np.nan)
    scores[:3, 0] = scores[3:, 1] = 0.5
    by = PerformanceDistances(scores, 5)
    found = find_best_cut(by)
    assert found is not None
    assert groups(linked(by, found.threshold)) == {frozenset([0, 1, 2]), frozenset([3, 4, 5])}


def test_a_sample_of_many_models_finds_the_families(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, family = families([100, 60, 40], noise=0.01)
    by = PerformanceDistances(scores, 5)
    monkeypatch.setattr(best_cut, "MODELS", 50)
    found = find_best_cut(by)
    assert found is not None
    assert found.models == 50
    assert groups(linked(by, found.threshold)) == groups(family)
