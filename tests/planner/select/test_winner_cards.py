"""The cards of winners: what a selection says beside their weights, and where it is read."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from tiny_models import TINY_STAGES, create_text_dataset

import modelstore
from modelstore.planner.select import winner_cards
from modelstore.progress import shown_by

Store = modelstore.Connection
Paths = Callable[[str], Path]
WINNERS = {
    "texts": "bert",
    "numbers": "bert",
    "images": "vit",
    "moods": "bert",
    "ner": "bert",
    "pairs": "distilbert",
}


class Notices:
    """A display that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def bar(self, total: float, description: str, unit: str) -> Any:
        from tqdm import tqdm

        return tqdm(total=total, disable=True)

    def emit(self, event: object) -> None:
        pass

    def notify(self, message: str) -> None:
        self.said.append(message)


def card_of(store: Store, model: str) -> str:
    """The card beside a registered model, which is the one in `models`."""
    [(uri, card)] = store.execute("SELECT uri, card FROM models WHERE name = ?", [model]).fetchall()
    assert Path(uri, "README.md").read_text() == card
    return str(card)


def metadata(card: str) -> dict[str, Any]:
    found = yaml.safe_load(card[4:].split("\n---\n", 1)[0])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("dataset", "model"), WINNERS.items())
def test_a_card_says_how_its_model_scored_and_how_to_load_it(
    winners: Store, dataset: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{model}-finetuned-{dataset}"
    card = card_of(winners, name)
    [(test, metric, labels)] = winners.execute(
        "SELECT c.test, d.metric, d.labels FROM training_curves c JOIN datasets d ON d.name = c.dataset "
        "WHERE dataset = ? AND model = ? AND test IS NOT NULL",
        [dataset, model],
    ).fetchall()
    [index] = metadata(card)["model-index"]
    assert (index["name"], index["results"][0]["metrics"][0]["value"]) == (name, test)
    low, high = winners.execute(
        f'SELECT low, high FROM (EVALUATE MODEL "{name}" ON {dataset}) WHERE metric = ? AND class IS NULL',
        [metric],
    ).fetchone()
    [ends] = re.findall(rf"\| test \| {test:.4f} \| (.+) to (.+) \|", card)
    # A regressor is saved in the unit of its labels, which rounds its numbers.
    assert list(map(float, ends)) == pytest.approx([low, high], abs=5e-3)
    assert all(f"`{label}`" in card for label in labels)
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "image.png")
    monkeypatch.chdir(tmp_path)
    [(uri,)] = winners.execute("SELECT uri FROM models WHERE name = ?", [name]).fetchall()
    python = card.split("```python\n")[1].split("```")[0].replace('folder = "."', f"folder = {uri!r}")
    values: dict[str, Any] = {}
    exec(python, values)
    assert values["scores"].shape[-1] == max(len(labels), 1)
    statements = card.split("```sql\n")[1].split("```")[0].replace("'folder'", f"'{uri}'")
    assert winners.execute(statements).fetchall()[0][0]


def test_a_card_says_what_was_dropped_and_why(zoo: Store) -> None:
    zoo.execute(
        f"SELECT BEST MODEL FOR texts FROM (VALUES ('bert'), ('albert'), ('distilbert')) AS t(name) "
        f"USING successive_halving WITH ({TINY_STAGES})"
    )
    [(winner, uri)] = zoo.execute("SELECT base, uri FROM models WHERE base IS NOT NULL").fetchall()
    card = Path(uri, "README.md").read_text()
    rows = zoo.execute(
        "SELECT DISTINCT ON (model) model, stage, validation, action, reason FROM selection_stages "
        "ORDER BY model, stage DESC"
    ).fetchall()
    assert {row[3] for row in rows} == {"won", "dropped"}
    for model, stage, validation, action, reason in rows:
        said = "" if reason is None else f"`{reason}`"
        assert f"| `{model}` | {stage} | {validation:.4f} | {action} | {said} |" in card
    [(epochs,)] = zoo.execute("SELECT epochs FROM selections").fetchall()
    assert (
        f"`successive_halving` chose among 3 candidates, of which it trained 3. That took {epochs:.4g}"
        in card
    )
    assert "takes 6 epochs" in card
    assert f"# `{winner}`, fine-tuned on `texts`" in card


@pytest.fixture
def licensed(store: Store, model_copy: Paths) -> Store:
    """A store with a model whose card names a licence."""
    path = model_copy("bert")
    (path / "README.md").write_text("---\nlicense: apache-2.0\nlanguage: en\n---\n# A model of words\n")
    store.execute(f"CREATE MODEL base FROM '{path}'")
    return store


def test_a_licence_is_inherited_also_by_the_winner_of_a_winner(licensed: Store) -> None:
    for place, dataset in enumerate(("first", "second")):
        create_text_dataset(licensed, dataset, 60, place)
        licensed.execute(
            f"SELECT BEST MODEL FOR {dataset} FROM (SELECT name FROM models ORDER BY created_at DESC LIMIT 1) "
            f"WITH ({TINY_STAGES})"
        ).fetchall()
    for name in ("base-finetuned-first", "base-finetuned-first-finetuned-second"):
        found = metadata(card_of(licensed, name))
        assert (found["license"], found["language"]) == ("apache-2.0", ["en"])
    # Similarity by text compares what the models are, not how they were chosen.
    licensed.execute("CLUSTER MODELS WITH (similarity = 'text', encoder = 'base')").fetchall()
    assert licensed.execute("SELECT count(*), count(DISTINCT cluster) FROM model_clusters").fetchall() == [
        (3, 1)
    ]
    [(embedded,)] = licensed.execute("SELECT card FROM card_embeddings").fetchall()
    assert licensed.execute("SELECT name FROM models WHERE md5(card) = ?", [embedded]).fetchall() == [
        ("base",)
    ]


def test_hostile_names_leave_a_card_that_can_be_read(store: Store, model_path: Paths) -> None:
    model, dataset = "a|b`c\n---\nlicense: mit", "d\n# <script>"
    store.execute("CREATE MODEL $name FROM $uri", {"name": model, "uri": str(model_path("bert"))})
    store.execute(
        "CREATE DATASET $name AS SELECT text, label FROM "
        "(VALUES ('a good film', '```'), ('a bad film', '---\nx: y')) AS t(text, label), range(30)",
        {"name": dataset},
    )
    store.execute(f"SELECT BEST MODEL FOR $name WITH ({TINY_STAGES})", {"name": dataset})
    found = metadata(card_of(store, f"{model}-finetuned-{dataset}"))
    assert "license" not in found
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == r"d\n# <script>"


def test_a_card_that_cannot_be_written_loses_no_winner(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(winner_cards, "score_interval", fail)
    notices = Notices()
    with shown_by(notices):
        zoo.execute(f"SELECT BEST MODEL FOR texts FROM (SELECT 'bert' AS name) WITH ({TINY_STAGES})")
    assert 'the card of the winner "bert" cannot be written: no such luck' in notices.said
    [(uri, card)] = zoo.execute("SELECT uri, card FROM models WHERE base = 'bert'").fetchall()
    assert card is None
    assert sorted(file.name for file in Path(uri).iterdir() if "README" in file.name) == []
    assert zoo.execute("SELECT status FROM selections").fetchall() == [("done",)]


def test_a_replay_writes_no_card(winners: Store, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("README.md"))
    winners.execute(
        "SELECT BEST MODEL FOR texts FROM (VALUES ('bert'), ('albert')) AS t(name) "
        f"WITH ({TINY_STAGES}, executor = 'replay')"
    )
    assert set(tmp_path.rglob("README.md")) == before
