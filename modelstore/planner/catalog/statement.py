"""`CREATE` and `DROP` of models and datasets, which change the catalog at once and have no plan to explain."""

from dataclasses import replace
from functools import partial

import duckdb
import pyarrow as pa

from modelstore.data import preparation
from modelstore.data.card_metadata import CardMetadata, read_metadata
from modelstore.data.dataset_hub import resolve_dataset
from modelstore.data.hub import ModelRef, absolute_uri, resolve_model
from modelstore.data.hub_download import HubRecord
from modelstore.data.memory_limit import limited_memory
from modelstore.data.model_info import ModelInfo, inspect_model
from modelstore.errors import INTERRUPTIONS, AlreadyExistsError, ModelError, OptionError, reason_of
from modelstore.language import nodes
from modelstore.options import DatasetOptions, ModelOptions
from modelstore.planner.contents import contents_of, register_dataset, register_models
from modelstore.planner.context import StatementContext
from modelstore.progress import notify
from modelstore.sql_text import literal
from modelstore.store.registered import Dataset, Model


def create_model(context: StatementContext, statement: nodes.Extension) -> None:
    """Reads a model's config and registers the model. Raises ``ModelError`` for a model that cannot be trained."""
    context.refuse_read_only("CREATE MODEL")
    context.options_of(statement, ModelOptions)
    name = context.name_of(statement.this)
    catalog = context.store.catalog
    registered = catalog.find_model(name)
    if registered is not None and not replaces(statement, "model", registered.name):
        return
    _, model = read_model(name, context.name_of(statement.args["uri"]))
    files = contents_of(model)
    with context.store.registration():
        if registered is None:
            registered = catalog.find_model(name)  # by another thread, meanwhile
            if registered is not None and not replaces(statement, "model", registered.name):
                return
        register_models(context.store, {name: (model, files)}, [] if registered is None else [name])
    if registered is not None:
        notify_of_records(context, "model", name)


def read_model(name: str, uri: str) -> tuple[ModelRef, Model]:
    """A model that can be registered: its directory, fetched if need be, and the catalog's row of it.

    Raises
    ------
    ModelError
        For a model that cannot be read or trained.
    """
    try:
        found = resolve_model(name, uri)
        try:
            model = model_from(found, uri)
            _check_preprocessor(found, model)
        except ModelError as error:  # a folder in a cache says little to people
            raise ModelError(str(error).replace(str(found.path), absolute_uri(uri))) from error
    except (*INTERRUPTIONS, duckdb.Error):
        raise
    except BaseException as error:  # its files can make the libraries that read them raise anything
        raise ModelError(f"model {uri} cannot be read: {reason_of(error)}") from error
    return found, model


def model_from(
    found: ModelRef, uri: str, base: str | None = None, fine_tuned_on: tuple[str, ...] = ()
) -> Model:
    """The catalog's row of a model.

    Parameters
    ----------
    found
        The model's directory, and the name under which it is registered.
    uri
        Where it is: a local directory, or ``hf://[owner/]name[@revision]``.
    base
        The model that it was fine-tuned from.
    fine_tuned_on
        The datasets that it was fine-tuned on.

    Raises
    ------
    ModelError
        For a model that cannot be trained.
    """
    info = inspect_model(found)
    described = described_model(found.name, uri, info, read_metadata(info.card), found.record)
    return replace(described, base=base, base_model=described.base_model or base, fine_tuned_on=fine_tuned_on)


def described_model(name: str, uri: str, info: ModelInfo, said: CardMetadata, record: HubRecord) -> Model:
    """The catalog's row of a model, of what its files and its card's metadata say, and the hub."""
    return Model(
        name=name,
        uri=absolute_uri(uri),
        modality=info.modality,
        architecture=info.architecture,
        parameters=info.parameters,
        labels=info.labels,
        card=info.card,
        has_head=info.has_head,
        license=said.license,
        languages=said.languages,
        tags=said.tags,
        base_model=said.base_model,
        downloads=record.downloads,
        last_modified=record.last_modified,
    )


def _check_preprocessor(found: ModelRef, model: Model) -> None:
    """Raises ``ModelError`` for a tokenizer or image processor that cannot be loaded."""
    from modelstore.training.inputs.loading import load_processor

    assert model.modality is not None  # a model's files say it
    load_processor(found.name, found.path, model.modality)


def create_dataset(context: StatementContext, statement: nodes.Extension) -> None:
    """Checks a dataset's rows and registers the dataset; the rows of a query are stored in the database file."""
    context.refuse_read_only("CREATE DATASET")
    options = context.options_of(statement, DatasetOptions)
    name = context.name_of(statement.this)
    source = statement.args.get("query") or context.name_of(statement.args["uri"])
    add_dataset(context, statement, name, source, options)


def add_dataset(
    context: StatementContext,
    statement: nodes.Extension,
    name: str,
    source: nodes.Raw | str,
    options: DatasetOptions,
) -> str:
    """Registers the dataset of a query, or at a uri, as far as the statement says so where there is one already.

    Returns ``created``, ``replaced`` or ``exists``.
    """
    store = context.store
    same = store.catalog.find_dataset(name)
    if same is not None and not replaces(statement, "dataset", same.name):
        return "exists"
    register = partial(_register_dataset, context, name, source, statement, options, same is not None)
    if store.in_transaction():  # which running out of memory would abort
        registered = register()
    else:
        try:
            with limited_memory(store.connection):
                registered = register()
        except duckdb.OutOfMemoryException:  # some rows or files need more at once
            registered = register()
    if registered is None:
        return "exists"
    prepared, exists = registered
    for notice in prepared.notices:
        notify(f'the dataset "{name}": {notice}')
    if exists:
        notify_of_records(context, "dataset", name)
    return "replaced" if exists else "created"


