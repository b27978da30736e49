"""The prior of one recall: which one is asked for, which one is used, and how it scores the candidates."""

from contextlib import suppress
from dataclasses import dataclass

import duckdb
import numpy as np

from modelstore.planner.context import StatementContext
from modelstore.recall import coarse_recall, model_priors
from modelstore.store.results import Results


@dataclass(frozen=True)
class Prior:
    """How the records rank the candidates before the target is looked at.

    Parameters
    ----------
    name
        The prior used: mean, standardised or learned.
    chosen
        Whether replay chose it.
    scores
        A score a candidate, (candidates,), the higher the better.
    known
        Whether any candidate has records; otherwise all scores are equal.
    notes
        What could not be used, in sentences for people.
    """

    name: str
    chosen: bool
    scores: np.ndarray
    known: bool
    notes: tuple[str, ...]


def mean_prior(results: Results, recipe: str, target: str, names: list[str]) -> np.ndarray:
    """acc(m) of the candidates, (names,), without the target's records (Cui et al., Eq. 2)."""
    means, _ = results.means(recipe, target, names)
    return coarse_recall.priors(means)


def choose_prior(context: StatementContext, names: list[str], recipe: str, target: str, asked: str) -> Prior:
    """Chooses the prior of some candidates, without the target's records; a choice by replay is stored.

    Parameters
    ----------
    context
        The statement's context.
    names
        The candidates. One without records counts as the mean of the others.
    recipe
        The recipe whose records are read.
    target
        The target dataset.
    asked
        The option ``prior``; 'auto' takes the prior that does best by replay.
    """
    results, name = context.store.results, asked
    notes: list[str] = []
    if asked == "mean":
        scores, _ = results.means(recipe, target, names)
    elif asked == "auto":
        name, scores = _choose_by_replay(context, recipe, target, names)
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


def _choose_by_replay(
    context: StatementContext, recipe: str, target: str, names: list[str]
) -> tuple[str, np.ndarray]:
    """The prior that does best by replay, and its scores of the models, (names,), NaN without records.

    The choice is stored with a fingerprint of the records, and read while the records are the same. All targets
    without results of their own share one choice, since they have no part in it.
    """
    results, stored = context.store.results, context.store.priors
    shared_by = target if results.has(recipe, target) else stored.ANY
    fingerprint = results.fingerprint(recipe, target)
    found = stored.of(recipe, shared_by, fingerprint, names)
    if found is not None:
        return found
    matrix = results.matrix(recipe, excluding=target)
    name, regrets = model_priors.choose(matrix.scores)
    scores = model_priors.PRIORS[name](matrix.scores)
    if not context.read_only and not context.store.in_transaction():
        # Another thread may have stored the same choice meanwhile.
        with suppress(duckdb.TransactionException, duckdb.ConstraintException), context.store.transaction():
            stored.replace(recipe, shared_by, fingerprint, name, regrets, matrix.models, scores)
    return name, matrix.picked(scores, names)
