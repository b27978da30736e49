"""Proxy scores of models on a target: those on record, and the others computed from the target's data."""

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from modelstore.engine.progress import progress, say
from modelstore.engine.task_data import TaskData
from modelstore.errors import MissingRecordError, ModelError, TrainingError
from modelstore.interruption import check
from modelstore.planner import data
from modelstore.planner.costs import scoring_seconds
from modelstore.planner.plan import Cost
from modelstore.planner.request import RecallRequest
from modelstore.planner.session import Session
from modelstore.planner.stored_scores import StoredScores
from modelstore.recall.coarse_recall import normalise
from modelstore.recall.proxies import compute, computed_name, stored_names
from modelstore.store.catalog import Model

# What scoring a model counts as, in epochs of training it.
EPOCHS_A_SCORE = 0.5
NAMED = 5  # models that a message names before it counts the others
Raw = dict[str, float | None]


class Scoring:
    """Scores models by the proxies that a recall asks for."""

    def __init__(self, session: Session, request: RecallRequest):
        self._session = session
        self._request = request
        self._regression = request.dataset is not None and request.dataset.task == "regression"

    # Read when first needed, and once: what a run adds to the records does not change what was expected of it.
    @cached_property
    def _stored(self) -> StoredScores:
        request = self._request
        return StoredScores(self._session.store, request.target, None if request.replays else request.dataset)

    def is_stored(self, model: str) -> bool:
        """Whether every score that is asked for is on record."""
        return model in self._stored.models and None not in self._on_record(model).values()

    def impossible(self, models: Sequence[str]) -> set[str]:
        """Those without stored scores of which none can be computed here."""
        missing = [model for model in models if not self.is_stored(model)]
        if self._request.replays or self._request.dataset is None:
            return set(missing)
        return set(_without_weights(missing, self._session.store.catalog.find_models(missing)))

    def describe(self, scored: Sequence[str]) -> str:
        proxies = ", ".join(self._request.proxies)
        for (asked, used), models in self._stand_ins(scored).items():
            proxies += f" ({used} in place of {asked} for {len(models):,})"
        return f"proxy {proxies}"

    def expected(self, scored: Sequence[str]) -> Cost:
        request, store, seconds = self._request, self._session.store, None
        missing = [model for model in scored if not self.is_stored(model)]
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
        raw, stored = self._raw(models)
        self._say_stand_ins(models)
        scored = list(raw)
        proxies = {
            proxy: np.array([raw[model][proxy] for model in scored], dtype=float)
            for proxy in self._request.proxies
        }
        seconds = time.perf_counter() - began
        if self._request.replays:
            seconds = self._session.store.proxy_scores.seconds(self._request.target, scored)
        return scored, normalise(proxies), self._cost(len(scored), stored, seconds)

    def _raw(self, models: Sequence[str]) -> tuple[dict[str, Raw], int]:
        """Raw scores by model and proxy, and how many models had theirs on record."""
        raw = {model: self._on_record(model) for model in models if self.is_stored(model)}
        missing = [model for model in models if model not in raw]
        stored = len(raw)
        failures: list[str] = []
        if missing:
            registered = self._with_weights(missing)
            assert self._request.dataset is not None
            task_data = data.load(self._session.store, self._request.dataset)
            rows = self._rows(task_data.train.num_rows)
            batches = math.ceil(rows / self._request.options["batch_size"])
            with progress(batches * len(missing), "coarse recall", "batch") as bar:
                for number, model in enumerate(missing, 1):
                    check()
                    bar.set_postfix_str(model)
                    try:
                        raw[model] = self._compute(registered[model], task_data, bar.update)
                    except (ModelError, TrainingError) as error:
                        # Its cluster goes on as singletons; the user is told.
                        failures.append(str(error))
                        say(f"{model} could not be scored: {error}")
                    bar.update(batches * number - bar.n)
        if not raw:
            raise TrainingError(f"none of the models could be scored: {'; '.join(failures)}")
        return raw, stored

    def _on_record(self, model: str) -> Raw:
        return {proxy: self._stored_score(model, proxy) for proxy in self._request.proxies}

    def _stored_score(self, model: str, proxy: str) -> float | None:
        found = self._stored.first(model, stored_names(proxy, self._regression))
        return None if found is None else found[1]

    def _with_weights(self, missing: list[str]) -> dict[str, Model]:
        request, registered = self._request, self._session.store.catalog.find_models(missing)
        without = _without_weights(missing, registered)
        if request.dataset is None or without or request.replays:
            model = (without or missing)[0]
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

    def _compute(self, model: Model, task_data: TaskData, on_batch: Callable[[], None]) -> Raw:
        from modelstore.engine.features import extract
        from modelstore.engine.model_info import resolve

        began, options = time.perf_counter(), self._request.options
        path, source = resolve(str(model.uri)), self._stored.source_of(model.uri)
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
        known = self._on_record(model.name)
        names = {
            proxy: computed_name(proxy, self._regression, has_head)
            for proxy, score in known.items()
            if score is None
        }
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
        if not self._session.read_only:
            for name, score in scores.items():
                self._session.store.proxy_scores.add(
                    model.name, self._request.target, name, score, len(extracted.labels), seconds, source
                )
        return known | {proxy: scores[name] for proxy, name in names.items()}

    def _stand_ins(self, scored: Sequence[str]) -> dict[tuple[str, str], list[str]]:
        """The models that another proxy scores in place of one asked for, by (asked for, used)."""
        headless = self._session.store.catalog.without_head([m for m in scored if not self.is_stored(m)])
        found: dict[tuple[str, str], list[str]] = {}
        for model, proxy in itertools.product(scored, self._request.proxies):
            on_record = self._stored.first(model, stored_names(proxy, self._regression))
            has_head = model not in headless
            used = on_record[0] if on_record else computed_name(proxy, self._regression, has_head)
            if used != proxy:
                found.setdefault((proxy, used), []).append(model)
        return found

    def _say_stand_ins(self, scored: Sequence[str]) -> None:
        why = "the target is a regression" if self._regression else "no classification head"
        for (asked, used), models in self._stand_ins(scored).items():
            named = ", ".join(models[:NAMED]) + (
                f" and {len(models) - NAMED:,} more" if models[NAMED:] else ""
            )
            say(f"{used} is used in place of {asked} for {named}: {why}")


def _without_weights(models: Sequence[str], registered: Mapping[str, Model]) -> list[str]:
    return [model for model in models if model not in registered or registered[model].uri is None]
