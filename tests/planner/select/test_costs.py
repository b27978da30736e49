"""SELECT BEST with `latency_weight` and `pareto`: in replays of recorded curves, and with models that train."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import TINY_STAGES

import modelstore

Store = modelstore.Connection
FINALS = {"large": 0.92, "base": 0.90, "small": 0.84, "bad": 0.70}
LATENCIES = {"large": 100.0, "base": 20.0, "small": 2.0, "bad": 50.0}
SELECT = "SELECT BEST {} MODELS FOR target USING {} WITH (executor = 'replay', epochs = 3, device = 'cpu'{})"
STRATEGIES = (
    "value_of_information",
    "two_phase",
    "fine_selection",
    "successive_halving",
    "probability_of_improvement",
    "brute_force",
)


@pytest.fixture(scope="module")
def file_of_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `zoo_on_record`. Not to be changed."""
    path = tmp_path_factory.mktemp("costs") / "records.db"
    with modelstore.connect(path) as store:
        put_on_record(store)
    return path


@pytest.fixture
def zoo_on_record(file_of_records: Path, opened_copy: Callable[[Path], Store]) -> Store:
    """Four models with curves on a target and on eleven other datasets, and what they cost to use."""
    return opened_copy(file_of_records)


def put_on_record(store: Store) -> None:
    points = [
        (model, dataset, stage, final - 0.1 / stage + shift, final - 0.1 / stage + shift, 1.0)
        for model, final in FINALS.items()
        for number, dataset in enumerate(["target", *(f"d{number}" for number in range(11))])
        for stage in (1, 2, 3)
        for shift in [0.003 * ((number * 7 + len(model)) % 5 - 2) if number else 0.0]
    ]
    store.executemany(
        "INSERT INTO training_curves (model, dataset, stage, validation, test, seconds) VALUES (?, ?, ?, ?, ?, ?)",
        points,
    )
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score) "
        "SELECT model, dataset, test FROM training_curves WHERE stage = 3"
    )
    store.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) SELECT DISTINCT model, 'target', 'leep', -1 "
        "FROM training_curves"
    )
    store.executemany(
        "INSERT INTO inference_costs (model, device, latency_ms, rows_per_second, memory) VALUES (?, 'cpu', ?, ?, ?)",
        [(model, ms, 5000 / ms, round(1e6 * ms)) for model, ms in LATENCIES.items()],
    )


def chosen(store: Store, strategy: str, count: int = 1, options: str = "") -> list[str]:
    rows = store.execute(SELECT.format(count, strategy, options and f", {options}")).fetchall()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert [row[3] for row in rows] == [pytest.approx(FINALS[row[1]] - 0.1 / 3) for row in rows]
    return [row[1] for row in rows]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_slow_best_wins_unless_latency_counts(zoo_on_record: Store, strategy: str) -> None:
    store = zoo_on_record
    assert chosen(store, strategy) == ["large"]
    assert chosen(store, strategy, 1, "latency_weight = 0.001") == ["base"]
    assert chosen(store, strategy, 1, "latency_weight = 0.01") == ["small"]
    # `base` was dropped by nobody that costs more, and `bad` is on no front.
    for cost in ("latency_ms", "rows_per_second", "memory"):
        assert chosen(store, strategy, 3, f"pareto = '{cost}'") == ["large", "base", "small"]
    assert chosen(store, strategy, 2, "pareto = 'latency_ms'") == ["large", "base"]


