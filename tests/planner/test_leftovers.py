"""`LIST LEFTOVERS` and `REMOVE LEFTOVERS`: what kills leave is found, and nothing that anybody needs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forked import run_program
from tiny_models import TINY_STAGES, create_text_dataset
from watched_training import before_each_stage, interrupted_training, trained_stages

import modelstore
from modelstore.training.finetune import FineTuning

Store = modelstore.Connection
SELECT = f"SELECT BEST 2 MODELS FOR texts USING successive_halving WITH ({TINY_STAGES})"
LONG_AGO = 1_000_000_000


@pytest.fixture
def texts(tmp_path: Path, model_path: Callable[[str], Path]) -> Iterator[Store]:
    with modelstore.connect(tmp_path / "zoo.db") as store:
        create_text_dataset(store, "texts", 120, 0)
        for name in ("a", "b", "c"):
            store.execute("CREATE MODEL $name FROM $path", {"name": name, "path": str(model_path("bert"))})
        yield store


def listed(store: Store, statement: str = "LIST LEFTOVERS") -> dict[str, str]:
    return {Path(path).name: kind for path, kind, _, _ in store.execute(statement).fetchall()}


def folder(tmp_path: Path) -> Path:
    return tmp_path / "zoo.db.checkpoints"


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def grow(path: Path, age: float | None = None) -> Path:
    """A model-sized folder, as old as asked for."""
    path.mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"x" * 1000)
    if age is not None:
        os.utime(path / "model.safetensors", (age, age))
        os.utime(path, (age, age))
    return path


def test_a_store_without_leftovers_has_none(texts: Store) -> None:
    assert listed(texts) == {}
    assert texts.execute("REMOVE LEFTOVERS").fetchall() == []
    texts.execute(SELECT).fetchall()
    assert listed(texts, "LIST LEFTOVERS WITH (days = 0)") == {}


def test_a_winner_that_was_returned_stays_and_one_whose_model_is_dropped_goes(texts: Store) -> None:
    rows = texts.execute(SELECT).fetchall()
    [(registered,)] = texts.execute("SELECT name FROM models WHERE base IS NOT NULL").fetchall()
    texts.execute(f'DROP MODEL "{registered}"')
    assert listed(texts) == {
        Path(rows[0][7]).name: f'the winner of selection 1, "{registered}", which was dropped'
    }
    [(path, _, size, _)] = texts.execute("REMOVE LEFTOVERS").fetchall()
    assert (path, size > 1000) == (rows[0][7], True)
    assert not Path(rows[0][7]).exists()
    assert Path(rows[1][7]).is_dir()
    unregistered = texts.execute(SELECT.replace("device", "register = false, device")).fetchall()
    assert listed(texts, "LIST LEFTOVERS WITH (days = 0)") == {}
    assert all(Path(row[7]).is_dir() for row in unregistered)


def test_a_winner_registered_under_another_name_stays(texts: Store) -> None:
    rows = texts.execute(SELECT).fetchall()
    texts.execute("CREATE MODEL mine FROM $path", {"path": rows[0][7]})
    texts.execute("DROP MODEL IF EXISTS $name", {"name": f"{rows[0][1]}-finetuned-texts"})
    assert listed(texts) == {}


def test_what_a_stopped_selection_goes_on_from_stays_until_it_is_done(texts: Store, tmp_path: Path) -> None:
    with interrupted_training(lambda run: len(run.curve) == 2):
        texts.execute(SELECT)
    [states] = folder(tmp_path).glob(".selection-*")
    grow(states / "stage-1")  # a kill came before it was removed
    grow(states / "stage-3")  # a kill came before the stage was logged
    (states / "stage-2" / f"x.pt.{dead_process()}.partial").write_bytes(b"half")
    key = texts.store.selections.read(1).key[:8]
    grow(folder(tmp_path) / f"1-a-{key}")  # a kill came before the winner was recorded
    grow(folder(tmp_path) / f".1-b-{key}.{dead_process()}.partial")
    grow(folder(tmp_path) / f".1-c-{key}.{os.getpid()}.partial")  # this process is alive
    found = listed(texts, "REMOVE LEFTOVERS")
    assert set(found) >= {"stage-1", "stage-3", f"1-a-{key}"}
    assert sorted(path.name for path in folder(tmp_path).iterdir()) == sorted(
        [f".1-c-{key}.{os.getpid()}.partial", states.name]
    )
    assert not list(states.rglob("*.partial"))
    with trained_stages() as trained:
        assert len(texts.execute("RESUME SELECTION 1").fetchall()) == 2
    assert min(stage for _, stage in trained) == 3
    grow(states / "stage-2")
    assert listed(texts) == {states.name: "runs of selection 1, which is done"}


def test_a_selection_that_runs_in_another_thread_keeps_its_files(texts: Store, tmp_path: Path) -> None:
    found: list[Any] = []

    def look(run: FineTuning) -> None:
        with texts.cursor() as cursor:
            found.append(cursor.execute("REMOVE LEFTOVERS WITH (days = 0)").fetchall())

    with before_each_stage(look):
        assert len(texts.execute(SELECT).fetchall()) == 2
    assert found
    assert not any(found)


def test_files_of_other_stores_and_of_the_user_stay(texts: Store, tmp_path: Path) -> None:
    texts.execute(SELECT).fetchall()
    for name in ("9-a-0123abcd", ".selection-9-0123abcd", "1-a", "notes", ".hidden", "1-a-0123abcd"):
        grow(folder(tmp_path) / name, LONG_AGO)
    (folder(tmp_path) / "9-ensemble-0123abcd.json").write_text("{}")
    before = sorted(folder(tmp_path).iterdir())
    assert texts.execute("REMOVE LEFTOVERS WITH (days = 0)").fetchall() == []
    assert sorted(folder(tmp_path).iterdir()) == before


def test_unfinished_files_of_unknown_processes_and_benchmarks_go_by_their_age(
    texts: Store, tmp_path: Path
) -> None:
    grow(folder(tmp_path) / ".benchmark-00112233", LONG_AGO)
    grow(folder(tmp_path) / ".benchmark-99887766")
    grow(folder(tmp_path) / f".1-old.{dead_process()}.partial", LONG_AGO)
    grow(folder(tmp_path) / f".1-new.{dead_process()}.partial")
    grow(folder(tmp_path) / f".1-alive.{os.getpid()}.partial", LONG_AGO)
    assert {name.split(".")[1] for name in listed(texts)} == {"benchmark-00112233", "1-old"}
    assert len(listed(texts, "REMOVE LEFTOVERS WITH (days = 0)")) == 4
    assert [path.name for path in folder(tmp_path).iterdir()] == [f".1-alive.{os.getpid()}.partial"]


def test_nothing_is_removed_read_only_or_within_a_transaction(texts: Store, tmp_path: Path) -> None:
    with interrupted_training(lambda run: bool(run.curve)):
        texts.execute(SELECT)
    [states] = folder(tmp_path).glob(".selection-*")
    grow(states / "stage-7")
    texts.execute("BEGIN")
    with pytest.raises(modelstore.StoreError, match="cannot run inside BEGIN"):
        texts.execute("REMOVE LEFTOVERS")
    texts.execute("ROLLBACK")
    texts.close()
    with modelstore.connect(tmp_path / "zoo.db", read_only=True) as reader:
        assert listed(reader) == {}  # another process may be training
        with pytest.raises(modelstore.StoreError, match="open read-only"):
            reader.execute("REMOVE LEFTOVERS")
    with modelstore.connect(tmp_path / "zoo.db") as store:
        assert set(listed(store)) == {"stage-7"}


def test_a_link_is_removed_and_not_what_it_points_to(texts: Store, tmp_path: Path) -> None:
    texts.execute(SELECT).fetchall()
    target = grow(tmp_path / "precious")
    key = texts.store.selections.read(1).key[:8]
    (folder(tmp_path) / f".1-a-{key}.{dead_process()}.partial").symlink_to(target)
    assert len(texts.execute("REMOVE LEFTOVERS").fetchall()) == 1
    assert (target / "model.safetensors").is_file()


def test_options_and_place_are_checked(texts: Store) -> None:
    with pytest.raises(modelstore.OptionError, match="days"):
        texts.execute("LIST LEFTOVERS WITH (days = -1)")
    assert texts.execute("SELECT list(leftovers) FROM (VALUES (1)) t(leftovers)").fetchall() == [([1],)]


KILLED = """
import os, signal, sys
import modelstore
from {module} import {owner}

