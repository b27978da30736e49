"""The candidates of a statement: the models in `FROM relation WHERE predicate` that can serve the target."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb

from modelstore.data.hub import address_of
from modelstore.errors import NotFoundError
from modelstore.language import nodes
from modelstore.options import COST_COLUMNS
from modelstore.planner.context import StatementContext
from modelstore.planner.inference_costs import Measuring, ModelCosts
from modelstore.planner.plan import Plan, Step
from modelstore.planner.recipes import others_on_record
from modelstore.sql_text import quoted, same_name
from modelstore.store.catalog import Catalog
from modelstore.store.registered import Dataset, Model

_UNKNOWN = " OR ".join(f"{column} IS NULL" for column in COST_COLUMNS)


@dataclass(frozen=True)
class Candidates:
    """The candidates of a statement.

    Parameters
    ----------
    names
        The models, in order.
    registered
        The catalog's rows of those that are registered, by name.
    description
        FROM and WHERE in one line, for EXPLAIN.
    sources
        The plans of the extension statements inside FROM and WHERE, and what has to be measured for WHERE.
    """

    names: list[str]
    registered: Mapping[str, Model]
    description: str
    sources: tuple[Step, ...] = ()

    @cached_property
    def on_hub(self) -> dict[str, str]:
        """The addresses on the hub of those that are not registered, and may be called as their repositories are."""
        addresses = {name: address_of(name) for name in self.names if name not in self.registered}
        return {name: address for name, address in addresses.items() if address is not None}


class RegisteredModels(Mapping[str, Model]):
    """The catalog's rows of some models by name, read when first needed: there may be many, and few are needed."""

    def __init__(self, catalog: Catalog, names: list[str]):
        self._catalog = catalog
        self._names = names

    @cached_property
    def _models(self) -> dict[str, Model]:
        return self._catalog.find_models(self._names)

    @cached_property
    def _known(self) -> set[str]:
        return {*self._catalog.registered_names("model", self._names).values()}

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __getitem__(self, name: str) -> Model:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)


def find_candidates(
    context: StatementContext,
    statement: nodes.Extension,
    target: str | None = None,
    dataset: Dataset | None = None,
    on_record: Sequence[str] = (),
    costs: ModelCosts | None = None,
) -> Candidates:
    """Reads the candidates of a statement.

    A model of another modality than the target's is no candidate, nor is one that an earlier selection fine-tuned on
    the target.

    Parameters
    ----------
    context
        The statement's context.
    statement
        The parsed statement, with its FROM and WHERE.
    target
        The name of the target dataset, where the statement has one.
    dataset
        The target where it is registered.
    on_record
        Recipes where no weights are needed. Without FROM, the candidates then are all models with records of one of
        them, registered or not; otherwise they are the registered models.
    costs
        What models cost to use, which WHERE sees without FROM.

    Raises
    ------
    NotFoundError
        Where no candidate is left.
    """
    relation, where = statement.args.get("relation"), statement.args.get("where")
    catalog = context.store.catalog
    source = catalog.models
    if relation:
        source = context.text(relation.args["start"], relation.args["end"])
    elif on_record:
        source = catalog.recorded_models(on_record)
    sources = _plans_in(context, relation, where)
    serves = catalog.serves(target, dataset.modality if dataset else None)
    unknown: list[str] = []
    if relation is None and where is not None and costs is not None and _names_costs(context, where):
        source = costs.joined(source)
        unknown = _read_names(context, source, None, where, f"{serves} AND ({_UNKNOWN})", " IS NULL")
    measuring = _measuring(context, costs, unknown)
    if context.runs or not measuring:
        unknown = []
    names = sorted({*unknown, *_read_names(context, source, relation, where, serves)})
    if not names and where and any(plan.actual is None for plan in sources):
        # EXPLAIN has not run the plans inside FROM: their rows have no values yet, so WHERE is left out.
        names = _read_names(context, source, relation, None, serves)
    if not names:
        refused = _read_names(context, source, relation, where, "true")
        if not refused and relation is None and where is None and on_record:
            raise NotFoundError(_nothing_on_record(context, on_record))
        raise NotFoundError(_no_candidates(refused, relation is None and where is None, dataset))
    description = relation.this if relation else "models on record" if on_record else "models"
    if where:
        description += f" · {where.this}"
    if relation:
        names = sorted(set(catalog.spell_on_record(names)))
    registered = RegisteredModels(catalog, names)
    return Candidates(names, registered, " ".join(description.split()), (*sources, *measuring))


def _measuring(
    context: StatementContext, costs: ModelCosts | None, unknown: list[str]
) -> tuple[Measuring, ...]:
    """The measuring of the models of which WHERE is unknown, which is done where the statement runs."""
    if costs is None or not unknown:
        return ()
    if costs.why_not_measured:
        if context.runs:
            costs.say_left_out(unknown)
        return ()
    step = Measuring(costs, unknown)
    if context.runs:
        step.run()
    return (step,)


def _names_costs(context: StatementContext, where: nodes.Raw) -> bool:
    """Whether WHERE names a column of what models cost to use."""
    inside = (token for token in context.tokens if where.args["start"] <= token.start < where.args["end"])
    return any(token.text.strip('"').lower() in COST_COLUMNS for token in inside)


