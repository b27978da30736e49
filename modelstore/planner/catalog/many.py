"""`CREATE MODELS` and `CREATE DATASETS`: registers all rows of a relation, and says of each what became of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, TypeVar

import pyarrow as pa

from modelstore.data.access import check_hub
from modelstore.data.dataset_hub import fetch_dataset
from modelstore.data.hub import is_on_hub
from modelstore.data.hub_client import no_long_waits
from modelstore.data.hub_models import HubAnswer, ask_hub, describe_answer
from modelstore.errors import INTERRUPTIONS, AlreadyExistsError, reason_of
from modelstore.interruption import saying_how_to_go_on
from modelstore.language import nodes
from modelstore.libraries import quiet
from modelstore.options import DatasetOptions
from modelstore.planner.catalog.ahead import done_ahead
from modelstore.planner.catalog.relation_rows import Row, read_rows
from modelstore.planner.catalog.statement import (
    add_dataset,
    described_model,
    notify_of_records,
    read_model,
    replaces,
)
from modelstore.planner.contents import UNKNOWN, contents_of, register_models
from modelstore.planner.context import StatementContext
from modelstore.planner.result_schema import schema_of
from modelstore.progress import progress
from modelstore.store.fingerprints import Fingerprint
from modelstore.store.registered import Model

_BATCH = 256  # models that are stored at a time
_BATCH_SECONDS = 2.0  # after which fewer are: a kill loses no more

Result = dict[str, Any]  # a row of the statement's
Answer = TypeVar("Answer")


class _Models:
    """Models that were described, and wait to be stored together.

    Parameters
    ----------
    context, statement
        The statement.
    """

    def __init__(self, context: StatementContext, statement: nodes.Extension):
        self._context, self._statement = context, statement
        self._waiting: dict[str, tuple[Model, Fingerprint, Result]] = {}
        self._stored_at = time.monotonic()

    def add(self, model: Model, files: Fingerprint, result: Result) -> None:
        """Takes a model, what its files are, and the row of the result that says what becomes of it."""
        self._waiting[model.name] = model, files, result

    def store_if_due(self) -> None:
        """Stores those that wait where they are many, or wait long."""
        if len(self._waiting) >= _BATCH or time.monotonic() > self._stored_at + _BATCH_SECONDS:
            self.store()

    def store(self) -> None:
        """Stores those that wait, in one transaction."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        store = self._context.store
        with store.registration():
            before = store.catalog.registered_names("model", list(waiting))
            for name, (_, _, result) in waiting.items():
                _set_outcome(result, self._statement, "model", before.get(name))
            new = {
                name: (model, files)
                for name, (model, files, result) in waiting.items()
                if result["status"] in ("created", "replaced")
            }
            replaced = [name for name in before if name in new]
            if new:
                register_models(store, new, replaced)
        for name in replaced:
            notify_of_records(self._context, "model", name)
        self._stored_at = time.monotonic()


def create_models(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Registers the models of a relation; those on the hub are described without their weights where that can be."""
    models = _Models(context, statement)

    def register(row: Row, answer: HubAnswer | None, result: Result) -> None:
        if answer is None:
            _, model = read_model(row.name, row.uri)
            models.add(model, contents_of(model), result)
        else:
            info = describe_answer(row.name, row.uri, answer)
            models.add(described_model(row.name, row.uri, info, answer.said, answer.record), UNKNOWN, result)

    results, new = _sorted_out(context, statement, "model")
    with saying_how_to_go_on(_how_to_go_on(statement)):
        try:
            for _ in _register_each(statement, "model", new, ask_hub, register):
                models.store_if_due()
        finally:  # what was described is kept, whatever ends the statement
            models.store()
    return pa.Table.from_pylist(results, schema=schema_of(statement.statement))


def create_datasets(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Registers the datasets of a relation, each with the options that a dataset has by default."""

    def register(row: Row, _: None, result: Result) -> None:
        result["status"] = add_dataset(context, statement, row.name, row.uri, DatasetOptions())

    results, new = _sorted_out(context, statement, "dataset")
    with saying_how_to_go_on(_how_to_go_on(statement)):
        for _ in _register_each(statement, "dataset", new, fetch_dataset, register):
            pass
    return pa.Table.from_pylist(results, schema=schema_of(statement.statement))


def _how_to_go_on(statement: nodes.Extension) -> str:
    return f"What is registered stays: {statement.statement.title} IF NOT EXISTS registers the rest."


def _sorted_out(
    context: StatementContext, statement: nodes.Extension, kind: str
) -> tuple[list[Result], list[tuple[Row, Result]]]:
    """Reads the relation of a statement.

    Returns
    -------
    results, new
        A row of the result for each of the relation's; and those to be registered, with theirs.
    """
    title = statement.statement.title
    context.refuse_read_only(title)
    context.leave_transaction(title)
    rows = read_rows(context, statement.args["relation"], kind)
    registered = context.store.catalog.registered_names(kind, [row.name for row in rows])
    results: list[Result] = []
    new = []
    for row in rows:
        result: Result = {"name": row.name or row.uri, "status": "failed", "reason": row.fault}
        results.append(result)
        if row.fault is None:
            _set_outcome(result, statement, kind, registered.get(row.name))
        if result["status"] in ("created", "replaced"):
            new.append((row, result))
    return results, new


def _register_each(
    statement: nodes.Extension,
    kind: str,
    new: list[tuple[Row, Result]],
    ask: Callable[[str], Answer],
    register: Callable[[Row, Answer | None, Result], None],
) -> Iterator[None]:
    """Registers rows one after another, and says in the result which of them failed.

    Parameters
    ----------
    statement, kind
        The statement, and what it registers.
    new
        The rows, each with its row of the result.
    ask
        Asks the hub for what is at a uri, on another thread.
    register
        Registers a row with what the hub has answered, None where it is elsewhere.

    Yields
    ------
    None
        After each row.
    """
    with ExitStack() as stack:
        if any(is_on_hub(row.uri) for row, _ in new):
            check_hub("hf://")
            stack.enter_context(quiet())
            stack.enter_context(no_long_waits())
        bar = stack.enter_context(progress(len(new), statement.statement.title, kind))
        begun = stack.enter_context(closing(done_ahead(new, lambda one: _ask(one[0].uri, ask))))
        for (row, result), answer in begun:
            try:
                register(row, answer(), result)
            except INTERRUPTIONS:
                raise
            except Exception as error:
                result |= {"status": "failed", "reason": reason_of(error).splitlines()[0]}
            bar.update(1)
            yield


def _ask(uri: str, ask: Callable[[str], Answer]) -> Answer | None:
    return ask(uri) if is_on_hub(uri) else None


def _set_outcome(result: Result, statement: nodes.Extension, kind: str, registered: str | None) -> None:
    """Says in a row of the result what comes of one whose name is ``registered``, None where it is free."""
    result["reason"] = None
    try:
        is_new = registered is None or replaces(statement, kind, registered)
    except AlreadyExistsError as error:
        result |= {"status": "failed", "reason": str(error)}
        return
    result["status"] = "created" if registered is None else "replaced" if is_new else "exists"