def _register_dataset(
    context: StatementContext,
    name: str,
    source: nodes.Raw | str,
    statement: nodes.Extension,
    options: DatasetOptions,
    exists: bool,
) -> tuple[preparation.Prepared, bool] | None:
    """Prepares the rows of a query, or of files, and stores what the catalog keeps of them.

    Returns what was prepared, and whether it replaces a dataset; None where another thread has registered one
    meanwhile that is to stay.
    """
    store = context.store
    try:
        prepared, dataset = _prepare(context, name, source, options)
        with store.registration():
            if not exists and (same := store.catalog.find_dataset(name)) is not None:
                exists = True
                if not replaces(statement, "dataset", same.name):
                    return None
            rows = preparation.rows_to_keep(prepared) if dataset.uri is None else None
            contents = None if dataset.uri is None else preparation.digest_of_rows(store.connection)
            store.catalog.add_dataset(dataset, rows=rows)
            register_dataset(store, dataset, contents)
            if exists:
                store.proxy_scores.forget("dataset", name)
    finally:  # also where the rows are refused: their copy takes temporary space
        preparation.discard(store.connection)
    return prepared, exists


def _prepare(
    context: StatementContext, name: str, source: nodes.Raw | str, options: DatasetOptions
) -> tuple[preparation.Prepared, Dataset]:
    """Prepares a dataset's rows, and describes it."""
    if isinstance(source, str):
        found = resolve_dataset(name, source, options.config)
        options = replace(options, config=found.config)
        prepared = preparation.prepare_files(
            context.store.connection, name, found.path, options, contents=False
        )
        return prepared, _dataset(name, absolute_uri(source), prepared, options)
    prepared = _prepare_query(context, name, source, options)
    return prepared, _dataset(name, None, prepared, options)


def _prepare_query(
    context: StatementContext, name: str, query: nodes.Raw, options: DatasetOptions
) -> preparation.Prepared:
    """Prepares the rows of the user's query. DuckDB's errors point at their place in the user's text."""
    values = context.parameters_in(query)
    text = context.text(query.args["start"], query.args["end"])
    try:
        return preparation.prepare_query(context.store.connection, name, text, options, values, context.query)
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise error if isinstance(error, OptionError) else context.relocated(error, query) from None


def _dataset(name: str, uri: str | None, prepared: preparation.Prepared, options: DatasetOptions) -> Dataset:
    """The catalog's row of a prepared dataset; ``uri`` is None where its rows are stored in the database file."""
    return Dataset(
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
        seed=options.seed,
        config=options.config,
    )


def drop_model(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Removes a model from the catalog. Its records stay, and the returned row says how many there are."""
    context.refuse_read_only("DROP MODEL")
    name = context.name_of(statement.this)
    catalog = context.store.catalog
    found = catalog.find_model(name) if statement.args.get("exists") else catalog.model(name)
    if found is not None:
        with context.store.transaction():
            catalog.drop_model(found.name)
            context.store.fingerprints.forget("model", found.name)
    return _dropped(context, "model", found)


def drop_dataset(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Removes a dataset and its stored rows. Its records stay, and the returned row says how many there are."""
    context.refuse_read_only("DROP DATASET")
    name = context.name_of(statement.this)
    catalog = context.store.catalog
    found = catalog.find_dataset(name) if statement.args.get("exists") else catalog.dataset(name)
    if found is not None:
        with context.store.registration():
            catalog.drop_dataset(found.name)
            context.store.fingerprints.forget("dataset", found.name)
    return _dropped(context, "dataset", found)


def notify_of_records(context: StatementContext, kind: str, name: str) -> None:
    """Says that the records of what was replaced still count: only the user knows whether they hold."""
    count = context.store.catalog.count_of(kind, name)
    if count:
        records = "1 record" if count == 1 else f"{count:,} records"
        notify(
            f'the {kind} "{name}" is replaced, its {records} stay and still count, though runs of other '
            f"{'rows' if kind == 'dataset' else 'weights'} are not reused: if they no longer hold, "
            f"DELETE them FROM benchmark_results and training_curves WHERE {kind} = {literal(name)}"
        )


def _dropped(context: StatementContext, kind: str, found: Model | Dataset | None) -> pa.Table:
    """The result of DROP: one row with the number of records that stay, none where nothing was there to drop."""
    names = [] if found is None else [found.name]
    counts = [context.store.catalog.count_of(kind, name) for name in names]
    return pa.table({kind: pa.array(names, pa.string()), "records_kept": pa.array(counts, pa.int64())})


def replaces(statement: nodes.Extension, kind: str, name: str) -> bool:
    """Whether CREATE replaces ``name``, which is registered; with IF NOT EXISTS it does not.

    Raises ``AlreadyExistsError`` where the statement does not say.
    """
    if statement.args.get("exists"):
        return False
    if statement.args.get("replace"):
        return True
    what = statement.statement.title.removeprefix("CREATE ")
    raise AlreadyExistsError(
        f'there is a {kind} "{name}" already: use CREATE OR REPLACE {what}, or CREATE {what} IF NOT EXISTS'
    )