def test_a_front_of_fewer_models_says_so(zoo_on_record: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert chosen(zoo_on_record, "brute_force", 4, "pareto = 'memory'") == ["large", "base", "small"]
    assert (
        "the Pareto front of score and memory has 3 models, fewer than the 4 that are asked for"
        in caplog.messages
    )
    [(action, reason)] = zoo_on_record.execute(
        "SELECT action, reason FROM selection_stages WHERE model = 'large' AND action <> 'kept'"
    ).fetchall()
    assert (action, reason) == ("won", "best validation on the Pareto front of score and memory at the end")
    [(reason,)] = zoo_on_record.execute(
        "SELECT reason FROM selection_stages WHERE model = 'bad' AND action <> 'kept'"
    ).fetchall()
    assert reason == "validation at the end: base is at least as good, in memory too"


def test_the_log_keeps_the_scores_and_the_options(zoo_on_record: Store) -> None:
    store = zoo_on_record
    chosen(store, "fine_selection", 1, "latency_weight = 0.001")
    rows = store.execute(
        "SELECT action, reason, validation > 0.8 FROM selection_stages WHERE model = 'large' AND action <> 'kept'"
    ).fetchall()
    [(action, reason, is_score)] = rows
    assert (action, is_score) == ("dropped", True)
    assert reason.endswith("(scores less 0.001 × latency_ms)")
    [(options,)] = store.execute("SELECT options ->> '$.latency_weight' FROM selections").fetchall()
    assert float(options) == 0.001


def test_a_replay_needs_the_costs_on_record(zoo_on_record: Store) -> None:
    store = zoo_on_record
    store.execute("DELETE FROM inference_costs WHERE model = 'bad'")
    message = (
        'there is no latency_ms of "bad" on cpu with max_length = 128 in inference_costs, and a replay measures '
        "nothing: INSERT it, or leave the model out with WHERE"
    )
    with pytest.raises(modelstore.MissingRecordError, match=message):
        chosen(store, "brute_force", 1, "pareto = 'latency_ms'")
    with pytest.raises(modelstore.MissingRecordError, match='number of parameters of "bad" is not in models'):
        chosen(store, "brute_force", 1, "pareto = 'parameters'")
    sql = "SELECT BEST MODEL FOR target WHERE {} WITH (executor = 'replay', epochs = 3, latency_weight = 0.1)"
    [row] = store.execute(sql.format("name <> 'bad'")).fetchall()
    assert row[1] == "small"
    # What is not on record is no latency below 10.
    plan = store.execute(f"EXPLAIN {sql.format('latency_ms < 10')}").fetchall()
    assert [row[1] for row in plan if "models on record" in row[0]] == ["1"]
    assert not any("measure" in row[0] for row in plan)
    [row] = store.execute(sql.format("latency_ms < 10")).fetchall()
    assert row[1] == "small"


def test_a_stopped_replay_goes_on_by_the_same_costs(zoo_on_record: Store) -> None:
    store = zoo_on_record
    store.execute("CREATE TABLE later AS FROM training_curves WHERE dataset = 'target' AND stage > 2")
    store.execute("DELETE FROM training_curves WHERE dataset = 'target' AND stage > 2")
    sql = SELECT.format(2, "successive_halving", ", stages_per_epoch = 1, pareto = 'latency_ms'")
    with pytest.raises(modelstore.MissingRecordError, match="RESUME SELECTION 1 goes on"):
        store.execute(sql)
    store.execute("INSERT INTO training_curves FROM later")
    rows = store.execute("RESUME SELECTION 1").fetchall()
    assert [row[1] for row in rows] == ["large", "base"]


def test_explain_says_what_counts_and_what_would_be_measured(zoo_on_record: Store, zoo: Store) -> None:
    sql = SELECT.format(1, "brute_force", ", latency_weight = 0.001")
    lines = [row[0] for row in zoo_on_record.execute(f"EXPLAIN {sql}").fetchall()]
    assert any("brute force" in line and "best score less 0.001 × latency_ms" in line for line in lines)
    sql = f"SELECT BEST MODEL FOR texts WITH ({TINY_STAGES}, pareto = 'memory')"
    rows = zoo.execute(f"EXPLAIN {sql}").fetchall()
    assert any("Pareto front of score and memory" in row[0] for row in rows)
    assert [row[1] for row in rows if "measure what" in row[0]] == ["4 models, 4.0 s"]
    assert zoo.execute("SELECT count(*) FROM inference_costs").fetchone() == (0,)
    zoo.execute(
        "INSERT INTO training_curves (model, dataset, stage, validation, test) SELECT 'm' || m, 'd' || d, stage, "
        "m / 10 + stage / 100, m / 10 + stage / 100 FROM range(4) t(m), range(4) s(d), range(1, 4) r(stage)"
    )
    sql = "EXPLAIN SELECT BEST MODEL FOR texts USING brute_force WITH (epochs = 3, {})"
    for options in ("latency_weight = 0.001", "pareto = 'memory'"):
        [line] = [row[0] for row in zoo.execute(sql.format(options)).fetchall() if "by replay" in row[0]]
        assert "by replay on 4 datasets, by score alone · regret 0.000" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("pareto = 'latency_ms', latency_weight = 0.1", "give one of them"),
        ("latency_weight = 0", "latency_weight"),
        ("pareto = 'speed'", "'latency_ms', 'rows_per_second', 'memory', 'parameters'"),
        ("pareto = 'memory', ensemble = true", "an ensemble runs all its members"),
    ],
)
def test_options_that_contradict_each_other_are_refused(zoo: Store, options: str, message: str) -> None:
    with pytest.raises(modelstore.OptionError, match=message):
        zoo.execute(f"SELECT BEST 2 MODELS FOR texts WITH ({options})")


