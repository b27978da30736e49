"""Which datasets say most of the rest: against conditioning by its definition."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall.informative import most_informative
from modelstore.recall.scales import correlations, standardise


def scores_of(seed: int, models: int = 14, datasets: int = 6, missing: float = 0.3) -> np.ndarray:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(models, 2)) @ random.normal(size=(2, datasets))
    scores += 0.5 * random.normal(size=scores.shape)
    scores[random.random(scores.shape) < missing] = np.nan
    return scores


def unexplained(correlation: np.ndarray, chosen: list[int]) -> float:
    """The variance that is left over all datasets once the chosen ones are known."""
    if not chosen:
        return float(np.trace(correlation))
    across = correlation[:, chosen]
    inverse = np.linalg.pinv(correlation[np.ix_(chosen, chosen)], hermitian=True)
    return float(np.trace(correlation - across @ inverse @ across.T))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_correlations_are_of_the_common_models_and_a_covariance(seed: int) -> None:
    scores = scores_of(seed)
    found = correlations(scores)
    assert np.diag(found) == pytest.approx(np.ones(6))
    assert np.allclose(found, found.T)
    assert np.linalg.eigvalsh(found).min() > -1e-9
    z = standardise(scores)
    raw = np.eye(6)
    for i, j in itertools.permutations(range(6), 2):
        both = np.isfinite(z[:, i]) & np.isfinite(z[:, j])
        a, b = z[both, i], z[both, j]
        raw[i, j] = (a * b).sum() / (np.sqrt((a**2).sum() * (b**2).sum()) + 1)
    if np.linalg.eigvalsh(raw).min() > 0.01:
        assert found == pytest.approx(raw)


def test_without_missing_cells_correlations_are_pearsons_drawn_to_zero() -> None:
    scores = scores_of(3, missing=0.0)
    expected = np.corrcoef(scores.T) * 14 / 15
    np.fill_diagonal(expected, 1.0)
    assert correlations(scores) == pytest.approx(expected)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 5), unique=True, max_size=3))
def test_each_gain_is_the_most_that_another_dataset_explains(seed: int, known: list[int]) -> None:
    correlation = correlations(scores_of(seed))
    chosen = list(known)
    for place, gain in most_informative(correlation, 6, known):
        before = unexplained(correlation, chosen)
        gains = {
            i: (before - unexplained(correlation, [*chosen, i])) / 6 for i in range(6) if i not in chosen
        }
        assert gain == pytest.approx(gains[place], abs=1e-6)
        assert gain == pytest.approx(max(gains.values()), abs=1e-6)
        chosen.append(place)
    assert unexplained(correlation, chosen) == pytest.approx(0.0, abs=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_gains_of_all_add_up_to_one(seed: int) -> None:
    assert sum(gain for _, gain in most_informative(correlations(scores_of(seed)), 6)) == pytest.approx(1.0)


def test_a_copy_of_a_known_dataset_says_little_and_ties_go_to_the_first() -> None:
    identity = np.eye(3)
    assert most_informative(identity, 2) == [(0, pytest.approx(1 / 3)), (1, pytest.approx(1 / 3))]
    copies = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert [place for place, _ in most_informative(copies, 3)] == [0, 2]
    assert [place for place, _ in most_informative(copies, 3, known=[1])] == [2]
