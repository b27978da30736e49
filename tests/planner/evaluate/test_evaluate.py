"""EVALUATE MODELS as a statement: what its rows say of fine-tuned models, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pytest
from tiny_models import create_dataset, text_rows

import modelstore
from modelstore.planner.evaluate import report
from modelstore.progress import shown_by

Store = modelstore.Connection
ONE = {"numbers": "bert", "images": "vit", "moods": "bert", "ner": "bert", "pairs": "distilbert"}
BERT, ALBERT = '"bert-finetuned-texts"', '"albert-finetuned-texts"'


def said_of(store: Store, sql: str) -> tuple[list[tuple[Any, ...]], list[str]]:
    """The rows of a statement, and the notices."""
    said: list[str] = []
    nothing = lambda *values: None  # noqa: E731
    bar = SimpleNamespace(update=nothing, set_postfix_str=nothing)
    entered = type("Bar", (), {"__enter__": lambda self: bar, "__exit__": nothing})
    display = SimpleNamespace(notify=said.append, emit=nothing, bar=lambda *values: entered())
    with shown_by(display):  # type: ignore[arg-type]
        return store.execute(sql).fetchall(), said


@pytest.mark.parametrize(("dataset", "model"), ONE.items())
def test_the_score_on_test_is_the_one_that_training_measured(
    winners: Store, dataset: str, model: str
) -> None:
    [(measured,)] = winners.execute(
        f"SELECT test FROM training_curves WHERE dataset = '{dataset}' AND test IS NOT NULL"
    ).fetchall()
    value, low, high = winners.execute(
        f'SELECT value, low, high FROM (EVALUATE MODEL "{model}-finetuned-{dataset}" ON {dataset})'
    ).fetchone()
    assert value == pytest.approx(measured, abs=1e-3)
    assert low <= value <= high


def test_models_are_compared_on_the_same_rows_and_each_is_named_once(winners: Store) -> None:
    rows = winners.execute(
        f"FROM (EVALUATE MODELS {BERT}, 'ALBERT-finetuned-texts', {BERT} ON TEXTS) WHERE class IS NULL"
    ).fetchall()
    assert [(row[0].split("-")[0], row[1]) for row in rows] == [
        *(("bert", metric) for metric in ("accuracy", "f1_macro", "matthews")),
        *(("albert", metric) for metric in ("accuracy", "f1_macro", "matthews")),
        ("bert", "difference from albert-finetuned-texts"),
        ("bert", "p_value against albert-finetuned-texts"),
    ]


def test_an_ensemble_is_evaluated_as_a_model_is(winners: Store, tmp_path: Path) -> None:
    paths = winners.execute(
        f"SELECT uri FROM models WHERE name IN ('{BERT[1:-1]}', '{ALBERT[1:-1]}')"
    ).fetchall()
    members = [
        {"model": str(place), "weight": weight, "checkpoint": uri}
        for place, ((uri,), weight) in enumerate(zip(paths, (1.0, 1e-9), strict=True))
    ]
    (tmp_path / "vote.json").write_text(json.dumps({"ensemble": members}))
    winners.execute("INSERT INTO models (name, uri) VALUES ('vote', ?)", [str(tmp_path / "vote.json")])
    first = winners.execute("SELECT name FROM models WHERE uri = ?", paths[0]).fetchone()
    rows = winners.execute(
        "SELECT model, value FROM (EVALUATE MODELS vote, ? ON texts WITH (split = 'train')) "
        "WHERE metric = 'accuracy' OR metric LIKE 'difference%'",
        first,
    ).fetchall()
    assert [row[0] for row in rows] == ["vote", *first, "vote"]
    assert rows[0][1] == rows[1][1]
    assert rows[2][1] == 0.0


def test_the_confusion_matrix_is_a_pivot_away(winners: Store) -> None:
    rows = winners.execute(
        f"PIVOT (FROM (EVALUATE MODEL {BERT} ON texts WITH (split = 'train')) WHERE metric LIKE 'predicted %') "
        "ON metric USING sum(value) GROUP BY class"
    ).fetchall()
    assert sum(value or 0 for row in rows for value in row[1:]) == 96


def test_it_says_where_scores_are_of_rows_that_the_model_knows(winners: Store) -> None:
    for split, known in (("train", "it has learnt from"), ("validation", "decided how long"), ("test", None)):
        _, said = said_of(winners, f"EVALUATE MODEL {BERT} ON texts WITH (split = '{split}')")
        assert len(said) == (known is not None), said
        assert known is None or known in said[0]
    assert said_of(winners, f"EVALUATE MODEL {BERT} ON others WITH (split = 'train')")[1] == []


def test_a_model_without_mistakes_is_not_said_to_be_without_error(winners: Store) -> None:
    rows, [said] = said_of(winners, 'EVALUATE MODEL "vit-finetuned-images" ON images')
    assert rows[0][3:] == (1.0, 1.0, 1.0)
    assert "makes no mistake in 12 rows" in said
    assert "up to 22 %" in said


def test_it_stores_nothing_and_runs_read_only(winners: Store, tmp_path: Path) -> None:
    winners.close()
    before = (tmp_path / "copy.db").read_bytes()
    with modelstore.connect(tmp_path / "copy.db", read_only=True) as store:
        assert store.execute(f"EVALUATE MODEL {BERT} ON texts").fetchall()
    assert (tmp_path / "copy.db").read_bytes() == before


def test_it_stands_where_a_query_may_and_takes_parameters(winners: Store) -> None:
    winners.execute(
        "CREATE TABLE scores AS SELECT model, value FROM (EVALUATE MODEL ? ON ? WITH (samples = 100))",
        ["bert-finetuned-texts", "texts"],
    )
    assert winners.execute("SELECT count(*) > 3 FROM scores").fetchone() == (True,)
    assert winners.execute(f"DESCRIBE EVALUATE MODEL {BERT} ON texts").fetchall()[2][:2] == (
        "class",
        "VARCHAR",
    )
    plan = winners.execute(f"EXPLAIN ANALYZE EVALUATE MODELS {BERT}, {ALBERT} ON texts").fetchall()
    assert [row[0].strip("└─ ").split()[0] for row in plan] == ["EVALUATE", "predictions"]
    assert "2 models, 12 rows each" in plan[1][1]
    assert "2 models, 12 rows each" in plan[1][2]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("EVALUATE MODEL bert ON texts", '"bert" has no head that was fine-tuned'),
        ("EVALUATE MODEL bart ON texts", 'there is no model "bart" .did you mean "bert"'),
        (f"EVALUATE MODEL {BERT} ON text", 'there is no dataset "text" .did you mean "texts"'),
        (
            f"EVALUATE MODEL {BERT} ON numbers",
            "predicts one class for each row, and numbers has a number for",
        ),
        (f"EVALUATE MODEL {BERT} ON images", "reads texts, and the rows of images are images"),
        (f"EVALUATE MODEL {BERT} ON moods", "one class for each row, and moods has any number of labels"),
        (
            "EVALUATE MODEL bert_classifier ON texts",
            "does not know the labels '0', '1' of texts: it was trained for 'red', 'green', 'blue'",
        ),
        (f"EVALUATE MODEL {BERT} ON texts WITH (split = 'dev')", "'train', 'validation', 'test'"),
        (f"EVALUATE MODEL {BERT} ON texts WITH (samples = 10)", "100"),
        (f"EVALUATE MODEL {BERT} ON texts WITH (device = 'cuda:99')", "cuda:99"),
        ("EVALUATE MODEL bert", "expected"),
        (f"CREATE VIEW v AS EVALUATE MODEL {BERT} ON texts", "a view cannot hold this statement"),
    ],
)
def test_what_cannot_be_evaluated_is_told_in_a_sentence(winners: Store, sql: str, message: str) -> None:
    with pytest.raises(modelstore.Error, match=message):
        winners.execute(sql)


@pytest.fixture
def relabelled(winners: Store, tmp_path: Path) -> Callable[[list[str]], str]:
    """Registers the winner on texts with other names of its labels."""
    [(uri,)] = winners.execute("SELECT uri FROM models WHERE name = 'bert-finetuned-texts'").fetchall()

    def make(names: list[str]) -> str:
        path = Path(shutil.copytree(uri, tmp_path / "_".join(names).replace("/", "-")))
        config = json.loads((path / "config.json").read_text())
        config["id2label"] = {str(place): name for place, name in enumerate(names)}
        config["label2id"] = {name: place for place, name in enumerate(names)}
        (path / "config.json").write_text(json.dumps(config))
        winners.execute(f"CREATE OR REPLACE MODEL other FROM '{path}'")
        return "other"

    return make


def named_texts(store: Store, bad: str, good: str) -> None:
    rows = text_rows(60, np.random.default_rng(3))
    names = rows.set_column(1, "label", [[[bad, good][label] for label in rows["label"].to_pylist()]])
    create_dataset(store, "named", names)


CONFUSION = "SELECT class, metric, value FROM (EVALUATE MODEL other ON named) WHERE metric LIKE 'predicted%'"


@pytest.mark.parametrize(
    ("names", "notices"),
    [(["Bad", "good"], 0), (["BAD", "GOOD"], 1)],
)
def test_labels_are_matched_by_name_whatever_their_order_or_case(
    winners: Store, relabelled: Callable[[list[str]], str], names: list[str], notices: int
) -> None:
    named_texts(winners, "Bad", "good")
    relabelled(names)
    rows, said = said_of(winners, CONFUSION)
    assert len(said) == notices
    relabelled(names[::-1])  # what was answered "Bad" is answered "good" now
    turned = {
        (true, {"predicted Bad": "predicted good"}.get(metric, "predicted Bad")): value
        for true, metric, value in said_of(winners, CONFUSION)[0]
    }
    assert {row[:2]: row[2] for row in rows} == turned


def test_labels_without_names_are_those_of_a_dataset_of_numbers_alone(
    winners: Store, relabelled: Callable[[list[str]], str]
) -> None:
    relabelled(["LABEL_0", "LABEL_1"])
    own, _ = said_of(winners, f"SELECT metric, class, value FROM (EVALUATE MODEL {BERT} ON texts)")
    rows, [said] = said_of(winners, "SELECT metric, class, value FROM (EVALUATE MODEL other ON texts)")
    assert str(rows) == str(own)
    assert "'LABEL_0' is '0'" in said
    named_texts(winners, "bad", "good")
    with pytest.raises(modelstore.ModelError, match=r"have no names .LABEL_0, LABEL_1.*'bad', 'good'"):
        winners.execute("EVALUATE MODEL other ON named")


def test_a_label_that_the_dataset_lacks_counts_as_wrong(winners: Store) -> None:
    named_texts(winners, "red", "blue")
    rows, [said] = said_of(winners, "EVALUATE MODEL bert_classifier ON named WITH (split = 'train')")
    assert "knows labels that named does not have ('green')" in said
    cells = {row[1:4] for row in rows if row[1].startswith("predicted")}
    assert {name for _, name, _ in cells} == {"red", "blue"}
    assert sum(count for *_, count in cells) == 48
    right = sum(count for metric, name, count in cells if metric == f"predicted {name}")
    assert rows[0][3] == pytest.approx(right / 48)
    with_support = {row[2]: row[3] for row in rows if row[1] == "support"}
    assert with_support.pop("green", 0) == 0
    assert set(with_support) == {"red", "blue"}


def test_it_is_interrupted_while_it_resamples(winners: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = report.compare_all

    def interrupted(*arguments: Any) -> Any:
        winners.interrupt()
        return found(*arguments)

    monkeypatch.setattr(report, "compare_all", interrupted)
    with pytest.raises(duckdb.InterruptException):
        winners.execute(f"EVALUATE MODELS {BERT}, {ALBERT} ON texts")
    assert winners.execute("SELECT 1").fetchone() == (1,)
