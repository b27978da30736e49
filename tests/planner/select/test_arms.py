"""Pairs of model and recipe compete in selections that train, and in replays."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import duckdb
import pytest
from tiny_models import TINY
from watched_training import before_each_stage, interrupted_training

import modelstore
from modelstore.options import STRATEGIES
from modelstore.planner import device_plan
from modelstore.training.finetune import FineTuning

Store = modelstore.Connection
FEW = "WHERE name IN ('bert', 'distilbert')"
RATES = TINY.replace("recipe = 'tiny', ", "").replace("5e-3", "[1e-6, 5e-3]") + ", device = 'cpu'"
SELECT = f"SELECT BEST {{}} FOR texts {FEW} USING {{}} WITH ({RATES})"
SLOW = "default+batch_size=16+epochs=2+learning_rate=1e-06+max_length=32"
FAST = "default+batch_size=16+epochs=2+learning_rate=0.005+max_length=32"
STAGES = (
    "SELECT stage, model, recipe, validation, predicted, action, reason FROM selection_stages ORDER BY rowid"
)


@pytest.fixture
def straight(zoo_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Another store like `zoo`."""
    with modelstore.connect(shutil.copy(zoo_file, tmp_path_factory.mktemp("straight"))) as store:
        yield store


@contextmanager
def trained() -> Iterator[list[tuple[str, float, int]]]:
    """Collects model, learning rate and number of each stage that begins."""
    stages: list[tuple[str, float, int]] = []

    def note(run: FineTuning) -> None:
        stages.append((run.model, run.options.learning_rate, len(run.curve) + 1))

    with before_each_stage(note):
        yield stages


def test_each_pair_trains_by_its_recipe_and_is_recorded_under_it(zoo: Store) -> None:
    with trained() as stages:
        [row] = zoo.execute(SELECT.format("MODEL", "brute_force")).fetchall()
    assert sorted(stages) == sorted(
        (model, rate, stage) for model in ("bert", "distilbert") for rate in (1e-6, 5e-3) for stage in (1, 2)
    )
    rank, model, recipe, validation, test, epochs, _, checkpoint, _ = row
    assert (rank, epochs) == (1, 2.0)
    assert recipe in (SLOW, FAST)
    assert (Path(checkpoint) / "model.safetensors").is_file()
    assert zoo.execute("SELECT DISTINCT model, recipe FROM training_curves").fetchall() == [(model, recipe)]
    assert zoo.execute("SELECT model, recipe FROM selections").fetchall() == [(model, recipe)]
    curve = zoo.execute("SELECT validation, test FROM training_curves ORDER BY stage").fetchall()
    assert max(curve, key=lambda point: point[0]) == (validation, test)
    best = "SELECT model, recipe FROM selection_stages WHERE action = 'won'"
    assert zoo.execute(best).fetchall() == [(model, recipe)]
    logged = zoo.execute("SELECT DISTINCT model, recipe FROM selection_stages ORDER BY ALL").fetchall()
    assert logged == sorted((one, rate) for one in ("bert", "distilbert") for rate in (SLOW, FAST))
    [(options,)] = zoo.execute("SELECT options FROM selections").fetchall()
    assert json.loads(options)["learning_rate"] == [1e-6, 5e-3]


def test_several_winners_are_different_models(zoo: Store) -> None:
    rows = zoo.execute(SELECT.format("2 MODELS", "successive_halving")).fetchall()
    assert [row[0] for row in rows] == [1, 2]
    assert {row[1] for row in rows} == {"bert", "distilbert"}
    assert zoo.execute("SELECT count(*) FROM selection_stages WHERE stage = 1").fetchone() == (4,)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_takes_several_recipes(zoo: Store, strategy: str) -> None:
    [row] = zoo.execute(SELECT.format("MODEL", strategy)).fetchall()
    assert row[2] in (SLOW, FAST)
    first = zoo.execute("SELECT count(*) FROM selection_stages WHERE stage = 1").fetchone()
    assert first == (4,)


def test_recall_chooses_models_and_each_brings_all_its_recipes(zoo: Store) -> None:
    sql = f"SELECT BEST MODEL FOR texts USING two_phase WITH ({RATES}, recall = 2)"
    plan = zoo.execute(f"EXPLAIN {sql}").fetchall()
    assert plan[1][1].startswith("4 pairs of 2 models and 2 recipes, 6 epochs")
    zoo.execute(sql)
    assert zoo.execute(
        "SELECT count(DISTINCT model), count(DISTINCT (model, recipe)) FROM selection_stages"
    ).fetchone() == (2, 4)


def test_a_stopped_selection_goes_on_with_the_pairs_that_stayed(zoo: Store, straight: Store) -> None:
    select = SELECT.format("2 MODELS", "successive_halving").replace("epochs = 2", "epochs = 3")
    expected = straight.execute(select).fetchall()
    with interrupted_training(lambda run: len(run.curve) == 2):
        zoo.execute(select)
    with trained() as stages:
        rows = zoo.execute("RESUME SELECTION 1").fetchall()
    assert {stage for *_, stage in stages} == {3}
    assert [row[:6] for row in rows] == [row[:6] for row in expected]
    assert zoo.execute(STAGES).fetchall() == straight.execute(STAGES).fetchall()
    assert zoo.execute("SELECT recipe FROM selections").fetchall() == [(expected[0][2],)]


