"""`SIMILAR DATASETS` by results: its rows, its defaults, where it may stand, and what it refuses."""

import numpy as np
import pytest
from tiny_models import create_dataset, text_rows

import modelstore

Store = modelstore.Connection


def named(store: Store, sql: str) -> list[str]:
    return [row[0] for row in store.execute(f"SELECT dataset FROM ({sql}) ORDER BY rank").fetchall()]


def insert(store: Store, dataset: str, scores: list[float], recipe: str | None = None) -> None:
    rows = [(f"m{place}", dataset, score, recipe) for place, score in enumerate(scores)]
    store.executemany(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES (?, ?, ?, ?)", rows
    )


def test_datasets_are_ranked_by_how_much_they_order_models_alike(store: Store) -> None:
    insert(store, "mine", [0.1, 0.2, 0.3, 0.4, 0.5])
    insert(store, "same", [11, 12, 13, 14, 15])
    insert(store, "near", [0.2, 0.1, 0.3, 0.4, 0.5])
    insert(store, "reverse", [0.5, 0.4, 0.3, 0.2, 0.1])
    insert(store, "two models", [0.1, 0.2])
    rows = store.execute("SIMILAR DATASETS TO mine USING results").fetchall()
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        (1, "same", "results", 5),
        (2, "near", "results", 5),
        (3, "reverse", "results", 5),
    ]
    assert rows[0][2] == -rows[2][2]
    assert 0.7 < rows[0][2] < 1
    assert {row[5:] for row in rows} == {(None, None)}
    assert named(store, "SIMILAR DATASETS TO MINE") == ["same", "near", "reverse"]


def test_recipes_are_read_one_or_pooled(store: Store) -> None:
    insert(store, "mine", [0.1, 0.2, 0.3, 0.4])
    insert(store, "up", [0.1, 0.2, 0.3, 0.4], "lora")
    insert(store, "mine", [0.9, 0.5, 0.6, 0.7], "lora")
    assert named(store, "SIMILAR DATASETS TO mine WITH (recipe = 'lora')") == ["up"]
    similarity = store.execute(
        "SELECT similarity FROM (SIMILAR DATASETS TO mine WITH (recipe = 'lora'))"
    ).fetchone()
    assert similarity is not None
    assert similarity[0] < 0
    with pytest.raises(modelstore.MissingRecordError, match="3 models or more, not all level"):
        store.execute("SIMILAR DATASETS TO mine USING results")
    insert(store, "down", [0.4, 0.3, 0.2, 0.1])
    assert set(named(store, "SIMILAR DATASETS TO mine WITH (recipes = ['default', 'lora'])")) == {
        "up",
        "down",
    }


def test_a_dataset_of_another_modality_is_left_out_and_an_unknown_one_is_not(recorded: Store) -> None:
    everything = named(recorded, "SIMILAR DATASETS TO d0")
    assert sorted(everything) == [f"d{number}" for number in range(1, 7)]
    recorded.execute(
        "INSERT INTO datasets (name, modality) VALUES ('d0', 'text'), ('d1', 'image'), ('d2', 'text')"
    )
    assert named(recorded, "SIMILAR DATASETS TO d0") == [name for name in everything if name != "d1"]


def test_it_is_a_table_expression_and_its_target_may_be_a_parameter(recorded: Store) -> None:
    rows = recorded.execute("SIMILAR DATASETS TO d3").fetchall()
    assert (
        recorded.execute("FROM (SIMILAR DATASETS TO ?) ORDER BY rank LIMIT 2", ["d3"]).fetchall() == rows[:2]
    )
    recorded.execute("CREATE TABLE alike AS SIMILAR DATASETS TO d3 USING results")
    assert recorded.execute("FROM alike ORDER BY rank").fetchall() == rows
    joined = recorded.execute(
        "SELECT count(*) FROM (SIMILAR DATASETS TO d3) JOIN (SIMILAR DATASETS TO d4) USING (dataset)"
    ).fetchone()
    assert joined == (5,)
    described = recorded.execute("DESCRIBE SIMILAR DATASETS TO d3").fetchall()
    assert [row[0] for row in described] == [
        "rank",
        "dataset",
        "similarity",
        "method",
        "models",
        "inputs",
        "labels",
    ]


