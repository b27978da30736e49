"""Proxy scores of models on a target: those on record, and the others computed from the target's data."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from modelstore.data.task_data import TaskData
from modelstore.errors import (
    INTERRUPTIONS,
    MissingRecordError,
    TrainingError,
    first_of,
    is_of_one_model,
    reason_of,
)
from modelstore.execution.jobs import Job, OnBatch, run_jobs
from modelstore.execution.worker import Worker
from modelstore.execution.workers import Workers
from modelstore.interruption import check, ctrl_c
from modelstore.options import RecipeOptions
from modelstore.planner.cluster_plan import placed, workers_for_passes
from modelstore.planner.contents import fault_of_model
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import load_dataset
from modelstore.planner.device_speed import speed_of
from modelstore.planner.plan import Cost
from modelstore.planner.recall.computing import ComputedScores, compute_scores
from modelstore.planner.recall.proxy_choice import ProxyChoice, ProxyNames, RawScores, in_place
from modelstore.planner.recall.request import RecallRequest
from modelstore.planner.recall.stored_scores import StoredScores
from modelstore.planner.recipes import training_recipe
from modelstore.planner.training_times import TrainingTimes
from modelstore.progress import notify, progress
from modelstore.recall.coarse_recall import normalise
from modelstore.recall.proxies import PROXIES, computed_name
from modelstore.recall.scoring_plan import scoring_epochs
from modelstore.store.registered import Dataset, Model

NAMED = 5  # models that a message names before it counts the others


@dataclass(frozen=True)
class ScoredModels:
    """Models that could be scored, their scores in [0, 1], (models,), and what scoring cost."""

    models: list[str]
    scores: np.ndarray
    cost: Cost


@dataclass(frozen=True)
class _Outcome:
    """What came of computing a model's scores: those on record, those wanted, and those computed or an error."""

    model: Model
    known: RawScores
    wanted: ProxyNames
    source: str | None
    computed: ComputedScores | BaseException


