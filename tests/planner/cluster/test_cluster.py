"""`CLUSTER MODELS` on recorded results."""

import pytest

import modelstore

Store = modelstore.Connection


def test_cluster_finds_the_kinds_and_names_their_best_model(recorded: Store) -> None:
    row = recorded.execute("CLUSTER MODELS").fetchone()
    assert row is not None
    assert row[:3] == (4, 8, 2)
    assert row[3] > 0.5
    clusters = recorded.execute(
        "SELECT list(model ORDER BY model), any_value(representative) FROM model_clusters GROUP BY cluster ORDER BY 1"
    ).fetchall()
    assert [members for members, _ in clusters] == [["a1", "a2", "a3"], ["b1", "b2", "b3"], ["c1"], ["c2"]]
    best = "SELECT model FROM performance_matrix WHERE model LIKE 'a%' GROUP BY 1 ORDER BY avg(score) DESC LIMIT 1"
    assert (clusters[0][1],) == recorded.execute(best).fetchone()


def test_cluster_replaces_the_clustering_and_takes_predicates(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    recorded.execute("CLUSTER MODELS WHERE name LIKE 'a%' OR name LIKE 'b%' USING kmeans WITH (clusters = 2)")
    assert recorded.execute("SELECT count(*), count(DISTINCT cluster) FROM model_clusters").fetchone() == (
        6,
        2,
    )


def test_scores_in_per_cent_are_said_to_need_another_threshold(
    recorded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("modelstore.planner.cluster.plan.notify", said.append)
    recorded.execute("CLUSTER MODELS")
    assert not said
    recorded.execute("UPDATE benchmark_results SET score = 100 * score")
    recorded.execute("CLUSTER MODELS WITH (threshold = 9)")
    assert not said
    recorded.execute("CLUSTER MODELS")
    assert len(said) == 1
    assert "perhaps in per cent" in said[0]
    assert "WITH (threshold = 9)" in said[0]
