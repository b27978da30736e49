"""What a store's records say of the models before the target is looked at: three priors, and which of them to trust.

Scores are a matrix (models, datasets), NaN where nothing is on record, without the target's own column.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from modelstore.interruption import check
from modelstore.recall.complements import recalled

PRIORS = ("mean", "standardised", "learned")  # from the simplest
# The ranker is fitted where so many datasets have so many models each; fewer say too little.
LEAST_DATASETS, LEAST_MODELS = 5, 8
# It is fitted on no more than these, and smooths the scores of no more models than these: the best by their prior.
_FOLDS, _FITTED, _SMOOTHED = 30, 400, 2000
_RIDGE = 0.1  # of the features' own mean square
_BANDWIDTH = 0.3  # of the median distance
_TOP = 10  # regrets are taken at each rank up to this
Floats = NDArray[np.float64]


def mean(scores: Floats) -> Floats:
    """acc(m), the mean of a model's scores (Cui et al., Eq. 2): (models,), NaN for a model without any."""
    known = np.isfinite(scores)
    counts = known.sum(axis=1)
    sums = np.where(known, scores, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(scores), np.nan), where=counts > 0)


def standardise(scores: Floats) -> Floats:
    """z = (score − the dataset's mean) / the dataset's standard deviation, over the models that it has.

    0 where all have the same score; NaN stays.
    """
    known = np.isfinite(scores)
    counts = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, scores - np.where(known, scores, 0.0).sum(axis=0) / counts, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / counts)
    scaled = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)
    return np.where(known, scaled, np.nan)


def standardised(scores: Floats) -> Floats:
    """Σ z / (n + 1) over the n datasets that a model has: the mean of its standardised scores, drawn to the models'
    mean, 0, as if one more dataset had said so. (models,), in standard deviations; 0 without records.
    """
    z = standardise(scores)
    return np.nansum(z, axis=1) / (np.isfinite(z).sum(axis=1) + 1)


@dataclass(frozen=True)
class Ranker:
    """A ridge regression of how models rank on a dataset, on what the other datasets say of them.

    ``weights`` are of `features`; ``complementary`` says whether the models recalled should complement each other
    (`complements.greedy`) or be the best by themselves. Both are of the store's own datasets, each in turn taken
    for the target.
    """

    weights: Floats
    complementary: bool

    def scores(self, scores: Floats, parameters: Floats) -> Floats:
        """(models,): a greater one is expected to rank higher."""
        return features(scores, parameters) @ self.weights


def features(scores: Floats, parameters: Floats) -> Floats:
    """(models, 4) of every model: its standardised prior; the same of the models most like it, itself left out; its
    plain mean score; the logarithm of its ``parameters`` (NaN: unknown). The last two in standard deviations.

    Models are alike by z: with D the mean square difference of their rows, a missing cell being the model's
    prior, those of the others are weighted by exp(−D / (0.3 · median D)) and half a model of prior 0 is added
    (Nadaraya–Watson). A model that leads by luck is alone in it, and is drawn back.
    """
    z = standardise(scores)
    prior = standardised(scores)
    return np.stack(
        [prior, _smoothed(z, prior), _scaled(mean(scores)), _scaled(np.log10(parameters))], axis=1
    )


def _smoothed(z: Floats, prior: Floats) -> Floats:
    best = np.argsort(-prior, kind="stable")[:_SMOOTHED]
    rows = np.where(np.isfinite(z[best]), z[best], prior[best, None])
    squares = (rows**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0.0)
    median = np.median(distances) if len(best) else 0.0
    weights = np.exp(-distances / (_BANDWIDTH * median)) if median > 0 else np.ones_like(distances)
    np.fill_diagonal(weights, 0.0)
    found = prior.copy()
    found[best] = weights @ prior[best] / (weights.sum(axis=1) + 0.5)
    return found


def _scaled(values: Floats) -> Floats:
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    centred = np.where(known, values - values[known].mean(), 0.0)
    spread = np.sqrt((centred[known] ** 2).mean())
    return centred / spread if spread > 1e-9 else np.zeros(len(values))


