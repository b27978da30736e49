"""What a selection is expected to find and to take: the same selection replayed on the store's own datasets.

Each recorded dataset stands for the target once, as in `COMPARE STRATEGIES`. Nothing is replayed unless EXPLAIN asks,
and what came of it is remembered until the records change.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from modelstore.errors import MissingRecordError
from modelstore.options import SelectOptions
from modelstore.planner.compare.plan import Case, ComparePlan
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost, counted
from modelstore.planner.select.replayed_epochs import ReplayedEpochs
from modelstore.planner.select.request import SelectRequest
from modelstore.selection.sample import Sample
from modelstore.store.expectations import Expectation
from modelstore.store.registered import Dataset

LEAST_DATASETS = 3
RULES = 2  # one more whenever strategies drop by other rules, or noise counts otherwise: what is remembered is void
MOST_DATASETS, MOST_MODELS = 40, 200  # of more, always the same ones are replayed
# Two test scores differ by noise alone where they are within so many standard deviations of one.
NOISE = float(np.sqrt(2))
# Options that change neither which models are trained nor which is chosen, and those that replays go without.
BESIDE = ("device", "executor", "register", "reuse", "ensemble", "pareto", "latency_weight")


class ReplayExpectation(ReplayedEpochs):
    """A step that runs nothing: it says what replays let expect.

    Parameters
    ----------
    context
        The statement's context.
    request
        The selection.
    options
        Its options as they were written: stages that grow with the target's rows are not among them.
    """

    def __init__(self, context: StatementContext, request: SelectRequest, options: SelectOptions):
        self._context = context
        self._request = request
        self._options = options

    def describe(self) -> str:
        found = self.found
        if found is None:
            have = len(self._cases)
            if have >= LEAST_DATASETS:
                return (
                    f"no regret to expect: the curves of {have} datasets do not have points for these stages"
                )
            return f"no regret to expect yet: that takes curves of {LEAST_DATASETS} datasets, and there are {have}"
        noise = ""
        if found.compared:
            noise = f", {found.within_noise / found.compared:.0%} within noise of the best"
        of = counted(found.datasets, "dataset")
        alone = "" if self._request.cost_column is None else ", by score alone"
        return (
            f"by replay on {of}{self._sampled}{alone} · regret {found.regret:.3f} ± {found.error:.3f}{noise}"
        )

    def expected(self) -> Cost:
        return Cost() if self.found is None else Cost(None, round(self.found.epochs, 1))

    @property
    def epochs(self) -> float | None:
        return None if self.found is None else self.found.epochs

    @property
    def models(self) -> float:
        return 0.0 if self.found is None else self.found.models

    @property
    def _sampled(self) -> str:
        return f" of {self._with_curves}" if self._with_curves > MOST_DATASETS else ""

    @cached_property
    def found(self) -> Expectation | None:
        """What replays came to, made now where it is not on record; None where there is too little to replay."""
        if len(self._cases) < LEAST_DATASETS:
            return None
        store, request = self._context.store, self._request
        records = store.expectations.state(request.recipe.name)
        known = store.expectations.find(self._key, records)
        if known is not None:
            return known
        found: Expectation | None = store.memo.value("replay", (self._key, records), self._replay)
        if found is not None and not self._context.read_only:
            store.expectations.put(self._key, records, found)
        return found

    @cached_property
    def _key(self) -> str:
        written = {name: value for name, value in self._options.as_dict().items() if name not in BESIDE}
        identity = [RULES, self._request.strategy.name, self._modality, self._request.target, written]
        return hashlib.md5(json.dumps(identity, sort_keys=True).encode(), usedforsecurity=False).hexdigest()

    @property
    def _modality(self) -> str | None:
        dataset = self._request.dataset
        return None if dataset is None else dataset.modality

    @cached_property
    def _all_cases(self) -> list[Case]:
        """The datasets of the target's modality on which two models or more have curves."""
        store, request = self._context.store, self._request
        modality_of = store.catalog.modalities_of_datasets()
        return [
            Case(dataset, models)
            for dataset, models in sorted(store.curves.models_by_dataset(request.recipe.name).items())
            if dataset != request.target
            and len(models) > 1
            and modality_of.get(dataset) in (None, self._modality)
        ]

    @property
    def _with_curves(self) -> int:
        return len(self._all_cases)

    @cached_property
    def _cases(self) -> list[Case]:
        """Those that are replayed, with their models."""
        few = _some([case.dataset for case in self._all_cases], MOST_DATASETS)
        return [
            replace(case, models=_some(case.models, MOST_MODELS))
            for case in self._all_cases
            if case.dataset in few
        ]

    def _replay(self) -> Expectation | None:
        request = self._request
        # By score alone: what the models on record cost to use may be unknown.
        options = replace(self._options, executor="replay", pareto=None, latency_weight=None)
        recipe = replace(request.recipe, variant=request.recipe.name)  # whose records there are
        plan = ComparePlan(self._context, [request.strategy.name], self._cases, recipe, options, skips=True)
        try:
            rows = plan.run().to_pylist()
        except MissingRecordError:
            return None
        if len(rows) < LEAST_DATASETS:
            return None
        sizes = {case.dataset: len(case.models) for case in self._cases}
        datasets = {row["dataset"]: self._context.store.catalog.find_dataset(row["dataset"]) for row in rows}
        return summarise(rows, sizes, datasets)


def summarise(
    rows: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], datasets: Mapping[str, Dataset | None]
) -> Expectation:
    """What replays came to.

    Parameters
    ----------
    rows
        Those of `COMPARE STRATEGIES`, one a dataset.
    sizes
        By dataset, how many models there were to choose from.
    datasets
        What is registered of each dataset.
    """
    regrets = np.array([row["regret"] for row in rows], dtype=float)
    noisy = [
        is_within_noise(row["score"] + row["regret"], row["score"], sample)
        for row in rows
        if (dataset := datasets[row["dataset"]]) is not None
        and (sample := Sample.of(dataset.test_rows, dataset.metric)) is not None
    ]
    return Expectation(
        datasets=len(rows),
        models=float(np.mean([sizes[row["dataset"]] for row in rows])),
        epochs=float(np.mean([row["epochs"] for row in rows])),
        regret=float(regrets.mean()),
        error=float(regrets.std(ddof=1) / np.sqrt(len(rows))),
        compared=len(noisy),
        within_noise=sum(noisy),
    )


def is_within_noise(best: float, chosen: float, sample: Sample) -> bool:
    """Whether two scores on the test rows differ by at most √2 standard deviations of the better one."""
    return bool(best - chosen <= NOISE * np.sqrt(sample.variance(best)) + 1e-9)


def _some(names: Sequence[str], most: int) -> list[str]:
    """Always the same ``most`` of some names, in order."""
    if len(names) <= most:
        return list(names)
    by_digest = sorted(names, key=lambda name: hashlib.md5(name.encode(), usedforsecurity=False).digest())
    return sorted(by_digest[:most])
