"""`RECALL`, and the first phase of `SELECT BEST`: score representatives on the target, propagate, rank."""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelstore.engine.progress import progress, say
from modelstore.engine.task_data import TaskData
from modelstore.errors import (
    MissingRecordError,
    ModelError,
    NotFoundError,
    OptionError,
    TrainingError,
    did_you_mean,
)
from modelstore.interruption import check
from modelstore.language import expressions as ours
from modelstore.language.options import PROXIES, RECALL_OPTIONS, defaults
from modelstore.planner import data
from modelstore.planner.candidates import find_candidates
from modelstore.planner.costs import scoring_seconds
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, Step
from modelstore.planner.priors import prior_of
from modelstore.planner.recipes import known_recipe
from modelstore.planner.session import Session
from modelstore.recall import coarse_recall
from modelstore.recall.coarse_recall import Recalled, ScoringPlan
from modelstore.recall.proxies import compute, computed_name, stored_names
from modelstore.store import Store
from modelstore.store.catalog import Dataset, Model
from modelstore.store.clusters import Memberships
from modelstore.udfs.similarity import similarities

if TYPE_CHECKING:
    from modelstore.planner.budgeting import RecallByPrior

Clusters = Callable[[Sequence[str]], Memberships]
# What scoring a model counts as, in epochs of training it.
EPOCHS_A_SCORE = 0.5
NAMED = 5  # models that a message names before it counts the others
SCHEMA = pa.schema(
    [
        ("rank", pa.int64()),
        ("model", pa.string()),
        ("cluster", pa.int64()),
        ("representative", pa.string()),
        ("prior", pa.float64()),
        ("proxy_score", pa.float64()),
        ("recall_score", pa.float64()),
    ]
)