def test_explain_says_what_is_compared_and_runs_nothing(recorded: Store) -> None:
    recorded.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES ('a1', 'd0', 1, 'x')"
    )
    assert recorded.execute("EXPLAIN SIMILAR DATASETS TO d0").fetchall() == [
        ("SIMILAR DATASETS TO d0 · by results", "6 datasets, at most 8 models each")
    ]
    [(plan, _)] = recorded.execute(
        "EXPLAIN SIMILAR DATASETS TO d0 WITH (recipes = ['default', 'x'])"
    ).fetchall()
    assert plan == "SIMILAR DATASETS TO d0 · by results of the recipes default, x"


def test_explain_of_a_recall_names_the_datasets_that_are_most_like_a_target_with_results(
    recorded: Store,
) -> None:
    create_dataset(recorded, "d0", text_rows(30, np.random.default_rng(0)))
    best = recorded.execute("SELECT dataset, similarity FROM (SIMILAR DATASETS TO d0) LIMIT 3").fetchall()
    listed = ", ".join(f"{name} {similarity:.2f}" for name, similarity in best)
    for statement in (
        "RECALL 2 MODELS FOR d0 FROM (SELECT DISTINCT model FROM benchmark_results)",
        "RECALL 2 MODELS FOR d0 FROM (SELECT DISTINCT model FROM benchmark_results) WITH (recipe = 'default')",
    ):
        plan = recorded.execute(f"EXPLAIN {statement}").fetchall()
        assert plan[-1] == (f"└─ most alike by results · {listed}", "of 6 datasets")
    recorded.execute("DELETE FROM benchmark_results WHERE dataset = 'd0'")
    plan = recorded.execute(
        "EXPLAIN RECALL 2 MODELS FOR d0 FROM (SELECT DISTINCT model FROM benchmark_results)"
    ).fetchall()
    assert not any("most alike" in line for line, _ in plan)


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        (
            "SIMILAR DATASETS TO d00",
            modelstore.NotFoundError,
            r'"d00" is no registered dataset \(did you mean',
        ),
        ("SIMILAR DATASETS TO d0 USING resluts", modelstore.OptionError, 'did you mean "results"'),
        (
            "SIMILAR DATASETS TO d0 USING embedding",
            modelstore.NotFoundError,
            "USING embedding reads its rows",
        ),
        ("SIMILAR DATASETS TO d0 WITH (recipe = 'x')", modelstore.NotFoundError, 'no recipe "x"'),
        (
            "SIMILAR DATASETS TO d0 WITH (recipe = 'default', recipes = ['default'])",
            modelstore.OptionError,
            "both recipe and recipes",
        ),
        (
            "SIMILAR DATASETS TO d0 USING results WITH (encoder = 'a1')",
            modelstore.OptionError,
            "runs no encoder",
        ),
        (
            "SIMILAR DATASETS TO d0 USING task2vec WITH (recipes = ['default'])",
            modelstore.OptionError,
            "USING task2vec reads no results: leave the option recipes out",
        ),
        ("SIMILAR DATASETS d0", modelstore.ProgrammingError, "expected TO"),
        ("SIMILAR DATASET TO", modelstore.ProgrammingError, "expected the dataset's name"),
        ("SIMILAR DATSETS TO d0", modelstore.ProgrammingError, "expected DATASETS"),
    ],
)
def test_what_cannot_be_compared_is_an_error_that_says_why(
    recorded: Store, sql: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        recorded.execute(sql)


def test_similar_to_stays_an_operator_of_duckdb(store: Store) -> None:
    assert store.execute("SELECT 'abc' SIMILAR TO 'a.c'").fetchall() == [(True,)]
