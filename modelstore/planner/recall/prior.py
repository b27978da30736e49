"""The prior of one recall: how the records of other datasets rank the candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelstore.errors import OptionError
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import counted
from modelstore.recall import coarse_recall
from modelstore.recall.combined_scores import DEFAULT_SLOPES, Slopes, learn_slopes
from modelstore.recall.normal_scores import normal_score_prior
from modelstore.recall.pooled_recipes import pool_recipes
from modelstore.records import Matrix
from modelstore.store import Store
from modelstore.store.results import Results

_FEW = 3  # recipes, which are named


@dataclass(frozen=True)
class Prior:
    """How the records rank the candidates before the target is looked at.

    Parameters
    ----------
    name
        ``normal`` or ``mean``, as the option ``prior``.
    scores
        A score a candidate, (candidates,), the higher the better.
    known
        Whether any candidate has records; otherwise all scores are equal.
    datasets
        How many datasets are on record, the target left out.
    notes
        What is not known, in sentences for people.
    recipes
        The recipes whose records it is made of.
    """

    name: str
    scores: np.ndarray
    known: bool
    datasets: int
    notes: tuple[str, ...]
    recipes: tuple[str, ...]

    def describe(self) -> str:
        """What it is made of, in a few words."""
        kind = "prior" if self.name == "normal" else f"{self.name} prior"
        pooled = f", pooled over {_listed(self.recipes)}" if len(self.recipes) > 1 else ""
        return f"{kind} of {counted(self.datasets, 'dataset')}{pooled}"


def _listed(recipes: Sequence[str]) -> str:
    """The recipes where they are few, or how many they are."""
    if len(recipes) > _FEW:
        return counted(len(recipes), "recipe")
    return f"the recipes {', '.join(recipes[:-1])} and {recipes[-1]}"


def check_comparable(recipes: Sequence[str]) -> None:
    """Raises ``OptionError`` where recipes are several, and their means would be compared."""
    if len(recipes) > 1:
        raise OptionError(
            "Binder Error: prior = 'mean' compares means of scores, and those of several recipes are not comparable: "
            "leave it out, or name one recipe"
        )


def mean_prior(results: Results, recipes: Sequence[str], target: str, names: list[str]) -> np.ndarray:
    """acc(m) of the candidates, (names,), without the target's records (Cui et al., Eq. 2)."""
    return coarse_recall.priors(_means(results, recipes, target, names))


def _means(results: Results, recipes: Sequence[str], target: str, names: list[str]) -> np.ndarray:
    """The mean of each candidate's scores, (names,), those of several recipes together; NaN without records."""
    found = [results.means(recipe, target, names) for recipe in recipes]
    if len(found) == 1:
        return found[0][0]
    sums = sum(np.nan_to_num(means) * datasets for means, datasets in found)
    counts = sum(datasets for _, datasets in found)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def compute_prior(
    context: StatementContext, names: list[str], recipes: Sequence[str], target: str, asked: str
) -> Prior:
    """The prior of some candidates, without the target's records.

    Parameters
    ----------
    context
        The statement's context.
    names
        The candidates. One without records counts as average.
    recipes
        The recipes whose records are read.
    target
        The target dataset.
    asked
        The option ``prior``.
    """
    store = context.store
    if asked == "mean":
        means = _means(store.results, recipes, target, names)
        lacking, scores = np.isnan(means), coarse_recall.priors(means)
        datasets = max(store.results.greatest_difference(recipe, target)[1] for recipe in recipes)
    else:
        records = Records(store, recipes, target)
        found, datasets = records.priors_of(names), len(records.matrix.datasets)
        lacking, scores = np.isnan(found), np.nan_to_num(found)
    unknown = int(lacking.sum())
    verb, count = ("has", "counts") if unknown == 1 else ("have", "count")
    notes = (
        (f"{unknown:,} of the {len(names):,} candidates {verb} no result on record, and {count} as average",)
        if 0 < unknown < len(names)
        else ()
    )
    return Prior(asked, scores, unknown < len(names), datasets, notes, tuple(recipes))


def pooled_matrix(store: Store, recipes: Sequence[str]) -> tuple[Matrix, tuple[tuple[str, str], ...]]:
    """All results of some recipes as one matrix, read once while they are the same, and their fingerprints."""
    results = store.results
    state = tuple((recipe, results.fingerprint(recipe)) for recipe in recipes)
    matrix = store.memo.value(
        "matrix", state, lambda: pool_recipes([results.matrix(recipe) for recipe in recipes])
    )
    return matrix, state


class Records:
    """What the results of recipes on other datasets than the target say; computed once while they are the same."""

    def __init__(self, store: Store, recipes: Sequence[str], target: str):
        self._store = store
        self._target = target
        everything, state = pooled_matrix(store, recipes)
        self.matrix = _without(everything, target)
        # All targets without results of their own share one prior.
        self._state = (*state, target if target in everything.datasets else None)

    def priors_of(self, names: Sequence[str]) -> np.ndarray:
        """The mean of each model's normal scores, (names,); NaN for a model without records."""
        prior = self._store.memo.value("prior", self._state, self._compute_prior)
        return self.matrix.picked(prior, names)

    def _compute_prior(self) -> np.ndarray:
        scores = self.matrix.scores
        return np.where(np.isfinite(scores).any(axis=1), normal_score_prior(scores), np.nan)

    def slopes_of(self, proxies: Sequence[str], layers: str) -> Slopes:
        """How much prior and proxy say, learned from the datasets that have scores by the same proxy and layers.

        The defaults for several proxies, whose scores are combined for one target alone.
        """
        if len(proxies) != 1:
            return DEFAULT_SLOPES
        rows = sorted(self._store.proxy_scores.elsewhere(proxies[0], self._target, layers))
        state = (*self._state, self._target, proxies[0], hash(tuple(rows)))
        return self._store.memo.value("slopes", state, lambda: self._learn_slopes(rows))

    def _learn_slopes(self, rows: list[tuple[str, str, float]]) -> Slopes:
        row_of = {name: row for row, name in enumerate(self.matrix.models)}
        column_of = {name: column for column, name in enumerate(self.matrix.datasets)}
        proxies = np.full(self.matrix.scores.shape, np.nan)
        for model, dataset, score in rows:
            if model in row_of and dataset in column_of:
                proxies[row_of[model], column_of[dataset]] = score
        return learn_slopes(self.matrix.scores, proxies)


def _without(matrix: Matrix, dataset: str) -> Matrix:
    """The matrix without a dataset's column."""
    if dataset not in matrix.datasets:
        return matrix
    column = matrix.datasets.index(dataset)
    names = [name for name in matrix.datasets if name != dataset]
    return Matrix(matrix.models, names, np.delete(matrix.scores, column, axis=1))
