"""Eqs. 2–4, against their definitions."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall import coarse_recall
from modelstore.recall.coarse_recall import (
    ScoringPlan,
    mean_scores,
    most_propagated,
    plan_scoring,
    priors,
    propagate,
    rank,
    without_failures,
)
from modelstore.udfs.similarity import similarities

CLUSTERS: dict[str, tuple[int, str]] = {
    "a1": (1, "a1"),
    "a2": (1, "a1"),
    "b1": (2, "b2"),
    "b2": (2, "b2"),
    "s": (3, "s"),
}


def plan_of(candidates: list[str], clusters: dict[str, tuple[int, str]]) -> ScoringPlan:
    sizes = Counter(cluster for cluster, _ in clusters.values())
    found = [clusters.get(name, (0, None)) for name in candidates]
    return plan_scoring(
        candidates,
        np.array([cluster for cluster, _ in found]),
        np.array([representative for _, representative in found], dtype=object),
        np.array([sizes[cluster] for cluster, _ in found]),
    )


def sources(plan: ScoringPlan) -> dict[str, str | None]:
    return {
        name: plan.scored[place] if place >= 0 else None
        for name, place in zip(plan.candidates, plan.source.tolist(), strict=True)
    }


def test_only_representatives_of_non_singleton_clusters_are_scored() -> None:
    plan = plan_of(["a1", "a2", "b1", "s"], CLUSTERS)
    assert plan.scored == ["a1", "b2"]
    assert sources(plan) == {"a1": "a1", "a2": "a1", "b1": "b2", "s": None}


def test_a_model_that_the_clustering_does_not_know_is_scored_itself() -> None:
    assert plan_of(["a2", "new"], CLUSTERS).scored == ["a1", "new"]


@pytest.mark.parametrize("clusters", [{}, {"s": (1, "s"), "t": (2, "t")}])
def test_without_a_non_singleton_cluster_the_candidates_are_scored(
    clusters: dict[str, tuple[int, str]],
) -> None:
    assert sources(plan_of(["s", "t"], clusters)) == {"s": "s", "t": "t"}


def test_a_model_without_records_has_the_mean_prior() -> None:
    assert priors(np.array([0.3, 0.9, np.nan])) == pytest.approx([0.3, 0.9, 0.6])


def test_without_records_every_prior_is_one() -> None:
    assert priors(np.full(2, np.nan)).tolist() == [1.0, 1.0]


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
    assert propagate(similarity, proxy, lowest=0.0) == pytest.approx(expected)


def test_a_singleton_of_which_nothing_is_known_has_the_mean_proxy_at_the_lowest_similarity() -> None:
    assert propagate(np.full((1, 2), np.nan), np.array([0.2, 0.6]), lowest=0.5).tolist() == [0.2]


def test_the_ranking_multiplies_the_prior_by_the_representatives_or_the_propagated_proxy() -> None:
    names = ["a1", "a2", "b1", "s"]
    recalled = rank(
        plan_of(names, CLUSTERS),
        4,
        np.array([0.8, 0.7, 0.9, 0.6]),
        np.array([0.5, 0.25]),
        np.ones(4),
        lambda singletons: propagate(np.array([[0.9, 0.5]]), np.array([0.5, 0.25]), lowest=0.0),
    )
    assert [(r.model, r.cluster, r.representative) for r in recalled] == [
        ("a1", 1, "a1"),
        ("a2", 1, "a1"),
        ("b1", 2, "b2"),
        ("s", 3, None),
    ]
    assert [r.recall_score for r in recalled] == pytest.approx([0.4, 0.35, 0.225, 0.6 * (0.45 + 0.125) / 2])
    assert all(r.recall_score == pytest.approx(r.prior * r.proxy_score) for r in recalled)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.booleans())
def test_propagating_only_to_those_that_may_be_among_the_best_changes_nothing(
    seed: int, count: int, negative: bool
) -> None:
    random = np.random.default_rng(seed)
    scores = random.uniform(-1 if negative else 0, 1, (60, 5))
    scores[random.random(scores.shape) < 0.4] = np.nan
    proxy = random.uniform(0, 1, 6)
    source = np.where(random.random(60) < 0.3, random.integers(0, 6, 60), -1)
    plan = ScoringPlan([f"m{n}" for n in range(60)], np.ones(60, int), [f"r{n}" for n in range(6)], source)
    has = np.isfinite(scores).sum(axis=1)
    prior = priors(np.divide(np.nansum(scores, axis=1), has, out=np.full(60, np.nan), where=has > 0))
    values = propagate(similarities(scores, scores[:6]), proxy, lowest=-1.0)
    most = most_propagated(has, has[:6], proxy, all_datasets=5)
    assert (values <= most).all()

    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patch:
        patch.setattr(coarse_recall, "BATCH", 3)
        found = rank(plan, count, prior, proxy, most, lambda some: values[some])
    all_scores = prior * np.where(source >= 0, proxy[source], values)
    best = sorted(range(60), key=lambda place: (-all_scores[place], plan.candidates[place]))[:count]
    assert [row.model for row in found] == [plan.candidates[place] for place in best]
    assert [row.recall_score for row in found] == pytest.approx(all_scores[best].tolist())


def test_a_cluster_whose_representative_fails_goes_on_as_singletons() -> None:
    plan = plan_of(["a1", "a2", "b1", "new"], CLUSTERS)
    assert plan.scored == ["a1", "b2", "new"]
    left = without_failures(plan, ["b2"])
    assert sources(left) == {"a2": None, "b1": "b2"}
    assert left.cluster.tolist() == [1, 2]


def test_the_mean_of_a_model_without_records_is_unknown() -> None:
    scores = np.array([[0.2, 0.4], [0.6, np.nan], [np.nan, np.nan]])
    assert mean_scores(scores) == pytest.approx([0.3, 0.6, np.nan], nan_ok=True)
