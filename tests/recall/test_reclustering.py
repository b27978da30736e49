"""Clustering again after models came, went or changed: as from the start, from few distances."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall import reclustering
from modelstore.recall.clustering import hierarchical
from modelstore.recall.distances import CosineDistances, PerformanceDistances
from modelstore.recall.reclustering import Reclustered, recluster
from modelstore.recall.silhouettes import silhouette_of
from modelstore.records import LastClustering

Scores = dict[str, np.ndarray]


def draw(random: np.random.Generator, digits: int) -> np.ndarray:
    """A row of scores near one of three centres, rounded so that many distances are equal; some are missing."""
    row = random.choice([0.3, 0.4, 0.7]) + random.normal(0, 0.03, 5)
    row[random.random(5) < 0.2] = np.nan
    return row.round(digits)


def change(scores: Scores, random: np.random.Generator, digits: int) -> Scores:
    """Some models gone, some changed, some added anywhere among them."""
    left = {name: row for name, row in scores.items() if random.random() > 0.15}
    left |= {name: draw(random, digits) for name in left if random.random() < 0.1}
    return left | {f"{random.random():.6f}": draw(random, digits) for _ in range(random.integers(1, 4))}


def run(scores: Scores, kind: str, threshold: float, last: LastClustering | None) -> Reclustered:
    names = sorted(scores)
    rows = np.array([scores[name] for name in names])
    by = PerformanceDistances(rows, 3) if kind == "scores" else CosineDistances(np.nan_to_num(rows) - 0.45)
    found = recluster(names, by, threshold, last)
    if last is None:
        np.testing.assert_array_equal(
            found.labels, np.unique(hierarchical(by, threshold), return_inverse=True)[1]
        )
        assert found.silhouette == silhouette_of(by, found.labels)
    return found


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 40),
    st.integers(1, 5),
    st.sampled_from(["scores", "embeddings"]),
    st.floats(0.01, 0.2),
)
def test_reclustering_gives_the_clusters_of_a_first_run_whatever_comes_goes_or_changes(
    seed: int, models: int, digits: int, kind: str, threshold: float
) -> None:
    random = np.random.default_rng(seed)
    scores = {f"{random.random():.6f}": draw(random, digits) for _ in range(models)}
    last = run(scores, kind, threshold, None).record if models else None
    with patch.object(reclustering, "FEW", 1):  # however many are new
        for _ in range(3):
            scores = change(scores, random, digits)
            anew, again = (run(scores, kind, threshold, before) for before in (None, last))
            np.testing.assert_array_equal(again.labels, anew.labels)
            assert again.silhouette == pytest.approx(anew.silhouette, abs=1e-9)
            assert again.record is not None
            assert anew.record is not None
            for name, values in vars(anew.record).items():
                if name in ("own", "other"):
                    np.testing.assert_allclose(getattr(again.record, name), values, rtol=1e-6)
                elif name != "nearest":  # of two that are equally near it may be either
                    np.testing.assert_array_equal(getattr(again.record, name), values)
            last = again.record


def test_a_sampled_silhouette_is_that_of_the_same_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelstore.recall.silhouettes.PAIRS", 600)
    random = np.random.default_rng(0)
    scores = {f"{place:03d}": draw(random, 3) for place in range(60)}
    record = run(scores, "scores", 0.05, None).record
    for _ in range(5):
        scores = {**scores, f"{random.random():.6f}": draw(random, 3)}
        anew, again = (run(scores, "scores", 0.05, last) for last in (None, record))
        assert again.silhouette == pytest.approx(anew.silhouette, abs=1e-9)
        record = again.record


class Counted(PerformanceDistances):
    """Counts the distances that it is asked for."""

    asked = 0

    def between(self, rows, columns, dtype=np.float64):  # type: ignore[no-untyped-def]
        self.asked += len(rows) * len(columns)
        return super().between(rows, columns, dtype)

    def pairs(self, left, right):  # type: ignore[no-untyped-def]
        self.asked += len(left)
        return super().pairs(left, right)

    def neighbours(self, threshold):  # type: ignore[no-untyped-def]
        raise AssertionError("all pairs were searched")


def test_one_more_model_asks_for_few_distances() -> None:
    random = np.random.default_rng(0)
    centres = random.uniform(0, 1, (60, 6))
    rows = centres[random.integers(0, 60, 600)] + random.normal(0, 0.005, (600, 6))
    names = [f"{place:03d}" for place in range(600)]
    last = recluster(names, PerformanceDistances(rows, 5), 0.05, None).record
    by = Counted(np.concatenate([rows, rows[:1]]), 5)
    found = recluster([*names, "new"], by, 0.05, last)
    assert found.labels[-1] == found.labels[0]
    assert by.asked < 601 * 601 / 4


def test_where_too_many_models_are_new_or_too_near_all_pairs_are_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    scores = {f"{place:03d}": draw(random, 3) for place in range(40)}
    last = run(scores, "scores", 0.1, None).record
    searched = []
    search = reclustering.search
    monkeypatch.setattr(reclustering, "search", lambda *a: searched.append(1) or search(*a))
    assert run({**scores, "new": draw(random, 3)}, "scores", 0.1, last).record is not None
    assert not searched
    run(scores | {f"new{place}": draw(random, 3) for place in range(9)}, "scores", 0.1, last)
    assert searched
    monkeypatch.setattr("modelstore.recall.clustering.NEIGHBOURS", 1)
    assert run(scores, "scores", 0.1, last).record is None
