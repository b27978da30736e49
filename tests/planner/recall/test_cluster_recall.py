"""`RECALL` by clusters, on recorded results and proxy scores."""

import pytest

import modelstore

Store = modelstore.Connection


def test_recall_needs_only_the_stored_scores_of_the_representatives(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    recorded.execute(
        "DELETE FROM proxy_scores WHERE model NOT IN (SELECT representative FROM model_clusters)"
    )
    rows = recorded.execute(
        "SELECT model, recall_score, prior * proxy_score FROM (RECALL 8 MODELS FOR d0 WITH (prior = 'mean'))"
    ).fetchall()
    assert len(rows) == 8
    assert all(score == pytest.approx(product) for _, score, product in rows)
    recorded.execute("DELETE FROM proxy_scores WHERE model LIKE 'a%'")
    with pytest.raises(modelstore.MissingRecordError, match=r'no leep score of "a\d" on "d0"'):
        recorded.execute("RECALL 3 MODELS FOR d0 WITH (prior = 'mean')")


def test_recall_leaves_the_targets_own_records_out_of_the_prior(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    before = recorded.execute("RECALL 8 MODELS FOR d0 WITH (prior = 'mean')").fetchall()
    recorded.execute("UPDATE benchmark_results SET score = random() WHERE dataset = 'd0'")
    after = recorded.execute("RECALL 8 MODELS FOR d0 WITH (prior = 'mean')").fetchall()
    assert [row[:4] for row in after] == [row[:4] for row in before]
    # DuckDB adds up in any order.
    assert [row[4:7] for row in after] == [pytest.approx(row[4:7], rel=1e-12) for row in before]


def test_a_representative_may_stand_outside_the_candidates(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    [(representative,)] = recorded.execute(
        "SELECT DISTINCT representative FROM model_clusters WHERE model = 'a1'"
    ).fetchall()
    rows = recorded.execute(
        "SELECT model, representative "
        f"FROM (RECALL 5 MODELS FOR d0 WHERE name LIKE 'a%' AND name <> '{representative}' WITH (prior = 'mean'))"
    )
    found = rows.fetchall()
    assert len(found) == 2
    assert {row[1] for row in found} == {representative}
