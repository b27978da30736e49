"""The stages of a selection, as a step of its plan: what they are expected to cost, and how they are carried out."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from modelstore.events import Decision
from modelstore.planner.context import StatementContext
from modelstore.planner.inference_costs import Measuring
from modelstore.planner.models_step import Models, competing
from modelstore.planner.plan import Cost, Step, counted
from modelstore.planner.select.arm_costs import ArmCosts
from modelstore.planner.select.arm_records import recorded_curves_on_target, recorded_results_on_target
from modelstore.planner.select.estimate import TrainingCost, TrainingEstimate
from modelstore.planner.select.forecasts import Validations, predictions_for
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.trainers import ReplayTrainer
from modelstore.progress import emit, notify
from modelstore.selection.budget import Ledger
from modelstore.selection.judge import Judge
from modelstore.selection.loop import Finalist, Selection
from modelstore.selection.replay import ReplayExecutor
from modelstore.selection.stage import StageTrainer


class Stages(Step):
    """The stages of a selection: `TrainedStages` or `ReplayedStages`.

    Parameters
    ----------
    source
        The step that gives the models.
    models
        The candidates.
    contenders
        How many arms begin.
    done
        The stages that are completed already, where an interrupted selection goes on.
    before
        The epochs that recall is expected to take of the budget.
    earlier
        By arm, the validations after each of the stages that are completed.
    """

    def __init__(
        self,
        context: StatementContext,
        request: SelectRequest,
        source: Step,
        models: Models,
        contenders: int,
        done: int,
        before: float,
        earlier: Validations,
    ):
        self._context = context
        self._request = request
        self._source = source
        self._models = models
        self._contenders = contenders
        self._done = done
        self._before = before
        self._earlier = earlier
        self._ledger = Ledger(request.stages)
        self._costs = ArmCosts(context, request)

    @property
    def inputs(self) -> tuple[Step, ...]:
        arms = self._request.arms
        steps = competing(self._source, [arms.recipe_name(recipe) for recipe in arms.recipes])
        return (*steps, *self._measuring)

    @cached_property
    def _measuring(self) -> tuple[Measuring, ...]:
        """The measuring of what arms cost to use; what WHERE has measured is known by then."""
        if any(isinstance(step, Measuring) and step.actual is None for step in self._models.inputs):
            return ()
        return self._costs.to_measure(self._models.candidates.names, self._contenders)

    @property
    def spent(self) -> tuple[float, float]:
        """Epochs, and seconds of training, so far."""
        return self._ledger.epochs, self._ledger.seconds

    def describe(self) -> str:
        strategy = self._request.strategy
        parts = [f"{strategy.title} · {self._describe_stages()}"]
        if strategy.details:
            parts.append(strategy.details)
        if self._forecasts_by_public_records:
            parts.append(f"forecasts from the records of {' and '.join(self._request.arms.public)} too")
        if self._request.budget:
            parts.append(f"budget {self._request.budget}")
        if self._request.options.latency_weight is not None:
            parts.append(f"best score less {self._request.options.latency_weight:g} × latency_ms")
        if self._request.options.pareto is not None:
            parts.append(f"Pareto front of score and {self._request.options.pareto}")
        return ", ".join(parts)

    @property
    def _forecasts_by_public_records(self) -> bool:
        """Whether the prior in the forecasts is of public records too: forecasts need curves, which these lack."""
        request = self._request
        reads = request.strategy.forecast == "race" and bool(request.arms.public)
        return (
            reads
            and self._context.store.curves.count_datasets(request.arms.record_recipes, request.target) > 0
        )

    def _describe_stages(self) -> str:
        options, stages = self._request.options, self._request.stages
        count = f"{stages.count} stage{'' if stages.count == 1 else 's'}"
        if options.stages is not None:
            first = "" if stages.count == 1 else f" from {stages.ends[0]:.2g}"
            return f"{count}{first} to {stages.epochs:g} epochs"
        per_epoch = options.stages_per_epoch or 1
        return f"{count} of {'1 epoch' if per_epoch == 1 else f'1/{per_epoch} epoch'}"

    @cached_property
    def _estimate(self) -> TrainingEstimate:
        return TrainingEstimate(self._context, self._request, self._models.candidates.names, self._contenders)

    def _expected_training(self) -> TrainingCost:
        estimate = self._estimate
        return estimate.cost(self._contenders, self._done, self._before, times=estimate.measured[0])

    def _selection(
        self,
        trainer: StageTrainer,
        recall_scores: Mapping[str, float],
        on_stage: Callable[[Sequence[Decision]], None],
    ) -> Selection:
        request = self._request
        preference = self._costs.preference(recall_scores)
        predictions = predictions_for(self._context, request, self._earlier, preference)
        judge = Judge(
            request.strategy,
            request.count,
            recall_scores,
            predictions,
            request.options.keep,
            request.arms.model_of,
            preference,
        )
        return Selection(recall_scores, trainer, judge, self._ledger, on_stage, emit, self._done)

    def _told(self, finalists: list[Finalist]) -> list[Finalist]:
        """The finalists; where the front has fewer than are wanted, that is said."""
        if self._request.options.pareto is not None and len(finalists) < self._request.count:
            notify(
                f"the Pareto front of score and {self._request.options.pareto} has "
                f"{counted(len(finalists), 'model')}, fewer than the {self._request.count} that are asked for"
            )
        return finalists

    @cached_property
    def _epoch_seconds(self) -> float | None:
        """The seconds that an epoch of a model is expected to take; read only where a budget limits them."""
        return None if self._request.budget.seconds is None else self._estimate.epoch


class ReplayedStages(Stages):
    """Walks the runs on record; nothing is trained."""

    def describe(self) -> str:
        return f"{super().describe()}, replayed"

    def expected(self) -> Cost:
        cost = self._expected_training()
        return Cost(self._request.arms.count(self._contenders), cost.epochs, cost.seconds)

    def run(
        self,
        recall_scores: Mapping[str, float],
        on_stage: Callable[[Sequence[Decision]], None],
        before: tuple[float, float] = (0.0, 0.0),
    ) -> list[Finalist]:
        """Replays the arms that have recall scores.

        Parameters
        ----------
        recall_scores, on_stage
            As in `Selection`.
        before
            The epochs and seconds of the budget that are spent already.

        Returns
        -------
        list of Finalist
            The best first.
        """
        request = self._request
        self._costs.check_known(list(recall_scores))
        self._ledger = Ledger(
            request.stages,
            request.budget,
            before,
            self._epoch_seconds,
            shares=request.strategy.shares_budget,
        )
        trainer = ReplayTrainer(self._recorded(list(recall_scores)))
        try:
            return self._told(self._selection(trainer, recall_scores, on_stage).run())
        finally:
            self.actual = Cost(request.arms.count(len(recall_scores)), *self.spent)

    def _recorded(self, arms: list[str]) -> ReplayExecutor:
        request, store = self._request, self._context.store
        models = list(dict.fromkeys(map(request.arms.model_of, arms)))
        return ReplayExecutor(
            request.target,
            recorded_curves_on_target(store, request, models),
            recorded_results_on_target(store, request),
            request.stages,
            self._done,
            request.options.keep,
        )
