"""NaN and infinite scores on record never win: each kind counts as no result, and that is said once."""

import math

import numpy as np
import pytest
from tiny_models import create_text_dataset

import modelstore
from modelstore.planner import unusable_scores
from modelstore.records import kept_place
from modelstore.training.metrics import finite_score
from modelstore.udfs.trends import final_score

Store = modelstore.Connection
BAD = ["'NaN'::DOUBLE", "'inf'::DOUBLE", "'-inf'::DOUBLE"]
STATEMENTS = [
    "CLUSTER MODELS",
    "CLUSTER MODELS USING kmeans WITH (clusters = 3)",
    "RECALL 8 MODELS FOR d0 WITH (prior = 'mean')",
    "RECALL 8 MODELS FOR d0",
    "RECALL 8 MODELS FOR elsewhere",
    "SELECT BEST 3 MODELS FOR d0 WITH (executor = 'replay', epochs = 4)",
    "SELECT BEST 3 MODELS FOR d0 USING fine_selection WITH (executor = 'replay', epochs = 4)",
    "SELECT BEST 3 MODELS FOR d0 USING two_phase WITH (executor = 'replay', epochs = 4, recall = 4)",
    "SELECT BEST 3 MODELS FOR d0 USING successive_halving WITH (executor = 'replay', epochs = 4)",
    "SELECT BEST 3 MODELS FOR d0 USING probability_of_improvement WITH (executor = 'replay', epochs = 4)",
    "SELECT BEST 3 MODELS FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4, keep = 'last')",
    "COMPARE STRATEGIES brute_force, fine_selection, value_of_information ON ALL DATASETS WITH (epochs = 4)",
    "SUGGEST BENCHMARKS",
    "FROM performance_matrix ORDER BY ALL",
    "FROM cluster_summaries ORDER BY ALL",
    "FROM singleton_comparison ORDER BY ALL",
    "FROM convergence_trends('a1', 2) ORDER BY ALL",
]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(unusable_scores, "notify", messages.append)
    return messages


@pytest.fixture
def clustered(recorded: Store) -> Store:
    recorded.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) SELECT model, 'elsewhere', proxy, score "
        "FROM proxy_scores"
    )
    recorded.execute("CLUSTER MODELS")
    return recorded


def spoil(store: Store, bad: str) -> None:
    """Adds records that are no numbers: of a model that has no others, and again of each pair."""
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score, epochs, seconds) "
        f"SELECT 'wreck', dataset, {bad}, {bad}, {bad} FROM benchmark_results GROUP BY dataset"
    )
    store.execute(
        f"INSERT INTO benchmark_results (model, dataset, score) SELECT model, dataset, {bad} FROM benchmark_results"
    )
    columns = "model, dataset, stage, validation, test, seconds, epoch"
    store.execute(
        f"INSERT INTO training_curves ({columns}) "
        f"SELECT model, dataset, stage, {bad}, {bad}, {bad}, NULL FROM training_curves "
        f"UNION ALL SELECT model, dataset, 5, 0.99, 0.99, 1.0, {bad} FROM training_curves WHERE stage = 4 "
        f"UNION ALL SELECT DISTINCT 'wreck', dataset, stage, {bad}, {bad}, 1.0, NULL FROM training_curves"
    )
    store.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score, seconds) "
        f"SELECT 'wreck', dataset, proxy, {bad}, {bad} FROM proxy_scores GROUP BY ALL "
        f"UNION ALL SELECT model, dataset, proxy, {bad}, {bad} FROM proxy_scores"
    )
    store.execute(
        "INSERT INTO found_learning_rates (model, dataset, recipe, learning_rate, trial_epochs) "
        f"SELECT model, dataset, 'default', {bad}, {bad} FROM performance_matrix"
    )


def rows_of(store: Store, statement: str) -> list[tuple[object, ...]]:
    cursor = store.execute(statement)
    names = [column[0] for column in cursor.description]
    kept = [place for place, name in enumerate(names) if name != "selection"]
    return [tuple(row[place] for place in kept) for row in cursor.fetchall()]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_each_statement_answers_as_if_such_records_were_not_there(
    clustered: Store, statement: str, bad: str
) -> None:
    expected = rows_of(clustered, statement)
    spoil(clustered, bad)
    found = rows_of(clustered, statement)
    assert "wreck" not in str(found)
    assert len(found) == len(expected)
    for row, before in zip(found, expected, strict=True):
        assert same(row, before)


