"""What forecasts need to know, estimated from the recorded curves of all models and datasets together.

- Σ = (N S + N₀ D) / (N + N₀): the covariance S of N recorded runs, less the noise of their validation, is drawn to
  D(i, j) = .08² exp(−.3 |difference of the fractions of training left|), which stands alone for an empty store. (An
  inverse Wishart prior does so: Gelman et al., Bayesian Data Analysis, ch. 3.6.)
- b: the slopes of the scores on the prior within datasets, with D's scale as the deviation of their prior at 0.
- a(m): the mean of the model's residuals n ρ / (1 + (n − 1) ρ), drawn to 0 by their correlation ρ between datasets.
- o(d): the gain from each point to the end is drawn to none as if one more dataset had had none, give or take .1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelstore.selection.forecast import Floats, ForecastModel, Places
from modelstore.selection.sample import Sample

PRIOR_RUNS = 200.0  # N₀
PRIOR_SCALE = 0.08
PRIOR_DECAY = 0.3
PRIOR_DATASETS = 1.0  # that gain nothing
PRIOR_GAIN_DEVIATION = 0.1
_MOST_CORRELATED = 0.9
_SAME_EPOCH = 1e-6


@dataclass(frozen=True)
class CurveRecords:
    """Recorded runs, one of each pair of model and dataset, without the target's.

    Attributes
    ----------
    validations : (models, datasets, points) at the points of the plan, by `at_points`; NaN where missing.
    finals : (models, datasets) final test scores. A run without one, or without any validation, is left out.
    priors : (models, datasets) each model's prior without that dataset, by `priors_without_each`.
    samples : (datasets,) their validation rows; None where they are not known.
    """

    validations: Floats
    finals: Floats
    priors: Floats
    samples: Sequence[Sample | None]


def at_points(points: Floats, epochs: Floats, scores: Floats) -> Floats:
    """A recorded curve at the points of a plan: interpolated, NaN before its first point and after its last.

    Parameters
    ----------
    points : (points,) in epochs, by `stage_plan.stage_epochs`.
    epochs, scores : (recorded,) rising epochs, and the validation scores there; NaN where there is none.
    """
    known = np.isfinite(scores)
    if not known.any():
        return np.full(len(points), np.nan)
    epochs, scores = epochs[known], scores[known]
    first, last = epochs[0], epochs[-1]
    within = (points > first - _SAME_EPOCH) & (points < last + _SAME_EPOCH)
    return np.where(within, np.interp(points, epochs, scores), np.nan)


def learn_forecasts(records: CurveRecords, points: Floats, epochs: float) -> ForecastModel:
    """Learns from the records.

    Parameters
    ----------
    points : (points,) of the plan, in epochs.
    epochs : of a whole training.
    """
    scores = np.concatenate([records.finals[:, :, None], records.validations], axis=2)
    known = np.isfinite(scores)
    known &= known[:, :, :1] & known[:, :, 1:].any(axis=2, keepdims=True)
    left = 1.0 - points / epochs
    u = np.broadcast_to(records.priors[:, :, None], scores.shape)
    slopes, residuals = _regress(np.where(known, scores, 0.0), np.where(known, u, 0.0), known)
    noise = _recorded_noise(records)
    covariance = _covariance(residuals, known, noise, np.r_[0.0, left])
    correlation, effects, counts = _effects(residuals, known)
    means = _means(np.where(known, scores - u * slopes, 0.0), known)
    gain, gain_covariance = _gains(means[:, :1] - means[:, 1:], left)
    return ForecastModel(gain, gain_covariance, slopes, covariance, correlation, effects, counts, noise)


def prior_covariance(left: Floats) -> Floats:
    """D, from the fraction of training that is left at each point."""
    return PRIOR_SCALE**2 * np.exp(-PRIOR_DECAY * np.abs(left[:, None] - left))


def _regress(scores: Floats, u: Floats, known: np.ndarray) -> tuple[Floats, Floats]:
    """b (1 + points,), and what scores are beyond it within each dataset (models, datasets, 1 + points); 0 where
    not known."""
    datasets = np.maximum(known.sum(axis=0), 1)
    y = np.where(known, scores - scores.sum(axis=0) / datasets, 0.0)
    x = np.where(known, u - u.sum(axis=0) / datasets, 0.0)
    # The prior of a slope deviates from 0 as much as the noise around it: by D's scale.
    slopes = (x * y).sum(axis=(0, 1)) / ((x**2).sum(axis=(0, 1)) + 1.0)
    return slopes, y - x * slopes


def _covariance(residuals: Floats, known: np.ndarray, noise: float, left: Floats) -> Floats:
    size = residuals.shape[2]
    flat, there = residuals.reshape(-1, size), known.reshape(-1, size).astype(float)
    datasets = known.any(axis=0).astype(float)
    runs = np.maximum(there.T @ there - datasets.T @ datasets, 0.0)  # each dataset's mean takes one
    validated = np.r_[0.0, np.ones(size - 1)]
    measured = noise * (np.outer(validated, validated) + np.diag(validated))
    scatter = flat.T @ flat - runs * measured
    return _nearest_covariance((scatter + PRIOR_RUNS * prior_covariance(left)) / (runs + PRIOR_RUNS))


def _recorded_noise(records: CurveRecords) -> float:
    known = np.isfinite(records.validations) & np.isfinite(records.finals)[:, :, None]
    variances = [
        sample.variance(records.validations[:, place][known[:, place]])
        for place, sample in enumerate(records.samples)
        if sample is not None
    ]
    found = np.concatenate(variances) if variances else np.empty(0)
    return float(found.mean()) if len(found) else 0.0


def _effects(residuals: Floats, known: np.ndarray) -> tuple[float, Floats, Places]:
    """ρ, a(m) (models, 1 + points), and of how many datasets.

    ρ is the mean product of a model's residuals on two datasets over their mean square, and drawn to 0 by N₀ runs.
    """
    sums, squares = residuals.sum(axis=1), (residuals**2).sum()
    counts = known.sum(axis=1)
    cells, pairs = counts.sum(), (counts * (counts - 1)).sum()
    if not squares or not pairs:
        return 0.0, np.zeros(sums.shape), known.any(axis=2).sum(axis=1)
    alike = ((sums**2).sum() - squares) / pairs / (squares / cells)
    runs = cells / residuals.shape[2]
    rho = float(np.clip(alike, 0.0, _MOST_CORRELATED) * runs / (runs + PRIOR_RUNS))
    return rho, rho * sums / (1 + (np.maximum(counts, 1) - 1) * rho), known.any(axis=2).sum(axis=1)


def _means(scores: Floats, known: np.ndarray) -> Floats:
    """The offsets (datasets, 1 + points), NaN where no model has the point."""
    counts = known.sum(axis=0)
    return np.where(counts > 0, scores.sum(axis=0) / np.maximum(counts, 1), np.nan)


def _gains(gains: Floats, left: Floats) -> tuple[Floats, Floats]:
    """The mean gain to the end of one more dataset, and its covariance.

    A dataset is from a Student's t distribution where the covariance is estimated from few; the normal distribution
    that has its 90 % interval stands for it.
    """
    from scipy.special import ndtri, stdtrit

    known = np.isfinite(gains)
    counts = known.sum(axis=0)
    mean = np.where(known, gains, 0.0).sum(axis=0) / (counts + PRIOR_DATASETS)
    apart = np.where(known, gains - mean, 0.0)
    prior = PRIOR_GAIN_DEVIATION**2 * np.minimum(left[:, None], left)
    datasets = PRIOR_DATASETS + known.astype(float).T @ known
    covariance = (PRIOR_DATASETS * prior + apart.T @ apart) / datasets * (1 + 1 / datasets)
    heavier = (stdtrit(datasets, 0.95) / ndtri(0.95)) ** 2
    return mean, _nearest_covariance(covariance * heavier)


def _nearest_covariance(matrix: Floats) -> Floats:
    """The nearest matrix without negative eigenvalues, which missing points may bring."""
    matrix = (matrix + matrix.T) / 2
    values, vectors = np.linalg.eigh(matrix)
    return matrix if values.min(initial=0.0) >= 0 else (vectors * np.maximum(values, 0.0)) @ vectors.T
