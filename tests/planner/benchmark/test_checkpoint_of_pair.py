"""The checkpoint of a benchmark pair: looking for a saved run leaves the folder as it is."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelstore.planner.benchmark import checkpoint
from modelstore.planner.benchmark.checkpoint import PairCheckpoint

PAIR = ("bert", "texts", "default", 0)


def run(*seconds: float) -> Any:
    """A run that took so many seconds in its stages, and saves one byte."""
    curve = [SimpleNamespace(seconds=one) for one in seconds]
    return SimpleNamespace(curve=curve, save_state=lambda path: path.write_bytes(b"."))


@pytest.fixture
def saved(tmp_path: Path) -> PairCheckpoint:
    """A checkpoint with a saved run of the identity (1,)."""
    pair = PairCheckpoint(tmp_path / "checkpoints", PAIR)
    pair.identify((1,))
    pair.save(run(checkpoint.LEAST_SECONDS))
    return pair


def test_a_saved_run_is_found_by_its_identity(saved: PairCheckpoint, tmp_path: Path) -> None:
    again = PairCheckpoint(tmp_path / "checkpoints", PAIR)
    again.identify((1,))
    assert again.saved_run() is not None
    assert again.saved_run() == saved.saved_run()


@pytest.mark.parametrize("identity", [(2,), None])
def test_looking_for_another_identity_deletes_nothing(
    saved: PairCheckpoint, tmp_path: Path, identity: tuple[int] | None
) -> None:
    other = PairCheckpoint(tmp_path / "checkpoints", PAIR)
    other.identify(identity)
    assert other.saved_run() is None
    assert saved.saved_run() is not None


def test_a_short_run_is_not_saved_until_enough_is_unsaved(saved: PairCheckpoint) -> None:
    least = checkpoint.LEAST_SECONDS
    saved.remove()
    saved.save(run(least, least / 2))
    assert saved.saved_run() is None
    saved.save(run(least, least / 2, least))
    assert saved.saved_run() is not None


def test_removing_the_last_checkpoint_removes_the_folder(saved: PairCheckpoint, tmp_path: Path) -> None:
    saved.remove()
    assert not list(tmp_path.iterdir())
