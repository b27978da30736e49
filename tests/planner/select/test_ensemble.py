"""`ensemble = true`: the winners' vote as one more row."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_models import TINY_STAGES

import modelstore
from modelstore.connection.best_model import BestModel
from modelstore.training.finetune import FineTuning

Store = modelstore.Connection
SELECT = f"SELECT BEST 3 MODELS FOR texts USING brute_force WITH ({TINY_STAGES}, ensemble = true)"


@pytest.fixture
def err_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model is right with half of its weight on a third of the rows of its own, and unsure of the others."""
    turns: dict[str, int] = {}

    def given(self: FineTuning, split: str) -> np.ndarray:
        turn = turns.setdefault(self.model, len(turns))
        labels = self.data.split(split).column("label").to_numpy()
        scores = np.full((len(labels), 2), 0.5)
        mine = np.arange(len(labels)) % 3 == turn
        scores[mine, labels[mine]] = 0.9
        scores[mine, 1 - labels[mine]] = 0.1
        scores[~mine, 1 - labels[~mine]] = 0.6
        scores[~mine, labels[~mine]] = 0.4
        return scores

    monkeypatch.setattr(FineTuning, "predict_scores", given)


def test_an_ensemble_that_is_better_is_a_row_with_its_members_and_weights(
    zoo: Store, err_apart: None, tmp_path: Path
) -> None:
    rows = zoo.execute(SELECT).fetchall()
    assert [row[0] for row in rows] == [1, 2, 3, 4]
    vote, *members = rows
    assert vote[3] > max(row[3] for row in members)
    assert vote[3:5] == (1.0, 1.0)
    stored = json.loads(Path(vote[7]).read_text())["ensemble"]
    assert vote[1] == f"ensemble({', '.join(one['model'] for one in stored)})"
    assert sum(one["weight"] for one in stored) == pytest.approx(1)
    beside = Path(vote[7]).parent
    assert {one["model"]: str(beside / one["checkpoint"]) for one in stored} == {
        row[1]: row[7] for row in members
    }
    # The best single model is what is logged; both are registered, but a vote is no candidate.
    assert zoo.execute("SELECT model FROM selections").fetchone() == (members[0][1],)
    registered = "SELECT name, uri FROM models WHERE name LIKE '%-finetuned-texts' ORDER BY name = $best"
    names = zoo.execute(registered, {"best": f"{members[0][1]}-finetuned-texts"}).fetchall()
    assert names == [
        ("ensemble-finetuned-texts", vote[7]),
        (f"{members[0][1]}-finetuned-texts", members[0][7]),
    ]
    [(predicted,)] = zoo.execute(
        "SELECT predict('ensemble-finetuned-texts', 'the film was great')"
    ).fetchall()
    assert predicted in ("0", "1")
    with pytest.raises(modelstore.NotFoundError, match="be a candidate"):
        zoo.execute("SELECT BEST MODEL FOR others WHERE name = 'ensemble-finetuned-texts'")
    with pytest.raises(modelstore.ModelError, match="is several models: load each from its checkpoint"):
        BestModel(*vote[1:]).load()


def test_an_ensemble_that_is_no_better_is_left_out(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    alike = lambda self, split: np.eye(2)[FineTuning.predict(self, split)]  # noqa: E731
    monkeypatch.setattr(FineTuning, "predict_scores", alike)
    rows = zoo.execute(SELECT.replace("3 MODELS", "2 MODELS")).fetchall()
    assert not [row for row in rows if row[1].startswith("ensemble")]
    assert not list(Path(rows[0][7]).parent.glob("*.json"))


def test_probabilities_agree_with_the_predictions(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = FineTuning.predict_scores
    seen: list[int] = []

    def checked(self: FineTuning, split: str) -> np.ndarray:
        found = scores(self, split)
        assert np.allclose(found.sum(axis=1), 1)
        assert (found.argmax(axis=1) == self.predict(split)).all()
        seen.append(len(found))
        return found

    monkeypatch.setattr(FineTuning, "predict_scores", checked)
    zoo.execute(SELECT)
    assert seen


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (SELECT.replace("3 MODELS", "MODEL"), "weighs several winners"),
        (SELECT.replace("ensemble", "executor = 'replay', ensemble"), "needs the predictions"),
    ],
)
def test_an_ensemble_of_one_winner_or_of_a_replay_is_an_error(zoo: Store, sql: str, message: str) -> None:
    zoo.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON texts WITH ({TINY_STAGES})")
    with pytest.raises(modelstore.OptionError, match=message):
        zoo.execute(sql)
