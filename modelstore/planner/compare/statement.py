"""`COMPARE STRATEGIES`: what each strategy would have chosen on the recorded datasets, each as if it were new."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from modelstore.errors import MissingRecordError
from modelstore.interruption import check
from modelstore.language import nodes
from modelstore.language.options import COMPARE_OPTIONS, SELECT_OPTIONS, defaults
from modelstore.options import SelectOptions
from modelstore.planner.candidates import Candidates, Registered
from modelstore.planner.cluster.statement import clusters_without
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan
from modelstore.planner.recall.cluster_recall import Clusters, check_target
from modelstore.planner.recipes import Recipe, known_recipe, training_recipe
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.statement import ReplayedSelection, check_method
from modelstore.progress import notify, progress
from modelstore.selection.strategies import BASELINE, STRATEGIES, strategy_of

SCHEMA = pa.schema(
    [
        ("strategy", pa.string()),
        ("dataset", pa.string()),
        ("model", pa.string()),
        ("score", pa.float64()),
        ("regret", pa.float64()),
        ("epochs", pa.float64()),
        ("seconds", pa.float64()),
    ]
)
NAMED = 5  # datasets that a message names before it counts the others
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A dataset to select for, and the models that have a curve there."""

    dataset: str
    models: list[str]


class Compare(Plan):
    """Replays every strategy on every case; nothing is trained, and nothing stored.

    A dataset's own records are left out of the prior, of the trends, and of the clusters, which are made without it.
    ``skips``: a case whose records do not suffice is left out and named; otherwise that is an error.
    """

    schema = SCHEMA

    def __init__(
        self,
        context: StatementContext,
        strategies: Sequence[str],
        cases: Sequence[Case],
        recipe: Recipe,
        options: dict[str, Any],
        skips: bool,
    ):
        self._context = context
        self._strategies = strategies
        self._cases = cases
        self._recipe = recipe
        self._options = options
        self._skips = skips

    def describe(self) -> str:
        datasets = f"{len(self._cases):,} dataset{'s' if len(self._cases) != 1 else ''}"
        return (
            f"COMPARE STRATEGIES {', '.join(self._strategies)} · {datasets}, {self._options['prior']} prior"
        )

    def expected(self) -> Cost:
        return Cost(f"{len(self._strategies) * len(self._cases):,} replays")

    def preview(self) -> pa.Table:
        rows = [
            {"strategy": name, "dataset": case.dataset} for case in self._cases for name in self._strategies
        ]
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def run(self) -> pa.Table:
        rows: list[Row] = []
        missing: dict[str, str] = {}
        with progress(len(self._cases) * len(self._strategies), "comparison", "replay") as bar:
            for number, case in enumerate(self._cases, 1):
                try:
                    rows += self._rows_of(case, bar)
                except MissingRecordError as error:
                    missing[case.dataset] = str(error)
                bar.update(len(self._strategies) * number - bar.n)
        if missing and not (self._skips and rows):
            raise MissingRecordError(_lacking(missing, len(self._cases), self._skips))
        for dataset, reason in missing.items():
            notify(f"{dataset} is left out: {reason}")
        self.actual = Cost(f"{len(rows):,} replays")
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def _rows_of(self, case: Case, bar: Any) -> list[Row]:
        """Raises ``MissingRecordError`` where a strategy cannot be replayed."""
        if len(case.models) < 2:
            raise MissingRecordError(
                "fewer than two models have a curve there, so there is nothing to choose"
            )
        clusters = clusters_without(self._context.store.results, self._recipe.name, case.dataset)
        unlimited = self._options | {"budget_epochs": None, "budget_seconds": None}
        everyone = self._selection(case, BASELINE, len(case.models), unlimited, clusters).replay()
        best = max(finalist.test for finalist in everyone[0])
        rows = []
        for strategy in self._strategies:
            check()
            if strategy == BASELINE and self._options == unlimited:
                [chosen, *_], cost = everyone
            else:
                [chosen, *_], cost = self._selection(case, strategy, 1, self._options, clusters).replay()
            rows.append(
                {
                    "strategy": strategy,
                    "dataset": case.dataset,
                    "model": chosen.model,
                    "score": chosen.test,
                    "regret": best - chosen.test,
                    "epochs": cost.epochs,
                    "seconds": cost.seconds,
                }
            )
            bar.update()
        return rows

    def _selection(
        self, case: Case, strategy: str, count: int, options: dict[str, Any], clusters: Clusters
    ) -> ReplayedSelection:
        context, catalog = self._context, self._context.store.catalog
        models = Models(Candidates(case.models, Registered(catalog, case.models), "models on record"))
        chosen = SelectOptions.of(options)
        dataset = catalog.find_dataset(case.dataset)
        request = SelectRequest(
            case.dataset, dataset, count, strategy_of(strategy, chosen), self._recipe, chosen
        )
        return ReplayedSelection(context, request, models, clusters_of=clusters)


def _lacking(missing: dict[str, str], cases: int, skipped: bool) -> str:
    reasons = "; ".join(f"{dataset}: {reason}" for dataset, reason in list(missing.items())[:NAMED])
    if len(missing) > NAMED:
        reasons += f"; and {len(missing) - NAMED:,} more"
    advice = "" if skipped else "; leave them out, or take ALL DATASETS, which leaves such datasets out"
    return f"{len(missing):,} of {cases:,} datasets cannot be replayed: {reasons}{advice}"


def bind_compare(context: StatementContext, statement: nodes.CompareStrategies) -> Compare:
    """Plans a COMPARE of the named strategies, or of all, on the named datasets, or on all that have curves."""
    given = context.options_of(statement, COMPARE_OPTIONS)
    store = context.store
    options = defaults(SELECT_OPTIONS) | given | {"executor": "replay"}
    recipe = training_recipe(store.recipes, known_recipe(store.recipes, options["recipe"]), given)
    strategies = [check_method(context, node) for node in statement.args.get("strategies") or []]
    names = [context.name_of(node) for node in statement.args.get("datasets") or []]
    for name in names:
        check_target(context, name, "training_curves")
    with_curves = store.curves.models_by_dataset(recipe.name)
    cases = [Case(name, with_curves.get(name, [])) for name in dict.fromkeys(names or sorted(with_curves))]
    if not cases:
        raise MissingRecordError(
            f"training_curves has nothing of recipe {recipe.name} to be replayed: run BENCHMARK MODELS, or load it"
        )
    return Compare(
        context,
        list(dict.fromkeys(strategies)) or list(STRATEGIES),
        cases,
        recipe,
        options | recipe.options,
        skips=not names,
    )
