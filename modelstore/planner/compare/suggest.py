"""`SUGGEST BENCHMARKS`: the datasets whose results say most of the rest, of all models or beside what one has."""

import numpy as np
import pyarrow as pa

from modelstore.errors import MissingRecordError
from modelstore.language import nodes
from modelstore.language.options import SUGGEST_OPTIONS, defaults
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost, Plan
from modelstore.planner.recipes import known_recipe
from modelstore.progress import notify
from modelstore.recall.informative import most_informative
from modelstore.recall.scales import correlations
from modelstore.records import Matrix

SCHEMA = pa.schema([("rank", pa.int64()), ("dataset", pa.string()), ("gain", pa.float64())])


class Suggest(Plan):
    """``has`` are the datasets that the model has results on, which it need not run."""

    schema = SCHEMA

    def __init__(self, matrix: Matrix, count: int, model: str | None, has: list[str], unknown: list[str]):
        self._matrix = matrix
        self._count = count
        self._model = model
        self._has = has
        self._unknown = unknown

    def describe(self) -> str:
        of = f" FOR MODEL {self._model}, which has {len(self._has):,}" if self._model else ""
        return f"SUGGEST BENCHMARKS{of}"

    def expected(self) -> Cost:
        return Cost(f"{len(self._matrix.models):,} models, {len(self._matrix.datasets):,} datasets")

    def preview(self) -> pa.Table:
        ranks = range(1, min(self._count, len(self._matrix.datasets) - len(self._has)) + 1)
        return pa.Table.from_pylist([{"rank": rank} for rank in ranks], schema=SCHEMA)

    def run(self) -> pa.Table:
        if self._unknown:
            notify(f"nothing is on record of {', '.join(self._unknown)}: what they would say is not known")
        datasets = self._matrix.datasets
        known = [datasets.index(name) for name in self._has]
        found = most_informative(correlations(self._matrix.scores), self._count, known)
        self.actual = self.expected()
        rows = [
            {"rank": rank, "dataset": datasets[place], "gain": gain}
            for rank, (place, gain) in enumerate(found, 1)
        ]
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def bind_suggest(context: StatementContext, statement: nodes.SuggestBenchmarks) -> Suggest:
    """Plans a SUGGEST over the datasets on record; for a model, over those of its modality."""
    options = defaults(SUGGEST_OPTIONS) | context.options_of(statement, SUGGEST_OPTIONS)
    store, catalog = context.store, context.store.catalog
    recipe = known_recipe(store.recipes, options["recipe"])
    matrix = store.results.matrix(recipe)
    node = statement.args.get("model")
    model = context.name_of(node) if node else None
    modality = None
    if model is not None and model not in matrix.models:
        modality = catalog.model(model).modality
    elif model is not None:
        registered = catalog.find_models([model])
        modality = registered[model].modality if model in registered else None
    modalities = catalog.modalities_of_datasets()
    kept = [
        place
        for place, name in enumerate(matrix.datasets)
        if modality is None or modalities.get(name) in (None, modality)
    ]
    unknown = [
        name
        for name, of in modalities.items()
        if name not in matrix.datasets and (modality is None or of in (None, modality))
    ]
    if not kept:
        raise MissingRecordError(
            f"benchmark_results has nothing of recipe {recipe} to tell the datasets apart by: "
            "run BENCHMARK MODELS, or load it"
        )
    matrix = Matrix(matrix.models, [matrix.datasets[place] for place in kept], matrix.scores[:, kept])
    row = matrix.rows([model])[0] if model is not None else np.full(len(kept), np.nan)
    has = [name for name, score in zip(matrix.datasets, row, strict=True) if np.isfinite(score)]
    counted = statement.args.get("count")
    count = context.count_of(counted, "benchmarks") if counted else len(kept)
    return Suggest(matrix, count, model, has, unknown)
