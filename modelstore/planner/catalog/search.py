"""`SEARCH MODELS`: asks the hub for models."""

from dataclasses import asdict

import pyarrow as pa

from modelstore.data.hub_client import HubError
from modelstore.data.hub_search import Search, search_models, tasks_for
from modelstore.errors import ModelError, OptionError
from modelstore.language import nodes
from modelstore.language.statements import SEARCH_MODELS
from modelstore.options import SearchOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost, Plan, counted
from modelstore.planner.result_schema import schema_of

SCHEMA = schema_of(SEARCH_MODELS)


class SearchPlan(Plan):
    """Asks the hub for models.

    Parameters
    ----------
    search
        What is searched for.
    limit, sort
        How many are wanted, and in what order.
    """

    schema = SCHEMA

    def __init__(self, search: Search, limit: int, sort: str):
        self._search, self._limit, self._sort = search, limit, sort

    def describe(self) -> str:
        wanted = [*self._search.tasks, *self._search.filters, f"by {self._sort}"]
        return f"SEARCH MODELS · {', '.join(wanted)}"

    def expected(self) -> Cost:
        return Cost(f"at most {counted(self._limit, 'model')}")

    def preview(self) -> pa.Table:
        return pa.table([pa.nulls(self._limit, field.type) for field in SCHEMA], SCHEMA)

    def run(self) -> pa.Table:
        try:
            found = search_models(self._search, self._limit, self._sort)
        except HubError as error:
            raise ModelError(f"the hub {error}") from None
        self.actual = Cost(counted(len(found), "model"))
        rows = [asdict(model) for model in found]
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def bind_search(context: StatementContext, statement: nodes.Extension) -> SearchPlan:
    """Plans a search. Raises ``OptionError`` for an option that is empty."""
    options = context.options_of(statement, SearchOptions)
    for name in ("task", "language", "license", "base"):
        value = getattr(options, name)
        if value is not None and not value.strip():
            raise OptionError(f"the option {name} is empty: leave it out to search without it")
    tasks: tuple[str, ...] = () if options.task is None else (options.task,)
    node = statement.args.get("dataset")
    if node is not None:
        dataset = context.store.catalog.dataset(context.name_of(node))
        tasks = tasks or tasks_for(dataset.modality, dataset.task)
    search = Search(tasks, options.language, options.license, options.base)
    return SearchPlan(search, options.limit, options.sort)
