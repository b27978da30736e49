"""The plan of a `SELECT BEST`: recall, then stages that are trained or replayed."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from modelstore.data.hub import must_be_fetched
from modelstore.data.remote import AnyPath
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, Step
from modelstore.planner.recall.representatives import ClusterLookup
from modelstore.planner.recall.step import RecallStep, recall_contenders
from modelstore.planner.record_notices import notify_of_records
from modelstore.planner.select.forecasts import Validations
from modelstore.planner.select.hub_models import HubModels
from modelstore.planner.select.race_recall import race_recall
from modelstore.planner.select.recall_budget import fitting_recall
from modelstore.planner.select.replayed_epochs import ReplayedEpochs
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.runner import (
    SCHEMA,
    ReplayRunner,
    SelectionRunner,
    TrainingRunner,
    under_way,
)
from modelstore.planner.select.stages import ReplayedStages, Stages
from modelstore.planner.select.trained_stages import TrainedStages
from modelstore.progress import unseen
from modelstore.selection.loop import Finalist
from modelstore.store.registered import Dataset
from modelstore.store.selections import Logged


class SelectBest(Plan, ABC):
    """A selection, `TrainedSelection` or `ReplayedSelection`: recall, where its strategy has it, then stages.

    Parameters
    ----------
    models
        The candidates; where an interrupted selection goes on, those that are left of them.
    recalled
        Whether recall was done before an interruption.
    clusters_of
        The clustering that recall is to use, if it is not the one on record.
    earlier
        By arm, the validations after each stage before an interruption.
    stayed
        The arms that the last of these stages kept, best first.
    """

    schema = SCHEMA
    _stages: Stages

    def __init__(
        self,
        context: StatementContext,
        request: SelectRequest,
        models: Models,
        recalled: bool = False,
        clusters_of: ClusterLookup | None = None,
        stayed: Sequence[str] = (),
    ):
        self._context = context
        self._request = request
        self._models = models
        self._stayed = stayed
        self._source: Step = models
        candidates, recipes = len(models.candidates.names), len(request.arms.recipes)
        self._contenders = len(stayed) or candidates * recipes
        self._before = 0.0
        self._recall: RecallStep | None = None
        most = max(request.options.recalled, request.count)
        if request.strategy.recalls and candidates > most and not recalled:
            self._recall = fitting_recall(context, request, models, most, clusters_of)
            self._before = self._recall.expected_epochs() if request.budget else 0.0
        elif request.strategy.forecast == "race" and not recalled:
            self._recall = race_recall(context, request, models, clusters_of)
        if self._recall is not None:
            self._source = self._recall
            self._contenders = self._recall.count * recipes

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._stages,)

    @property
    def request(self) -> SelectRequest:
        """What is asked for."""
        return self._request

    def describe(self) -> str:
        count = self._request.count
        return f"SELECT BEST {'MODEL' if count == 1 else f'{count} MODELS'} FOR {self._request.target}"

    def expected(self) -> Cost:
        stages = self._stages.expected()
        recall = self._recall.expected() if self._recall else Cost()
        seconds = None if stages.seconds is None else stages.seconds + (recall.seconds or 0.0)
        epochs = (stages.epochs or 0.0) + (recall.epochs or 0.0)
        return Cost(None, epochs, seconds, stages.memory, stages.probed)

    def likely_models(self) -> list[str]:
        return self._models.candidates.names[: self._request.count]

    def run(self) -> pa.Table:
        self._context.refuse_read_only("SELECT BEST")
        request = self._request
        arms = request.arms
        scored = request.target if self._recall else None
        notify_of_records(self._context.store, arms.prior_recipes, curves=True, target=scored)
        key = uuid.uuid4().hex
        with under_way(key):
            logged = self._context.store.selections.begin(
                key,
                request.target,
                request.strategy.name,
                request.options.as_dict() | arms.option_lists,
                request.count,
                request.recipe.recorded_as,
                [asdict(recipe) for recipe in arms.recipes] if arms.several else [],
                self._models.candidates.names,
            )
            return self.carry_out(logged)

    def carry_out(self, logged: Logged) -> pa.Table:
        """Runs the selection that is logged, from where it is."""
        runner = self._runner(logged)
        rows = runner.run()
        stages = self._stages.actual
        self.actual = Cost(None, *runner.spent(), stages.memory if stages else None)
        return rows

    @abstractmethod
    def _runner(self, logged: Logged) -> SelectionRunner[Any]: ...


class TrainedSelection(SelectBest):
    """A selection that trains.

    Parameters
    ----------
    dataset
        The target.
    done
        The last stage that was completed before an interruption.
    checkpoints
        The files of the runs after it, by arm.
    """

    def __init__(
        self,
        context: StatementContext,
        request: SelectRequest,
        models: Models,
        dataset: Dataset,
        recalled: bool = False,
        done: int = 0,
        checkpoints: Mapping[str, AnyPath] | None = None,
        earlier: Validations | None = None,
        stayed: Sequence[str] = (),
    ):
        super().__init__(context, request, models, recalled, stayed=stayed)
        self._stages: TrainedStages = TrainedStages(
            context,
            request,
            self._source,
            models,
            self._contenders,
            done,
            self._before,
            earlier or {},
            dataset,
            checkpoints or {},
        )

    def expect(self, replays: ReplayedEpochs) -> None:
        """Lets the plan expect the epochs that replays took."""
        self._stages.expect(replays, self._recall.expected_epochs() if self._recall else 0.0)

    @property
    def contenders(self) -> int:
        """How many models go through the first stage."""
        return self._contenders

    @property
    def candidates(self) -> list[str]:
        """The models to choose from."""
        return self._models.candidates.names

    def on_record(self) -> HubModels | None:
        """The models on record alone that likely train; None where there are none."""
        on_hub = self._models.candidates.on_hub
        likely = self._recall.likely_recalled() if self._recall and on_hub else self.candidates
        uris = {name: on_hub[name] for name in likely if name in on_hub}
        to_fetch = {name: uri for name, uri in uris.items() if must_be_fetched(uri, "model")}
        return HubModels(to_fetch, uris) if uris else None

    @property
    def computes(self) -> bool:
        return True

    @property
    def commits(self) -> bool:
        return True

    def run(self) -> pa.Table:
        self._context.refuse_read_only("SELECT BEST")
        for recipe in self._request.arms.recipes:
            recipe.define(self._context.store.recipes)
        return super().run()

    def _runner(self, logged: Logged) -> TrainingRunner:
        return TrainingRunner(
            self._context,
            self._request,
            self._models,
            self._recall,
            self._stages,
            logged,
            self._stayed,
        )


class ReplayedSelection(SelectBest):
    """A selection that reads recorded runs, and trains nothing."""

    def __init__(
        self,
        context: StatementContext,
        request: SelectRequest,
        models: Models,
        recalled: bool = False,
        done: int = 0,
        clusters_of: ClusterLookup | None = None,
        earlier: Validations | None = None,
        stayed: Sequence[str] = (),
    ):
        super().__init__(context, request, models, recalled, clusters_of, stayed)
        self._stages: ReplayedStages = ReplayedStages(
            context, request, self._source, models, self._contenders, done, self._before, earlier or {}
        )

    @property
    def stages(self) -> tuple[float, ...]:
        """The epochs at which its stages end."""
        return self._request.stages.ends

    def replay(self) -> tuple[list[Finalist], Cost]:
        """Runs without a log, and shows no progress: the winners, best first, and what the records stand for."""
        request, store = self._request, self._context.store
        names = self._models.candidates.names
        with unseen():
            recipes = request.arms.record_recipes
            scores = recall_contenders(store, recipes, request.target, names, self._recall)
            finalists = self._stages.run(request.arms.scored(scores), lambda decisions: None)
        recall = (self._recall.actual if self._recall else None) or Cost()
        epochs, seconds = self._stages.spent
        return finalists, Cost(None, epochs + (recall.epochs or 0.0), seconds + (recall.seconds or 0.0))

    def _runner(self, logged: Logged) -> ReplayRunner:
        return ReplayRunner(
            self._context,
            self._request,
            self._models,
            self._recall,
            self._stages,
            logged,
            self._stayed,
        )
