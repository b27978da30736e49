"""Where benchmarks find the zoo that zoo.py builds and the tasks of the validation run."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import modelstore
from modelstore.data.task_data import TaskData
from modelstore.planner.datasets import load_dataset
from modelstore.store import Store

SCRIPTS = Path(__file__).parent / "validation"


@contextmanager
def workplace(models: Path, data: Path) -> Iterator[Path]:
    """An empty folder to work in, from which the paths in validation/*.sql lead to the models and the data."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "models").symlink_to(models.resolve())
        (Path(folder) / "data").symlink_to(data.resolve())
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def task_data(connection: modelstore.Connection, name: str) -> TaskData:
    """The rows of a dataset of the store, as the engine takes them."""
    store = Store(connection._duckdb)
    return load_dataset(store, store.catalog.dataset(name))