def test_runs_on_record_of_a_pair_are_not_trained_again(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS {FEW} ON texts WITH ({RATES.replace('[1e-6, 5e-3]', '1e-6')})")
    sql = SELECT.format("MODEL", "brute_force")
    assert "4 pairs of 2 models and 2 recipes (2 of 4 on record)" in str(
        zoo.execute(f"EXPLAIN {sql}").fetchall()
    )
    with trained() as stages:
        zoo.execute(sql)
    assert {(model, rate) for model, rate, _ in stages} >= {("bert", 5e-3), ("distilbert", 5e-3)}
    assert len(stages) in (4, 6)  # the winner alone is trained, if it is one of those on record


def test_a_pair_that_fails_leaves_the_others(zoo: Store) -> None:
    rates = SELECT.format("MODEL", "brute_force").replace("[1e-6, 5e-3]", "[1e18, 5e-3]")
    [row] = zoo.execute(rates).fetchall()
    assert row[2] == FAST
    failed = zoo.execute("SELECT DISTINCT recipe FROM selection_stages WHERE action = 'failed'").fetchall()
    assert failed == [(FAST.replace("0.005", "1e+18"),)]


def test_pairs_train_side_by_side_as_one_after_another(zoo: Store, straight: Store) -> None:
    select = SELECT.format("2 MODELS", "successive_halving")
    expected = straight.execute(select).fetchall()
    with mock.patch.object(device_plan, "devices_for", return_value=["cpu", "cpu"]):
        rows = zoo.execute(select).fetchall()
    assert [row[:6] for row in rows] == [row[:6] for row in expected]
    assert zoo.execute(STAGES).fetchall() == straight.execute(STAGES).fetchall()


def test_a_budget_counts_pairs(zoo: Store) -> None:
    sql = SELECT.format("MODEL", "value_of_information").replace("device", "budget_epochs = 4, device")
    [row] = zoo.execute(sql).fetchall()
    [(epochs,)] = zoo.execute("SELECT epochs FROM selections").fetchall()
    assert row[5] == 2.0
    assert epochs <= 4.0


def test_an_ensemble_names_pairs_of_different_models(zoo: Store) -> None:
    sql = SELECT.format("2 MODELS", "brute_force").replace("device", "ensemble = true, device")
    rows = zoo.execute(sql).fetchall()
    for row in rows:
        assert row[2] is None if row[1].startswith("ensemble") else row[2] in (SLOW, FAST)
    assert {row[1] for row in rows if row[2]} == {"bert", "distilbert"}


def test_one_selection_feeds_another(zoo: Store) -> None:
    inner = SELECT.format("2 MODELS", "brute_force")
    [row] = zoo.execute(
        f"SELECT BEST MODEL FOR others FROM ({inner}) USING brute_force WITH ({TINY}, device = 'cpu')"
    ).fetchall()
    assert row[1:3] in [("bert", "tiny"), ("distilbert", "tiny")]


def test_best_model_knows_its_recipe(zoo: Store) -> None:
    best = zoo.select_best_model(
        "texts", where="name = 'bert'", epochs=1, learning_rate=[1e-6, 5e-3], batch_size=16, max_length=32
    )
    assert best.recipe.startswith("default+batch_size=16+epochs=1+learning_rate=")
    assert best.load()


# --- replays

REPLAY = "WITH (executor = 'replay', epochs = 4, recipes = ['default', 'b'])"


def record_recipes(store: Store) -> None:
    """Recipe `b` does better than the recorded one, which is `default`, with the models whose names end on 1."""
    store.execute(
        "INSERT INTO training_curves (model, dataset, stage, validation, test, seconds, recipe) "
        "SELECT model, dataset, stage, validation + gain, test + gain, seconds, 'b' FROM training_curves, "
        "(SELECT 0.2 AS gain) WHERE model LIKE '%1'"
        "UNION ALL SELECT model, dataset, stage, validation - 0.1, test - 0.1, seconds, 'b' FROM training_curves "
        "WHERE model NOT LIKE '%1'"
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_replay_finds_the_best_pair(recorded: Store, strategy: str) -> None:
    record_recipes(recorded)
    sql = f"SELECT BEST MODEL FOR d0 USING {strategy} {REPLAY}"
    [row] = recorded.execute(sql).fetchall()
    best = recorded.execute(
        "SELECT model, recipe FROM training_curves WHERE dataset = 'd0' AND stage = 4 ORDER BY validation DESC"
    ).fetchone()
    assert row[1:3] == best
    assert recorded.execute("SELECT DISTINCT recipe FROM selection_stages ORDER BY 1").fetchall() == [
        ("b",),
        ("default",),
    ]


def test_a_pair_without_a_curve_is_named(recorded: Store) -> None:
    record_recipes(recorded)
    recorded.execute("DELETE FROM training_curves WHERE model = 'c1' AND recipe = 'b' AND dataset = 'd0'")
    sql = f"SELECT BEST MODEL FOR d0 USING brute_force {REPLAY}"
    with pytest.raises(modelstore.MissingRecordError, match='no curve of "c1 · b" on "d0"'):
        recorded.execute(sql)


def test_a_replay_goes_on_after_a_stop(recorded: Store) -> None:
    record_recipes(recorded)
    sql = f"SELECT BEST 2 MODELS FOR d0 USING successive_halving {REPLAY}"
    expected = recorded.execute(sql).fetchall()
    stages = "SELECT * EXCLUDE (selection) FROM selection_stages WHERE selection = {} ORDER BY rowid"
    recorded.execute("CREATE TABLE later AS FROM training_curves WHERE dataset = 'd0' AND stage > 2")
    recorded.execute("DELETE FROM training_curves WHERE dataset = 'd0' AND stage > 2")
    with pytest.raises(modelstore.MissingRecordError):
        recorded.execute(sql)
    recorded.execute("INSERT INTO training_curves FROM later")
    rows = recorded.execute("RESUME SELECTION 2").fetchall()
    assert [row[:-1] for row in rows] == [row[:-1] for row in expected]
    assert recorded.execute(stages.format(2)).fetchall() == recorded.execute(stages.format(1)).fetchall()


def test_a_plan_shows_the_recipes_and_counts_pairs(recorded: Store) -> None:
    record_recipes(recorded)
    plan = recorded.execute(f"EXPLAIN SELECT BEST MODEL FOR d0 USING brute_force {REPLAY}").fetchall()
    assert plan[1][1] == "16 pairs of 8 models and 2 recipes, 64 epochs"
    assert plan[2:] == [("   ├─ models on record", "8"), ("   └─ recipes · default, b", "2")]


@pytest.mark.parametrize("strategy", ["fine_selection", "probability_of_improvement", "value_of_information"])
def test_pairs_without_records_are_predicted_by_those_of_the_recipe_that_they_are_derived_from(
    recorded: Store, strategy: str
) -> None:
    for rate in ("0.001", "0.0001"):
        recorded.execute(
            "INSERT INTO training_curves SELECT * REPLACE (? AS recipe, validation - ? AS validation) "
            "FROM training_curves WHERE recipe = 'default' AND dataset = 'd0'",
            [f"default+learning_rate={rate}", float(rate)],
        )
    recorded.execute(
        f"SELECT BEST MODEL FOR d0 USING {strategy} "
        "WITH (executor = 'replay', epochs = 4, learning_rate = [0.001, 0.0001])"
    )
    predicted = "SELECT count(predicted), count(*) FROM selection_stages WHERE stage = 1"
    assert recorded.execute(predicted).fetchone() == (16, 16)


def test_two_pairs_of_one_name_are_refused(recorded: Store) -> None:
    recorded.execute(
        "INSERT INTO training_curves (model, dataset, stage, validation, test, seconds, recipe) "
        "SELECT model, 'd0', stage, 0.5, 0.5, 1.0, recipe FROM range(1, 3) AS stages(stage), "
        "(VALUES ('a · r'), ('a')) AS models(model), (VALUES ('s'), ('r · s')) AS recipes(recipe)"
    )
    with pytest.raises(
        modelstore.OptionError, match='two pairs of a model and a recipe are called "a · r · s"'
    ):
        recorded.execute(
            "SELECT BEST MODEL FOR d0 USING brute_force "
            "WITH (executor = 'replay', epochs = 2, recipes = ['s', 'r · s'])"
        )


def test_a_selection_logged_before_recipes_competed_goes_on(recorded: Store) -> None:
    """What the migration makes of an older log."""
    from modelstore.schema import migrations

    sql = "SELECT BEST MODEL FOR d0 USING successive_halving WITH (executor = 'replay', epochs = 4)"
    expected = recorded.execute(sql).fetchall()
    recorded.execute("CREATE TABLE later AS FROM training_curves WHERE dataset = 'd0' AND stage > 2")
    recorded.execute("DELETE FROM training_curves WHERE dataset = 'd0' AND stage > 2")
    with pytest.raises(modelstore.MissingRecordError):
        recorded.execute(sql)
    recorded.execute("INSERT INTO training_curves FROM later")
    for table, column in (
        ("selections", "recipe"),
        ("selections", "recipes"),
        ("selection_stages", "recipe"),
    ):
        recorded.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    [migration] = [text for number, text in migrations() if number == 11]
    for statement in duckdb.extract_statements(migration):
        recorded.execute(statement.query)
    [row] = recorded.execute("RESUME SELECTION 2").fetchall()
    assert row[:-1] == expected[0][:-1]
    assert recorded.execute("SELECT recipe FROM selections ORDER BY id").fetchall() == [("default",)] * 2
    assert recorded.execute("SELECT DISTINCT recipe FROM selection_stages").fetchall() == [("default",)]
