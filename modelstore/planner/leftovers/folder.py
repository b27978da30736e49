"""What kills and dropped models have left in a folder of checkpoints, and which of it nobody needs."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from modelstore.data.remote import AnyPath, measure, remove_tree
from modelstore.data.whole_files import PARTIAL
from modelstore.planner.benchmark.checkpoint import FOLDER as BENCHMARK
from modelstore.planner.select.checkpoints import read_folder_name
from modelstore.planner.select.runner import is_under_way
from modelstore.store import Store
from modelstore.store.winners import read_winner_name

_DAY = 86400.0  # seconds


@dataclass(frozen=True)
class Leftover:
    """A file or folder that nobody needs.

    Parameters
    ----------
    path
        Where it is.
    kind
        What it is, and why nobody needs it.
    size
        Bytes, with all that is inside.
    changed
        When it, or something inside, was last changed.
    """

    path: AnyPath
    kind: str
    size: int
    changed: datetime

    def remove(self) -> bool:
        """Removes it; whether it is gone."""
        if self.path.is_dir() and not self.path.is_symlink():
            remove_tree(self.path)
        else:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        return not (os.path.lexists(self.path) if isinstance(self.path, Path) else self.path.exists())


class CheckpointsFolder:
    """The folder of a store's checkpoints, in which other stores may have files, too.

    What is of a selection counts by the store's log alone; other stores' selections do not. What a benchmark would
    go on from, or an unknown process was writing, counts when it has not been changed for long.

    Parameters
    ----------
    folder
        The folder.
    store
        What is logged and registered.
    days
        How many days are long.
    exclusive
        Whether no other process can have the store open: then its selections that are not under way here are not
        under way at all.
    """

    def __init__(self, folder: AnyPath, store: Store, days: float, exclusive: bool):
        self._folder = folder
        self._days = days
        self._exclusive = exclusive
        self._selections = store.selections.by_name()
        self._kept = {Path(uri).name for uri in store.winners.uris()}
        self._saved = {saved.folder: saved for saved in store.winners.saved()}

    def leftovers(self) -> Iterator[Leftover]:
        """What nobody needs, in order of the names."""
        try:
            entries = _by_name(self._folder.iterdir())
        except OSError:
            return
        for path in entries:
            yield from self._judge(path)

    def _judge(self, path: AnyPath) -> Iterator[Leftover]:
        """A leftover where the path is one; of a selection that can go on, what is inside and of no use."""
        if partial := PARTIAL.fullmatch(path.name):
            yield from self._unfinished(path, partial["name"], int(partial["process"]))
        elif selection := read_folder_name(path.name):
            yield from self._states(path, selection)
        elif path.name.startswith(BENCHMARK):
            yield from self._when_old(path, "a run of a benchmark that was not taken up again")
        elif selection := read_winner_name(path.name):
            yield from self._winner(path, selection)

    def _unfinished(self, path: AnyPath, name: str, process: int) -> Iterator[Leftover]:
        kind = "a model that was being written when its process was killed"
        selection = read_winner_name(name)
        if selection is None or selection not in self._selections or not self._exclusive:
            yield from self._when_old(path, kind, process)
        elif not is_under_way(selection[1]) and not _is_alive(process):
            yield _leftover(path, kind)

    def _states(self, path: AnyPath, selection: tuple[int, str]) -> Iterator[Leftover]:
        logged = self._selections.get(selection)
        if logged is None or is_under_way(selection[1]) or not self._exclusive:
            return
        if logged.status == "done":
            yield _leftover(path, f"runs of selection {selection[0]}, which is done")
        else:
            for stage in _by_name(path.iterdir()):
                if stage.name != f"stage-{logged.stage}":
                    yield _leftover(
                        stage, f"runs of selection {selection[0]} after a stage that it did not complete"
                    )
                    continue
                for file in _by_name(stage.glob("*.partial")):
                    yield _leftover(file, f"an unfinished file of selection {selection[0]}")

    def _winner(self, path: AnyPath, selection: tuple[int, str]) -> Iterator[Leftover]:
        saved, number = self._saved.get(path.name), selection[0]
        if path.name in self._kept or selection not in self._selections:
            return
        if saved is not None:
            # A winner that was never registered is known to whom SELECT BEST returned it.
            if saved.registered_as is not None:
                yield _leftover(
                    path, f'the winner of selection {number}, "{saved.registered_as}", which was dropped'
                )
        elif not self._exclusive or is_under_way(selection[1]):
            return
        elif self._selections[selection].status != "done" or path.is_dir():
            yield _leftover(path, f"a winner that selection {number} was storing when its process was killed")

    def _when_old(self, path: AnyPath, kind: str, process: int | None = None) -> Iterator[Leftover]:
        found = _leftover(path, kind)
        age = time.time() - found.changed.timestamp()
        if age >= self._days * _DAY and (process is None or not _is_alive(process)):
            yield found


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _by_name(paths: Iterable[AnyPath]) -> list[AnyPath]:
    return sorted(paths, key=lambda path: path.name)


def _leftover(path: AnyPath, kind: str) -> Leftover:
    size, changed = _measure(path) if isinstance(path, Path) else measure(path)
    return Leftover(path, kind, size, datetime.fromtimestamp(changed))


def _measure(path: Path) -> tuple[int, float]:
    """The bytes of a file, or of all in a folder, and the time of the last change; what vanishes does not count."""
    try:
        state = path.lstat()
    except OSError:
        return 0, time.time()
    size, changed = (state.st_size if not path.is_dir() else 0), state.st_mtime
    if path.is_dir() and not path.is_symlink():
        for inside in path.iterdir():
            more, later = _measure(inside)
            size, changed = size + more, max(changed, later)
    return size, changed
