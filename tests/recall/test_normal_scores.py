"""The normal-score prior against its definition, and what it does not depend on."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall.normal_scores import (
    normal_score_matrix,
    normal_score_prior,
    normal_scores,
    priors_without_each,
)


def matrix(seed: int, models: int = 12, datasets: int = 6) -> np.ndarray:
    """Scores with ties and missing cells."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, 8, (models, datasets)) / 8
    scores[random.random(scores.shape) < 0.3] = np.nan
    return scores


def defined(scores: np.ndarray) -> list[float]:
    """u_m = Σ_d Φ⁻¹((r − ½) / N_d) / (n_m + 1), cell by cell."""
    found = []
    for row in scores:
        total, count = 0.0, 0
        for dataset, score in enumerate(row):
            if np.isnan(score):
                continue
            known = [other for other in scores[:, dataset] if not np.isnan(other)]
            below, same = sum(other < score for other in known), sum(other == score for other in known)
            total += NormalDist().inv_cdf((below + (same + 1) / 2 - 0.5) / len(known))
            count += 1
        found.append(total / (count + 1))
    return found


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_prior_is_as_it_is_defined(seed: int) -> None:
    scores = matrix(seed)
    assert normal_score_prior(scores) == pytest.approx(defined(scores), abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_only_the_order_within_a_dataset_counts(seed: int) -> None:
    scores = matrix(seed)
    stretched = np.exp(3 * scores) + np.arange(scores.shape[1])
    assert normal_score_prior(stretched) == pytest.approx(normal_score_prior(scores))
    order = np.random.default_rng(seed).permutation(len(scores))
    assert normal_score_prior(scores[order]) == pytest.approx(normal_score_prior(scores)[order])


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_priors_without_each_dataset_are_those_of_the_matrix_without_it(seed: int) -> None:
    scores = matrix(seed)
    found = priors_without_each(scores)
    for dataset in range(scores.shape[1]):
        rest = np.delete(scores, dataset, axis=1)
        assert found[:, dataset] == pytest.approx(normal_score_prior(rest), abs=1e-12)


def test_ties_share_their_rank_and_missing_cells_stay() -> None:
    assert normal_scores(np.array([0.5, 0.5, 0.5])).tolist() == [0.0, 0.0, 0.0]
    found = normal_scores(np.array([0.9, np.nan, 0.1, 0.9]))
    assert np.isnan(found[1])
    assert found[0] == found[3] == pytest.approx(NormalDist().inv_cdf((2.5 - 0.5) / 3))
    assert np.isnan(normal_score_matrix(np.full((2, 3), np.nan))).all()


def test_models_of_few_records_are_nearer_to_the_average() -> None:
    scores = np.array([[0.9, 0.9, 0.9], [0.9, np.nan, np.nan], [0.1, 0.1, 0.1], [np.nan] * 3])
    many, few, _, none = normal_score_prior(scores)
    assert many > few > none == 0.0


def test_an_empty_matrix_has_no_prior() -> None:
    assert normal_score_prior(np.empty((3, 0))).tolist() == [0.0, 0.0, 0.0]
    assert normal_score_prior(np.empty((0, 3))).shape == (0,)
