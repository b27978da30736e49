"""`connect(checkpoints=…)` with an url: winners and runs are there, and are used from there."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_models import TINY_STAGES
from upath import UPath
from watched_training import interrupted_training, without_seconds

import modelstore
from modelstore.data.hub import ModelRef
from modelstore.data.remote import AnyPath, path_at
from modelstore.data.task_data import TaskData
from modelstore.execution.client import WorkerClient
from modelstore.execution.pool import worker_pool
from modelstore.options import TrainingOptions

Store = modelstore.Connection
SELECT = (
    f"SELECT BEST 2 MODELS FOR texts WHERE name IN ('albert', 'bert', 'distilbert') USING successive_halving "
    f"WITH ({TINY_STAGES}, ensemble = true)"
)
STAGES = "SELECT stage, model, validation, predicted, action, reason FROM selection_stages ORDER BY rowid"


@pytest.fixture
def bucket() -> Iterator[UPath]:
    """An empty folder in fsspec's memory."""
    folder = path_at("memory://bucket/checkpoints")
    assert isinstance(folder, UPath)
    folder.fs.store.clear()
    folder.fs.pseudo_dirs[:] = [""]
    yield folder
    folder.fs.store.clear()


@pytest.fixture
def zoo_at(zoo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Store]:
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
    file = shutil.copy(zoo_file, tmp_path / "zoo.db")
    return lambda checkpoints: modelstore.connect(file, checkpoints=checkpoints)


def names(folder: Any) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_selection_keeps_all_that_it_saves_in_a_bucket(
    zoo_at: Callable[[str], Store], bucket: UPath, straight: tuple[list[Any], list[Any]], tmp_path: Path
) -> None:
    with zoo_at(str(bucket)) as store:
        rows = store.execute(SELECT).fetchall()
        assert (without_seconds(rows), store.execute(STAGES).fetchall()) == straight
        checkpoints = [row[7] for row in rows]
        assert all(str(path).startswith("memory://bucket/checkpoints/1-") for path in checkpoints)
        assert names(bucket) == sorted(
            path.rpartition("/")[2] for path in checkpoints
        )  # no runs, nothing partial
        assert "model.safetensors" in names(path_at(checkpoints[-1]))
        if checkpoints[0].endswith(".json"):
            members = json.loads(path_at(checkpoints[0]).read_text())["ensemble"]
            assert {member["checkpoint"] for member in members} <= set(names(bucket))
        [(winner, uri)] = store.execute("SELECT name, uri FROM models WHERE base IS NOT NULL").fetchall()
        assert uri in checkpoints
        [(rank,)] = store.execute(
            f"SELECT rank FROM (RECALL MODELS FOR others WHERE name = '{winner}')"
        ).fetchall()
        assert rank == 1
    assert not (tmp_path / "zoo.db.checkpoints").exists()


@pytest.fixture(scope="module")
def straight(zoo_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Any]]:
    """The rows and the stages of the selection in a store whose checkpoints are in a folder."""
    folder = tmp_path_factory.mktemp("straight")
    with modelstore.connect(shutil.copy(zoo_file, folder), checkpoints=f"file://{folder}/kept") as store:
        rows = store.execute(SELECT).fetchall()
        assert all(Path(row[7]).parent == folder / "kept" for row in rows)
        return without_seconds(rows), store.execute(STAGES).fetchall()


def test_a_selection_that_was_stopped_goes_on_from_a_bucket(
    zoo_at: Callable[[str], Store], bucket: UPath, straight: tuple[list[Any], list[Any]]
) -> None:
    with zoo_at(str(bucket)) as store, interrupted_training(lambda run: len(run.curve) == 2):
        store.execute(SELECT)
    [folder] = [name for name in names(bucket) if name.startswith(".selection-1-")]
    assert names(bucket / folder) == ["stage-2"]
    with zoo_at(str(bucket)) as store:
        rows = store.execute("RESUME SELECTION 1").fetchall()
        assert (without_seconds(rows), store.execute(STAGES).fetchall()) == straight
    assert folder not in names(bucket)


def test_what_a_kill_left_in_a_bucket_is_listed_and_removed(
    zoo_at: Callable[[str], Store], bucket: UPath
) -> None:
    for file in (".benchmark-00112233/x.pt", "notes/x"):
        (bucket / file).parent.mkdir(parents=True, exist_ok=True)
        (bucket / file).write_bytes(b"x" * 10)
    with zoo_at(str(bucket)) as store:
        assert store.execute("LIST LEFTOVERS").fetchall() == []
        [(path, _, size, _)] = store.execute("REMOVE LEFTOVERS WITH (days = 0)").fetchall()
        assert (path, size) == (f"{bucket}/.benchmark-00112233", 10)
    assert names(bucket) == ["notes"]


def test_a_winner_in_a_bucket_is_loaded_and_its_copy_made_anew(
    zoo_at: Callable[[str], Store], bucket: UPath, tmp_path: Path
) -> None:
    with zoo_at(str(bucket)) as store:
        best = store.select_best_model("texts", where="name = 'bert'", method="brute_force", epochs=1)
        assert best.load()[0].config.model_type == "bert"
        shutil.rmtree(tmp_path / "cache")
        store.execute("CREATE MODEL again FROM $uri", {"uri": best.checkpoint})
        assert best.load()[0].config.model_type == "bert"
        for file in path_at(str(best.checkpoint)).iterdir():
            file.unlink()
        with pytest.raises(modelstore.ModelError, match=r"model memory://bucket/.* cannot be read"):
            store.execute("CREATE OR REPLACE MODEL again FROM $uri", {"uri": best.checkpoint})


def test_a_bucket_that_fails_ends_the_selection_in_a_sentence(
    zoo_at: Callable[[str], Store], bucket: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("no credentials")  # libraries of clouds have errors of their own

    with zoo_at(str(bucket)) as store:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(bucket.fs), "put_file", fail)
            with pytest.raises(
                modelstore.StoreError, match=r"cannot be kept in .*memory://bucket.*no credentials"
            ):
                store.execute(SELECT)
        assert store.execute("RESUME SELECTION 1").fetchall()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nope://bucket/folder", r"nope://bucket/folder is no folder that can be used \(.*nope"),
        ("gs://bucket/folder", r"gs://bucket/folder is no folder that can be used \(.*install gcsfs"),
    ],
)
def test_an_url_that_nothing_reads_is_refused_at_once(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(modelstore.StoreError, match=message):
        modelstore.connect(tmp_path / "zoo.db", checkpoints=url)


def test_a_worker_process_keeps_a_run_where_this_process_alone_reads_it(
    bucket: UPath, model_path: Callable[[str], Path], dataset: Callable[..., TaskData]
) -> None:
    models, data = {"bert": ModelRef("bert", model_path("bert"))}, dataset("text", 64)
    options = TrainingOptions(epochs=2, batch_size=16, device="cpu")
    with worker_pool(["cpu", "cpu"]) as workers:
        worker = workers.present()[1]
        assert isinstance(worker, WorkerClient)
        assert worker.wait_until_ready(60)
        checkpoints: dict[str, AnyPath] = {}
        run = worker.executor(models, data, options, checkpoints).start("bert")
        first = run.advance()
        run.save_state(bucket / "run.pt")
        second = run.advance()
        run.save(bucket / "saved")
        assert names(bucket) == ["run.pt", "saved"]
        checkpoints["bert"] = bucket / "run.pt"
        again = worker.executor(models, data, options, checkpoints).start("bert")
        assert again.curve == [first]
        assert again.advance().validation == second.validation
