"""`SUGGEST BENCHMARKS`: the ranking of datasets, for all models and for one."""

import pytest

import modelstore

Store = modelstore.Connection


def suggested(store: Store, sql: str) -> list[tuple[int, str, float]]:
    return store.execute(sql).fetchall()


def test_datasets_are_ranked_by_falling_gain_and_all_gains_sum_to_one(recorded: Store) -> None:
    rows = suggested(recorded, "SUGGEST BENCHMARKS")
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    gains = [gain for _, _, gain in rows]
    assert gains == sorted(gains, reverse=True)
    assert sum(gains) == pytest.approx(1.0)
    assert suggested(recorded, "SELECT * FROM (SUGGEST 3 BENCHMARKS) ORDER BY rank") == rows[:3]
    assert suggested(recorded, "SUGGEST BENCHMARKS") == rows


def test_for_a_model_only_datasets_without_its_results_are_suggested(recorded: Store) -> None:
    recorded.execute("DELETE FROM benchmark_results WHERE model = 'c1' AND dataset <> 'd2'")
    rows = suggested(recorded, "SUGGEST BENCHMARKS FOR MODEL c1")
    assert sorted(row[1] for row in rows) == ["d0", "d1", "d3", "d4", "d5", "d6"]
    assert sum(row[2] for row in rows) < 1.0
    recorded.execute("INSERT INTO models (name) VALUES ('new')")
    first = suggested(recorded, "SUGGEST 1 BENCHMARK")
    assert suggested(recorded, "SUGGEST 9 BENCHMARKS FOR MODEL new")[:1] == first


def test_for_a_model_only_datasets_of_its_modality_are_suggested(recorded: Store) -> None:
    recorded.execute("INSERT INTO models (name, modality) VALUES ('new', 'image')")
    recorded.execute("INSERT INTO datasets (name, modality) VALUES ('d0', 'text'), ('d1', 'image')")
    rows = suggested(recorded, "SUGGEST BENCHMARKS FOR MODEL new")
    assert sorted(row[1] for row in rows) == ["d1", "d2", "d3", "d4", "d5", "d6"]


def test_explain_says_how_many_models_and_datasets_are_on_record(recorded: Store) -> None:
    rows = recorded.execute("EXPLAIN SUGGEST 2 BENCHMARKS FOR MODEL c2").fetchall()
    assert rows == [("SUGGEST BENCHMARKS FOR MODEL c2, which has 6", "8 models, 7 datasets")]


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("SUGGEST 0 BENCHMARKS", modelstore.OptionError, "the number of benchmarks is 1 or more"),
        ("SUGGEST BENCHMARKS FOR MODEL nobody", modelstore.NotFoundError, 'no model "nobody"'),
        ("SUGGEST BENCHMARKS FOR nobody", modelstore.ProgrammingError, "expected MODEL"),
        ("SUGGEST BENCHMARKS WITH (recipe = 'x')", modelstore.NotFoundError, 'no recipe "x"'),
    ],
)
def test_an_impossible_suggestion_raises_an_error_that_says_why(
    recorded: Store, sql: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        recorded.execute(sql)


def test_without_results_nothing_can_be_suggested(store: Store) -> None:
    with pytest.raises(modelstore.MissingRecordError, match="nothing of recipe default"):
        store.execute("SUGGEST BENCHMARKS")
