"""Models from elsewhere are kept in the cache within its limit."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelstore.data import cache
from modelstore.data.moved_models import MovedModels
from modelstore.errors import ModelError


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MovedModels:
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MODELSTORE_CACHE_SIZE", "2500")
    return MovedModels()


def weights(size: int) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(bytes(size))

    return write


def add(moved: MovedModels, key: str, size: int) -> Path:
    return moved.add(key, size, weights(size))


def test_moved_models_make_room_by_their_last_use(moved: MovedModels) -> None:
    for age, name in ((300, "a"), (200, "b")):
        path = add(moved, name, 1000)
        os.utime(path, (path.stat().st_atime - age, path.stat().st_mtime - age))
    moved.find("a")
    add(moved, "c", 1000)
    assert [name for name in "abc" if moved.find(name)] == ["a", "c"]
    add(moved, "large", 5000)  # more than the limit: it is needed now
    assert [name for name in ("a", "b", "c", "large") if moved.find(name)] == ["large"]
    cache.clear()
    assert moved.find("large") is None


def test_a_model_that_cannot_be_written_is_not_there(moved: MovedModels) -> None:
    def fail(folder: Path) -> None:
        weights(10)(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelError, match=r"cannot be written to .*the disk is full"):
        moved.add("full", 10, fail)
    assert moved.find("full") is None
    assert list((cache.folder() / cache.MOVED).iterdir()) == []
