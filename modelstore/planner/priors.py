"""The prior of a recall: which one is asked for, which one is used, and what it says of the candidates."""

from dataclasses import dataclass

import numpy as np

from modelstore.planner.session import Session
from modelstore.recall import priors
from modelstore.store.records import Matrix


@dataclass(frozen=True)
class Prior:
    """What the records say of n candidates.

    ``scores`` (n,) in standard deviations, ``z`` (n, datasets) the standardised scores behind them, NaN where
    missing; ``complementary`` is as in `priors.Ranker`. ``name`` is the prior used, ``chosen`` whether replay chose
    it; ``notes`` say what could not be used.
    """

    name: str
    chosen: bool
    scores: np.ndarray
    z: np.ndarray
    complementary: bool
    notes: tuple[str, ...]


def prior_of(session: Session, names: list[str], recipe: str, target: str, asked: str) -> Prior | None:
    """The prior of the candidates ``names``, the target's records left out; None for the paper's, acc(m).

    That stands in where no candidate has a record, since then there is nothing to tell them apart by.
    """
    records = session.store.records
    if asked == "mean":
        return None
    matrix = records.matrix(recipe, excluding=target)
    cells = matrix.rows(names)
    known = np.isfinite(cells).any(axis=1)
    if not known.any():
        return None
    parameters = session.store.catalog.parameters_of(matrix.models)
    name = _chosen(session, matrix, parameters, recipe, target) if asked == "auto" else asked
    if name == "mean":
        return None
    notes = []
    if not known.all():
        count = np.count_nonzero(~known)
        notes.append(
            f"{count:,} of the {len(names):,} candidates have no result on record, and count as average"
        )
    complementary = False
    scores = priors.standardised(matrix.scores)
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
    columns = Matrix(matrix.models, ["prior", *matrix.datasets], np.column_stack([scores, _z(matrix)]))
    rows = columns.rows(names)
    average = float(np.mean(scores))
    return Prior(
        name,
        asked == "auto",
        np.where(known, rows[:, 0], average),
        rows[:, 1:],
        complementary,
        tuple(notes),
    )


def _z(matrix: Matrix) -> np.ndarray:
    return priors.standardise(matrix.scores)


def _chosen(session: Session, matrix: Matrix, parameters: np.ndarray, recipe: str, target: str) -> str:
    """The prior that does best by replay, as it was found before where the records are the same."""
    records = session.store.records
    fingerprint = records.fingerprint(recipe, target)
    remembered = records.prior_choice(recipe, target, fingerprint)
    if remembered is not None:
        return remembered
    name, regrets = priors.choose(matrix.scores, parameters)
    if not session.read_only:
        records.remember_prior(recipe, target, fingerprint, name, regrets)
    return name
