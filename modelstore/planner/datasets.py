"""The datasets that statements name: whether the store knows them, and their rows."""

from typing import Any

from modelstore.data import preparation
from modelstore.data.dataset_hub import resolve_dataset
from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, NotFoundError, did_you_mean
from modelstore.options import DatasetOptions
from modelstore.planner.contents import check_contents, may_have_changed, state_of
from modelstore.sql_text import spelled
from modelstore.store import Store
from modelstore.store.registered import Dataset


def load_dataset(store: Store, dataset: Dataset) -> TaskData:
    """The rows of a registered dataset. Raises ``DatasetError`` where its file is gone, or its rows have changed."""
    given: dict[str, Any] = {"task": dataset.task, "metric": dataset.metric, "seed": dataset.seed}
    try:
        if dataset.uri is None:
            if not store.catalog.has_rows(dataset.name):
                raise DatasetError(
                    f'dataset "{dataset.name}": its rows are not in the database file any more: create it again'
                )
            query = f"FROM {store.catalog.rows_of(dataset.name)}"
            prepared = preparation.prepare_query(
                store.connection, dataset.name, query, DatasetOptions.of(given)
            )
            contents = None
        else:
            found = resolve_dataset(dataset.name, dataset.uri, dataset.config)
            options = DatasetOptions.of({**given, **dataset.columns, "config": found.config})
            prepared = preparation.prepare_files(store.connection, dataset.name, found.path, options)
            contents = preparation.digest_of_rows(store.connection)
        data = preparation.read_task_data(store.connection, dataset.name, prepared)
        check_contents(store, dataset, contents, data)
        return data
    finally:
        preparation.discard(store.connection)


def dataset_fingerprint(store: Store, dataset: Dataset) -> str | None:
    """What changes when a dataset is registered again or its files change; None where its files cannot be read."""
    registered = store.catalog.registered(dataset.name)
    state = state_of(store, dataset)
    return None if state is None else f"{registered} {state}"


def check_unchanged(store: Store, dataset: Dataset) -> None:
    """Raises ``DatasetError`` for a dataset whose rows have changed since it was registered."""
    if may_have_changed(store, dataset):
        load_dataset(store, dataset)


def target_on_record(store: Store, target: str, table: str) -> str:
    """The name of a target that is not registered as a table of records has it. Raises ``NotFoundError``."""
    recorded = store.catalog.datasets_in(table)
    name = spelled(target, recorded)
    if name not in recorded:
        near = did_you_mean(target, [*recorded, *store.catalog.dataset_names()])
        raise NotFoundError(f'"{target}" is no registered dataset{near}, and {table} has nothing of it')
    return name
