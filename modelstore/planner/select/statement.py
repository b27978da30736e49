"""`SELECT BEST`: binds a selection to its steps."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from modelstore.errors import OptionError
from modelstore.language import nodes
from modelstore.language.options import STRATEGIES
from modelstore.options import SelectOptions
from modelstore.planner.candidates import find_candidates
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import check_target
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, Step
from modelstore.planner.recall.representatives import ClusterLookup
from modelstore.planner.recall.step import RecallStep, recall_contenders
from modelstore.planner.recipes import known_recipe, training_recipe
from modelstore.planner.select.recall_budget import fitting_recall
from modelstore.planner.select.request import Request
from modelstore.planner.select.runner import SCHEMA, SelectionRunner, under_way
from modelstore.planner.select.training import Training
from modelstore.progress import unseen
from modelstore.selection.selector import Finalist
from modelstore.store.selections import Logged


class SelectBest(Plan):
    """The statement: recall, if its method has that phase, then training; then the winner is kept.

    Of a selection that goes on, ``models`` are those who are left, ``chosen`` says that recall was done, ``done``
    is the last stage that was completed, and ``states`` has the files of the runs after it.
    """

    schema = SCHEMA

    def __init__(
        self,
        context: StatementContext,
        request: Request,
        models: Models,
        chosen: bool = False,
        done: int = 0,
        states: Mapping[str, Path] | None = None,
        clusters_of: ClusterLookup | None = None,
    ):
        self._context = context
        self._request = request
        self._models = models
        contenders = len(models.candidates.names)
        most = max(request.options["recall"], request.count)
        source: Step = models
        before = 0.0
        self._recall: RecallStep | None = None
        if request.method == "two_phase" and contenders > most and not chosen:
            source = self._recall = fitting_recall(context, request, models, most, clusters_of)
            contenders = self._recall.count
            before = (self._recall.expected().epochs or 0.0) if request.budget else 0.0
        self._training = Training(context, request, source, models, contenders, done, states, before)

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._training,)

    def describe(self) -> str:
        count = self._request.count
        return f"SELECT BEST {'MODEL' if count == 1 else f'{count} MODELS'} FOR {self._request.target}"

    def expected(self) -> Cost:
        training = self._training.expected()
        recall = self._recall.expected() if self._recall else Cost()
        seconds = None if training.seconds is None else training.seconds + (recall.seconds or 0.0)
        return Cost(None, (training.epochs or 0.0) + (recall.epochs or 0.0), seconds, training.memory)

    def likely_models(self) -> list[str]:
        return self._models.candidates.names[: self._request.count]

    def run(self) -> pa.Table:
        request = self._request
        if request.trains:
            self._context.refuse_in_transaction("SELECT BEST")
            request.recipe.define(self._context.store.recipes)
        key = uuid.uuid4().hex
        with under_way(key):
            logged = self._context.store.selections.begin(
                key,
                request.target,
                request.method,
                request.options,
                request.count,
                request.recipe.recorded_as,
                self._models.candidates.names,
            )
            return self.carry_out(logged)

    def carry_out(self, logged: Logged) -> pa.Table:
        """Runs the selection that is logged, from where it is."""
        conduct = SelectionRunner(
            self._context, self._request, self._models, self._recall, self._training, logged
        )
        rows = conduct.run()
        training = self._training.actual
        self.actual = Cost(None, *conduct.spent(), training.memory if training else None)
        return rows

    def replayed(self) -> tuple[list[Finalist], Cost]:
        """The winners of a replay, best first, and what they stand for; nothing is logged."""
        request, store = self._request, self._context.store
        names = self._models.candidates.names
        with unseen():
            scores = recall_contenders(store, request.recipe.name, request.target, names, self._recall)
            with self._training.worker_pool() as workers:
                finalists = self._training.run(workers, scores, lambda decisions, runs: None)
        recall = (self._recall.actual if self._recall else None) or Cost()
        epochs, seconds = self._training.spent
        return finalists, Cost(None, epochs + (recall.epochs or 0.0), seconds + (recall.seconds or 0.0))


def bind_select_best(context: StatementContext, statement: nodes.Extension) -> SelectBest:
    """Plans a SELECT BEST: two_phase is coarse recall, then fine selection; the others take all candidates."""
    given = context.given_options(statement, SelectOptions)
    options = SelectOptions.of(given).as_dict()
    replay = options["executor"] == "replay"
    if replay:
        known_recipe(context.store.recipes, options["recipe"])
    recipe = training_recipe(context.store.recipes, options["recipe"], given)
    if not replay:
        recipe.check_possible()
    target = context.name_of(statement.args["target"])
    dataset = context.store.catalog.find_dataset(target)
    if dataset is None:
        if not replay:
            context.store.catalog.dataset(target)
        check_target(context.store, target, "training_curves")
    method = check_method(context, statement.args.get("strategy"))
    count = context.count_of(statement.args["count"]) if statement.args.get("count") else 1
    if options["ensemble"]:
        _check_ensemble(replay, count)
    models = Models(
        find_candidates(context, statement, target, dataset, on_record=recipe.name if replay else None)
    )
    request = Request(method, target, dataset, count, recipe, options | recipe.options.as_dict())
    return SelectBest(context, request, models)


def _check_ensemble(replay: bool, count: int) -> None:
    if replay:
        raise OptionError(
            "Binder Error: ensemble = true needs the predictions of the models that it weighs, and a replay has "
            "their recorded scores alone: use executor = 'torch'"
        )
    if count == 1:
        raise OptionError(
            "Binder Error: ensemble = true weighs several winners: ask for them with SELECT BEST n MODELS"
        )


def check_method(context: StatementContext, node: Any) -> str:
    """A strategy's name, the default where none is given. Raises ``OptionError``."""
    if node is None:
        return "two_phase"
    return context.choice_of(node, "strategy", STRATEGIES, f"the strategies are {', '.join(STRATEGIES)}")
