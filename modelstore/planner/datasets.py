"""A registered dataset, read for training, and whether it is what it was."""

from modelstore.data import preparation
from modelstore.data.fingerprint import fingerprint
from modelstore.data.sources import query_of, resolve_dataset
from modelstore.data.task_data import TaskData
from modelstore.store import Store
from modelstore.store.catalog import Dataset


def load(store: Store, dataset: Dataset) -> TaskData:
    """The dataset's rows. Raises ``DatasetError`` where its file is gone, or no longer what it was."""
    options = {"task": dataset.task, "metric": dataset.metric, "seed": dataset.seed}
    if dataset.uri is None:
        query = f"FROM {store.catalog.rows_of(dataset.name)}"
    else:
        query = query_of(resolve_dataset(dataset.uri))
        options |= dataset.columns
    try:
        prepared = preparation.prepare(store.connection, dataset.name, query, options)
        return preparation.task_data(store.connection, dataset.name, prepared)
    finally:
        preparation.discard(store.connection)


def state_of(store: Store, dataset: Dataset) -> str | None:
    """The time of a dataset's registration, and the state of its files, where it has any; None: it cannot be told."""
    registered = store.catalog.registered(dataset.name)
    files = "" if dataset.uri is None else fingerprint(dataset.uri, "dataset")
    return None if files is None else f"{registered} {files}"
