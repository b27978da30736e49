"""The run of one benchmark pair on disk between its stages, so that a stopped benchmark goes on from there."""

import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b

from modelstore.data.remote import AnyPath, remove_tree
from modelstore.progress import notify
from modelstore.training.run import Run

FOLDER = ".benchmark-"  # begins the names of pairs' folders
# A run is saved only where saving costs little beside the training that a kill would lose.
LEAST_SECONDS = 5.0  # of unsaved training
TIMES_WRITING = 10.0  # unsaved training, as a multiple of the seconds that the last save took


class PairCheckpoint:
    """The checkpoint of a pair: a folder of its own, with one file for the run after its last saved stage.

    No problem with the file fails the benchmark: the pair then trains from its beginning, or goes on unsaved.

    Parameters
    ----------
    checkpoints
        The folder of all checkpoints of the store.
    pair
        The pair's model, dataset, recipe and seed.
    """

    def __init__(self, checkpoints: AnyPath, pair: tuple[str, str, str, int]):
        self._name = f"{pair[0]} on {pair[1]}"
        self._folder = checkpoints / f"{FOLDER}{_digest(pair)}"
        self._file: AnyPath | None = None
        self._saved_stages = 0
        self._least_seconds = LEAST_SECONDS

    def identify(self, identity: Sequence[object] | None) -> None:
        """Sets all that the run depends on; None: it is unknown, and the run is not saved."""
        self._file = None if identity is None else self._folder / f"{_digest(identity)}.pt"

    def saved_run(self) -> AnyPath | None:
        """The file of a saved run with the same identity; None where there is none."""
        return self._file if self._file is not None and self._file.is_file() else None

    def mark_saved(self, run: Run) -> None:
        """Notes that the stages of the run are in the file."""
        self._saved_stages = len(run.curve)

    def save(self, run: Run) -> None:
        """Saves the run in place of an earlier stage, unless little was trained since then."""
        unsaved = sum(point.seconds for point in run.curve[self._saved_stages :])
        if self._file is None or unsaved < self._least_seconds:
            return
        began = time.perf_counter()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            run.save_state(self._file)
        except OSError as error:
            reason = error.strerror or error
            notify(f'{self._name} cannot be kept in "{self._folder}", and goes on without: {reason}')
            self._file = None
        self.mark_saved(run)
        self._least_seconds = max(LEAST_SECONDS, TIMES_WRITING * (time.perf_counter() - began))

    def remove(self) -> None:
        """Removes the pair's folder, and the folder of all checkpoints where that is empty."""
        if self._folder.exists():
            remove_tree(self._folder)
            with suppress(OSError):
                self._folder.parent.rmdir()


def _digest(values: Sequence[object]) -> str:
    return blake2b(repr(tuple(values)).encode(), digest_size=8).hexdigest()
