"""`keep` in statements: which point of a run its score, its forecast target and its ranking are of."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import create_text_dataset

import modelstore
from modelstore.training.finetune import FineTuning

Store = modelstore.Connection
TINY = "epochs = 3, learning_rate = 2e-2, batch_size = 16, max_length = 32, device = 'cpu'"
REPLAY = "executor = 'replay', epochs = 3, reuse = false"
# overfits: its best validation, and its best test, come after the second epoch of three.
CURVES = {
    "overfits": [(1, 0.5, 0.45), (2, 0.9, 0.85), (3, 0.7, 0.65)],
    "steady": [(1, 0.6, 0.55), (2, 0.7, 0.66), (3, 0.8, 0.75)],
}


@pytest.fixture
def curves(store: Store) -> Store:
    for dataset in ("d", "e"):
        for model, points in CURVES.items():
            store.executemany(
                "INSERT INTO training_curves (model, dataset, stage, validation, test) VALUES (?, ?, ?, ?, ?)",
                [(model, dataset, *point) for point in points],
            )
    return store


def test_a_replay_ends_at_the_point_that_counts(curves: Store) -> None:
    sql = f"SELECT BEST MODEL FOR d USING brute_force WITH ({REPLAY}, keep = '{{}}')"
    [best] = curves.execute(sql.format("best")).fetchall()
    [default] = curves.execute(sql.replace(", keep = '{}'", "")).fetchall()
    assert best[1:6] == default[1:6] == ("overfits", "default", 0.9, 0.85, 3.0)


def test_the_last_point_counts_where_it_is_asked_for(curves: Store) -> None:
    sql = f"SELECT BEST 2 MODELS FOR d USING brute_force WITH ({REPLAY}, keep = 'last')"
    rows = curves.execute(sql).fetchall()
    assert [(row[1], *row[3:6]) for row in rows] == [("steady", 0.8, 0.75, 3.0), ("overfits", 0.7, 0.65, 3.0)]


def test_the_log_has_the_validation_of_each_stage(curves: Store) -> None:
    curves.execute(f"SELECT BEST MODEL FOR d USING brute_force WITH ({REPLAY})")
    logged = "SELECT validation FROM selection_stages WHERE model = 'overfits' ORDER BY stage"
    assert curves.execute(logged).fetchall() == [(0.5,), (0.9,), (0.7,)]


def test_without_a_test_at_the_best_point_the_recorded_result_counts(curves: Store) -> None:
    curves.execute("UPDATE training_curves SET test = NULL WHERE stage < 3")
    sql = f"SELECT BEST MODEL FOR d USING brute_force WITH ({REPLAY})"
    assert curves.execute(sql).fetchone()[1:5] == ("overfits", "default", 0.9, 0.65)
    curves.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('overfits', 'd', 0.77)")
    assert curves.execute(sql).fetchone()[1:5] == ("overfits", "default", 0.9, 0.77)


def test_strategies_are_compared_at_the_point_that_counts(curves: Store) -> None:
    sql = "COMPARE STRATEGIES brute_force ON d WITH (epochs = 3{})"
    assert curves.execute(sql.format("")).fetchone()[2:5] == ("overfits", 0.85, 0.0)
    assert curves.execute(sql.format(", keep = 'best'")).fetchone()[2:5] == ("overfits", 0.85, 0.0)
    assert curves.execute(sql.format(", keep = 'last'")).fetchone()[2:5] == ("steady", 0.75, 0.0)


@pytest.mark.parametrize(
    ("recipe", "options", "final"),
    [
        ("default", None, 0.85),
        ("mine", '{"epochs": 3, "keep": "last"}', 0.65),
        ("mine", '{"epochs": 3, "keep": "best"}', 0.85),
        ("default+keep=last", None, 0.65),
        ("mine+epochs=2", '{"epochs": 3, "keep": "last"}', 0.65),
    ],
)
def test_trends_are_of_the_point_that_counts_in_their_recipe(
    curves: Store, recipe: str, options: str | None, final: float
) -> None:
    curves.execute("UPDATE training_curves SET recipe = ?", [recipe])
    if options is not None:
        curves.execute("INSERT INTO recipes (name, options) VALUES ('mine', ?)", [options])
    rows = curves.execute(
        "SELECT test FROM convergence_trends('overfits', 1, recipe := ?)", [recipe]
    ).fetchall()
    assert rows == [(pytest.approx(final),)]
    replay = f"WITH (executor = 'replay', stages = [1, 2, 3], epochs = 3, recipe = '{recipe}')"
    sql = f"SELECT BEST MODEL FOR d USING brute_force {replay}"
    assert curves.execute(sql).fetchone()[4] == pytest.approx(0.75 if final == 0.65 else 0.85)


def scripted(patch: pytest.MonkeyPatch) -> None:
    """Training whose validation falls in the last stage."""
    evaluate = FineTuning._evaluate

    def given(self: FineTuning, split: str) -> float:
        return (0.5, 0.9, 0.7)[len(self.curve)] if split == "validation" else evaluate(self, split)

    patch.setattr(FineTuning, "_evaluate", given)


@pytest.fixture
def zoo(store: Store, model_path: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Store:
    scripted(monkeypatch)
    store.execute(f"CREATE MODEL bert FROM '{model_path('bert')}'")
    create_text_dataset(store, "texts", 96, seed=0)
    return store


@pytest.mark.parametrize(
    ("keep", "stage", "recipe"), [("best", 2, "default"), ("last", 3, "default+keep=last")]
)
def test_a_benchmark_records_the_score_of_the_point_that_counts(
    zoo: Store, keep: str, stage: int, recipe: str
) -> None:
    each_epoch = "stages_per_epoch = 1"  # as `scripted` validates
    [row] = zoo.execute(f"BENCHMARK MODELS ON texts WITH ({TINY}, {each_epoch}, keep = '{keep}')").fetchall()
    tests = zoo.execute("SELECT test FROM training_curves ORDER BY stage").fetchall()
    assert row[3:5] == (*tests[stage - 1], 3.0)
    assert zoo.execute("SELECT score, epochs FROM benchmark_results").fetchall() == [row[3:5]]
    [(name,)] = zoo.execute("SELECT recipe FROM benchmark_results").fetchall()
    assert ("+keep=last" in name) == ("+keep=last" in recipe)


def test_a_selection_saves_and_records_the_best_point(zoo: Store) -> None:
    [row] = zoo.execute(f"SELECT BEST MODEL FOR texts USING brute_force WITH ({TINY})").fetchall()
    _, model, _, validation, test, epochs, *_ = row
    assert (model, validation, epochs) == ("bert", 0.9, 3.0)
    assert zoo.execute("SELECT stage, test FROM training_curves WHERE test IS NOT NULL").fetchall() == [
        (2, test)
    ]
    # Once more, from the record, and from a resumed run.
    [again] = zoo.execute(f"SELECT BEST MODEL FOR texts USING brute_force WITH ({TINY})").fetchall()
    assert again[1:6] == row[1:6]
