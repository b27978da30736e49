"""`RECALL … WITH (prior = …)`: ranks by each prior, and messages where the records do not suffice."""

from pathlib import Path

import numpy as np
import pytest

import modelstore
from modelstore.planner.recall import prior_recall
from modelstore.recall.best_chances import best_set, chances_of_best
from modelstore.recall.combined_scores import DEFAULT_SLOPES, features, learn_slopes
from modelstore.recall.normal_scores import normal_score_prior
from modelstore.store.results import Results

Store = modelstore.Connection
PRIORS = ["mean", "normal"]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(prior_recall, "notify", messages.append)
    return messages


def recall(store: Store, prior: str, count: int = 8, target: str = "d0") -> list[tuple[object, ...]]:
    sql = f"RECALL {count} MODELS FOR {target} WITH (prior = '{prior}')"
    return store.execute(sql).fetchall()


def test_the_mean_prior_is_the_papers_formula(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    for _, _, _, _, prior, proxy, score, chance in recall(recorded, "mean"):
        assert score == pytest.approx(prior * proxy)  # type: ignore[operator]
        assert chance is None


def matrix(store: Store, target: str = "d0") -> tuple[list[str], np.ndarray]:
    """The models on record, and their scores on the other datasets."""
    found = store.store.results.matrix("default", excluding=target)
    return found.models, found.scores


def test_the_prior_is_the_mean_of_normal_scores_without_the_target(recorded: Store) -> None:
    models, scores = matrix(recorded)
    found = {row[1]: row[4] for row in recall(recorded, "normal")}
    assert found == pytest.approx(dict(zip(models, normal_score_prior(scores), strict=True)))


def test_models_are_ranked_as_the_set_of_the_best_expected_maximum(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    recorded.execute("UPDATE proxy_scores SET score = hash(model) / -1e19")
    models, scores = matrix(recorded)
    proxy = dict(recorded.execute("SELECT model, score FROM proxy_scores").fetchall())
    x = features(normal_score_prior(scores), np.array([proxy[model] for model in models]))
    rows = recall(recorded, "normal")
    assert [row[1] for row in rows] == [models[place] for place in best_set(x, DEFAULT_SLOPES, 8)]
    chances = dict(zip(models, chances_of_best(x, DEFAULT_SLOPES), strict=True))
    assert {row[1]: row[7] for row in rows} == pytest.approx(chances)
    assert sum(chances.values()) == pytest.approx(1)
    assert [row[6] for row in rows] == [pytest.approx(1 - rank / 8) for rank in range(8)]
    assert all(row[3] == row[1] for row in rows)


def test_the_slopes_are_learned_from_scores_by_the_same_proxy_on_other_datasets(recorded: Store) -> None:
    recorded.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) "
        "SELECT model, dataset, 'leep', score FROM benchmark_results WHERE dataset <> 'd0'"
    )
    models, scores = matrix(recorded)
    proxy = dict(recorded.execute("SELECT model, score FROM proxy_scores WHERE dataset = 'd0'").fetchall())
    x = features(normal_score_prior(scores), np.array([proxy[model] for model in models]))
    slopes = learn_slopes(scores, scores)
    assert slopes.mean[1] > DEFAULT_SLOPES.mean[1]
    rows = recall(recorded, "normal")
    chances = dict(zip(models, chances_of_best(x, slopes), strict=True))
    assert {row[1]: row[7] for row in rows} == pytest.approx(chances)
    recorded.execute("DELETE FROM proxy_scores WHERE dataset <> 'd0'")
    chances = dict(zip(models, chances_of_best(x, DEFAULT_SLOPES), strict=True))
    assert {row[1]: row[7] for row in recall(recorded, "normal")} == pytest.approx(chances)


@pytest.mark.parametrize(("datasets", "scored"), [(9, 10), (4, 20)])
def test_the_ten_best_by_prior_are_scored_and_twenty_where_few_datasets_are_on_record(
    store: Store, datasets: int, scored: int
) -> None:
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score) SELECT 'm' || m, 'd' || d, m / 100 "
        "FROM range(30) AS models(m), range(?) AS datasets(d)",
        [datasets],
    )
    store.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) "
        "SELECT DISTINCT model, 'target', 'leep', -0.5 FROM benchmark_results WHERE model <> 'm0'"
    )
    rows = store.execute("RECALL 5 MODELS FOR target").fetchall()
    assert len(rows) == 5
    assert store.execute("EXPLAIN RECALL 5 MODELS FOR target").fetchall()[1] == (
        f"└─ coarse recall · top 5 of 30, prior of {datasets} datasets, proxy leep of the best",
        f"{scored} scored ({scored} on record), 0 epochs",
    )
    [(_, explained)] = store.execute("EXPLAIN RECALL 25 MODELS FOR target").fetchall()[1:2]
    assert explained.startswith("25 scored")
    # All of them where that costs nothing.
    store.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) VALUES ('m0', 'target', 'leep', -0.1)"
    )
    assert store.execute("EXPLAIN RECALL 5 MODELS FOR target").fetchall()[1] == (
        f"└─ coarse recall · top 5 of 30, prior of {datasets} datasets, proxy leep of all",
        "30 scored (30 on record), 0 epochs",
    )
    last = "SELECT max(rank) FROM (RECALL 30 MODELS FOR target) WHERE proxy_score IS NOT NULL"
    assert store.execute(last).fetchone() == (30,)


