"""The winners of selections on disk: what their folders are called, which are on record, and where they are now."""

import re
from dataclasses import dataclass
from pathlib import Path

from modelstore.store.repository import Repository

KEY = 8  # characters of a selection's key in the names of its files
_LONGEST = 60  # characters of a model's name in that of a folder
_WINNER = re.compile(rf"(\d+)-.*-([0-9a-f]{{{KEY}}})(?:-\d+)?(?:\.json)?")


def winner_name(selection: int, key: str, of: str) -> str:
    """What the folder of a winner is called: a name of ASCII letters that no other selection's winner has.

    Examples
    --------
    >>> winner_name(3, "0123456789abcdef", "google-bert/bert-base-uncased")
    '3-google-bert-bert-base-uncased-01234567'
    """
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", of)[:_LONGEST].strip("-.")
    return f"{selection}-{readable or 'model'}-{key[:KEY]}"


def read_winner_name(name: str) -> tuple[int, str] | None:
    """The number and the key of the selection that a folder or file is named by; None for other names."""
    found = _WINNER.fullmatch(name)
    return (int(found[1]), found[2]) if found else None


@dataclass(frozen=True)
class SavedFolder:
    """A winner's folder on record; ``registered_as`` is None where the winner was not registered."""

    selection: int
    folder: str
    registered_as: str | None


class Winners(Repository):
    """Reads and writes ``selection_winners``, and where ``models`` says that winners are."""

    def add(
        self,
        selection: int,
        rank: int,
        model: str,
        recipe: str | None,
        folder: str,
        registered_as: str | None,
    ) -> None:
        """Stores where a selection has saved a winner.

        Parameters
        ----------
        selection, rank, model, recipe
            Which winner.
        folder
            The name of its folder among the checkpoints.
        registered_as
            Its name in ``models``; None where it is not registered.
        """
        self._run(
            "INSERT INTO main.selection_winners (selection, rank, model, recipe, folder, registered_as) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [selection, rank, model, recipe, folder, registered_as],
        )

    def saved(self) -> list[SavedFolder]:
        """The folders on record."""
        rows = self._rows("SELECT selection, folder, registered_as FROM main.selection_winners")
        return [SavedFolder(*row) for row in rows]

    def uris(self) -> list[str]:
        """Where all registered models are."""
        return [uri for (uri,) in self._rows("SELECT DISTINCT uri FROM main.models WHERE uri IS NOT NULL")]

    def moved(self, checkpoints: Path) -> dict[str, str]:
        """The uris of winners that are no longer where they were saved, with those of where they are.

        A store that is moved or copied with its folder of checkpoints finds its winners there.

        Parameters
        ----------
        checkpoints
            The folder of checkpoints now.
        """
        rows = self._rows(
            "SELECT DISTINCT uri FROM main.models WHERE (base IS NOT NULL "
            f"OR regexp_matches(uri, '/[0-9]+-[^/]*-[0-9a-f]{{{KEY}}}(-[0-9]+)?(\\.json)?$')) "
            "AND starts_with(uri, '/') AND NOT starts_with(uri, ?)",
            [f"{checkpoints}/"],
        )
        if not rows:
            return {}
        keys = {
            (number, key[:KEY])
            for number, key in self._rows("SELECT id, key FROM main.selections WHERE key IS NOT NULL")
        }
        moved = {}
        for (uri,) in rows:
            here = checkpoints / Path(uri).name
            # Names of version 0.1 may be those of another store's winners.
            is_own = read_winner_name(here.name) in keys or not Path(uri).exists()
            if is_own and here.exists():
                moved[uri] = str(here)
        return moved

    def move(self, moved: dict[str, str]) -> None:
        """Stores where winners are now."""
        for old, new in moved.items():
            self._run("UPDATE main.models SET uri = ? WHERE uri = ?", [new, old])
            self._run(
                "UPDATE main.selections SET contenders = list_transform(contenders, lambda one: struct_pack("
                "model := one.model, recall_score := one.recall_score, uri := if(one.uri = $old, $new, one.uri))) "
                "WHERE status <> 'done' AND contenders IS NOT NULL",
                {"old": old, "new": new},
            )
