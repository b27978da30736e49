"""Which candidates a race by the value of information leaves out, and whether it scores any, as `EXPLAIN` tells."""

import pytest

import modelstore

Store = modelstore.Connection


def coarse_recall(store: Store, models: int, rows: int, options: str) -> list[str]:
    """The line of coarse recall and its cost; nothing where all candidates race."""
    store.execute(
        "INSERT INTO models (name, uri, modality, architecture, parameters) "
        "SELECT 'm' || n, '/models/' || n, 'text', 'bert', 1000000 FROM range(?) t(n)",
        [models],
    )
    store.execute(
        "INSERT INTO datasets (name, task, metric, labels, train_rows, validation_rows, test_rows, modality) "
        "VALUES ('target', 'text_classification', 'accuracy', ['a', 'b'], ?, 100, 100, 'text')",
        [rows],
    )
    plan = store.execute(
        f"EXPLAIN SELECT BEST MODEL FOR target USING value_of_information WITH (device = 'cpu'{options})"
    ).fetchall()
    return [cell for row in plan if "coarse recall" in row[0] for cell in row]


@pytest.mark.parametrize(
    ("models", "rows", "options"),
    [
        (8, 1_000, ""),
        (100, 1_000_000, ""),  # the first stage is short
        (
            100,
            1_000,
            "",
        ),  # nothing is known of anybody, and a score of all rows costs more than the first stage
    ],
)
def test_nobody_is_scored_where_training_everybody_is_cheaper(
    store: Store, models: int, rows: int, options: str
) -> None:
    assert coarse_recall(store, models, rows, options) == []


def test_many_models_are_recalled_by_their_prior_unscored(store: Store) -> None:
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score) "
        "SELECT 'm' || n, 'd' || d, n / 200 FROM range(100) t(n), range(6) s(d)"
    )
    line, cost = coarse_recall(store, 100, 1_000, "")
    assert (
        "top 20 of 100, prior of 6 datasets alone: a first stage of training says more than a score" in line
    )
    assert cost == "0 scored, 0 epochs"


def test_of_many_unknown_models_the_best_by_proxy_race_where_a_score_is_nearly_free(store: Store) -> None:
    line, cost = coarse_recall(store, 3_000, 100_000, ", proxy_rows = 500")
    assert "top 20 of 3,000, proxy leep" in line
    assert cost.startswith("3,000 scored, 5 epochs")