def _plans_in(context: StatementContext, *spans: nodes.Raw | None) -> tuple[Plan, ...]:
    """The plans of the extension statements inside some spans of the text, in order."""
    ranges = [(span.args["start"], span.args["end"]) for span in spans if span is not None]
    return tuple(
        plan
        for (start, end), plan in sorted(context.plans.items(), key=lambda item: item[0])
        if any(first <= start and end <= last for first, last in ranges)
    )


def _nothing_on_record(context: StatementContext, recipes: Sequence[str]) -> str:
    """That no model has records of the recipes, and which recipes have some."""
    others = others_on_record(context.store.recipes, recipes)
    return (
        f"no model has a result of recipe {', '.join(recipes)}: run BENCHMARK MODELS, or load results{others}"
    )


def _no_candidates(refused: list[str], all_models: bool, dataset: Dataset | None) -> str:
    """Why no candidate is left; ``refused`` are the models that cannot serve the target."""
    if not refused and all_models:
        return "there are no models: register some with CREATE MODEL name FROM 'directory'"
    if not refused:
        return "no model meets FROM and WHERE: widen them"
    modality = f"{dataset.modality} " if dataset else ""
    none = (
        f"none of the {len(refused)} models can" if len(refused) > 1 else f'the model "{refused[0]}" cannot'
    )
    return (
        f"{none} be a candidate: it takes {modality}models that no selection has fine-tuned on the target before, "
        "and no ensembles"
    )


def check_relation(context: StatementContext, statement: nodes.Extension) -> None:
    """Binds the FROM and WHERE of a statement. Raises ``duckdb.Error`` with the place in the user's text."""
    relation, where = statement.args.get("relation"), statement.args.get("where")
    if not relation:
        return
    source = context.text(relation.args["start"], relation.args["end"])
    _key_of(context, source, relation)
    if where:
        condition = context.text(where.args["start"], where.args["end"])
        values = context.parameters_in(relation, where)
        try:
            sql = f"EXPLAIN {context.with_tables()}SELECT * FROM {source}\nWHERE ({condition}\n)"
            context.query(sql, values).fetchall()
        except duckdb.Error as error:
            raise context.relocated(error, where, _where_costs_are(context, error, where)) from None


def _where_costs_are(context: StatementContext, error: duckdb.Error, where: nodes.Raw) -> str:
    """Where a cost's column is that WHERE did not find beside FROM, which hides it; empty for other errors."""
    if "not found" not in str(error) or not _names_costs(context, where):
        return ""
    return (
        f"\nWHERE sees {', '.join(COST_COLUMNS)} without FROM alone; a query has them by JOIN inference_costs ON "
        "model = name"
    )


def _key_of(context: StatementContext, source: str, relation: nodes.Raw | None) -> str:
    """The column of a relation that has the models' names. Raises ``duckdb.Error`` where none has."""
    values = context.parameters_in(*([relation] if relation else []))
    try:
        sql = f"{context.with_tables()}SELECT * FROM {source}\nLIMIT 0"
        description = context.query(sql, values).description
    except duckdb.Error as error:
        raise context.relocated(error, relation) from None
    columns = [column[0] for column in description or []]
    lower = [column.lower() for column in columns]
    key = next((columns[lower.index(wanted)] for wanted in ("name", "model") if wanted in lower), None)
    if key is None:
        message = f"Binder Error: candidates come from a column name or model; this relation has {', '.join(columns)}"
        raise duckdb.BinderException(context.at(message, relation))
    return key


def _read_names(
    context: StatementContext,
    source: str,
    relation: nodes.Raw | None,
    where: nodes.Raw | None,
    serves: str,
    verdict: str = "",
) -> list[str]:
    """The names in the relation that meet WHERE and the condition ``serves``, in order.

    With the ``verdict`` " IS NULL" they are those of which WHERE is neither true nor false.

    Raises ``duckdb.Error`` with the place in the user's text.
    """
    tables, catalog = context.with_tables(), context.store.catalog
    key = _key_of(context, source, relation)
    condition = f"WHERE ({context.text(where.args['start'], where.args['end'])}\n){verdict}" if where else ""
    values = context.parameters_in(*(span for span in (relation, where) if span is not None))
    if relation is None:  # the source has one row a model, with the columns of `models`
        sql = f"SELECT name FROM (SELECT * FROM {source}\n{condition}) WHERE {serves}"
    else:
        sql = (
            f"SELECT DISTINCT coalesce(registered.name, candidates.name) AS name "
            f"FROM (SELECT {quoted(key)}::VARCHAR AS name FROM {source}\n{condition}) AS candidates "
            f"LEFT JOIN {catalog.models} AS registered "
            f"ON {catalog.full(same_name('registered.name', 'candidates.name'))} "
            f"WHERE candidates.name IS NOT NULL AND {serves}"
        )
    try:
        columns_read = context.query(tables + sql, values).fetchnumpy()
    except duckdb.Error as error:
        hint = _where_costs_are(context, error, where) if relation and where else ""
        raise context.relocated(error, where or relation, hint) from None
    return sorted(columns_read["name"].tolist())
