"""Scores in per cent are noticed, once a statement, and are no longer after they were divided as proposed."""

import re

import pytest

import modelstore
from modelstore.planner import per_cent

Store = modelstore.Connection
STATEMENTS = [
    "CLUSTER MODELS",
    "RECALL 2 MODELS FOR d5 WITH (prior = 'mean')",
    "RECALL 2 MODELS FOR d5",
    "SELECT BEST MODEL FOR d5 WITH (executor = 'replay', epochs = 4)",
    "COMPARE STRATEGIES brute_force, value_of_information ON d5 WITH (epochs = 4)",
    "SUGGEST BENCHMARKS",
]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(per_cent, "notify", messages.append)
    return messages


@pytest.fixture
def store_in_per_cent(recorded: Store) -> Store:
    recorded.execute("UPDATE benchmark_results SET score = 100 * score WHERE dataset IN ('d1', 'd2')")
    recorded.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) SELECT DISTINCT model, 'd5', 'leep', -0.5 "
        "FROM benchmark_results"
    )
    recorded.execute("CLUSTER MODELS")
    return recorded


@pytest.mark.parametrize("statement", STATEMENTS)
def test_each_statement_says_it_once_and_the_proposed_update_mends_it(
    store_in_per_cent: Store, said: list[str], statement: str
) -> None:
    said.clear()
    store_in_per_cent.execute(statement)
    [message] = said
    assert message.startswith(
        "scores of 2 datasets in benchmark_results exceed 1 and look like per cent (d1, d2)"
    )
    proposed = re.search(r"UPDATE .*", message)
    assert proposed is not None
    store_in_per_cent.execute(proposed[0])
    [(greatest,)] = store_in_per_cent.execute("SELECT max(score) FROM benchmark_results").fetchall()
    assert greatest <= 1
    said.clear()
    store_in_per_cent.execute(statement)
    assert said == []


def test_curves_in_per_cent_are_noticed_where_they_are_read(recorded: Store, said: list[str]) -> None:
    recorded.execute("UPDATE training_curves SET validation = 100 * validation, test = 100 * test")
    recorded.execute("COMPARE STRATEGIES successive_halving ON d5 WITH (epochs = 4)")
    [message] = said
    assert "7 datasets in training_curves" in message
    assert "(d0, d1, d2, d3, d4 and 2 more)" in message
    assert (
        "SET validation = validation / 100, test = test / 100 WHERE coalesce(recipe, 'default') = 'default' "
        "AND dataset IN ('d0'" in message
    )


@pytest.mark.parametrize(
    ("metric", "of_dataset", "factor", "noticed"),
    [
        ("accuracy", None, 100, True),
        ("f1_macro", None, 100, True),
        ("top1_acc", None, 100, True),
        (None, None, 100, True),
        (None, "matthews", 100, True),
        ("mean_squared_error", None, 100, False),
        ("mse", "accuracy", 100, False),
        (None, "rmse", 100, False),
        ("perplexity", None, 50, False),
        (None, None, 1e6, False),
        ("accuracy", None, 1, False),
    ],
)
def test_only_metrics_that_end_at_1_count(
    recorded: Store, said: list[str], metric: str | None, of_dataset: str | None, factor: float, noticed: bool
) -> None:
    recorded.execute("INSERT INTO datasets (name, metric) VALUES ('d0', $1)", [of_dataset])
    recorded.execute(
        "UPDATE benchmark_results SET score = $1 * score, metric = $2 WHERE dataset = 'd0'", [factor, metric]
    )
    recorded.execute("SUGGEST BENCHMARKS")
    assert len(said) == noticed


def test_another_recipes_scores_do_not_count(recorded: Store, said: list[str]) -> None:
    recorded.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES ('a1', 'd0', 93.1, 'other')"
    )
    recorded.execute("SUGGEST BENCHMARKS")
    assert said == []


def test_a_name_with_a_quote_stays_one_name(store: Store, said: list[str]) -> None:
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score) SELECT 'm' || n, 'it''s', 50 + n FROM range(4) t(n)"
    )
    store.execute("CLUSTER MODELS")
    store.execute(said[0][said[0].index("UPDATE") :])
    assert store.execute("SELECT max(score) FROM benchmark_results").fetchone() == (0.53,)


def test_cluster_says_that_its_threshold_does_not_fit_per_cent_unless_it_was_chosen_for_it(
    recorded: Store, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.execute("UPDATE benchmark_results SET score = 100 * score")
    monkeypatch.setattr("modelstore.planner.cluster.threshold.notify", said.append)
    recorded.execute("CLUSTER MODELS")
    [message] = said  # and not also that all are alone
    assert "threshold 0.09 is one for shares of 1 and does not fit them" in message
    said.clear()
    recorded.execute("CLUSTER MODELS WITH (threshold = 9)")
    recorded.execute("CLUSTER MODELS WITH (threshold = 'auto')")
    assert not any("does not fit" in message for message in said)


def test_shares_among_scores_in_per_cent_are_said_and_can_be_left(recorded: Store, said: list[str]) -> None:
    recorded.execute(
        "UPDATE benchmark_results SET score = 100 * score WHERE dataset = 'd1' AND model <> 'b2'"
    )
    recorded.execute("CLUSTER MODELS")
    [message] = said
    found = re.search(
        r"1 score there is at most 1 \(the first: 0\.\d+, of b2 on d1\): .*, add (AND .*); for", message
    )
    assert found is not None
    recorded.execute(f"{message[message.index('UPDATE') :]} {found[1]}")
    scores = recorded.execute("SELECT min(score), max(score) FROM benchmark_results WHERE dataset = 'd1'")
    least, greatest = scores.fetchall()[0]
    assert 0.1 < least < greatest < 1
