"""Files of runs and winners on disk: whatever models are called, and wherever the store is moved."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tiny_models import TINY_STAGES, create_text_dataset
from watched_training import interrupted_training, trained_stages

import modelstore

Store = modelstore.Connection
SELECT = f"SELECT BEST 2 MODELS FOR texts USING successive_halving WITH ({TINY_STAGES})"
NAMES = [
    "x.json",
    "汉" * 30,
    "ü" * 60,
    "a" * 240,
    "../../escaped",
    "a/b",
    "a--b",
    ".hidden",
    "CON",
    "q\"uo'te\n",
    "🤖",
]


@pytest.fixture
def texts(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "here").mkdir()
    with modelstore.connect(tmp_path / "here" / "zoo.db") as store:
        create_text_dataset(store, "texts", 120, 0)
        yield store


def name(store: Store, names: list[str], path: Path) -> None:
    for one in names:
        store.execute("CREATE MODEL $name FROM $path", {"name": one, "path": str(path)})


@pytest.mark.parametrize("names", [NAMES[:3], NAMES[3:6], NAMES[6:9], NAMES[9:]])
def test_models_of_any_name_survive_stages_and_win(
    texts: Store, model_path: Callable[[str], Path], names: list[str], tmp_path: Path
) -> None:
    name(texts, names, model_path("bert"))
    best, second = texts.execute(SELECT).fetchall()
    assert {best[1], second[1]} <= set(names)
    folder = tmp_path / "here" / "zoo.db.checkpoints"
    for row in (best, second):
        checkpoint = Path(row[7])
        assert checkpoint.parent == folder
        assert (checkpoint / "model.safetensors").is_file()
    assert not [path for path in tmp_path.rglob("*") if "escaped" in path.name and path.parent != folder]
    with texts.cursor() as cursor:
        again = cursor.select_best_model("texts", where="base IS NULL", method="brute_force", epochs=1)
        network, _ = again.load()
        assert network.config.num_labels == 2


def test_a_selection_of_such_names_is_resumed(texts: Store, model_path: Callable[[str], Path]) -> None:
    name(texts, NAMES[:4], model_path("bert"))
    with interrupted_training(lambda run: bool(run.curve)):
        texts.execute(SELECT)
    with trained_stages() as trained:
        assert len(texts.execute("RESUME SELECTION 1").fetchall()) == 2
    assert min(stage for _, stage in trained) == 2


def test_runs_that_an_earlier_version_has_saved_are_found(
    texts: Store, model_path: Callable[[str], Path], tmp_path: Path
) -> None:
    name(texts, ["a/b", "c"], model_path("bert"))
    with interrupted_training(lambda run: bool(run.curve)):
        texts.execute(SELECT)
    from modelstore.planner.select.checkpoints import SelectionCheckpoints

    checkpoints = SelectionCheckpoints(
        tmp_path / "here" / "zoo.db.checkpoints", texts.store.selections.read(1)
    )
    for arm, file in checkpoints.files(1, ["a/b", "c"]).items():
        file.rename(file.with_name(f"{quote(arm, safe='')}.pt"))
    with trained_stages() as trained:
        assert len(texts.execute("RESUME SELECTION 1").fetchall()) == 2
    assert min(stage for _, stage in trained) == 2


@pytest.fixture
def selected(texts: Store, model_path: Callable[[str], Path], tmp_path: Path) -> Path:
    """The folder of a closed store with a winner, and a selection that was stopped."""
    name(texts, ["a", "b", "c"], model_path("bert"))
    texts.execute(SELECT).fetchall()
    create_text_dataset(texts, "others", 120, 1)
    with interrupted_training(lambda run: bool(run.curve)):
        texts.execute(SELECT.replace("texts", "others"))
    texts.close()
    return tmp_path / "here"


def check_winners(store: Store, folder: Path) -> None:
    for winner, uri in store.execute("SELECT name, uri FROM models WHERE base IS NOT NULL").fetchall():
        assert Path(uri).parent == folder / "zoo.db.checkpoints"
        assert (Path(uri) / "model.safetensors").is_file()
        assert store.store.catalog.model(winner).uri == uri


def test_a_store_that_is_moved_with_its_checkpoints_finds_its_winners(selected: Path, tmp_path: Path) -> None:
    there = selected.rename(tmp_path / "there")
    with modelstore.connect(there / "zoo.db", read_only=True) as store:
        [(winner, base)] = store.execute("SELECT name, base FROM models WHERE base IS NOT NULL").fetchall()
        assert Path(store.store.catalog.model(winner).uri or "").is_dir()
        with store.cursor() as cursor:
            assert Path(cursor.store.catalog.model(winner).uri or "").is_dir()
    with modelstore.connect(there / "zoo.db") as store:
        check_winners(store, there)
        assert len(store.execute("RESUME SELECTION 2").fetchall()) == 2
        check_winners(store, there)
        with trained_stages() as trained:  # the weights of the winner on record are found
            rows = store.execute(SELECT.replace("FOR texts", "FOR texts WHERE base IS NULL")).fetchall()
        assert base not in {model for model, _ in trained}
        assert {Path(row[7]).parent for row in rows} == {there / "zoo.db.checkpoints"}


def test_a_copy_has_winners_of_its_own(selected: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(selected, tmp_path / "copy"))
    with modelstore.connect(copy / "zoo.db") as store:
        check_winners(store, copy)
    with modelstore.connect(selected / "zoo.db") as store:
        check_winners(store, selected)
    shutil.copy(selected / "zoo.db", tmp_path / "alone.db")
    with modelstore.connect(tmp_path / "alone.db") as store:  # without the folder, the old place counts
        check_winners(store, selected)


def test_a_winner_with_a_name_of_version_0_1_is_found_where_it_is_gone_from_its_old_place(
    selected: Path, tmp_path: Path
) -> None:
    folder = selected / "zoo.db.checkpoints"
    with modelstore.connect(selected / "zoo.db") as store:
        [(uri,)] = store.execute("SELECT uri FROM models WHERE base IS NOT NULL").fetchall()
        Path(uri).rename(folder / "1-a")
        store.execute("UPDATE models SET uri = ? WHERE base IS NOT NULL", [str(folder / "1-a")])
    neighbours = tmp_path / "neighbours"
    (neighbours / "1-a").mkdir(parents=True)
    with modelstore.connect(selected / "zoo.db", checkpoints=neighbours) as store:
        check_winners(store, selected)  # 1-a is another store's there
    there = selected.rename(tmp_path / "there")
    with modelstore.connect(there / "zoo.db") as store:
        check_winners(store, there)