def test_a_score_of_one_model_ranks_nobody_and_is_not_computed(recorded: Store) -> None:
    recorded.execute("DELETE FROM proxy_scores WHERE model = 'a1'")
    [row] = recorded.execute("RECALL 1 MODELS FOR d0 WHERE name = 'a1'").fetchall()
    assert (row[1], row[5], row[7]) == ("a1", None, 1.0)


@pytest.mark.parametrize("prior", PRIORS)
def test_the_targets_own_results_are_left_out(recorded: Store, prior: str) -> None:
    recorded.execute("CLUSTER MODELS")
    before = recall(recorded, prior)
    recorded.execute("UPDATE benchmark_results SET score = random() WHERE dataset = 'd0'")
    assert recall(recorded, prior) == before


def test_without_proxy_scores_the_prior_stands_alone_and_that_is_said(
    recorded: Store, said: list[str]
) -> None:
    recorded.execute("DELETE FROM proxy_scores WHERE model <> 'c2'")
    recorded.execute("UPDATE proxy_scores SET model = 'z', dataset = 'd0'")
    rows = recall(recorded, "normal")
    assert [row[5] for row in rows] == [None] * 8
    assert said == ["no leep score of the best can be had: the prior of 6 datasets stands alone"]


def test_where_the_representatives_scores_are_on_record_they_stand_for_the_others(
    recorded: Store, said: list[str]
) -> None:
    recorded.execute("CLUSTER MODELS")
    representatives = "(SELECT representative FROM model_clusters GROUP BY ALL HAVING count(*) > 1)"
    recorded.execute(f"DELETE FROM proxy_scores WHERE model NOT IN {representatives}")
    rows = recall(recorded, "normal")
    known = dict(recorded.execute("SELECT model, exp(score) FROM proxy_scores").fetchall())
    scored = {row[1]: row[5] for row in rows if row[5] is not None}
    assert set(known) != set(scored)
    clusters = dict(recorded.execute("SELECT model, representative FROM model_clusters").fetchall())
    singletons = {model for model in scored if clusters[model] not in known}
    assert singletons == {"c1", "c2"}
    assert all(0 < scored[model] < max(known.values()) for model in singletons)  # propagated by Eq. 4
    others = scored.keys() - singletons
    assert {model: scored[model] for model in others} == {
        model: pytest.approx(known[clusters[model]]) for model in others
    }
    assert said == []


def test_a_model_without_results_counts_as_average_and_that_is_said(recorded: Store, said: list[str]) -> None:
    recorded.execute("DELETE FROM benchmark_results WHERE model = 'a2'")
    rows = recall(recorded, "normal")
    assert len(rows) == 8
    assert said == ["1 of the 8 candidates has no result on record, and counts as average"]


@pytest.mark.parametrize("prior", PRIORS)
def test_without_any_results_the_candidates_are_scored(recorded: Store, prior: str) -> None:
    recorded.execute("DELETE FROM benchmark_results")
    rows = recall(recorded, prior)
    assert [row[4] for row in rows] == [1.0] * 8
    best = recorded.execute("SELECT model FROM proxy_scores ORDER BY score DESC LIMIT 1").fetchone()
    assert best is not None
    assert rows[0][1] == best[0]


@pytest.mark.parametrize("prior", PRIORS)
def test_a_third_of_the_matrix_may_be_missing(recorded: Store, prior: str) -> None:
    recorded.execute("DELETE FROM benchmark_results WHERE hash(model, dataset) % 3 = 0")
    assert len(recall(recorded, prior, count=4)) == 4


def test_the_records_are_read_once_while_they_are_the_same(
    recorded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    matrix = Results.matrix

    def counted(*arguments: object, **options: object) -> object:
        calls.append(1)
        return matrix(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Results, "matrix", counted)
    first = recall(recorded, "normal")
    assert recall(recorded, "normal") == first
    assert len(calls) == 1
    recorded.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) SELECT 'a1', unnest(['n1', 'n2']), 'leep', -1"
    )
    assert recall(recorded, "normal", target="n1") == recall(recorded, "normal", target="n2")
    assert len(calls) == 1
    recorded.execute("UPDATE benchmark_results SET score = 1 - score WHERE dataset IN ('d1', 'd2')")
    assert recall(recorded, "normal") != first
    assert len(calls) == 2


def test_the_prior_follows_the_records_of_an_open_transaction(recorded: Store, tmp_path: Path) -> None:
    recorded.execute(f"ATTACH '{tmp_path}/copy.db' AS copy; COPY FROM DATABASE zoo TO copy; DETACH copy")
    expected = recall(recorded, "normal")
    with modelstore.connect(tmp_path / "copy.db", read_only=True) as reading:
        assert recall(reading, "normal") == expected
    recorded.execute("BEGIN")
    recorded.execute("UPDATE benchmark_results SET score = 1 - score WHERE dataset = 'd1'")
    assert recall(recorded, "normal") != expected
    recorded.execute("ROLLBACK")
    assert recall(recorded, "normal") == expected


def test_no_model_is_scored_where_all_best_models_are_trained_anyway(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    options = "executor = 'replay', epochs = 4, recall = 4, prior = 'normal'"
    sql = f"SELECT BEST MODEL FOR d0 USING two_phase WITH ({options})"
    plan = recorded.execute(f"EXPLAIN ANALYZE {sql}").fetchall()
    assert plan[2][0].strip(" └─") == "coarse recall · top 4 of 8, prior of 6 datasets, no proxy"
    assert plan[2][2].startswith("0 scored, 0 epochs")