class Scoring:
    """Scores models by the proxies that a recall asks for."""

    def __init__(self, context: StatementContext, request: RecallRequest):
        self._context = context
        self._request = request

    # Both are read when first needed, and once: a run's own records do not change what was expected of it.
    @cached_property
    def _stored(self) -> StoredScores:
        request = self._request
        known = request.dataset
        train_rows = known.train_rows if known is not None else None
        rows = self._rows(train_rows) if train_rows else request.options.proxy_rows
        dataset = None if request.replays else known
        return StoredScores(self._context.store, request.target, dataset, rows, request.options.layers)

    @cached_property
    def proxies(self) -> ProxyChoice:
        """Which proxy scores each model."""
        return ProxyChoice(self._context.store, self._request, self._stored)

    def describe(self, models: Sequence[str]) -> str:
        """By which proxies the models are scored, in one line."""
        proxies = ", ".join(self._request.proxies)
        for (asked, used), some in in_place(self.proxies.used(models)).items():
            proxies += f" ({used} in place of {asked} for {len(some):,})"
        layers = self._request.options.layers
        if layers == "last" or not any(PROXIES[name].reads_features for name in self.used(models)):
            return f"proxy {proxies}"
        return f"proxy {proxies}, {'mean of layers' if layers == 'mean' else 'best layer'}"

    def used(self, models: Sequence[str]) -> tuple[str, ...]:
        """The proxies that score the models, in order."""
        return tuple(
            sorted({name for names in self.proxies.used(models).values() for name in names.values()})
        )

    def expected(self, models: Sequence[str]) -> Cost:
        """What scoring the models is expected to cost."""
        request, store, seconds, probed = self._request, self._context.store, None, False
        missing = self.missing(models)
        if request.replays:
            seconds = store.proxy_scores.seconds(request.target, models) or None
        elif missing and request.dataset is not None:
            seconds, probed = self._expected_seconds(missing, request.dataset)
        return self._cost(len(models), len(models) - len(missing), seconds, probed)

    def expected_epochs(self, models: Sequence[str]) -> float:
        """What scoring the models counts as in epochs, which takes no measurement to know."""
        stored = len(models) - len(self.missing(models))
        return self._cost(len(models), stored, None).epochs or 0.0

    def missing(self, models: Sequence[str]) -> list[str]:
        """The models some of whose scores are not on record."""
        used = self.proxies.used(models)
        return [model for model in models if not self._is_complete(model, used[model])]

    def _expected_seconds(self, models: list[str], dataset: Dataset) -> tuple[float | None, bool]:
        """The seconds of scoring the models, and whether they come from a probe of this machine."""
        options = self._request.options
        batches = RecipeOptions(batch_size=options.batch_size, max_length=options.max_length)
        recipe = training_recipe(self._context.store.recipes, self._request.recipes[0], {})
        runs = len(models) if options.executor == "ray" else 1  # here one after another takes all threads
        plan = placed(self._context, recipe, options, models, runs, in_memory=1)
        times = TrainingTimes(self._context.store, recipe.name, batches, dataset, speed_of(plan))
        seconds, probed = times.scoring(models, dataset, self._rows(dataset.train_rows))
        return None if seconds is None else seconds / plan.at_once, probed

    def score_models(self, models: Sequence[str], workers: Workers | None = None) -> ScoredModels:
        """Scores the models, and stores the scores that it computes.

        Parameters
        ----------
        models
            The models.
        workers
            A cluster's that are at work already.

        Raises
        ------
        MissingRecordError
            For a score that is neither on record nor can be computed.
        TrainingError
            Where no model could be scored.
        """
        began = time.perf_counter()
        used = self.proxies.used(models)
        raw = {
            model: self.proxies.on_record(model, names)
            for model, names in used.items()
            if self._is_complete(model, names)
        }
        stored = len(raw)
        missing = {model: names for model, names in used.items() if model not in raw}
        failures: list[str] = []
        if missing:
            computed, failures = self._score_missing(missing, workers)
            raw |= computed
        if not raw:
            raise TrainingError(f"none of the models could be scored: {'; '.join(failures)}")
        self._notify_of_proxies_in_place(used)
        self._notify_of_other_rows(self.used(models))
        scored = list(raw)
        by_proxy = {
            proxy: np.array([raw[model][proxy] for model in scored], dtype=float)
            for proxy in self._request.proxies
        }
        seconds = time.perf_counter() - began
        if self._request.replays:
            seconds = self._context.store.proxy_scores.seconds(self._request.target, scored)
        return ScoredModels(scored, normalise(by_proxy), self._cost(len(scored), stored, seconds))

    def _is_complete(self, model: str, names: ProxyNames) -> bool:
        """Whether all scores of the model by the proxies in use are on record."""
        return len(self.proxies.on_record(model, names)) == len(names)

    def _score_missing(
        self, missing: Mapping[str, ProxyNames], workers: Workers | None
    ) -> tuple[dict[str, RawScores], list[str]]:
        """Scores the models that lack scores; returns the scores by model, and why others could not be scored."""
        registered = self._scorable(list(missing))
        assert self._request.dataset is not None  # or nothing would be scorable
        data = load_dataset(self._context.store, self._request.dataset)
        batches = math.ceil(self._rows(data.train.num_rows) / self._request.options.batch_size)
        raw: dict[str, RawScores] = {}
        failures: list[str] = []
        waiting = list(missing)

        def take(worker: Worker, another: bool) -> Job[_Outcome] | None:
            check()
            if not waiting:
                return None
            model = waiting.pop(0)
            bar.set_postfix_str(model)
            return self._job(registered[model], missing[model], data)

        def finish(outcome: _Outcome) -> None:
            model = outcome.model
            if isinstance(outcome.computed, ComputedScores):
                raw[model.name] = self._keep(outcome, outcome.computed)
            else:
                # The members of its cluster then count as singletons.
                failures.append(reason_of(outcome.computed))
                notify(f"{model.name} could not be scored: {failures[-1]}")
            bar.update(max(0, batches * (len(raw) + len(failures)) - bar.n))

        with (
            progress(batches * len(missing), "coarse recall", "batch") as bar,
            self._workers(workers, list(missing)) as at_work,
        ):
            run_jobs(at_work, len(missing), take, finish, bar.update)
        return raw, failures

    def _workers(self, given: Workers | None, models: list[str]) -> AbstractContextManager[Workers]:
        """Those that run the models, in a block."""
        if given is not None and given.here is None:
            return nullcontext(given)
        return workers_for_passes(self._context, self._request.options, models, len(models))

    def _job(self, model: Model, names: ProxyNames, data: TaskData) -> Job[_Outcome]:
        """The computing of the scores of a model that are not on record; this thread reads before what that needs."""
        known = self.proxies.on_record(model.name, names)
        wanted = {asked: name for asked, name in names.items() if asked not in known}
        source = self._stored.source_of(model.uri)  # before computing: what changes meanwhile makes it stale
        outcome = partial(_Outcome, model, known, wanted, source)
        if (fault := fault_of_model(self._context.store, model)) is not None:
            return lambda worker, on_batch: outcome(fault)

        def compute(worker: Worker, on_batch: OnBatch) -> _Outcome:
            try:
                with ctrl_c():
                    options = self._request.options
                    return outcome(compute_scores(worker, model, wanted.values(), data, options, on_batch))
            except BaseException as error:  # libraries in native code raise what is no Exception
                if isinstance(error, INTERRUPTIONS) or not is_of_one_model(error):
                    raise
                return outcome(error)

        return compute

    def _keep(self, outcome: _Outcome, computed: ComputedScores) -> RawScores:
        """Stores the scores that were computed; returns all that are wanted of the model."""
        model = outcome.model
        if not self._context.read_only:
            for proxy, score in computed.by_proxy.items():
                self._context.store.proxy_scores.add(
                    model.name,
                    self._request.target,
                    proxy,
                    score,
                    computed.rows,
                    computed.seconds,
                    outcome.source,
                    self._request.options.layers if PROXIES[proxy].reads_features else None,
                )
        return outcome.known | {
            asked: computed.by_proxy[computed_name(name, self.proxies.target, computed.has_head)]
            for asked, name in outcome.wanted.items()
        }

    def _scorable(self, models: Sequence[str]) -> dict[str, Model]:
        """The models, by name. Raises ``MissingRecordError`` where one of them cannot be scored."""
        request, scorable = self._request, self.proxies.scorable(models)
        without = [model for model in models if model not in scorable]
        if without:
            model = without[0]
            why = "it has no weights to compute one from"
            if request.dataset is None:
                why = f'"{request.target}" is no registered dataset to compute one on'
            elif request.replays:
                why = "a replay computes none"
            recorded = self._stored.proxies_of(model)
            others = f"; on record for it: {', '.join(recorded)}" if recorded else ""
            raise MissingRecordError(
                f'there is no {", ".join(request.proxies)} score of "{model}" on "{request.target}" in '
                f"proxy_scores, and {why}{others}"
            )
        return scorable

    def _rows(self, train_rows: int) -> int:
        """How many rows a model is scored on."""
        return min(self._request.options.proxy_rows, train_rows)

    def _cost(self, scored: int, stored: int, seconds: float | None, probed: bool = False) -> Cost:
        counted = scored if self._request.replays else scored - stored
        known = f" ({stored} on record)" if stored else ""
        return Cost(f"{scored:,} scored{known}", self._epochs(counted), seconds, probed=probed)

    def _epochs(self, models: int) -> float:
        """What scoring so many models counts as, in epochs of the target."""
        request = self._request
        if request.epochs_a_score is not None:
            return models * request.epochs_a_score
        train_rows = request.dataset.train_rows if request.dataset is not None else None
        if not train_rows:  # unknown: as if every row were scored
            return scoring_epochs(models, 1, 1)
        return scoring_epochs(models, self._rows(train_rows), train_rows)

    def _notify_of_other_rows(self, proxies: Sequence[str]) -> None:
        """Says which scores on record are not used, where others cannot be computed in their place."""
        others = self._stored.of_other_rows(proxies)
        if others and (self._request.replays or self._request.dataset is None):
            notify(
                f"{first_of(others, NAMED)}: left out, since scores of another number of rows do not compare"
            )

    def _notify_of_proxies_in_place(self, used: Mapping[str, ProxyNames]) -> None:
        for (asked, name), models in in_place(used).items():
            why = self.proxies.why_in_place(models)
            notify(f"{name} is used in place of {asked} for {first_of(models, NAMED)}: {why}")
