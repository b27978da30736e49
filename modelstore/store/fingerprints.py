"""What datasets and models were when they were registered, and what each run trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from modelstore.sql_text import quoted, same_name
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table


@dataclass(frozen=True)
class Fingerprint:
    """What a dataset or a model was when it was registered.

    Attributes
    ----------
    state
        A digest that is quick to compute: where it is the same, nothing has changed; None until files are here.
    contents
        A digest of the contents: where it is the same, nothing that matters has changed.
    images
        A digest of a dataset's images; None until they were read.
    """

    state: str | None
    contents: str | None
    images: str | None = None


@dataclass(frozen=True)
class Origin:
    """What a run trained on: the contents of its dataset and of its model's files; None where one is unknown."""

    contents: str | None
    images: str | None
    weights: str | None


class Fingerprints(Repository):
    """Reads and writes ``fingerprints`` and ``run_origins``."""

    def of(self, kind: str, name: str) -> Fingerprint | None:
        """What a dataset or model (``kind``) was; None where that is unknown, as in older stores."""
        rows = self._rows(
            "SELECT state, contents, images FROM main.fingerprints WHERE kind = ? AND name = ?", [kind, name]
        )
        return Fingerprint(*rows[0]) if rows else None

    def all(self, kind: str, names: Sequence[str] | None = None) -> dict[str, Fingerprint]:
        """What the datasets or the models (``kind``) were, by name; where ``names`` are given, of those alone."""
        rows = self._rows(
            "SELECT name, state, contents, images FROM main.fingerprints "
            "WHERE kind = $kind AND ($names IS NULL OR list_contains($names, name))",
            {"kind": kind, "names": names},
        )
        return {name: Fingerprint(*found) for name, *found in rows}

    def set(self, kind: str, name: str, found: Fingerprint) -> None:
        """Stores what a dataset or a model is now, in place of what it was, however its name was written then."""
        self.set_all(kind, {name: found})

    def set_all(self, kind: str, found: Mapping[str, Fingerprint]) -> None:
        """Stores what datasets or models are now, by name, as `set` does each."""
        columns = {
            column: pa.array([getattr(one, column) for one in found.values()], pa.string())
            for column in ("state", "contents", "images")
        }
        with temp_table(self._connection, list(found), **columns) as few:
            self._run(
                f"DELETE FROM main.fingerprints USING {few} AS few WHERE kind = $kind "
                f"AND {same_name('name', 'few.model')} AND name <> few.model",
                {"kind": kind},
            )
            self._run(
                "INSERT OR REPLACE INTO main.fingerprints (kind, name, state, contents, images) "
                f"SELECT $kind, model, state, contents, images FROM {few}",
                {"kind": kind},
            )

    def forget(self, kind: str, name: str) -> None:
        """Deletes what a dataset or a model was."""
        self._run("DELETE FROM main.fingerprints WHERE kind = ? AND name = ?", [kind, name])

    def of_rows(self, table: str) -> str:
        """A digest of the rows that the store keeps of a dataset in a table, in whatever order."""
        described = self._rows(f"DESCRIBE {table}")
        columns = [
            f"md5({quoted(name)})" if kind in ("VARCHAR", "BLOB") else f"{quoted(name)}::VARCHAR"
            for name, kind, *_ in described
        ]
        row = ", ".join(f"coalesce({column}, '')" for column in columns)
        [(digest,)] = self._rows(
            f"SELECT md5(concat_ws(' ', count(*), sum(md5_number_lower(concat_ws(chr(31), {row}))::HUGEINT))) "
            f"FROM {table}"
        )
        return str(digest)

    def image_paths(self, table: str) -> list[str]:
        """The paths of images in a table that keeps a dataset's rows; none where it has the images themselves."""
        described = self._rows(f"DESCRIBE {table}")
        if not any((name, kind) == ("image", "VARCHAR") for name, kind, *_ in described):
            return []
        return [path for (path,) in self._rows(f"SELECT DISTINCT image FROM {table} ORDER BY image")]

    def origins(self, recipe: str, seed: int) -> dict[tuple[str, str], Origin]:
        """What the runs of a recipe with a seed trained on, by (model, dataset)."""
        rows = self._rows(
            "SELECT model, dataset, contents, images, weights FROM main.run_origins WHERE recipe = ? AND seed = ? "
            "ORDER BY created_at",
            [recipe, seed],
        )
        return {(model, dataset): Origin(*origin) for model, dataset, *origin in rows}

    def set_origin(self, model: str, dataset: str, recipe: str, seed: int, origin: Origin) -> None:
        """Stores what a run trained on, in place of an earlier run's."""
        run = [model, dataset, recipe, seed]
        self._run(
            "DELETE FROM main.run_origins WHERE model = ? AND dataset = ? AND recipe = ? AND seed = ?", run
        )
        self._run(
            "INSERT INTO main.run_origins (model, dataset, recipe, seed, contents, images, weights) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [*run, origin.contents, origin.images, origin.weights],
        )
