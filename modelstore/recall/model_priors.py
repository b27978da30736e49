"""Priors: how good each model is by the records of other datasets, in three ways, and which of them to trust.

Scores are a matrix (models, datasets), NaN where there is no record, without the target's own column.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.recall.scales import correlations, normal_scores, standardise

# The learned prior needs so many datasets with so many models each.
LEAST_DATASETS, LEAST_MODELS = 3, 8
_NOISE = 0.1  # the part of a result's variance, of 1.1 in all, that no other dataset explains
_PSEUDO = 3.0
_MOST = 64  # how many datasets it conditions on
_CELLS = 1 << 21
# From a large store, replay takes so many datasets and models.
_FOLDS, _MODELS = 30, 400
_TOP = 10  # regrets are computed at each rank up to this
Floats = NDArray[np.float64]


def mean(scores: Floats) -> Floats:
    """acc(m), the mean of a model's scores (Cui et al., Eq. 2): (models,), NaN for a model without any."""
    known = np.isfinite(scores)
    counts = known.sum(axis=1)
    sums = np.where(known, scores, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(scores), np.nan), where=counts > 0)


def standardised(scores: Floats) -> Floats:
    """Σ z / (n + 1) over a model's n datasets: (models,), in standard deviations; 0 without records.

    It is the mean of the standardised scores z, shrunk towards the mean of all models, 0, as by one more
    dataset.
    """
    z = standardise(scores)
    return np.nansum(z, axis=1) / (np.isfinite(z).sum(axis=1) + 1)


def learned(scores: Floats) -> Floats:
    """The expected rank of a model on one more dataset, given its ranks on those that it has.

    Returns
    -------
    (models,) ndarray of float
        Normal scores; NaN where too few datasets are known.

    Notes
    -----
    The best linear unbiased prediction (Henderson, "Best Linear Unbiased Estimation and Prediction under a
    Selection Model", Biometrics 1975) c' (C + 0.1 I)⁻¹ x, where x are the model's normal scores and C the
    datasets' correlations, shrunk towards their mean as by `_PSEUDO` more models. The new dataset is taken
    for one like the others: c holds the mean correlation of each with the rest, so that a dataset that goes
    with no other counts little. Datasets that share no model, directly or through others, such as those of
    texts and of images, are separate groups.
    """
    from scipy.sparse.csgraph import connected_components

    known = np.isfinite(scores)
    found = np.full(len(scores), np.nan)
    groups, group_of = connected_components(known.T.astype(float) @ known, directed=False)
    for group in range(groups):
        datasets = np.flatnonzero(group_of == group)
        sizes = known[:, datasets].sum(axis=0)
        if np.count_nonzero(sizes >= LEAST_MODELS) >= LEAST_DATASETS:
            datasets = datasets[np.argsort(-sizes, kind="stable")[:_MOST]]
            models = known[:, datasets].any(axis=1)
            found[models] = _expected_on_another(normal_scores(scores[np.ix_(models, datasets)]))
    return found


def _expected_on_another(x: Floats) -> Floats:
    """c' (C + 0.1 I)⁻¹ x for each row of ``x`` (models, datasets), over its known datasets: (models,)."""
    covariance, datasets = correlations(x, _PSEUDO, to_mean=True), x.shape[1]
    with_new = (covariance.sum(axis=0) - 1.0) / (datasets - 1)
    covariance[np.diag_indices(datasets)] += _NOISE
    patterns, pattern = np.unique(np.isfinite(x), axis=0, return_inverse=True)
    weights = np.empty(patterns.shape)
    size = max(1, _CELLS // datasets**2)
    for start in range(0, len(patterns), size):
        check()
        some = patterns[start : start + size]
        both = some[:, :, None] & some[:, None, :]
        # A missing dataset is uncorrelated with the others, so that its weight is 0.
        of_known = np.where(both, covariance, np.eye(datasets))
        weights[start : start + size] = np.linalg.solve(of_known, (with_new * some)[..., None])[..., 0]
    return np.asarray((weights[pattern.reshape(-1)] * np.nan_to_num(x)).sum(axis=1))


def _learned_or_standardised(scores: Floats) -> Floats:
    found = learned(scores)
    return np.where(np.isnan(found), standardised(scores), found)


# By name, from the simplest.
PRIORS: dict[str, Callable[[Floats], Floats]] = {
    "mean": mean,
    "standardised": standardised,
    "learned": _learned_or_standardised,
}


def choose(scores: Floats) -> tuple[str, dict[str, float]]:
    """The prior that does best by replay.

    Each dataset in turn is the target, with its scores left out. Where too few datasets remain to learn from,
    the standardised prior takes the place of the learned one.

    Returns
    -------
    tuple
        The name of the prior with the least regret, the simplest of those that tie, and ``'mean'`` where
        there is no dataset to replay on; and each prior's regret of the first k models, averaged over k = 1 …
        10 and the datasets.
    """
    regrets: dict[str, list[float]] = {name: [] for name in PRIORS}
    for others, truth in _folds(scores):
        for name, prior in PRIORS.items():
            check()
            best = truth[np.argsort(-prior(others), kind="stable")[:_TOP]]
            regrets[name].append(float((truth.max() - np.maximum.accumulate(best)).mean()))
    means = {name: float(np.mean(each)) for name, each in regrets.items() if each}
    return min(means, key=lambda name: round(means[name], 9), default="mean"), means


def _folds(scores: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yields for each dataset, over the models with a result on it, the scores on the other datasets, and on it."""
    draw = np.random.default_rng(0)
    if len(scores) > _MODELS:
        scores = scores[np.sort(draw.choice(len(scores), _MODELS, replace=False))]
    known = np.isfinite(scores)
    datasets = np.flatnonzero(known.sum(axis=0) >= LEAST_MODELS)
    if len(datasets) > _FOLDS:
        datasets = np.sort(draw.choice(datasets, _FOLDS, replace=False))
    for dataset in datasets:
        others = np.delete(np.arange(scores.shape[1]), dataset)
        rows = known[:, dataset] & known[:, others].any(axis=1)
        if rows.sum() >= LEAST_MODELS:
            yield scores[np.ix_(rows, others)], scores[rows, dataset]
