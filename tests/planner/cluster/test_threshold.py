"""`CLUSTER MODELS`: the threshold by silhouette, and thresholds that do not fit."""

import numpy as np
import pyarrow as pa
import pytest

import modelstore
from modelstore.planner.cluster import threshold as choosing
from modelstore.planner.cluster.leave_out import LeaveOneOutClusters
from modelstore.recall import best_cut

Store = modelstore.Connection


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(choosing, "notify", messages.append)
    return messages


def fill(store: Store, sizes: list[int], apart: float, noise: float) -> None:
    """Results of families of these sizes on six datasets."""
    random = np.random.default_rng(0)
    family = np.repeat(np.arange(len(sizes)), sizes)
    scores = 0.1 + apart * family[:, None] + random.normal(0, noise, (len(family), 6))
    row, column = np.nonzero(scores)
    names = [f"{chr(97 + family[n])}{n}" for n in row]
    store.register("cells", pa.table({"model": names, "dataset": column, "score": scores[row, column]}))
    store.execute(
        "INSERT INTO benchmark_results BY NAME SELECT * REPLACE ('d' || dataset AS dataset) FROM cells"
    )
    store.unregister("cells")


@pytest.mark.parametrize(("apart", "noise"), [(0.02, 0.001), (0.3, 0.03)])
def test_auto_finds_families_that_the_default_does_not(
    store: Store, said: list[str], apart: float, noise: float
) -> None:
    fill(store, [12, 9, 4], apart, noise)
    [(clusters, models, singletons, silhouette, threshold)] = store.execute(
        "CLUSTER MODELS WITH (threshold = 'AUTO')"
    ).fetchall()
    assert (clusters, models, singletons) == (3, 25, 0)
    assert 2 * noise < threshold < apart
    [message] = said
    assert message.startswith(f"threshold {threshold:g} is taken")
    assert f"silhouette, {silhouette:.3f}" in message
    kinds = "SELECT count(DISTINCT model[1]) FROM model_clusters GROUP BY cluster"
    assert store.execute(kinds).fetchall() == [(1,)] * 3


def test_the_threshold_that_auto_took_gives_the_same_clusters_by_name(store: Store) -> None:
    fill(store, [12, 9, 4], 0.05, 0.01)
    [row] = store.execute("CLUSTER MODELS WITH (threshold = 'auto')").fetchall()
    members = store.execute("FROM model_clusters ORDER BY ALL").fetchall()
    assert store.execute(f"CLUSTER MODELS WITH (threshold = {row[-1]!r})").fetchall() == [row]
    assert store.execute("FROM model_clusters ORDER BY ALL").fetchall() == members


def test_the_threshold_of_many_models_comes_from_a_sample_which_is_said(
    store: Store, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_cut, "MODELS", 30)
    fill(store, [40, 30, 30], 0.2, 0.01)
    assert store.execute("CLUSTER MODELS WITH (threshold = 'auto')").fetchone()[:3] == (3, 100, 0)  # type: ignore[index]
    assert "of 30 of the 100 models" in said[0]


def test_too_few_models_are_cut_at_the_default(store: Store, said: list[str]) -> None:
    fill(store, [1, 1], 0.3, 0.01)
    assert store.execute("CLUSTER MODELS WITH (threshold = 'auto')").fetchone() == (2, 2, 2, None, 0.09)
    assert "0.09 is taken" in said[0]


def test_explain_says_how_the_threshold_is_found_and_analyze_which_it_was(store: Store) -> None:
    fill(store, [12, 9, 4], 0.3, 0.03)
    statement = "CLUSTER MODELS WITH (threshold = 'auto')"
    assert "threshold by silhouette" in str(store.execute(f"EXPLAIN {statement}").fetchall())
    [(*_, threshold)] = store.execute(statement).fetchall()
    assert f"threshold {threshold:g}" in str(store.execute(f"EXPLAIN ANALYZE {statement}").fetchall())


@pytest.mark.parametrize(
    ("clustering", "expected"),
    [
        ("", 1),
        ("CLUSTER MODELS WITH (threshold = 0.02)", 3),
        ("CLUSTER MODELS WITH (threshold = 'auto')", 3),
        ("CLUSTER MODELS USING kmeans WITH (clusters = 3, threshold = 0.02)", 1),
    ],
)
def test_clusters_without_a_dataset_are_made_as_those_on_record(
    store: Store, clustering: str, expected: int
) -> None:
    fill(store, [12, 9, 4], 0.04, 0.002)
    if clustering:
        store.execute(clustering)
    names = [name for (name,) in store.execute("SELECT DISTINCT model FROM benchmark_results").fetchall()]
    found = LeaveOneOutClusters(store.store, "default", "d0").of(names)
    assert len(np.unique(found.cluster)) == expected


def test_kmeans_has_no_threshold(store: Store) -> None:
    fill(store, [5, 5], 0.3, 0.03)
    assert store.execute("CLUSTER MODELS USING kmeans WITH (clusters = 2)").fetchone()[-1] is None  # type: ignore[index]


@pytest.mark.parametrize(
    ("sizes", "apart", "threshold", "expected"),
    [
        ([1] * 8, 0.1, 0.05, "8 of the 8 models are clusters of their own"),
        ([2, *[1] * 50], 0.1, 0.05, "50 of the 52 models are clusters of their own"),
        ([15, 15], 0.1, 0.5, "all 30 models are one cluster"),
        ([5, 5], 0.1, 0.5, None),
        ([2, *[1] * 8], 0.1, 0.05, None),
        ([15, 15], 0.1, 0.05, None),
        ([1, 1], 0.1, 0.05, None),
    ],
)
def test_a_threshold_that_does_not_fit_is_said_with_what_would(
    store: Store, said: list[str], sizes: list[int], apart: float, threshold: float, expected: str | None
) -> None:
    fill(store, sizes, apart / len(sizes) * 5, 0.0001)
    store.execute(f"CLUSTER MODELS WITH (threshold = {threshold / len(sizes) * 5})")
    assert len(said) == (expected is not None)
    if expected is not None:
        assert expected in said[0]
        assert "threshold = 'auto'" in said[0]


def test_another_word_is_refused_with_both_that_would_be_right(store: Store) -> None:
    with pytest.raises(
        modelstore.Error, match="takes a number of at least 0, or 'auto', not 'atuo'"
    ) as caught:
        store.execute("CLUSTER MODELS WITH (threshold = 'atuo')")
    assert 'did you mean "auto"' in str(caught.value)
    with pytest.raises(modelstore.Error, match="a number of at least 0, or 'auto', not -1"):
        store.execute("CLUSTER MODELS WITH (threshold = -1)")
    with pytest.raises(modelstore.Error, match=r"takes a number of at least 0, not 'auto'"):
        store.execute("SELECT BEST MODEL FOR x WITH (threshold = 'auto')")
