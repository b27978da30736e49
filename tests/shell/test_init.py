"""`modelstore init` and `.init`: from data and models to a plan, each step a statement."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hub_stub import HubStub
from tiny_models import text_rows

import modelstore
from modelstore.shell import first_steps
from modelstore.shell.app import Shell
from modelstore.shell.first_steps import FirstSteps, Wanted
from modelstore.shell.main import main
from modelstore.shell.render.messages import ShellError

Paths = Callable[[str], Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, model_path: Paths, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with data and a folder of models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
    rows = text_rows(60, np.random.default_rng(0)).to_pylist()
    lines = [json.dumps({"text": row["text"], "label": row["label"]}) for row in rows]
    (tmp_path / "My Reviews.jsonl").write_text("\n".join(lines))
    for name in ("bert", "distilbert"):
        (tmp_path / "models [all]" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "models [all]" / name).symlink_to(model_path(name))
    return tmp_path


def names(table: str, database: str = "zoo.db") -> list[str]:
    with modelstore.connect(database) as store:
        return [name for (name,) in store.execute(f"SELECT name FROM {table} ORDER BY 1").fetchall()]


def test_data_and_models_lead_to_a_plan_and_the_statement_that_runs_it(folder: Path, capfd: Capture) -> None:
    arguments = ["init", "--data", "My Reviews.jsonl", "--models", "models [all]"]
    assert main(arguments) == 0
    out, said = capfd.readouterr()
    assert "value of information" in out
    assert names("datasets") == ["my_reviews"]
    assert names("models") == ["bert", "distilbert"]
    statement = said.rstrip().splitlines()[-1]
    assert statement == "SELECT BEST MODEL FOR my_reviews;"
    assert main(arguments) == 0  # what is there is there
    assert main(["zoo.db", "-c", statement.replace(";", " WITH (epochs = 1, stages = [1.0]);")]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "init needs data"),
        (["--data", "gone.csv"], "gone.csv"),
        (["--data", "My Reviews.jsonl", "--text", "title"], "title"),
        (["--data", "My Reviews.jsonl", "--models", "cache/.."], 'the folder "cache/.." has no model'),
        (["--data", "My Reviews.jsonl", "--models", "no such"], 'there is no folder "no such"'),
        (["--data", "My Reviews.jsonl", "--models", "bert", "--search", "3"], "or found by --search"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], message: str, folder: Path, capfd: Capture
) -> None:
    (folder / "cache").mkdir()
    assert main(["init", *arguments]) == 1
    said = capfd.readouterr().err
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [["--search", "0"], ["--search", "many"], ["--nothing"]])
def test_options_that_there_are_not_end_the_command(
    arguments: list[str], folder: Path, capfd: Capture
) -> None:
    with pytest.raises(SystemExit):
        main(["init", *arguments])
    assert "usage: modelstore init" in capfd.readouterr().err
    with modelstore.connect() as store:
        shell = Shell(store, ":memory:", messages=io.StringIO())
        assert not shell.run(f".init {' '.join(arguments)}")


def test_public_records_propose_models_of_the_hub(
    folder: Path, hub: HubStub, model_path: Paths, capfd: Capture
) -> None:
    ranked = "SELECT model FROM performance_matrix WHERE recipe = 'euroeval' GROUP BY model ORDER BY avg(score) DESC"
    with modelstore.connect() as store:
        store.execute("IMPORT RECORDS euroeval")
        known = [name for (name,) in store.execute(ranked).fetchall()]
    for name in known[:-1]:
        hub.add(name, model_path("bert"))
    assert main(["init", "--data", "My Reviews.jsonl"]) == 0
    said = capfd.readouterr().err
    assert 8 <= len(names("models")) <= first_steps.MOST
    assert {*names("models")} <= {*known}
    assert said.rstrip().endswith(
        "SELECT BEST MODEL FOR my_reviews WITH (recipes = ['default', 'euroeval']);"
    )


def test_a_hub_that_has_none_of_the_models_is_said(folder: Path, hub: HubStub, capfd: Capture) -> None:
    assert main(["init", "--data", "My Reviews.jsonl", "--models", "owner/gone"]) == 1
    out, said = capfd.readouterr()
    assert "is not on the hub" in out
    assert said.rstrip().splitlines()[-1].startswith("no model could be registered, for the reasons above")


def test_a_person_is_asked_until_the_data_can_be_read(folder: Path) -> None:
    (folder / "two.csv").write_text("kommentar,note\n" + "gut,1\nschlecht,2\n" * 30)
    written = "CREATE DATASET notes AS SELECT kommentar AS text, note::VARCHAR AS label FROM 'two.csv';"
    answers = iter(["", "gone.csv", written, "models no/such/folder"])
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return next(answers)

    messages = io.StringIO()
    with modelstore.connect() as store:
        shell = Shell(store, ":memory:", out=io.BytesIO(), messages=messages)
        with pytest.raises(Exception, match="there is no folder"):
            FirstSteps(shell, ask).take(Wanted())
        assert store.execute("SELECT name FROM datasets").fetchall() == [("notes",)]
    assert "gone.csv" in messages.getvalue()
    assert [question.split()[1] for question in asked] == ["data", "data", "data", "to"]


@pytest.mark.parametrize(
    "arguments",
    [["--data", "other.jsonl", "--name", "My_Reviews"], ["--data", "My Reviews.jsonl", "--label", "text"]],
)
def test_a_dataset_of_other_data_is_not_taken_for_this_one(
    arguments: list[str], folder: Path, capfd: Capture
) -> None:
    (folder / "other.jsonl").write_text((folder / "My Reviews.jsonl").read_text())
    modelstore.connect("zoo.db").execute(
        "CREATE DATASET my_reviews FROM 'My Reviews.jsonl' WITH (text = 'text', label = 'label')"
    ).connection.close()
    assert main(["init", *arguments, "--models", "models [all]"]) == 1
    said = capfd.readouterr().err
    assert 'there is a dataset "my_reviews" already' in said
    assert "--name" in said


@pytest.mark.parametrize("name", ["../gone", "./gone", "-x/y"])
def test_a_path_that_is_not_there_is_no_name_on_the_hub(name: str) -> None:
    with pytest.raises(ShellError, match="there is no folder"):
        first_steps._statements_of([name])


def test_the_dot_command_lists_its_options(capfd: Capture) -> None:
    assert main([":memory:", "-c", ".init --help"]) == 0
    assert "--search N" in capfd.readouterr().out
