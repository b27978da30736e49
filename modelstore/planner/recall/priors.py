"""The prior of a recall: which one is asked for, which one is used, and what it says of the candidates."""

from contextlib import suppress
from dataclasses import dataclass

import duckdb
import numpy as np

from modelstore.planner.context import StatementContext
from modelstore.recall import coarse_recall, model_priors
from modelstore.store.results import Results


@dataclass(frozen=True)
class Prior:
    """What the records say of n candidates: ``scores`` (n,) rank them; all are alike unless it is ``known``.

    ``name`` is the prior used, ``chosen`` whether replay chose it; ``notes`` say what could not be used.
    """

    name: str
    chosen: bool
    scores: np.ndarray
    known: bool
    notes: tuple[str, ...]


def mean_prior(results: Results, recipe: str, target: str, names: list[str]) -> np.ndarray:
    """acc(m) of the candidates ``names``, the target's records left out: (n,)."""
    means, _ = results.means(recipe, target, names)
    return coarse_recall.priors(means)


def prior_of(context: StatementContext, names: list[str], recipe: str, target: str, asked: str) -> Prior:
    """The prior of the candidates ``names``, the target's records left out.

    A candidate without records counts as their mean; where nobody has any, all are alike.
    """
    results, name = context.store.results, asked
    notes: list[str] = []
    if asked == "mean":
        scores, _ = results.means(recipe, target, names)
    elif asked == "auto":
        name, scores = _chosen(context, recipe, target, names)
    else:
        matrix = results.matrix(recipe, excluding=target)
        if asked == "learned" and np.isnan(matrix.picked(model_priors.learned(matrix.scores), names)).all():
            name = "standardised"
            notes.append(
                f"the learned prior takes {model_priors.LEAST_DATASETS} datasets with results of "
                f"{model_priors.LEAST_MODELS} models each, and the store knows too few: the standardised one is used"
            )
        scores = matrix.picked(model_priors.PRIORS[name](matrix.scores), names)
    unknown = int(np.isnan(scores).sum())
    if 0 < unknown < len(names):
        notes.append(
            f"{unknown:,} of the {len(names):,} candidates have no result on record, and count as average"
        )
    return Prior(name, asked == "auto", coarse_recall.priors(scores), unknown < len(names), tuple(notes))


def _chosen(context: StatementContext, recipe: str, target: str, names: list[str]) -> tuple[str, np.ndarray]:
    """The prior that does best by replay, and what it says of the models, NaN without records: (len(names),).

    Both are remembered, and read where the records are the same. A target without results of its own has no part in
    them, so that all such targets share one choice.
    """
    results, remembered = context.store.results, context.store.priors
    of = target if results.has(recipe, target) else remembered.ANY
    fingerprint = results.fingerprint(recipe, target)
    found = remembered.of(recipe, of, fingerprint, names)
    if found is not None:
        return found
    matrix = results.matrix(recipe, excluding=target)
    name, regrets = model_priors.choose(matrix.scores)
    scores = model_priors.PRIORS[name](matrix.scores)
    if not context.read_only and not context.store.in_transaction():
        # Another thread may just have stored it.
        with suppress(duckdb.TransactionException, duckdb.ConstraintException), context.store.transaction():
            remembered.replace(recipe, of, fingerprint, name, regrets, matrix.models, scores)
    return name, matrix.picked(scores, names)
