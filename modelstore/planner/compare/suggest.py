"""`SUGGEST BENCHMARKS`: the datasets whose results say most about the others, for all models or for one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from modelstore.errors import MissingRecordError
from modelstore.language import nodes
from modelstore.language.statements import SUGGEST_BENCHMARKS
from modelstore.options import SuggestOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost, Plan, counted
from modelstore.planner.recipes import known_recipe, others_on_record
from modelstore.planner.record_notices import notify_of_records
from modelstore.planner.result_schema import schema_of
from modelstore.progress import notify
from modelstore.recall.informative import most_informative
from modelstore.recall.scales import correlations
from modelstore.sql_text import spelled
from modelstore.store import Store
from modelstore.store.catalog import Catalog
from modelstore.store.results import Matrix

SCHEMA = schema_of(SUGGEST_BENCHMARKS)


class SuggestPlan(Plan):
    """Ranks datasets by how much their results say about the others.

    Parameters
    ----------
    store, recipe
        Where the scores are on record, and whose they are.
    matrix
        The scores on record.
    count
        How many datasets are suggested.
    model
        The model to benchmark; None: any.
    known
        The datasets of the matrix that the model has results on already.
    without_results
        Registered datasets that nothing is on record of.
    """

    schema = SCHEMA

    def __init__(
        self,
        store: Store,
        recipe: str,
        matrix: Matrix,
        count: int,
        model: str | None,
        known: list[str],
        without_results: list[str],
    ):
        self._store = store
        self._recipe = recipe
        self._matrix = matrix
        self._count = count
        self._model = model
        self._known = known
        self._without_results = without_results

    def describe(self) -> str:
        of = f" FOR MODEL {self._model}, which has {len(self._known):,}" if self._model else ""
        return f"SUGGEST BENCHMARKS{of}"

    def expected(self) -> Cost:
        models, datasets = len(self._matrix.models), len(self._matrix.datasets)
        return Cost(f"{counted(models, 'model')}, {counted(datasets, 'dataset')}")

    def preview(self) -> pa.Table:
        ranks = range(1, min(self._count, len(self._matrix.datasets) - len(self._known)) + 1)
        return pa.Table.from_pylist([{"rank": rank} for rank in ranks], schema=SCHEMA)

    def run(self) -> pa.Table:
        notify_of_records(self._store, [self._recipe])
        if self._without_results:
            notify(
                f"nothing is on record of {', '.join(self._without_results)}: what they would say is not known"
            )
        datasets = self._matrix.datasets
        known = [datasets.index(name) for name in self._known]
        found = most_informative(correlations(self._matrix.scores), self._count, known)
        self.actual = self.expected()
        rows = [
            {"rank": rank, "dataset": datasets[place], "gain": gain}
            for rank, (place, gain) in enumerate(found, 1)
        ]
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def bind_suggest(context: StatementContext, statement: nodes.Extension) -> SuggestPlan:
    """Plans a SUGGEST over the datasets on record; for a model, over those of its modality."""
    options = context.options_of(statement, SuggestOptions)
    store = context.store
    recipe = known_recipe(store.recipes, options.recipe)
    matrix = store.results.matrix(recipe)
    node = statement.args.get("model")
    model = _spelled(context, node, matrix) if node else None
    modality = None if model is None else _modality(store.catalog, model, matrix)
    modality_of = store.catalog.modalities_of_datasets()
    without_results = [
        name for name in modality_of if name not in matrix.datasets and _serves(name, modality, modality_of)
    ]
    matrix = _of_modality(matrix, modality, modality_of)
    if not matrix.datasets:
        raise MissingRecordError(
            f"benchmark_results has nothing of recipe {recipe} to tell the datasets apart by: "
            f"run BENCHMARK MODELS, or load it{others_on_record(store.recipes, [recipe])}"
        )
    row = matrix.rows([model])[0] if model is not None else np.full(len(matrix.datasets), np.nan)
    known = [name for name, score in zip(matrix.datasets, row, strict=True) if np.isfinite(score)]
    written = statement.args.get("count")
    count = context.count_of(written, "benchmarks") if written else len(matrix.datasets)
    return SuggestPlan(store, recipe, matrix, count, model, known, without_results)


def _spelled(context: StatementContext, node: Any, matrix: Matrix) -> str:
    """The model's name as it is on record, or registered."""
    name = context.name_of(node)
    return spelled(name, [*matrix.models, *context.store.catalog.find_models([name])])


def _modality(catalog: Catalog, model: str, matrix: Matrix) -> str | None:
    """The model's modality; None: unknown. Raises ``NotFoundError`` for a model that is nowhere on record."""
    if model not in matrix.models:
        return catalog.model(model).modality
    registered = catalog.find_models([model])
    return registered[model].modality if model in registered else None


def _serves(dataset: str, modality: str | None, modality_of: Mapping[str, str | None]) -> bool:
    """Whether models of a modality can be benchmarked on a dataset; an unknown modality excludes nothing."""
    return modality is None or modality_of.get(dataset) in (None, modality)


def _of_modality(matrix: Matrix, modality: str | None, modality_of: Mapping[str, str | None]) -> Matrix:
    """The matrix with the datasets that models of a modality can be benchmarked on."""
    places = [place for place, name in enumerate(matrix.datasets) if _serves(name, modality, modality_of)]
    datasets = [matrix.datasets[place] for place in places]
    return Matrix(matrix.models, datasets, matrix.scores[:, places])
