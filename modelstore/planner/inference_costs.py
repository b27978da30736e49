"""What the models of a statement cost to use: read from the record, and measured where that is asked for."""

import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from modelstore.data.hub import resolve_model
from modelstore.errors import INTERRUPTIONS, ModelError, first_of, is_of_one_model, reason_of
from modelstore.execution.jobs import Job, OnBatch, run_jobs
from modelstore.execution.machine import this_machine
from modelstore.execution.worker import Worker
from modelstore.interruption import check, ctrl_c
from modelstore.options import PlacementOptions
from modelstore.planner.cluster_plan import ClusterPlan, workers_for_passes
from modelstore.planner.contents import fault_of_model
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost, Step, counted
from modelstore.progress import notify, progress
from modelstore.records import InferenceCost
from modelstore.store.inference_costs import RecordedCost
from modelstore.store.registered import Model
from modelstore.turns import turn

NAMED = 5  # models that a message names before it counts the others
PROBE_SECONDS = 1.0  # that loading and measuring a model is expected to take


@dataclass(frozen=True)
class _Outcome:
    """What was measured of a model, or why it could not be."""

    model: Model
    found: InferenceCost | BaseException


class ModelCosts:
    """What models cost to use on a statement's device, with texts of at most so many tokens.

    Parameters
    ----------
    context
        The statement's context.
    options
        Where the statement runs models.
    max_length
        The tokens at which a text is cut.
    """

    def __init__(self, context: StatementContext, options: PlacementOptions, max_length: int):
        self._context = context
        self._options = options
        self._max_length = max_length

    @cached_property
    def device(self) -> str:
        """The kind of device: cpu or cuda."""
        asked, _, _ = self._options.device.partition(":")
        if asked != "auto":
            return asked
        if self._options.executor == "ray":
            return ClusterPlan(self._context, self._options, [], 1).device.partition(":")[0]
        return this_machine().picked("auto").partition(":")[0]

    @property
    def where(self) -> str:
        """The device and the length of which figures count, for messages."""
        return f"{self.device} with max_length = {self._max_length}"

    @property
    def why_not_measured(self) -> str:
        """Why the statement measures nothing; empty where it does."""
        if self._options.executor == "replay":
            return "a replay measures nothing"
        return "the database is open read-only" if self._context.read_only else ""

    def joined(self, models: str) -> str:
        """A table of models, with the columns of what is on record beside its own."""
        return self._context.store.inference_costs.joined(models, self.device, self._max_length)

    def of(self, models: Sequence[str]) -> dict[str, RecordedCost]:
        """What is on record, by model."""
        return self._context.store.inference_costs.of(models, self.device, self._max_length)

    def say_left_out(self, models: Sequence[str]) -> None:
        """Says that WHERE leaves models out, since what it asks is neither on record nor measured."""
        if models:
            notify(
                f"{first_of(models, NAMED)}: left out, since inference_costs does not have what WHERE asks of "
                f"{'it' if len(models) == 1 else 'them'} on {self.where}, and {self.why_not_measured}"
            )

    def measure(self, models: Sequence[str]) -> None:
        """Measures models, each put on record at once; says which cannot be measured, and why.

        Raises
        ------
        TrainingError
            This machine does not have the device.
        duckdb.InterruptException
            The statement was interrupted; what was measured before stays on record.
        """
        if self._options.executor != "ray":
            from modelstore.training.hardware import pick_device

            pick_device(self._options.device)  # one error for all models, where this machine lacks it
        registered = self._context.store.catalog.find_models(list(models))
        waiting = list(models)

        def take(worker: Worker, another: bool) -> Job[_Outcome] | None:
            check()
            if not waiting:
                return None
            name = waiting.pop(0)
            bar.set_postfix_str(name)
            return self._job(name, registered.get(name))

        def finish(outcome: _Outcome) -> None:
            if isinstance(outcome.found, InferenceCost):
                self._store(outcome.model, outcome.found)
            else:
                notify(f"{outcome.model.name} is left out: {reason_of(outcome.found)}")
            bar.update()

        with (
            turn(),
            progress(len(models), f"measuring models on {self.device}", "model") as bar,
            workers_for_passes(self._context, self._options, list(models), len(models)) as workers,
        ):
            run_jobs(workers, len(models), take, finish, lambda count=1: None)

    def _job(self, name: str, model: Model | None) -> Job[_Outcome]:
        """The measuring of a model; this thread reads before what that needs of the store."""
        if model is None or model.uri is None or model.modality is None:
            unknown = Model(name, None, None, None, None, (), None)
            error = ModelError(f'the model "{name}" has no weights to measure what it costs to use')
            return lambda worker, on_batch: _Outcome(unknown, error)
        outcome, modality = partial(_Outcome, model), model.modality
        fault = fault_of_model(self._context.store, model)
        if fault is not None:
            return lambda worker, on_batch: outcome(fault)

        def measure(worker: Worker, on_batch: OnBatch) -> _Outcome:
            try:
                with ctrl_c():
                    found = resolve_model(model.name, str(model.uri))
                    return outcome(worker.inference_cost(found, modality, self._max_length))
            except BaseException as error:  # libraries in native code raise what is no Exception
                if isinstance(error, INTERRUPTIONS) or not is_of_one_model(error):
                    raise
                return outcome(error)

        return measure

    def _store(self, model: Model, cost: InferenceCost) -> None:
        store = self._context.store
        fault_of_model(store, model)  # which notes what files there are, where they were fetched just now
        registered = store.fingerprints.of("model", model.name)
        store.inference_costs.add(model.name, cost, None if registered is None else registered.contents)


class Measuring(Step):
    """The measuring of models, as a leaf of a plan.

    Parameters
    ----------
    costs
        What measures them.
    models
        The models.
    most
        How many of them are measured at most, where recall chooses some; None: all.
    """

    def __init__(self, costs: ModelCosts, models: Sequence[str], most: int | None = None):
        self._costs = costs
        self._left = list(models)
        self._count = len(self._left) if most is None else min(most, len(self._left))

    def describe(self) -> str:
        return f"measure what models cost to use · {self._costs.where}"

    def expected(self) -> Cost:
        return Cost(counted(self._count, "model"), seconds=PROBE_SECONDS * self._count)

    def run(self, models: Container[str] | None = None) -> None:
        """Measures the models, or those of them that are among ``models``; each once."""
        began = time.perf_counter()
        measured = [model for model in self._left if models is None or model in models]
        self._left = [model for model in self._left if model not in measured]
        if measured:
            self._costs.measure(measured)
            self.actual = Cost(counted(len(measured), "model"), seconds=time.perf_counter() - began)
