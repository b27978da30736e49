"""Whether datasets and models are what they were when they were registered, and records what runs trained on then.

What has changed under its name is trained on by nobody: CREATE OR REPLACE registers it as it is now. Records of other
contents are not reused.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b

import duckdb

from modelstore.data import cache
from modelstore.data.fingerprint import digest_of_model, digest_of_states, fingerprint
from modelstore.data.hub import must_be_fetched
from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, ModelError
from modelstore.store import Store
from modelstore.store.fingerprints import Fingerprint, Origin
from modelstore.store.registered import Dataset, Model

# Also of a model whose files are not here yet: it is what is fetched then.
UNKNOWN = Fingerprint(None, None)


def state_of(store: Store, dataset: Dataset) -> str | None:
    """A digest that changes with a dataset's rows, and is quick to compute; None where its files are not there."""
    if dataset.uri is not None:
        return fingerprint(dataset.uri, "dataset")
    return _state_of_stored(store, dataset, _digest_of_stored(store, dataset))


def register_dataset(store: Store, dataset: Dataset, contents: str | None) -> None:
    """Stores what a dataset is as it is registered; ``contents`` as in `check_contents`."""
    store.fingerprints.set("dataset", dataset.name, _now(store, dataset, contents))


def register_models(
    store: Store, found: Mapping[str, tuple[Model, Fingerprint]], replaced: Collection[str] = ()
) -> None:
    """Puts models into the catalog, by name, with what their files are.

    What was computed of those that they take the place of, ``replaced``, is forgotten.
    """
    store.catalog.add_models([model for model, _ in found.values()])
    store.fingerprints.set_all("model", {name: files for name, (_, files) in found.items()})
    for name in replaced:
        store.proxy_scores.forget("model", name)
        store.embeddings.forget(str(found[name][0].uri))


def contents_of(model: Model) -> Fingerprint:
    """What a model's files are now."""
    uri = str(model.uri)
    return Fingerprint(fingerprint(uri, "model"), digest_of_model(uri))


def check_contents(store: Store, dataset: Dataset, contents: str | None, data: TaskData) -> None:
    """Checks the rows that were read of a dataset, and stores what was not known of them.

    Parameters
    ----------
    store
        The store.
    dataset
        The dataset.
    contents
        A digest of its rows; None where they are the store's own.
    data
        The rows.

    Raises
    ------
    DatasetError
        If they are not those that were registered.
    """
    now = _now(store, dataset, contents, _digest_of_images(data))
    then = store.fingerprints.of("dataset", dataset.name)
    if then is not None and then.contents not in (None, now.contents):
        raise DatasetError(_changed(dataset))
    if then is not None and then.images not in (None, now.images):
        raise DatasetError(_changed(dataset, "images"))
    if then != now:
        _note(store, "dataset", dataset.name, now)


def may_have_changed(store: Store, dataset: Dataset) -> bool:
    """Whether a dataset's files, or its rows in the store, are not as they were: then its contents are to be read."""
    then = store.fingerprints.of("dataset", dataset.name)
    if then is None:
        return False
    state = state_of(store, dataset)
    return state is not None and state != then.state


def fault_of_model(store: Store, model: Model) -> ModelError | None:
    """The error for a model whose files have changed since it was registered; None where they have not."""
    then = store.fingerprints.of("model", model.name)
    if then is None or model.uri is None:
        return None
    if then == UNKNOWN:
        _note_if_fetched(store, model)
        return None
    state = fingerprint(model.uri, "model")
    if state is None or state == then.state:
        return None
    if digest_of_model(model.uri) != then.contents:
        return ModelError(
            f'the files of the model "{model.name}" in {model.uri} have changed since it was registered: '
            "CREATE OR REPLACE MODEL registers it as it is now"
        )
    _note(store, "model", model.name, replace(then, state=state))
    return None


def check_model_unchanged(store: Store, model: Model) -> None:
    """Raises ``ModelError`` for a model whose files have changed since it was registered."""
    fault = fault_of_model(store, model)
    if fault is not None:
        raise fault


def origin_of(store: Store, model: str, dataset: str) -> Origin:
    """What a run of a model on a dataset trains on now."""
    data = store.fingerprints.of("dataset", dataset) or UNKNOWN
    weights = store.fingerprints.of("model", model)
    if weights == UNKNOWN:  # it was fetched for this run
        registered = store.catalog.find_model(model)
        if registered is not None:
            _note_if_fetched(store, registered)
            weights = store.fingerprints.of("model", model)
    weights = weights or UNKNOWN
    return Origin(data.contents, data.images, weights.contents)


def agree(then: Origin, now: Origin) -> bool:
    """Whether two runs trained on the same, as far as that is known."""
    pairs = ((then.contents, now.contents), (then.images, now.images), (then.weights, now.weights))
    return all(one == other or None in (one, other) for one, other in pairs)


def _now(store: Store, dataset: Dataset, contents: str | None, images: str | None = None) -> Fingerprint:
    """What a dataset is now."""
    if dataset.uri is not None:
        return Fingerprint(fingerprint(dataset.uri, "dataset"), contents, images)
    rows = _digest_of_stored(store, dataset)
    return Fingerprint(_state_of_stored(store, dataset, rows), rows, images)


def _digest_of_stored(store: Store, dataset: Dataset) -> str | None:
    """A digest of the rows that the store keeps; None where they are not there."""
    if not store.catalog.has_rows(dataset.name):
        return None
    return store.fingerprints.of_rows(store.catalog.rows_of(dataset.name))


def _state_of_stored(store: Store, dataset: Dataset, rows: str | None) -> str | None:
    """`state_of` of a dataset whose rows, of this digest, the store keeps."""
    if rows is None or dataset.modality != "image":
        return rows
    images = store.fingerprints.image_paths(store.catalog.rows_of(dataset.name))
    return f"{rows} {digest_of_states(images)}" if images else rows


def _note(store: Store, kind: str, name: str, found: Fingerprint) -> None:
    """Stores what was found out meanwhile, which saves reading it again; another connection may store it first."""
    if store.is_read_only():
        return
    if store.in_transaction():
        store.fingerprints.set(kind, name, found)
        return
    with suppress(duckdb.TransactionException, duckdb.ConstraintException):
        store.fingerprints.set(kind, name, found)


def _note_if_fetched(store: Store, model: Model) -> None:
    """Stores what the files of a model are that were not here as it was registered, if they are now."""
    if not must_be_fetched(str(model.uri), "model"):
        _note(store, "model", model.name, contents_of(model))


def _changed(dataset: Dataset, what: str = "rows") -> str:
    where = "in this store" if dataset.uri is None else f"in {dataset.uri}"
    return (
        f'the {what} of the dataset "{dataset.name}" {where} have changed since it was registered, so that scores '
        "before and after would be of different data: CREATE OR REPLACE DATASET registers it as it is now"
    )


def _digest_of_images(data: TaskData) -> str | None:
    if data.modality != "image":
        return None
    splits = [
        cache.key([split], data.split(split).select(["image"])) for split in ("train", "validation", "test")
    ]
    return blake2b("".join(splits).encode(), digest_size=16).hexdigest()