class CoarseRecall(Step):
    """Recalls the ``count`` best candidates for a target by Eqs. 2–4.

    ``replays`` says that stored scores stand for scoring in a replay, and cost what scoring costs. ``clusters_of``
    gives the clustering, if it is not the one on record.
    """

    def __init__(
        self,
        session: Session,
        models: Models,
        target: str,
        dataset: Dataset | None,
        count: int,
        proxies: Sequence[str],
        recipe: str,
        options: dict[str, Any],
        replays: bool = False,
        clusters_of: Clusters | None = None,
    ):
        self._clusters_of = clusters_of or session.store.clusters.of
        self._session = session
        self._models = models
        self._target = target
        self._dataset = dataset
        self.count = count
        self._proxies = tuple(proxies)
        self._recipe = recipe
        self._options = options
        self._replays = replays
        self._regression = dataset is not None and dataset.task == "regression"

    # Read when first needed, and once: what a run adds to the records does not change what was expected of it.
    @cached_property
    def _plan(self) -> ScoringPlan:
        names = self._models.candidates.names
        found = self._clusters_of(names)
        return coarse_recall.plan_scoring(names, found.cluster, found.representative, found.size)

    @cached_property
    def _stored(self) -> dict[tuple[str, str], float]:
        return self._session.store.proxy_scores.on(self._target)

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._models,)

    def describe(self) -> str:
        of = len(self._models.candidates.names)
        proxies = ", ".join(self._proxies)
        for (asked, used), models in self._stand_ins().items():
            proxies += f" ({used} in place of {asked} for {len(models):,})"
        return f"coarse recall · top {min(self.count, of)} of {of:,}, proxy {proxies}"

    def likely_models(self) -> list[str]:
        return self._models.candidates.names[: self.count]

    @cached_property
    def _complete(self) -> set[str]:
        """The models that have every score that is asked for on record."""
        names = [stored_names(proxy, self._regression) for proxy in self._proxies]
        having = ({model for model, name in self._stored if name in answers} for answers in names)
        return set.intersection(*having)

    def _is_stored(self, model: str) -> bool:
        return model in self._complete

    def _stored_score(self, model: str, proxy: str) -> float | None:
        names = stored_names(proxy, self._regression)
        return next((self._stored[model, name] for name in names if (model, name) in self._stored), None)

    def _stand_ins(self) -> dict[tuple[str, str], list[str]]:
        """The models that another proxy scores in place of one asked for, by (asked for, used)."""
        scored = self._plan.scored
        headless = self._session.store.catalog.without_head([m for m in scored if not self._is_stored(m)])
        found: dict[tuple[str, str], list[str]] = {}
        for model, proxy in itertools.product(scored, self._proxies):
            on_record = [n for n in stored_names(proxy, self._regression) if (model, n) in self._stored]
            has_head = model not in headless
            used = on_record[0] if on_record else computed_name(proxy, self._regression, has_head)
            if used != proxy:
                found.setdefault((proxy, used), []).append(model)
        return found

    def _say_stand_ins(self) -> None:
        why = "the target is a regression" if self._regression else "no classification head"
        for (asked, used), models in self._stand_ins().items():
            named = ", ".join(models[:NAMED]) + (
                f" and {len(models) - NAMED:,} more" if models[NAMED:] else ""
            )
            say(f"{used} is used in place of {asked} for {named}: {why}")

    def expected(self) -> Cost:
        scored = self._plan.scored
        missing = [model for model in scored if not self._is_stored(model)]
        store, seconds = self._session.store, None
        if self._replays:
            seconds = store.proxy_scores.seconds(self._target, scored) or None
        elif missing and self._dataset is not None:
            parameters = store.catalog.parameters_of(missing)
            seconds = scoring_seconds(store.telemetry, parameters, self._rows(self._dataset.train_rows))
        return self._cost(len(scored), len(scored) - len(missing), seconds)

    def _cost(self, scored: int, stored: int, seconds: float | None = None) -> Cost:
        counted = scored if self._replays else scored - stored
        known = f" ({stored} on record)" if stored else ""
        return Cost(f"{scored:,} scored{known}", EPOCHS_A_SCORE * counted, seconds)

    def recall(self) -> list[Recalled]:
        """The recalled models, best first. Raises ``MissingRecordError`` for a score that cannot be had."""
        began = time.perf_counter()
        raw, stored = self._scores()
        self._say_stand_ins()
        scored = list(raw)
        proxies = {
            proxy: np.array([raw[model][proxy] for model in scored], dtype=float) for proxy in self._proxies
        }
        recalled = self._rank(scored, coarse_recall.normalise(proxies))
        seconds = time.perf_counter() - began
        if self._replays:
            seconds = self._session.store.proxy_scores.seconds(self._target, scored)
        self.actual = self._cost(len(scored), stored, seconds)
        return recalled

    def _rank(self, scored: list[str], proxy: np.ndarray) -> list[Recalled]:
        """The ``count`` best, by the normalised ``proxy`` of those that could be ``scored``."""
        plan = coarse_recall.without_failures(self._plan, scored)
        results, candidates = self._session.store.results, len(plan.candidates)
        means, datasets = results.means(self._recipe, self._target, [*plan.candidates, *plan.scored])
        difference, all_datasets = results.greatest_difference(self._recipe, self._target)
        lowest = 1.0 - difference
        names = np.array(plan.candidates, dtype=object)

        def propagated(singletons: np.ndarray) -> np.ndarray:
            check()
            some = names[singletons].tolist()
            matrix = results.matrix(self._recipe, excluding=self._target, models=[*some, *plan.scored])
            found = similarities(matrix.rows(some), matrix.rows(plan.scored))
            return coarse_recall.propagate(found, proxy, lowest)

        most = coarse_recall.most_propagated(
            datasets[:candidates], datasets[candidates:], proxy, all_datasets
        )
        prior = coarse_recall.priors(means[:candidates])
        return coarse_recall.rank(plan, self.count, prior, proxy, most, propagated)

    def _scores(self) -> tuple[dict[str, dict[str, float | None]], int]:
        """Raw scores by model and proxy, and how many models had theirs on record."""
        raw: dict[str, dict[str, float | None]] = {}
        failures: list[str] = []
        missing: list[str] = []
        for model in self._plan.scored:
            if self._is_stored(model):
                raw[model] = {proxy: self._stored_score(model, proxy) for proxy in self._proxies}
            else:
                missing.append(model)
        stored = len(raw)
        if missing:
            models = self._with_weights(missing)
            assert self._dataset is not None
            task_data = data.load(self._session.store, self._dataset)
            batches = math.ceil(self._rows(task_data.train.num_rows) / self._options["batch_size"])
            with progress(batches * len(missing), "coarse recall", "batch") as bar:
                for number, model in enumerate(missing, 1):
                    check()
                    bar.set_postfix_str(model)
                    try:
                        raw[model] = self._score(models[model], task_data, bar.update)
                    except (ModelError, TrainingError) as error:
                        # Its cluster goes on as singletons; the user is told.
                        failures.append(str(error))
                        say(f"{model} could not be scored: {error}")
                    bar.update(batches * number - bar.n)
        if not raw:
            raise TrainingError(f"none of the models could be scored: {'; '.join(failures)}")
        return raw, stored

    def _with_weights(self, missing: list[str]) -> dict[str, Model]:
        registered = self._session.store.catalog.find_models(missing)
        without = [model for model in missing if model not in registered or registered[model].uri is None]
        if self._dataset is None or without or self._replays:
            model = (without or missing)[0]
            why = "it has no weights to compute one from"
            if self._dataset is None:
                why = f'"{self._target}" is no registered dataset to compute one on'
            elif self._replays:
                why = "a replay computes none"
            kept = sorted({proxy for name, proxy in self._stored if name == model})
            others = f"; on record for it: {', '.join(kept)}" if kept else ""
            raise MissingRecordError(
                f'there is no {", ".join(self._proxies)} score of "{model}" on "{self._target}" in '
                f"proxy_scores, and {why}{others}"
            )
        return registered

    def _rows(self, train_rows: int) -> int:
        """How many rows a model is scored on."""
        return min(self._options["proxy_rows"], train_rows)

    def _score(
        self, model: Model, task_data: TaskData, on_batch: Callable[[], None]
    ) -> dict[str, float | None]:
        from modelstore.engine.features import extract
        from modelstore.engine.model_info import resolve

        began = time.perf_counter()
        extracted = extract(
            model.name,
            resolve(str(model.uri)),
            task_data,
            rows=self._options["proxy_rows"],
            seed=self._options["seed"],
            batch_size=self._options["batch_size"],
            max_length=self._options["max_length"],
            device=self._options["device"],
            on_batch=on_batch,
        )
        has_head = extracted.probabilities is not None
        known = {proxy: self._stored_score(model.name, proxy) for proxy in self._proxies}
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
                    model.name, self._target, name, score, len(extracted.labels), seconds
                )
        return known | {proxy: scores[name] for proxy, name in names.items()}


