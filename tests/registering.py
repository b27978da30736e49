"""Registers datasets of files in tests: what the catalog says, what is said to the user, what is trained on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import modelstore
from modelstore.data.task_data import TaskData
from modelstore.planner.datasets import load_dataset
from modelstore.progress import shown_by

PROPOSED = re.compile(r"CREATE DATASET .+", re.S)


@dataclass(frozen=True)
class Registered:
    """A row of ``datasets``, the notices, and the rows as they are trained on."""

    task: str
    labels: list[str]
    sizes: tuple[int, int, int]
    notices: list[str]
    data: TaskData

    def rows(self, split: str = "train") -> list[tuple[Any, ...]]:
        """(input, label) of a split in order, labels by their names, several of a row as a tuple in order."""
        table = self.data.split(split)
        return list(zip(table[0].to_pylist(), map(self._named, table["label"].to_pylist()), strict=True))

    def _named(self, label: Any) -> Any:
        if isinstance(label, list):
            return tuple(sorted(self.labels[one] for one in label))
        return self.labels[label] if self.labels else label

    def every_row(self) -> dict[Any, Any]:
        """The labels of all rows by their input."""
        return dict(row for split in ("train", "validation", "test") for row in self.rows(split))

    def said(self, *parts: str) -> bool:
        """Whether one notice has all these parts."""
        return any(all(part in notice for part in parts) for notice in self.notices)


def register(store: modelstore.Connection, source: Path | str, options: str = "") -> Registered:
    """Registers a path, or a query that begins with SELECT, in place of what was registered before."""
    text = str(source)
    made = f"AS {text}" if text.startswith("SELECT") else "FROM $uri"
    values = {} if text.startswith("SELECT") else {"uri": text}
    with_options = f" WITH ({options})" if options else ""
    return _registered(store, f"CREATE OR REPLACE DATASET d {made}{with_options}", values)


def _registered(store: modelstore.Connection, statement: str, values: dict[str, str]) -> Registered:
    notices: list[str] = []
    with shown_by(SimpleNamespace(notify=notices.append)):  # type: ignore[arg-type]
        store.execute(statement, values)
    dataset = store.store.catalog.dataset("d")
    sizes = (dataset.train_rows, dataset.validation_rows, dataset.test_rows)
    data = load_dataset(store.store, dataset)
    assert (data.train.num_rows, data.validation.num_rows, data.test.num_rows) == sizes
    assert (data.task, data.labels) == (dataset.task, dataset.labels)
    return Registered(dataset.task, list(dataset.labels), sizes, notices, data)


def refusal(store: modelstore.Connection, source: Path | str, options: str = "") -> str:
    """The message of the error by which a source is refused; one sentence without a line break."""
    try:
        register(store, source, options)
    except modelstore.Error as error:
        message = str(error)
        assert "\n" not in message.partition("CREATE DATASET")[0]
        return message
    raise AssertionError(f"{source} was registered")


def register_as_proposed(store: modelstore.Connection, source: Path) -> Registered:
    """Registers a source by the statement that the error for it proposes."""
    found = PROPOSED.search(refusal(store, source))
    assert found is not None
    store.execute("DROP DATASET IF EXISTS d")
    return _registered(store, found[0], {})


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Writes files below a folder, which is returned."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def csv(labels: Iterable[Any], header: str = "text,label", start: int = 0, delimiter: str = ",") -> str:
    """CSV of rows ``good text number i``, each with its label."""
    rows = [f"good text number {start + i}{delimiter}{label}\n" for i, label in enumerate(labels)]
    return (header + "\n" if header else "") + "".join(rows)


def classes(count: int, names: tuple[Any, ...] = (0, 1)) -> list[Any]:
    """Labels by turns."""
    return [names[i % len(names)] for i in range(count)]
