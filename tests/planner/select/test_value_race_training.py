"""`USING value_of_information` with training: stages in rows, a stopped race, and runs on record in other stages."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from watched_training import interrupted_training

import modelstore

STAGES = "SELECT stage, model, validation, predicted, action, reason FROM selection_stages ORDER BY rowid"

RACE = (
    "SELECT BEST MODEL FOR texts USING value_of_information WITH (recipe = 'tiny', epochs = 2, "
    "learning_rate = 5e-3, batch_size = 4, max_length = 32, device = 'cpu'{})"
)


def test_a_race_trains_in_growing_stages_and_goes_on_after_a_stop(tmp_path: Path, zoo_file: Path) -> None:
    paths = [shutil.copy(zoo_file, tmp_path / name) for name in ("straight.db", "zoo.db")]
    with modelstore.connect(paths[0]) as straight, modelstore.connect(paths[1]) as zoo:
        [rows] = straight.execute("SELECT train_rows FROM datasets WHERE name = 'texts'").fetchall()
        [row] = straight.execute(RACE.format("")).fetchall()
        curve = straight.execute("SELECT epoch FROM training_curves ORDER BY stage").fetchall()
        # Ten batches of four rows are the shortest stage.
        assert [epoch * rows[0] for (epoch,) in curve] == pytest.approx(
            [*[40, 80, 160][: len(curve) - 1], 2 * rows[0]]
        )
        # Of the four the better two go on, or more as long as they are level.
        trained = straight.execute(
            "SELECT count(validation) FROM selection_stages GROUP BY stage ORDER BY stage"
        ).fetchall()
        counts = [count for (count,) in trained]
        assert counts == sorted(counts, reverse=True)
        assert (counts[0], counts[-1]) == (4, 2)
        assert straight.execute("SELECT epochs FROM selections").fetchone() == (
            pytest.approx(sum(np.diff([epoch for (epoch,) in curve], prepend=0.0) * counts)),
        )
        finalist = straight.execute("SELECT min(model) FROM selection_stages WHERE stage = 2").fetchall()[0][
            0
        ]
        with interrupted_training(lambda run: run.model == finalist and len(run.curve) == 2):
            zoo.execute(RACE.format(""))
        [resumed] = zoo.execute("RESUME SELECTION 1").fetchall()
        assert resumed[:6] == row[:6]
        assert zoo.execute(STAGES).fetchall() == straight.execute(STAGES).fetchall()
        # A recorded run serves other stages too.
        plan = straight.execute("EXPLAIN " + RACE.format(", stages = [0.75, 1.5]")).fetchall()
        assert "3 stages from 0.75 to 2 epochs" in plan[1][0]
        assert "(1 of 4 on record)" in plan[1][1]
        straight.execute(RACE.format(", stages = [0.75, 1.5], budget_epochs = 5"))
        assert straight.execute("SELECT max(epochs) <= 5 FROM selections WHERE id = 2").fetchall() == [
            (True,)
        ]