def learned(scores: Floats, parameters: Floats) -> Ranker | None:
    """The ranker of a store, fitted on its own datasets, each in turn the target; None where it knows too few.

    The regression's target is the normal score of a model's rank on the dataset, Φ⁻¹((rank − ½) / models), each
    dataset weighing the same. Of a large store, `_FITTED` models and `_FOLDS` datasets are drawn by a fixed seed.
    """
    folds = list(_folds(scores, parameters))
    if len(folds) < LEAST_DATASETS:
        return None
    left, right = np.zeros((4, 4)), np.zeros(4)
    for fold in folds:
        centred = fold.features - fold.features.mean(axis=0)
        ranks = norm.ppf((rankdata(fold.truth) - 0.5) / len(fold.truth))
        left += centred.T @ centred / len(ranks)
        right += centred.T @ ranks / len(ranks)
    # A feature that says nothing has no weight.
    weights = np.linalg.solve(left + _RIDGE * np.diag(np.maximum(np.diag(left), 1e-9)), right)
    alone, together = (
        np.mean([fold.loss(recalled(fold.z, fold.features @ weights, _TOP, flag)) for fold in folds])
        for flag in (False, True)
    )
    return Ranker(np.asarray(weights, dtype=np.float64), bool(together < alone - 1e-9))


def choose(scores: Floats, parameters: Floats) -> tuple[str, dict[str, float]]:
    """The prior that does best by replay: its name, and the loss of each (see `_Fold.loss`).

    Each dataset in turn is the target, its scores left out; a tie goes to the simplest. `mean` where no dataset
    can be told from another.
    """
    losses: dict[str, list[float]] = {name: [] for name in PRIORS}
    for fold in _folds(scores, parameters):
        check()
        losses["mean"].append(fold.loss(recalled(fold.z, mean(fold.scores), _TOP)))
        losses["standardised"].append(fold.loss(recalled(fold.z, standardised(fold.scores), _TOP)))
        ranker = learned(fold.scores, fold.parameters)
        if ranker is not None:
            order = recalled(fold.z, fold.features @ ranker.weights, _TOP, ranker.complementary)
            losses["learned"].append(fold.loss(order))
    folds = len(losses["mean"])
    found = {name: float(np.mean(each)) for name, each in losses.items() if each and len(each) == folds}
    return min(found, key=lambda name: (round(found[name], 9), PRIORS.index(name)), default="mean"), found


@dataclass(frozen=True)
class _Fold:
    """A dataset taken for the target: the ``truth`` (models,) there, and what the others say of the models it has."""

    scores: Floats
    parameters: Floats
    truth: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "z", standardise(self.scores))
        object.__setattr__(self, "features", features(self.scores, self.parameters))

    z: Floats = None  # type: ignore[assignment]
    features: Floats = None  # type: ignore[assignment]

    def loss(self, order: Sequence[int] | NDArray[np.intp]) -> float:
        """The regret of the first k models, meaned over k = 1 … 10: the best score there less the best of theirs."""
        found = np.maximum.accumulate(self.truth[np.asarray(order)[:_TOP]])
        return float((self.truth.max() - found).mean())


def _folds(scores: Floats, parameters: Floats) -> Iterator[_Fold]:
    draw = np.random.default_rng(0)
    if len(scores) > _FITTED:
        some = np.sort(draw.choice(len(scores), _FITTED, replace=False))
        scores, parameters = scores[some], parameters[some]
    known = np.isfinite(scores)
    datasets = np.flatnonzero(known.sum(axis=0) >= LEAST_MODELS)
    if len(datasets) > _FOLDS:
        datasets = np.sort(draw.choice(datasets, _FOLDS, replace=False))
    for dataset in datasets:
        others = np.delete(np.arange(scores.shape[1]), dataset)
        rows = known[:, dataset] & known[:, others].any(axis=1)
        if rows.sum() >= LEAST_MODELS:
            check()
            yield _Fold(scores[np.ix_(rows, others)], parameters[rows], scores[rows, dataset])
