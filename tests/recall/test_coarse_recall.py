"""Eqs. 2–4, against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.recall import coarse_recall
from modelstore.recall.coarse_recall import (
    ScoringPlan,
    plan_scoring,
    priors,
    propagate,
    rank,
    without_failures,
)

CLUSTERS = {"a1": (1, "a1"), "a2": (1, "a1"), "b1": (2, "b2"), "b2": (2, "b2"), "s": (3, "s")}


def test_only_representatives_of_non_singleton_clusters_are_scored() -> None:
    plan = plan_scoring(["a1", "a2", "b1", "s"], CLUSTERS)
    assert plan.scored == ["a1", "b2"]
    assert plan.source == {"a1": "a1", "a2": "a1", "b1": "b2", "s": None}


def test_a_model_that_the_clustering_does_not_know_is_scored_itself() -> None:
    assert plan_scoring(["a2", "new"], CLUSTERS).scored == ["a1", "new"]


@pytest.mark.parametrize("clusters", [{}, {"s": (1, "s"), "t": (2, "t")}])
def test_without_a_non_singleton_cluster_the_candidates_are_scored(
    clusters: dict[str, tuple[int, str]],
) -> None:
    assert plan_scoring(["s", "t"], clusters).source == {"s": "s", "t": "t"}


def test_the_prior_is_the_mean_of_the_known_cells() -> None:
    scores = np.array([[0.2, np.nan, 0.4], [0.9, 0.9, 0.9], [np.nan] * 3])
    assert priors(scores) == pytest.approx([0.3, 0.9, 0.6])


def test_without_records_every_prior_is_one() -> None:
    assert priors(np.full((2, 3), np.nan)).tolist() == [1.0, 1.0]


def test_a_likelihood_is_normalised_by_exp_and_anything_else_by_rank() -> None:
    leep = coarse_recall.normalise({"leep": np.array([-0.5, -1.0])})
    assert leep == pytest.approx([math.exp(-0.5), math.exp(-1.0)])
    assert coarse_recall.normalise({"logme": np.array([7.0, -3.0])}).tolist() == [1.0, 0.5]
    both = coarse_recall.normalise({"leep": np.array([-0.5, -1.0]), "logme": np.array([-3.0, 7.0])})
    assert both.tolist() == [0.75, 0.75]


@given(st.integers(0, 2**32 - 1))
def test_propagation_is_the_mean_of_similarity_times_proxy(seed: int) -> None:
    random = np.random.default_rng(seed)
    similarity, proxy = random.uniform(0, 1, (3, 4)), random.uniform(0, 1, 4)
    similarity[0, 1] = np.nan
    expected = [
        np.mean([s * p for s, p in zip(row, proxy, strict=True) if not math.isnan(s)]) for row in similarity
    ]
    assert propagate(similarity, proxy) == pytest.approx(expected)


def test_the_ranking_multiplies_the_prior_by_the_representatives_or_the_propagated_proxy() -> None:
    names = ["a1", "a2", "b1", "s"]
    plan = plan_scoring(names, CLUSTERS)
    recalled = rank(
        names,
        CLUSTERS,
        plan,
        np.array([0.8, 0.7, 0.9, 0.6]),
        {"a1": 0.5, "b2": 0.25},
        lambda singletons, scored: np.array([[0.9, 0.5]]),
    )
    assert [(r.model, r.cluster, r.representative) for r in recalled] == [
        ("a1", 1, "a1"),
        ("a2", 1, "a1"),
        ("b1", 2, "b2"),
        ("s", 3, None),
    ]
    assert [r.recall_score for r in recalled] == pytest.approx([0.4, 0.35, 0.225, 0.6 * (0.45 + 0.125) / 2])
    assert all(r.recall_score == pytest.approx(r.prior * r.proxy_score) for r in recalled)


def test_a_cluster_whose_representative_fails_goes_on_as_singletons() -> None:
    plan = ScoringPlan(["a1", "b2", "new"], {"a1": "a1", "a2": "a1", "b1": "b2", "new": "new"})
    left = without_failures(plan, ["b2"])
    assert left.source == {"a2": None, "b1": "b2"}
