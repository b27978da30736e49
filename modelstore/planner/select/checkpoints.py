"""The runs of a selection after its last completed stage, on disk, from which `RESUME SELECTION` goes on."""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from urllib.parse import quote

from modelstore.data.remote import AnyPath, remove_tree
from modelstore.errors import StoreError
from modelstore.interruption import check
from modelstore.store.selections import Logged
from modelstore.store.winners import KEY
from modelstore.training.run import Run

MOST_CHARACTERS = 200  # of a file's name in version 0.1


def folder_name(selection: int, key: str) -> str:
    """The name of a selection's folder."""
    return f".selection-{selection}-{key[:KEY]}"


def read_folder_name(name: str) -> tuple[int, str] | None:
    """The number and the key of the selection whose folder has this name; None for other names."""
    found = re.fullmatch(rf"\.selection-(\d+)-([0-9a-f]{{{KEY}}})", name)
    return (int(found[1]), found[2]) if found else None


class SelectionCheckpoints:
    """The folder of a selection among the checkpoints: one inside for a stage, a file in it for a run."""

    def __init__(self, checkpoints: AnyPath, logged: Logged):
        self._folder = checkpoints / folder_name(logged.id, logged.key)
        self._selection = logged.id

    def _path(self, stage: int, arm: str) -> AnyPath:
        return self._folder / f"stage-{stage}" / f"{_file_name(arm)}.pt"

    def _saved_path(self, stage: int, arm: str) -> AnyPath:
        """The file of an arm; that of an earlier version, which named files otherwise, where there is one."""
        path = self._path(stage, arm)
        earlier = path.with_name(f"{_earlier_name(arm)}.pt")
        return earlier if earlier.is_file() and not path.is_file() else path

    def save(self, stage: int, runs: Mapping[str, Run]) -> None:
        """Saves the runs after a stage. Raises ``StoreError``, and leaves the stage before as it was."""
        folder = self._folder / f"stage-{stage}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for arm, run in runs.items():
                check()
                run.save_state(self._path(stage, arm))
        except BaseException as error:
            remove_tree(folder)
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
                remove_tree(folder)

    def files(self, stage: int, arms: Sequence[str]) -> dict[str, AnyPath]:
        """The arms' files after a stage. Raises ``StoreError`` where one is gone."""
        files = {arm: self._saved_path(stage, arm) for arm in arms}
        for arm, file in files.items():
            if not file.is_file():
                raise StoreError(
                    f'selection {self._selection} cannot go on: the run of "{arm}" after stage {stage} is not '
                    f'in "{file.parent}" any more; run SELECT BEST again, or open the store with the checkpoints '
                    "folder that it had"
                )
        return files

    def remove(self) -> None:
        """Removes the folder."""
        remove_tree(self._folder)


def _file_name(arm: str) -> str:
    """A name that any file system takes, of its own for each arm: that of a plain arm, or else a digest."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", arm):
        return arm
    return f"~{blake2b(arm.encode(), digest_size=16).hexdigest()}"


def _earlier_name(arm: str) -> str:
    """How version 0.1 named the file of an arm."""
    name = quote(arm, safe="")
    if len(name) <= MOST_CHARACTERS:
        return name
    return f"{name[:MOST_CHARACTERS]}-{blake2b(arm.encode(), digest_size=8).hexdigest()}"
