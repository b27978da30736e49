"""The prior of a recall: which one is asked for, which one is used, and what it says of the candidates."""

from contextlib import suppress
from dataclasses import dataclass

import duckdb
import numpy as np

from modelstore.planner.session import Session
from modelstore.recall import priors
from modelstore.store.results import Matrix


@dataclass(frozen=True)
class Prior:
    """What the records say of n candidates.

    ``scores`` (n,) rank them, ``z`` (n, datasets) are the standardised scores behind them, NaN where missing;
    ``complementary`` is as in `priors.Ranker`. ``name`` is the prior used, ``chosen`` whether replay chose it;
    ``notes`` say what could not be used.
    """

    name: str
    chosen: bool
    scores: np.ndarray
    z: np.ndarray
    complementary: bool
    notes: tuple[str, ...]


def prior_of(session: Session, names: list[str], recipe: str, target: str, asked: str) -> Prior | None:
    """The prior of the candidates ``names``, the target's records left out; None for the paper's recall.

    That is for `mean`, and where no candidate has a record: then there is nothing to tell them apart by. Where `auto`
    chooses the mean, that is acc(m) by itself, since by itself it did best.
    """
    if asked == "mean":
        return None
    matrix = session.store.results.matrix(recipe, excluding=target)
    known = np.isfinite(matrix.rows(names)).any(axis=1)
    if not known.any():
        return None
    parameters = session.store.catalog.parameters_of(matrix.models)
    name = _chosen(session, matrix, parameters, recipe, target) if asked == "auto" else asked
    notes = []
    if not known.all():
        count = np.count_nonzero(~known)
        notes.append(
            f"{count:,} of the {len(names):,} candidates have no result on record, and count as average"
        )
    complementary = False
    scores = priors.mean(matrix.scores) if name == "mean" else priors.standardised(matrix.scores)
    if name == "learned":
        ranker = priors.learned(matrix.scores, parameters)
        if ranker is None:
            name = "standardised"
            notes.append(
                f"the learned prior takes {priors.LEAST_DATASETS} datasets with results of {priors.LEAST_MODELS} "
                "models each, and the store knows too few: the standardised one is used"
            )
        else:
            scores, complementary = ranker.scores(matrix.scores, parameters), ranker.complementary
    table = Matrix(
        matrix.models,
        ["prior", *matrix.datasets],
        np.column_stack([scores, priors.standardise(matrix.scores)]),
    )
    rows = table.rows(names)
    of_candidates = np.where(known, rows[:, 0], scores.mean())
    return Prior(name, asked == "auto", of_candidates, rows[:, 1:], complementary, tuple(notes))


def _chosen(session: Session, matrix: Matrix, parameters: np.ndarray, recipe: str, target: str) -> str:
    """The prior that does best by replay, as it was found before where the records are the same."""
    results = session.store.results
    fingerprint = results.fingerprint(recipe, target)
    remembered = results.prior_choice(recipe, target, fingerprint)
    if remembered is not None:
        return remembered
    name, regrets = priors.choose(matrix.scores, parameters)
    if not session.read_only and not session.store.in_transaction():
        with suppress(
            duckdb.TransactionException, duckdb.ConstraintException
        ):  # another thread has just stored it
            results.remember_prior(recipe, target, fingerprint, name, regrets)
    return name
