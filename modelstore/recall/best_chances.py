"""Which models may be the best on the target, and which set of k is best to have.

Model m's score there is xᵀb + ε with b ~ N(b̄, W) for all models together and ε ~ N(0, σ²) for each
(`combined_scores`): marginally N(s_m, xᵀWx + σ²). Nothing is random: the chance is an integral, and the sets are
chosen on draws of a fixed seed.
"""

import numpy as np
from numpy.typing import NDArray

from modelstore.recall.combined_scores import Slopes
from modelstore.udfs.expected_improvement import expected_improvement

Floats = NDArray[np.float64]

_NODES = 5  # of the quadrature, along each of b's two axes
_POINTS = 161  # of the integral over the best score
_BINS = 256  # more models than these are binned by their scores
_DRAWS, _SEED = 1024, 0
_SHORTLIST = 512
_AT_ONCE = 32  # gains that are computed together


def chances_of_best(features: Floats, slopes: Slopes) -> Floats:
    """The chance of each model to have the best score of all: (models,), summing to 1.

    P(m) = E_b ∫ φ_σ(t − xᵀb) Π_{j ≠ m} Φ_σ(t − x_jᵀb) dt, by Gauss–Hermite quadrature over b.

    Parameters
    ----------
    features : (models, 2), of `combined_scores.features`.
    slopes : what is known of b.
    """
    if not len(features):
        return np.empty(0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    root = _root(slopes.covariance)
    chances = np.zeros(len(features))
    for i, first in enumerate(nodes):
        for j, second in enumerate(nodes):
            b = slopes.mean + root @ np.array([first, second])
            chances += weights[i] * weights[j] * _given_slopes(features @ b, slopes.variance**0.5)
    return chances / chances.sum()


def best_set(features: Floats, slopes: Slopes, count: int) -> NDArray[np.intp]:
    """The places of ``count`` models, chosen one by one to raise the expected best of them the most.

    E max is submodular, so the greedy set is within 1 − 1/e of the best one (Nemhauser, Wolsey & Fisher,
    Mathematical Programming 1978), and gains that were computed before are bounds (Minoux's lazy evaluation).
    Of many models, those of the best scores and the best upper deviations are looked at.

    Returns
    -------
    (min(count, models),) places, in the order chosen: the first has the best expected score. Ties go to the first.
    """
    scores = slopes.scores(features)
    count = min(count, len(scores))
    if not count:
        return np.empty(0, dtype=np.intp)
    few = _shortlist(scores, slopes.variances(features), max(_SHORTLIST, 4 * count))
    draw = np.random.default_rng(_SEED)
    b = slopes.mean + draw.standard_normal((_DRAWS, 2)) @ _root(slopes.covariance).T
    expected = features[few] @ b.T  # (few, draws), of what is not the model's own
    deviation = slopes.variance**0.5
    first = int(np.argmax(scores[few]))
    chosen = [first]
    best = expected[first] + deviation * draw.standard_normal(_DRAWS)
    gains = _gain(expected, best, deviation)
    while len(chosen) < count:
        gains[chosen] = -np.inf
        known = np.zeros(len(few), dtype=bool)
        known[chosen] = True
        while not known[place := int(np.argmax(gains))]:
            likely = np.argsort(-gains, kind="stable")[:_AT_ONCE]
            computed = likely[~known[likely]]
            gains[computed] = _gain(expected[computed], best, deviation)
            known[computed] = True
        chosen.append(place)
        best = np.maximum(best, expected[place] + deviation * draw.standard_normal(_DRAWS))
    return few[chosen]


def _given_slopes(scores: Floats, deviation: float) -> Floats:
    """Each model's chance to be the best where it has N(score, deviation²), independent of the others."""
    from scipy.special import log_ndtr

    counts: Floats = np.ones(len(scores))
    values = scores
    if len(scores) > _BINS:
        values, low, part = _binned(scores)
        counts = (np.bincount(low, 1 - part, _BINS) + np.bincount(low + 1, part, _BINS)).astype(float)
    top = scores.max()
    # The best is hardly ever below the top model's lowest, or above the highest of all together.
    t = np.linspace(top - 5 * deviation, top + 7 * deviation, _POINTS)
    z = (t[:, None] - values) / deviation
    below = log_ndtr(z)
    all_below = below @ counts
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - below
    found = np.exp(density + all_below[:, None]).sum(axis=0) * (t[1] - t[0]) / deviation
    return found if len(scores) <= _BINS else found[low] * (1 - part) + found[low + 1] * part


def _binned(scores: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """Evenly spaced values; for each model the place of the one below its score, and how far it is to the next."""
    values = np.linspace(scores.min(), scores.max() + 1e-9, _BINS)
    at = (scores - values[0]) / (values[1] - values[0])
    low = np.minimum(at.astype(np.intp), _BINS - 2)
    return values, low, at - low


def _shortlist(scores: Floats, variances: Floats, most: int) -> NDArray[np.intp]:
    if len(scores) <= most:
        return np.arange(len(scores))
    best = [np.argpartition(-values, most)[:most] for values in (scores, scores + 2 * np.sqrt(variances))]
    return np.unique(np.concatenate(best))


def _gain(expected: Floats, best: Floats, deviation: float) -> Floats:
    """How much the expected best rises with a model: the mean over the draws of E(score − best)₊."""
    return np.asarray(expected_improvement(expected - best, deviation).mean(axis=-1))


def _root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))
