"""A registered dataset, read for training, and whether it is what it was."""

from typing import Any

from modelstore.data import preparation
from modelstore.data.fingerprint import fingerprint
from modelstore.data.hub import resolve_dataset
from modelstore.data.sources import query_of
from modelstore.data.task_data import TaskData
from modelstore.options import DatasetOptions
from modelstore.store import Store
from modelstore.store.catalog import Dataset


def load(store: Store, dataset: Dataset) -> TaskData:
    """The dataset's rows. Raises ``DatasetError`` where its file is gone, or no longer what it was."""
    given: dict[str, Any] = {"task": dataset.task, "metric": dataset.metric, "seed": dataset.seed}
    if dataset.uri is None:
        query = f"FROM {store.catalog.rows_of(dataset.name)}"
    else:
        query = query_of(resolve_dataset(dataset.name, dataset.uri).path)
        given |= dataset.columns
    try:
        prepared = preparation.prepare(store.connection, dataset.name, query, DatasetOptions.of(given))
        return preparation.read_task_data(store.connection, dataset.name, prepared)
    finally:
        preparation.discard(store.connection)


def state_of(store: Store, dataset: Dataset) -> str | None:
    """The time of a dataset's registration, and the state of its files, where it has any; None: it cannot be told."""
    registered = store.catalog.registered(dataset.name)
    files = "" if dataset.uri is None else fingerprint(dataset.uri, "dataset")
    return None if files is None else f"{registered} {files}"
