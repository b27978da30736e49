"""Runs as they were after their last completed stage: what a selection, or the pair of a benchmark, goes on from."""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from modelstore.errors import StoreError
from modelstore.interruption import check
from modelstore.progress import notify
from modelstore.store.selections import Logged
from modelstore.training.run import Run

# A pair is kept only where that costs little beside the training that a kill would cost without.
LEAST_SECONDS = 5.0  # of training that is not kept yet
TIMES_WRITING = 10.0  # as long as the pair's last writing took, at least


class SelectionCheckpoints:
    """The folder of a selection among the checkpoints: one inside for a stage, a file in it for a run."""

    def __init__(self, checkpoints: Path, logged: Logged):
        self._folder = checkpoints / f".selection-{logged.id}-{logged.key[:8]}"
        self._selection = logged.id

    def _path(self, stage: int, model: str) -> Path:
        return self._folder / f"stage-{stage}" / f"{quote(model, safe='')}.pt"

    def save(self, stage: int, runs: Mapping[str, Run]) -> None:
        """Saves the runs after a stage. Raises ``StoreError``, and leaves the stage before as it was."""
        folder = self._folder / f"stage-{stage}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for model, run in runs.items():
                check()
                run.save_state(self._path(stage, model))
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise StoreError(
                    f'the runs of selection {self._selection} after stage {stage} cannot be kept in "{folder}", '
                    f"so that it could go on from there: {error.strerror or error}"
                ) from None
            raise

    def keep_only(self, stage: int) -> None:
        """Removes what was saved after other stages than this."""
        for folder in self._folder.iterdir():
            if folder.name != f"stage-{stage}":
                shutil.rmtree(folder, ignore_errors=True)

    def files(self, stage: int, models: Sequence[str]) -> dict[str, Path]:
        """The models' files after a stage. Raises ``StoreError`` where one is gone."""
        files = {model: self._path(stage, model) for model in models}
        for model, file in files.items():
            if not file.is_file():
                raise StoreError(
                    f'selection {self._selection} cannot go on: the run of "{model}" after stage {stage} is not '
                    f'in "{file.parent}" any more; run SELECT BEST again, or open the store with the checkpoints '
                    "folder that it had"
                )
        return files

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


class PairCheckpoint:
    """A benchmark's pair among the checkpoints: a folder, and the run after a stage in a file there.

    ``pair``, its model, dataset, recipe and seed, has a folder of its own. Nothing that goes wrong here fails the
    benchmark: the pair begins anew, or goes on unkept.
    """

    def __init__(self, checkpoints: Path, pair: tuple[str, str, str, int]):
        self._name = f"{pair[0]} on {pair[1]}"
        self._folder = checkpoints / f".benchmark-{_digest(pair)}"
        self._file: Path | None = None
        self._stages = 0  # how many the file has
        self._least = LEAST_SECONDS

    def find(self, identity: Sequence[object] | None) -> Path | None:
        """The file of a run to go on from; one of another ``identity`` is removed.

        ``identity`` is all that the run depends on; None: it cannot be told, and the run is not kept.
        """
        self._file = None if identity is None else self._folder / f"{_digest(identity)}.pt"
        if self._file is not None and self._file.is_file():
            return self._file
        self.remove()
        return None

    def goes_on(self, run: Run) -> None:
        """The run is where its file, which `find` found, has it."""
        self._stages = len(run.curve)

    def keep(self, run: Run) -> None:
        """Keeps the run in the file, in the place of an earlier stage, unless too little was trained since then."""
        if self._file is None or sum(point.seconds for point in run.curve[self._stages :]) < self._least:
            return
        began = time.perf_counter()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            run.save_state(self._file)
        except OSError as error:
            reason = error.strerror or error
            notify(f'{self._name} cannot be kept in "{self._folder}", and goes on without: {reason}')
            self._file = None
        self._stages = len(run.curve)
        self._least = max(LEAST_SECONDS, TIMES_WRITING * (time.perf_counter() - began))

    def remove(self) -> None:
        """Removes the folder, and that of the checkpoints where nothing else is in it."""
        if self._folder.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            with suppress(OSError):
                self._folder.parent.rmdir()


def _digest(values: Sequence[object]) -> str:
    return blake2b(repr(tuple(values)).encode(), digest_size=8).hexdigest()
