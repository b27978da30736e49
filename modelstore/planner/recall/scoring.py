"""Proxy scores of models on a target: those on record, and the others computed from the target's data."""

import math
import time
from collections.abc import Callable, Collection, Sequence
from functools import cached_property

import numpy as np

from modelstore.data.task_data import TaskData
from modelstore.errors import MissingRecordError, ModelError, TrainingError
from modelstore.interruption import check
from modelstore.planner import datasets as data
from modelstore.planner.context import StatementContext
from modelstore.planner.costs import scoring_seconds
from modelstore.planner.plan import Cost
from modelstore.planner.recall.stored_scores import StoredScores
from modelstore.planner.select.request import RecallRequest
from modelstore.progress import notify, progress
from modelstore.recall.coarse_recall import normalise
from modelstore.recall.proxies import assign, compute, computed_name, stored_names
from modelstore.store.catalog import Model

# What scoring a model counts as, in epochs of training it.
EPOCHS_A_SCORE = 0.5
NAMED = 5  # models that a message names before it counts the others
Names = dict[str, str]  # by proxy asked for, the one that is used
Raw = dict[str, float]  # by proxy asked for


class Scoring:
    """Scores models by the proxies that a recall asks for."""

    def __init__(self, context: StatementContext, request: RecallRequest):
        self._context = context
        self._request = request
        self._regression = request.dataset is not None and request.dataset.task == "regression"

    # Read when first needed, and once: what a run adds to the records does not change what was expected of it.
    @cached_property
    def _stored(self) -> StoredScores:
        request = self._request
        return StoredScores(self._context.store, request.target, None if request.replays else request.dataset)

    def is_stored(self, model: str) -> bool:
        """Whether every score that is asked for is on record, or one that stands in for it."""
        return model in self._stored.models and all(
            self._stored.first(model, stored_names(proxy, self._regression))
            for proxy in self._request.proxies
        )

    def impossible(self, models: Sequence[str]) -> set[str]:
        """Those without stored scores of which none can be computed here."""
        missing = [model for model in models if not self.is_stored(model)]
        return set(missing).difference(self._with_weights(missing))

    def _with_weights(self, models: list[str]) -> dict[str, Model]:
        """Those of the models that can be scored here."""
        if self._request.replays or self._request.dataset is None:
            return {}
        registered = self._context.store.catalog.find_models(models)
        return {name: model for name, model in registered.items() if model.uri is not None}

    def _used(self, models: Sequence[str]) -> dict[str, Names]:
        """By model, the proxy that is used for each that is asked for."""
        used: dict[str, Names] = {model: {} for model in models}
        for proxy in self._request.proxies:
            names = stored_names(proxy, self._regression)
            stored = {name: [m for m in models if self._stored.first(m, (name,))] for name in names}
            computable: dict[str, Collection[str]] = dict.fromkeys(names, ())
            if max(map(len, stored.values())) < len(models):
                weights = self._with_weights(list(models))
                headless = self._context.store.catalog.without_head(list(weights))
                for name in names:
                    possible = computed_name(name, self._regression, has_head=False) == name
                    computable[name] = weights.keys() if possible else weights.keys() - headless
            for model, name in assign(models, stored, computable).items():
                used[model][proxy] = name
        return used

    def _on_record(self, model: str, names: Names) -> Raw:
        """Those of its scores by the proxies that are used which are on record."""
        found = {proxy: self._stored.first(model, (name,)) for proxy, name in names.items()}
        return {proxy: score[1] for proxy, score in found.items() if score}

    def describe(self, scored: Sequence[str]) -> str:
        proxies = ", ".join(self._request.proxies)
        for (asked, used), models in _stand_ins(self._used(scored)).items():
            proxies += f" ({used} in place of {asked} for {len(models):,})"
        return f"proxy {proxies}"

    def expected(self, scored: Sequence[str]) -> Cost:
        request, store, seconds = self._request, self._context.store, None
        used = self._used(scored)
        missing = [model for model in scored if len(self._on_record(model, used[model])) < len(used[model])]
        if request.replays:
            seconds = store.proxy_scores.seconds(request.target, scored) or None
        elif missing and request.dataset is not None:
            parameters = store.catalog.parameters_of(missing)
            seconds = scoring_seconds(store.telemetry, parameters, self._rows(request.dataset.train_rows))
        return self._cost(len(scored), len(scored) - len(missing), seconds)

    def _cost(self, scored: int, stored: int, seconds: float | None) -> Cost:
        counted = scored if self._request.replays else scored - stored
        known = f" ({stored} on record)" if stored else ""
        return Cost(f"{scored:,} scored{known}", EPOCHS_A_SCORE * counted, seconds)

    def scores(self, models: Sequence[str]) -> tuple[list[str], np.ndarray, Cost]:
        """Those of the models that could be scored, their scores, normalised to [0, 1], and what that cost.

        Raises ``MissingRecordError`` for a score that cannot be had, ``TrainingError`` where all of them failed.
        """
        began = time.perf_counter()
        used = self._used(models)
        raw, stored = self._raw(used)
        self._say_stand_ins(used)
        scored = list(raw)
        proxies = {
            proxy: np.array([raw[model][proxy] for model in scored], dtype=float)
            for proxy in self._request.proxies
        }
        seconds = time.perf_counter() - began
        if self._request.replays:
            seconds = self._context.store.proxy_scores.seconds(self._request.target, scored)
        return scored, normalise(proxies), self._cost(len(scored), stored, seconds)

    def _raw(self, used: dict[str, Names]) -> tuple[dict[str, Raw], int]:
        """Raw scores by model and proxy, and how many models had theirs on record."""
        known = {model: self._on_record(model, names) for model, names in used.items()}
        raw = {model: scores for model, scores in known.items() if len(scores) == len(used[model])}
        missing = [model for model in used if model not in raw]
        stored = len(raw)
        failures: list[str] = []
        if missing:
            registered = self._registered(missing)
            assert self._request.dataset is not None
            task_data = data.load(self._context.store, self._request.dataset)
            rows = self._rows(task_data.train.num_rows)
            batches = math.ceil(rows / self._request.options["batch_size"])
            with progress(batches * len(missing), "coarse recall", "batch") as bar:
                for number, model in enumerate(missing, 1):
                    check()
                    bar.set_postfix_str(model)
                    try:
                        raw[model] = known[model] | self._compute(
                            registered[model],
                            {proxy: name for proxy, name in used[model].items() if proxy not in known[model]},
                            task_data,
                            bar.update,
                        )
                    except (ModelError, TrainingError) as error:
                        # Its cluster goes on as singletons; the user is told.
                        failures.append(str(error))
                        notify(f"{model} could not be scored: {error}")
                    bar.update(batches * number - bar.n)
        if not raw:
            raise TrainingError(f"none of the models could be scored: {'; '.join(failures)}")
        return raw, stored

    def _registered(self, missing: list[str]) -> dict[str, Model]:
        """The models, to be scored. Raises ``MissingRecordError`` where one of them cannot be."""
        request, registered = self._request, self._with_weights(missing)
        without = [model for model in missing if model not in registered]
        if without:
            model = without[0]
            why = "it has no weights to compute one from"
            if request.dataset is None:
                why = f'"{request.target}" is no registered dataset to compute one on'
            elif request.replays:
                why = "a replay computes none"
            kept = self._stored.proxies_of(model)
            others = f"; on record for it: {', '.join(kept)}" if kept else ""
            raise MissingRecordError(
                f'there is no {", ".join(request.proxies)} score of "{model}" on "{request.target}" in '
                f"proxy_scores, and {why}{others}"
            )
        return registered

    def _rows(self, train_rows: int) -> int:
        """How many rows a model is scored on."""
        return min(self._request.options["proxy_rows"], train_rows)

    def _compute(self, model: Model, used: Names, task_data: TaskData, on_batch: Callable[[], None]) -> Raw:
        from modelstore.data.hub import resolve_model
        from modelstore.training.features import extract

        began, options = time.perf_counter(), self._request.options
        path, source = resolve_model(model.name, str(model.uri)).path, self._stored.source_of(model.uri)
        extracted = extract(
            model.name,
            path,
            task_data,
            rows=options["proxy_rows"],
            seed=options["seed"],
            batch_size=options["batch_size"],
            max_length=options["max_length"],
            device=options["device"],
            on_batch=on_batch,
        )
        has_head = extracted.probabilities is not None
        names = {asked: computed_name(name, self._regression, has_head) for asked, name in used.items()}
        try:
            scores = compute(
                sorted(set(names.values())),
                extracted.features,
                extracted.probabilities,
                extracted.labels,
                self._regression,
            )
        except ValueError as error:  # such as features that are not finite
            raise TrainingError(f"the proxies of {model.name} cannot be computed: {error}") from error
        seconds = time.perf_counter() - began
        if not self._context.read_only:
            for name, score in scores.items():
                self._context.store.proxy_scores.add(
                    model.name, self._request.target, name, score, len(extracted.labels), seconds, source
                )
        return {asked: scores[name] for asked, name in names.items()}

    def _say_stand_ins(self, used: dict[str, Names]) -> None:
        for (asked, name), models in _stand_ins(used).items():
            named = ", ".join(models[:NAMED]) + (
                f" and {len(models) - NAMED:,} more" if models[NAMED:] else ""
            )
            notify(f"{name} is used in place of {asked} for {named}: {self._why_another(models)}")

    def _why_another(self, models: list[str]) -> str:
        """Why another proxy is used for these than was asked for."""
        if self._regression:
            return "the target is a regression"
        if self._context.store.catalog.without_head(models).issuperset(models):
            return "no classification head"
        return "not all have a classification head"


def _stand_ins(used: dict[str, Names]) -> dict[tuple[str, str], list[str]]:
    """The models that another proxy scores in place of one asked for, by (asked for, used)."""
    found: dict[tuple[str, str], list[str]] = {}
    for model, names in used.items():
        for asked, name in names.items():
            if name != asked:
                found.setdefault((asked, name), []).append(model)
    return found