def test_models_that_train_are_chosen_by_what_they_cost(zoo: Store) -> None:
    models = "(SELECT name FROM models WHERE name IN ('bert', 'distilbert'))"
    sql = "SELECT BEST {} FOR texts FROM {} USING brute_force WITH ({}, register = false{})"
    best, other = [row[1] for row in zoo.execute(sql.format("2 MODELS", models, TINY_STAGES, "")).fetchall()]
    put = "INSERT INTO inference_costs (model, device, latency_ms) VALUES (?, 'cpu', ?)"
    zoo.executemany(put, [(best, 1000.0), (other, 1.0)])
    [row] = zoo.execute(sql.format("MODEL", models, TINY_STAGES, ", latency_weight = 0.01")).fetchall()
    assert row[1] == other
    rows = zoo.execute(sql.format("2 MODELS", models, TINY_STAGES, ", pareto = 'latency_ms'")).fetchall()
    scores = {row[1]: row[3] for row in rows}
    assert list(scores) == ([best, other] if scores.get(best, 0) > scores[other] else [other])
    # By parameters, and by what is measured at the length of the recipe.
    rows = zoo.execute(sql.format("2 MODELS", models, TINY_STAGES, ", pareto = 'parameters'")).fetchall()
    assert rows[0][1] == best
    rows = zoo.execute(sql.format("2 MODELS", models, TINY_STAGES, ", pareto = 'memory'")).fetchall()
    assert rows[0][1] == best
    found = zoo.execute(
        "SELECT model, max_length FROM inference_costs WHERE memory > 0 ORDER BY ALL"
    ).fetchall()
    assert found == [("bert", 32), ("distilbert", 32)]


def test_several_recipes_compete_by_the_costs_of_their_lengths(zoo: Store) -> None:
    put = "INSERT INTO inference_costs (model, device, max_length, latency_ms) VALUES ('bert', 'cpu', ?, ?)"
    zoo.executemany(put, [(16, 1.0), (32, 1e6)])
    options = TINY_STAGES.replace("max_length = 32", "max_length = [16, 32]").replace("recipe = 'tiny', ", "")
    sql = "SELECT BEST MODEL FOR texts FROM (SELECT 'bert' AS name) WITH ({}, register = false, latency_weight = 1)"
    [row] = zoo.execute(sql.format(options)).fetchall()
    assert "16" in row[2]


def test_images_are_measured_once_whatever_the_length_of_texts(zoo: Store) -> None:
    sql = "EXPLAIN SELECT BEST MODEL FOR images WITH (pareto = 'memory', epochs = 1, max_length = [16, 32])"
    measured = [row for row in zoo.execute(sql).fetchall() if "measure what models cost" in row[0]]
    assert len(measured) == 1
