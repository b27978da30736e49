"""Stages of any length: recorded curves serve them, and statements take them."""

import numpy as np
import pytest

import modelstore
from modelstore.options import TrainingOptions
from modelstore.records import Curve
from modelstore.selection.replay import ReplayExecutor, at_epoch, reaches, seconds_between
from modelstore.selection.stage_ends import StageEnds

CURVE = Curve(
    epochs=np.array([1.0, 2.0, 4.0]),
    validations=np.array([0.1, 0.3, 0.9]),
    tests=np.array([np.nan, 0.3, 0.7]),
    seconds=np.array([3.0, 5.0, 8.0]),
)


def test_options_say_where_stages_end() -> None:
    assert TrainingOptions(epochs=2).stage_ends() == (1, 2)
    assert TrainingOptions(epochs=1, stages_per_epoch=2).stage_ends() == (0.5, 1)
    assert TrainingOptions(epochs=2, stages=(0.5, 2.0)).stage_ends() == (0.5, 2)
    assert TrainingOptions(epochs=4, stages=(0.5, 2.0)).stage_ends() == (0.5, 2, 4)


def test_a_curve_is_interpolated_between_its_points_alone() -> None:
    assert at_epoch(CURVE, CURVE.validations, 2.0) == 0.3
    assert at_epoch(CURVE, CURVE.validations, 3.0) == pytest.approx(0.6)
    assert np.isnan(at_epoch(CURVE, CURVE.validations, 0.5))
    assert np.isnan(at_epoch(CURVE, CURVE.validations, 4.5))
    assert np.isnan(at_epoch(CURVE, CURVE.tests, 1.0))
    assert reaches(CURVE, StageEnds((1.5, 4.0)))
    assert not reaches(CURVE, StageEnds((0.5, 4.0)))
    assert not reaches(CURVE, StageEnds((1.0, 5.0)))


def test_seconds_are_shared_between_stages() -> None:
    assert seconds_between(CURVE, 0.0, 2.0) == 8.0
    assert seconds_between(CURVE, 2.0, 3.0) == 4.0
    assert seconds_between(CURVE, 0.5, 1.5) == 4.0


def test_a_run_is_walked_in_other_stages_than_it_was_recorded_in() -> None:
    run = ReplayExecutor("d", {"m": CURVE}, {}, StageEnds((1.5, 3.0, 4.0))).start("m")
    points = [run.advance() for _ in range(3)]
    assert [point.epoch for point in points] == [1.5, 3.0, 4.0]
    assert [point.validation for point in points] == pytest.approx([0.2, 0.6, 0.9])
    assert sum(point.seconds for point in points) == pytest.approx(16.0)
    assert run.test() == 0.7


def test_a_replay_takes_any_stages_that_its_records_reach(recorded: modelstore.Connection) -> None:
    sql = (
        "SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4, stages = [1.5, 3])"
    )
    [row] = recorded.execute(sql).fetchall()
    [whole] = recorded.execute(sql.replace(", stages = [1.5, 3]", "")).fetchall()
    assert row[1:7] == whole[1:7]
    assert recorded.execute("SELECT max(stage) FROM selection_stages WHERE selection = 1").fetchone() == (3,)
    given = recorded.execute(sql.replace("[1.5, 3]", "?"), [[1.5, 3]]).fetchall()
    assert given[0][1:7] == row[1:7]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("stages = [2, 1]", "takes a list of rising numbers above 0"),
        ("stages = [0, 1]", "takes a list of rising numbers above 0"),
        ("stages = []", "takes a list of rising numbers above 0"),
        ("stages = 1", "takes a list of rising numbers above 0"),
        ("stages = ['a']", "takes a list of rising numbers above 0"),
        ("stages = [1, 9]", "the last of the stages is at epoch 9, and training ends at 5"),
        ("stages = [1], stages_per_epoch = 2", "give one of them"),
        ("epochs = [1]", "takes a whole number"),
        ("stages = [1", "expected"),
    ],
)
def test_stages_that_cannot_be_are_refused(
    recorded: modelstore.Connection, options: str, message: str
) -> None:
    for statement in ("SELECT BEST MODEL FOR d0", "COMPARE STRATEGIES ON d0"):
        more = ", executor = 'replay'" if "SELECT" in statement else ""
        with pytest.raises((modelstore.OptionError, modelstore.ProgrammingError), match=message):
            recorded.execute(f"{statement} WITH ({options}{more})")


def test_a_test_at_the_recorded_best_point_serves_other_stages() -> None:
    """A winner is tested once, at its best point, which other stages may not stop at."""
    curve = Curve(
        epochs=np.array([1.0, 2.0, 3.0]),
        validations=np.array([0.5, 0.9, 0.7]),
        tests=np.array([np.nan, 0.85, np.nan]),
        seconds=np.ones(3),
    )
    run = ReplayExecutor("d", {"m": curve}, {}, StageEnds((1.5, 3.0))).start("m")
    run.advance()
    with pytest.raises(modelstore.MissingRecordError, match="have a test score"):
        run.test()
    run.advance()
    assert run.test() == 0.85
