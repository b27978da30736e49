"""The plan of `COMPARE STRATEGIES`: replays of selections, each as if its dataset were new."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from modelstore.errors import MissingRecordError
from modelstore.interruption import check
from modelstore.language.statements import COMPARE_STRATEGIES
from modelstore.options import SelectOptions
from modelstore.planner.candidates import Candidates, RegisteredModels
from modelstore.planner.cluster.leave_out import LeaveOneOutClusters
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, counted
from modelstore.planner.recall.representatives import ClusterLookup
from modelstore.planner.recipes import Recipe
from modelstore.planner.record_notices import notify_of_records
from modelstore.planner.result_schema import schema_of
from modelstore.planner.select.arms import Arms
from modelstore.planner.select.race_plan import planned
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.statement import ReplayedSelection
from modelstore.progress import notify, progress
from modelstore.selection.strategies import BASELINE, strategy_of

SCHEMA = schema_of(COMPARE_STRATEGIES)
NAMED = 5  # datasets that a message names before it counts the others


@dataclass(frozen=True)
class Case:
    """A dataset to select for, and the models that have a curve there."""

    dataset: str
    models: list[str]


@dataclass(frozen=True)
class CompareRow:
    """The choice of a strategy on a dataset; ``regret`` is the best model's test score less the chosen one's."""

    strategy: str
    dataset: str
    model: str
    score: float
    regret: float
    epochs: float | None
    seconds: float | None


class ComparePlan(Plan):
    """Replays every strategy on every case; nothing is trained or stored.

    The prior, the trends and the clusters are made without the records of the case's own dataset.

    Parameters
    ----------
    context
        The statement's context.
    strategies
        The names of the strategies.
    cases
        The datasets.
    recipe
        The recipe whose records are read.
    options
        The options of each selection.
    skips
        Whether a case that lacks records is left out and named; otherwise it is an error.
    """

    schema = SCHEMA

    def __init__(
        self,
        context: StatementContext,
        strategies: Sequence[str],
        cases: Sequence[Case],
        recipe: Recipe,
        options: SelectOptions,
        skips: bool,
    ):
        self._context = context
        self._strategies = strategies
        self._cases = cases
        self._recipe = recipe
        self._options = options
        self._skips = skips

    def describe(self) -> str:
        datasets = counted(len(self._cases), "dataset")
        return f"COMPARE STRATEGIES {', '.join(self._strategies)} · {datasets}, {self._options.prior} prior"

    def expected(self) -> Cost:
        return Cost(counted(len(self._strategies) * len(self._cases), "replay"))

    def preview(self) -> pa.Table:
        rows = [
            {"strategy": name, "dataset": case.dataset} for case in self._cases for name in self._strategies
        ]
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def run(self) -> pa.Table:
        notify_of_records(self._context.store, [self._recipe.name], curves=True)
        rows: list[CompareRow] = []
        missing: dict[str, str] = {}
        with progress(len(self._cases) * len(self._strategies), "comparison", "replay") as bar:
            for number, case in enumerate(self._cases, 1):
                try:
                    rows += self._compare(case, bar)
                except MissingRecordError as error:
                    missing[case.dataset] = str(error)
                bar.update(len(self._strategies) * number - bar.n)
        if missing and not (self._skips and rows):
            raise MissingRecordError(_lacking(missing, len(self._cases), self._skips))
        for dataset, reason in missing.items():
            notify(f"{dataset} is left out: {reason}")
        self.actual = Cost(counted(len(rows), "replay"))
        return pa.Table.from_pylist([asdict(row) for row in rows], schema=SCHEMA)

    def _compare(self, case: Case, bar: Any) -> list[CompareRow]:
        """Replays all strategies on a case. Raises ``MissingRecordError`` where one of them lacks records."""
        if len(case.models) < 2:
            raise MissingRecordError(
                "fewer than two models have a curve there, so there is nothing to choose"
            )
        clusters_of = LeaveOneOutClusters(self._context.store, self._recipe.name, case.dataset).of
        unlimited = replace(self._options, budget_epochs=None, budget_seconds=None)
        all_trained = self._selection(case, BASELINE, len(case.models), unlimited, clusters_of).replay()
        selections = {
            name: self._selection(case, name, 1, self._options, clusters_of) for name in self._strategies
        }
        scores = [finalist.test for finalist in all_trained[0]]
        # With stages of its own a strategy keeps other points: the best of all is the best at any of them.
        for stages in {one.stages for one in selections.values()} - {unlimited.stage_ends()}:
            there = replace(unlimited, stages=stages, stages_per_epoch=None)
            finalists, _ = self._selection(case, BASELINE, len(case.models), there, clusters_of).replay()
            scores += [finalist.test for finalist in finalists]
        best = max(scores)
        rows = []
        for strategy, selection in selections.items():
            check()
            if strategy == BASELINE and self._options == unlimited:
                [chosen, *_], cost = all_trained
            else:
                [chosen, *_], cost = selection.replay()
            regret = best - chosen.test
            rows.append(
                CompareRow(
                    strategy, case.dataset, chosen.model, chosen.test, regret, cost.epochs, cost.seconds
                )
            )
            bar.update()
        return rows

    def _selection(
        self, case: Case, strategy: str, count: int, options: SelectOptions, clusters_of: ClusterLookup
    ) -> ReplayedSelection:
        """The plan of a selection of ``count`` models for a case."""
        context, catalog = self._context, self._context.store.catalog
        registered = RegisteredModels(catalog, case.models)
        models = Models(Candidates(case.models, registered, "models on record"))
        dataset = catalog.find_dataset(case.dataset)
        chosen = strategy_of(strategy, options)
        request = SelectRequest(
            case.dataset, dataset, count, chosen, Arms((self._recipe,), replays=True), options
        )
        request = planned(context, request, case.models)
        return ReplayedSelection(context, request, models, clusters_of=clusters_of)


def _lacking(missing: dict[str, str], cases: int, skipped: bool) -> str:
    """The message that some of the cases cannot be replayed, and why."""
    reasons = "; ".join(f"{dataset}: {reason}" for dataset, reason in list(missing.items())[:NAMED])
    if len(missing) > NAMED:
        reasons += f"; and {len(missing) - NAMED:,} more"
    advice = "" if skipped else "; leave them out, or take ALL DATASETS, which leaves such datasets out"
    return f"{len(missing):,} of {cases:,} datasets cannot be replayed: {reasons}{advice}"
