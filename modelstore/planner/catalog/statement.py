"""`CREATE` and `DROP` of models and datasets: they change the catalog at once and have no plan to explain."""

import duckdb
import pyarrow as pa

from modelstore.data import preparation
from modelstore.data.model_info import inspect_model
from modelstore.data.sources import query_of, resolve_dataset
from modelstore.errors import AlreadyExistsError, OptionError
from modelstore.language import nodes
from modelstore.language.options import DATASET_OPTIONS, MODEL_OPTIONS
from modelstore.planner.context import StatementContext
from modelstore.progress import notify
from modelstore.store.catalog import Dataset, Model, literal


def create_model(context: StatementContext, statement: nodes.Extension) -> None:
    """Reads a model's config and registers it. Raises ``ModelError`` where it could not be trained."""
    context.options_of(statement, MODEL_OPTIONS)
    name = context.name_of(statement.this)
    catalog = context.store.catalog
    exists = name in catalog.find_models([name])
    if exists and statement.args.get("exists"):
        return
    if exists and not statement.args.get("replace"):
        raise AlreadyExistsError(_exists("model", name))
    model = model_from(name, context.name_of(statement.args["uri"]))
    with context.store.transaction():
        catalog.add_model(model)
        if exists:
            context.store.proxy_scores.forget("model", name)
            context.store.embeddings.forget(str(model.uri))
    if exists:
        _say_what_stays(context, "model", name)


def model_from(name: str, uri: str, base: str | None = None, fine_tuned_on: tuple[str, ...] = ()) -> Model:
    """The catalog's row for a model at ``uri``."""
    info = inspect_model(uri)
    return Model(
        name=name,
        uri=info.uri if info.uri.startswith("hf://") else str(info.path),
        modality=info.modality,
        architecture=info.architecture,
        parameters=info.parameters,
        labels=info.labels,
        card=info.card,
        has_head=info.has_head,
        base=base,
        fine_tuned_on=fine_tuned_on,
    )


def create_dataset(context: StatementContext, statement: nodes.Extension) -> None:
    """Checks a dataset's rows and registers it; rows of a query are kept in the database file."""
    options = context.options_of(statement, DATASET_OPTIONS)
    name = context.name_of(statement.this)
    store = context.store
    exists = store.catalog.find_dataset(name) is not None
    if exists and statement.args.get("exists"):
        return
    if exists and not statement.args.get("replace"):
        raise AlreadyExistsError(_exists("dataset", name))
    query = statement.args.get("query")
    uri = None
    if query is None:
        uri = context.name_of(statement.args["uri"])
        path = resolve_dataset(uri)
        uri = uri if uri.startswith("hf://") else str(path)
        prepared = preparation.prepare(store.connection, name, query_of(path), options)
    else:
        try:
            values = context.parameters_in(query)
            text = context.text(query.args["start"], query.args["end"])
            prepared = preparation.prepare(store.connection, name, text, options, values, context.query)
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
            raise error if isinstance(error, OptionError) else context.relocated(error, query) from None
    dataset = Dataset(
        name=name,
        uri=uri,
        task=prepared.task,
        metric=prepared.metric,
        labels=prepared.labels,
        train_rows=prepared.rows["train"],
        validation_rows=prepared.rows["validation"],
        test_rows=prepared.rows["test"],
        modality=prepared.modality,
        columns=prepared.columns,
        seed=int(options.get("seed", 0)),
    )
    try:
        with store.transaction():
            store.catalog.add_dataset(
                dataset, rows=preparation.rows_to_keep(prepared) if uri is None else None
            )
            if exists:
                store.proxy_scores.forget("dataset", name)
    finally:
        preparation.discard(store.connection)
    if exists:
        _say_what_stays(context, "dataset", name)


def drop_model(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Forgets a model; its records stay, and the row returned says how many there are."""
    name = context.name_of(statement.this)
    catalog = context.store.catalog
    exists = bool(catalog.find_models([name]))
    if not exists and not statement.args.get("exists"):
        catalog.model(name)
    catalog.drop_model(name)
    return _kept(context, "model", name, exists)


def drop_dataset(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Forgets a dataset and the rows that the file keeps of it; its records stay."""
    name = context.name_of(statement.this)
    catalog = context.store.catalog
    exists = catalog.find_dataset(name) is not None
    if not exists and not statement.args.get("exists"):
        catalog.dataset(name)
    with context.store.transaction():
        catalog.drop_dataset(name)
    return _kept(context, "dataset", name, exists)


def _say_what_stays(context: StatementContext, kind: str, name: str) -> None:
    """What is on record counts, whatever it was measured on: only the user knows whether it still holds."""
    count = context.store.catalog.count_of(kind, name)
    if count:
        records = "1 record" if count == 1 else f"{count:,} records"
        notify(
            f'the {kind} "{name}" is replaced, its {records} stay and are gone by: if they no longer hold, '
            f"DELETE them FROM benchmark_results and training_curves WHERE {kind} = {literal(name)}"
        )


def _kept(context: StatementContext, kind: str, name: str, existed: bool) -> pa.Table:
    count = context.store.catalog.count_of(kind, name)
    return pa.table(
        {
            kind: pa.array([name] if existed else [], pa.string()),
            "records_kept": pa.array([count] if existed else [], pa.int64()),
        }
    )


def _exists(kind: str, name: str) -> str:
    return (
        f'there is a {kind} "{name}" already: use CREATE OR REPLACE {kind.upper()}, '
        f"or CREATE {kind.upper()} IF NOT EXISTS"
    )