def killed(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

setattr({owner}, {name!r}, killed)
with modelstore.connect(sys.argv[1]) as store:
    store.execute(sys.argv[2])
"""


@pytest.mark.parametrize(
    ("module", "owner", "name", "left"),
    [
        ("modelstore.training", "saving", "_let_others_read", ["a model that was being written"]),
        (
            "modelstore.planner.select.saving",
            "WinnerArchive",
            "record",
            ["a winner that selection 1 was storing"] * 2,
        ),
        (
            "modelstore.planner.select.checkpoints",
            "SelectionCheckpoints",
            "remove",
            ["runs of selection 1, which is"],
        ),
        ("modelstore.data.whole_files", "os", "fsync", ["runs of selection 1 after a stage"]),
    ],
)
def test_what_a_kill_leaves_is_removed_and_the_selection_goes_on(
    texts: Store, tmp_path: Path, module: str, owner: str, name: str, left: list[str]
) -> None:
    texts.close()
    program = KILLED.format(module=module, owner=owner, name=name)
    killed = run_program(program, str(tmp_path / "zoo.db"), SELECT)
    assert killed.returncode == -9, killed.stderr
    with modelstore.connect(tmp_path / "zoo.db") as store:
        found = sorted(listed(store, "REMOVE LEFTOVERS").values())
        assert [kind[: len(expected)] for kind, expected in zip(found, left, strict=True)] == left
        [(status,)] = store.execute("SELECT status FROM selections").fetchall()
        if status != "done":
            assert len(store.execute("RESUME SELECTION 1").fetchall()) == 2
        assert listed(store, "LIST LEFTOVERS WITH (days = 0)") == {}
        for (uri,) in store.execute("SELECT uri FROM models").fetchall():
            assert (Path(uri) / "model.safetensors").is_file()