def same(row: tuple[object, ...], before: tuple[object, ...]) -> bool:
    return all(
        one == pytest.approx(other) if isinstance(other, float) else one == other
        for one, other in zip(row, before, strict=True)
    )


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("CLUSTER MODELS", ["benchmark_results"]),
        ("SUGGEST BENCHMARKS", ["benchmark_results"]),
        ("RECALL 2 MODELS FOR d0", ["benchmark_results", "proxy_scores"]),
        (
            "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4)",
            ["benchmark_results", "training_curves"],
        ),
        (
            "COMPARE STRATEGIES brute_force ON d0 WITH (epochs = 4)",
            ["benchmark_results", "training_curves"],
        ),
    ],
)
def test_what_is_left_out_is_said_once(
    clustered: Store, said: list[str], statement: str, tables: list[str]
) -> None:
    clustered.execute(statement)
    assert said == []
    spoil(clustered, BAD[0])
    clustered.execute(statement)
    assert [message.split(",")[0] for message in said] == [f"NaN or infinite in {table}" for table in tables]
    assert said[0].endswith("counts as no result: a1 on d0, a1 on d1, a1 on d2 and 59 more")


def test_a_run_that_diverged_is_interpolated_nowhere_beyond_its_last_number(recorded: Store) -> None:
    recorded.execute(
        "UPDATE training_curves SET validation = 'NaN', test = 'NaN' "
        "WHERE model = 'a1' AND dataset = 'd0' AND stage > 2"
    )
    with pytest.raises(modelstore.Error, match='"a1" on "d0" has no point at epoch 4'):
        recorded.execute(
            "SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4, stages = [4])"
        )
    found = recorded.execute(
        "SELECT model FROM (SELECT BEST 8 MODELS FOR d0 WHERE name <> 'a1' USING brute_force "
        "WITH (executor = 'replay', epochs = 4))"
    ).fetchall()
    assert len(found) == 7


def test_a_dataset_with_such_records_alone_is_not_on_record(recorded: Store) -> None:
    recorded.execute(
        "INSERT INTO training_curves (model, dataset, stage, validation) VALUES ('a1', 'void', 1, 'NaN')"
    )
    with pytest.raises(modelstore.Error, match='"void" is no registered dataset'):
        recorded.execute("SELECT BEST MODEL FOR void WITH (executor = 'replay', epochs = 1)")


def test_a_pair_with_such_a_result_is_benchmarked(zoo: Store, said: list[str]) -> None:
    options = "epochs = 1, learning_rate = 5e-3, max_length = 32, device = 'cpu', recipe = 'mine'"
    create_text_dataset(zoo, "texts", 80, 0)
    zoo.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe, seed) "
        "VALUES ('bert', 'texts', 'NaN', 'mine', 0)"
    )
    zoo.execute(
        "INSERT INTO training_curves (model, dataset, stage, validation, test, recipe, seed) "
        "VALUES ('bert', 'texts', 1, 'NaN', 'NaN', 'mine', 0)"
    )
    [row] = zoo.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON texts WITH ({options})").fetchall()
    assert row[-1] == "done"
    assert said == ["NaN or infinite in benchmark_results, which counts as no result: bert on texts"]
    [(score,)] = zoo.execute("SELECT score FROM performance_matrix WHERE recipe = 'mine'").fetchall()
    assert math.isfinite(score)
    [best] = zoo.execute(
        f"SELECT BEST MODEL FOR texts WHERE name = 'bert' WITH ({options}, register = false)"
    ).fetchall()
    assert all(not isinstance(value, float) or math.isfinite(value) for value in best)


def test_scores_loaded_from_a_file_are_no_exception(recorded: Store, tmp_path: object) -> None:
    file = f"{tmp_path}/scores.csv"
    with open(file, "w") as text:
        text.write("model,dataset,score\nnew,d0,nan\nnew,d1,inf\nnew,d2,0.4\n")
    recorded.execute(
        f"INSERT INTO benchmark_results (model, dataset, score) SELECT * FROM read_csv('{file}')"
    )
    recorded.execute(f"COPY benchmark_results (model, dataset, score) FROM '{file}' (HEADER)")
    found = recorded.execute("SELECT dataset, score FROM performance_matrix WHERE model = 'new'").fetchall()
    assert found == [("d2", 0.4)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_point_that_counts_is_never_one_of_these(bad: float) -> None:
    assert kept_place([0.5, bad, 0.7, bad], "best") == 2
    assert kept_place(np.array([bad, 0.1]), "best") == 1
    assert final_score([0.1, 0.2, 0.3], None, [bad, 0.6, 0.5]) == 0.2
    assert math.isnan(final_score([bad], bad))


def test_a_score_that_is_no_number_ends_the_run() -> None:
    labels, predictions = np.array([1.0, 2.0, 3.0]), np.array([1.0, np.inf, 2.0])
    with pytest.raises(ValueError, match="its pearson is not a finite number"), np.errstate(all="ignore"):
        finite_score("pearson", predictions, labels)
