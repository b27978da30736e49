"""`RECALL … WITH (prior = …)`: ranks by each prior, and messages where the records do not suffice."""

from pathlib import Path

import pytest

import modelstore
from modelstore.planner.recall import prior_recall
from modelstore.recall import model_priors

Store = modelstore.Connection
OTHER_PRIORS = ["standardised", "learned", "auto"]


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
    for _, _, _, _, prior, proxy, score in recall(recorded, "mean"):
        assert score == pytest.approx(prior * proxy)  # type: ignore[operator]


@pytest.mark.parametrize("prior", OTHER_PRIORS)
def test_no_more_models_are_scored_than_by_the_papers_recall(recorded: Store, prior: str) -> None:
    recorded.execute("CLUSTER MODELS")
    rows = recall(recorded, prior)
    assert sorted(str(row[1]) for row in rows) == ["a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2"]
    scored = [row for row in rows if row[5] is not None]
    assert 1 <= len(scored) <= 2
    assert all(row[1] == row[3] for row in scored)
    assert [row[6] for row in rows] == [pytest.approx(1 - rank / 8) for rank in range(8)]


def test_scored_models_lead_by_the_mean_of_both_ranks(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    by_prior = [
        row[1] for row in sorted(recall(recorded, "standardised"), key=lambda row: -float(str(row[4])))
    ]
    best, second = by_prior[:2]
    for better, expected in ((best, [best, second]), (second, [second, best])):
        recorded.execute("UPDATE proxy_scores SET score = if(model = ?, -0.1, -0.9)", [better])
        assert [row[1] for row in recall(recorded, "standardised")] == [*expected, *by_prior[2:]]


@pytest.mark.parametrize("prior", OTHER_PRIORS)
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
    rows = recall(recorded, "standardised")
    assert [row[5] for row in rows] == [None] * 8
    assert said == ["no leep score of the best can be had: the standardised prior stands alone"]


def test_where_the_representatives_scores_are_on_record_they_stand_for_the_others(
    recorded: Store, said: list[str]
) -> None:
    recorded.execute("CLUSTER MODELS")
    representatives = "(SELECT representative FROM model_clusters GROUP BY ALL HAVING count(*) > 1)"
    recorded.execute(f"DELETE FROM proxy_scores WHERE model NOT IN {representatives}")
    rows = recall(recorded, "standardised")
    known = dict(recorded.execute("SELECT model, exp(score) FROM proxy_scores").fetchall())
    scored = {row[1]: row[5] for row in rows if row[5] is not None}
    assert set(known) != set(scored)
    clusters = dict(recorded.execute("SELECT model, representative FROM model_clusters").fetchall())
    assert scored == {model: pytest.approx(known[clusters[model]]) for model in scored}
    assert said == []


def test_a_learned_prior_of_too_few_datasets_falls_back_and_says_so(recorded: Store, said: list[str]) -> None:
    recorded.execute("DELETE FROM benchmark_results WHERE dataset IN ('d3', 'd4', 'd5', 'd6')")
    expected = recall(recorded, "standardised")
    said.clear()
    assert recall(recorded, "learned") == expected
    assert len(said) == 1
    assert "the store knows too few" in said[0]
    [_, (step, *_), *_] = recorded.execute("EXPLAIN RECALL MODELS FOR d0 WITH (prior = 'learned')").fetchall()
    assert "standardised prior" in step
    assert "the store knows too few" in step


def test_a_model_without_results_counts_as_average_and_that_is_said(recorded: Store, said: list[str]) -> None:
    recorded.execute("DELETE FROM benchmark_results WHERE model = 'a2'")
    rows = recall(recorded, "standardised")
    assert len(rows) == 8
    assert said == ["1 of the 8 candidates have no result on record, and count as average"]


@pytest.mark.parametrize("prior", ["mean", *OTHER_PRIORS])
def test_without_any_results_the_candidates_are_scored(recorded: Store, prior: str) -> None:
    recorded.execute("DELETE FROM benchmark_results")
    rows = recall(recorded, prior)
    assert [row[4] for row in rows] == [1.0] * 8
    best = recorded.execute("SELECT model FROM proxy_scores ORDER BY score DESC LIMIT 1").fetchone()
    assert best is not None
    assert rows[0][1] == best[0]


@pytest.mark.parametrize("prior", OTHER_PRIORS)
def test_a_third_of_the_matrix_may_be_missing(recorded: Store, prior: str) -> None:
    recorded.execute("DELETE FROM benchmark_results WHERE hash(model, dataset) % 3 = 0")
    assert len(recall(recorded, prior, count=4)) == 4


def test_the_prior_is_chosen_once_for_the_same_records(
    recorded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    choose = model_priors.choose

    def counted(*arguments: object) -> object:
        calls.append(1)
        return choose(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(model_priors, "choose", counted)
    first = recall(recorded, "auto")
    assert recall(recorded, "auto") == first
    assert len(calls) == 1
    [(prior, regrets)] = recorded.execute("SELECT prior, regrets FROM prior_choices").fetchall()
    assert regrets[prior] == min(regrets.values())
    recorded.execute("UPDATE benchmark_results SET score = score + 0.01 WHERE dataset = 'd0'")
    recall(recorded, "auto")
    assert len(calls) == 1  # the target's own records are not what it was chosen by
    recorded.execute(
        "UPDATE benchmark_results SET score = score + 0.01 WHERE model = 'a1' AND dataset = 'd1'"
    )
    recall(recorded, "auto")
    assert len(calls) == 2


def test_targets_without_results_share_a_choice_and_what_it_says_of_the_models(
    recorded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) SELECT 'a1', unnest(['n1', 'n2']), 'leep', -1"
    )
    first = recall(recorded, "auto", target="n1")
    monkeypatch.setattr(model_priors, "choose", None)
    monkeypatch.setattr(model_priors, "PRIORS", None)
    assert recall(recorded, "auto", target="n2") == first
    stored = recorded.execute("SELECT model, score FROM model_priors ORDER BY score DESC").fetchall()
    assert [(row[1], row[4]) for row in sorted(first, key=lambda row: -float(str(row[4])))] == stored


def test_the_prior_is_chosen_again_where_the_choice_cannot_be_stored(recorded: Store, tmp_path: Path) -> None:
    recorded.execute(f"ATTACH '{tmp_path}/copy.db' AS copy; COPY FROM DATABASE zoo TO copy; DETACH copy")
    expected = recall(recorded, "auto")
    with modelstore.connect(tmp_path / "copy.db", read_only=True) as reading:
        assert recall(reading, "auto") == expected
    recorded.execute("BEGIN")
    recorded.execute("DELETE FROM benchmark_results WHERE dataset = 'd1'")
    recall(recorded, "auto")
    recorded.execute("ROLLBACK")
    assert recall(recorded, "auto") == expected


def test_no_model_is_scored_where_all_best_models_are_trained_anyway(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    sql = (
        "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4, recall = 4, prior = 'standardised')"
    )
    plan = recorded.execute(f"EXPLAIN ANALYZE {sql}").fetchall()
    assert plan[2][0].strip(" └─") == "coarse recall · top 4 of 8, standardised prior, no proxy"
    assert plan[2][2].startswith("0 scored, 0 epochs")