class RecallModels(Plan):
    """The statement `RECALL`."""

    schema = SCHEMA

    def __init__(self, target: str, recall: CoarseRecall):
        self._target = target
        self._recall = recall

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._recall,)

    def describe(self) -> str:
        return f"RECALL MODELS FOR {self._target}"

    def expected(self) -> Cost:
        return self._recall.expected()

    def likely_models(self) -> list[str]:
        return self._recall.likely_models()

    def run(self) -> pa.Table:
        recalled = self._recall.recall()
        self.actual = self._recall.actual
        rows = [{name: getattr(row, name) for name in SCHEMA.names} for row in recalled]
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def bind_recall(session: Session, statement: ours.Recall) -> RecallModels:
    """Plans a RECALL."""
    options = defaults(RECALL_OPTIONS) | session.options_of(statement, RECALL_OPTIONS)
    target = session.name_of(statement.args["target"])
    dataset = session.store.catalog.find_dataset(target)
    if dataset is None:
        check_target(session, target, "proxy_scores")
    recipe = known_recipe(session.store.recipes, options["recipe"])
    candidates = find_candidates(
        session, statement, target, dataset, on_record=recipe if dataset is None else None
    )
    count = session.count_of(statement.args["count"]) if statement.args.get("count") else options["recall"]
    proxies = [_proxy_of(session, node) for node in statement.args.get("proxies") or []] or [options["proxy"]]
    models = Models(candidates)
    return RecallModels(
        target, recall_step(session, models, target, dataset, count, proxies, recipe, options)
    )


def recall_step(
    session: Session,
    models: Models,
    target: str,
    dataset: Dataset | None,
    count: int,
    proxies: Sequence[str],
    recipe: str,
    options: dict[str, Any],
    to_train: bool = False,
    replays: bool = False,
    clusters_of: Clusters | None = None,
) -> CoarseRecall:
    """The recall by the prior that the options ask for. ``to_train``: who is recalled matters, not in what order."""
    from modelstore.planner.informed_recall import InformedRecall

    prior = prior_of(session, models.candidates.names, recipe, target, options["prior"])
    arguments = (session, models, target, dataset, count, proxies, recipe, options, replays, clusters_of)
    return CoarseRecall(*arguments) if prior is None else InformedRecall(prior, to_train, *arguments)


def recall_scores(
    store: Store, recipe: str, target: str, names: list[str], recall: "CoarseRecall | RecallByPrior | None"
) -> dict[str, float]:
    """Recall scores by model: of the recalled, or, without that phase, acc(m) of every candidate."""
    if recall is not None:
        return {recalled.model: recalled.recall_score for recalled in recall.recall()}
    means, _ = store.results.means(recipe, target, names)
    return dict(zip(names, coarse_recall.priors(means).tolist(), strict=True))


def check_target(session: Session, target: str, table: str) -> None:
    """Raises ``NotFoundError`` for a target that is neither registered nor on record in a table."""
    recorded = session.store.catalog.datasets_in(table)
    if target not in recorded:
        near = did_you_mean(target, [*recorded, *session.store.catalog.dataset_names()])
        raise NotFoundError(f'"{target}" is no registered dataset{near}, and {table} has nothing of it')


def _proxy_of(session: Session, node: Any) -> str:
    name = session.name_of(node).lower()
    if name not in PROXIES:
        near = did_you_mean(name, PROXIES)
        message = f'Binder Error: unknown proxy "{name}"{near}: the proxies are {", ".join(PROXIES)}'
        raise OptionError(session.at(message, node))
    return name
