"""How a model is expected to rank on the target, by its prior and its proxy score together.

On dataset d a model with x = (u, p), its prior (`normal_scores`) and the normal score of its proxy, has the normal
score

    y = xᵀ b_d + ε,        b_d ~ N(b, W),        ε ~ N(0, σ²),

a mixed model (Laird & Ware, "Random-Effects Models for Longitudinal Data", Biometrics 1982): how much either says
differs by dataset, for all models at once. b, W and σ² are estimated from the store's own datasets, each with the
prior that the others give, and drawn to the defaults as if `PRIOR_DATASETS` more had said so. The defaults of b are
those that ten collections of records agree in; those of W and σ² are rounded from the same spread, and count only
where few datasets have proxy scores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.recall.normal_scores import normal_scores, priors_without_each

Floats = NDArray[np.float64]

PRIOR_SLOPES = (0.9, 0.25)
PRIOR_SLOPE_VARIANCE = 0.04  # either slope varies by 0.2 between datasets
PRIOR_VARIANCE = 0.5
PRIOR_DATASETS = 3.0
# Fewer models say nothing of two slopes.
LEAST_MODELS = 4


@dataclass(frozen=True)
class Slopes:
    """b (2,), W (2, 2) and σ², of the prior and the proxy."""

    mean: Floats
    covariance: Floats
    variance: float

    def scores(self, features: Floats) -> Floats:
        """s_m = xᵀb: (models,) from ``features`` (models, 2)."""
        return features @ self.mean

    def variances(self, features: Floats) -> Floats:
        """Var(s_m) = xᵀWx + σ²: (models,)."""
        return np.einsum("mi,ij,mj->m", features, self.covariance, features) + self.variance


DEFAULT_SLOPES = Slopes(np.array(PRIOR_SLOPES), PRIOR_SLOPE_VARIANCE * np.eye(2), PRIOR_VARIANCE)


def features(prior: Floats, proxy: Floats | None = None) -> Floats:
    """x = (u, p): (models, 2).

    Parameters
    ----------
    prior : (models,) `normal_score_prior`.
    proxy : (models,) raw proxy scores, NaN for a model that is not scored: its p is 0, the mean. None: nobody is.
    """
    p = np.zeros(len(prior)) if proxy is None else np.nan_to_num(normal_scores(proxy))
    return np.column_stack([prior, p])


def learn_slopes(scores: Floats, proxies: Floats) -> Slopes:
    """b, W and σ² from recorded datasets: one step of expectation and maximisation from the defaults.

    Parameters
    ----------
    scores, proxies : (models, datasets) final scores, and one proxy's scores; NaN where missing. A dataset counts if
        at least four models have both a score and a proxy there.

    Returns
    -------
    Slopes
        The defaults where no dataset counts.
    """
    of_datasets = _moments(scores, proxies)
    if not of_datasets:
        return DEFAULT_SLOPES
    default, variance = DEFAULT_SLOPES, PRIOR_VARIANCE
    identity = np.eye(2)
    weights = PRIOR_DATASETS * np.linalg.inv(default.covariance)
    weighted = weights @ default.mean
    for xx, xy, _, _ in of_datasets:
        # A dataset's own slopes vary by W and by its sampling error σ² (XᵀX)⁻¹, and weigh by the inverse of the sum.
        shrink = np.linalg.inv(identity + xx @ default.covariance / variance)
        weights = weights + shrink @ xx / variance
        weighted = weighted + shrink @ xy / variance
    mean = np.linalg.solve(weights, weighted)
    squares, residual = PRIOR_DATASETS * default.covariance, PRIOR_DATASETS * variance
    precision = np.linalg.inv(default.covariance)
    for xx, xy, yy, count in of_datasets:
        unsure = np.linalg.inv(precision + xx / variance)
        own = unsure @ (precision @ mean + xy / variance)
        squares = squares + unsure + np.outer(own - mean, own - mean)
        error = yy - 2 * own @ xy + own @ xx @ own + np.trace(xx @ unsure)
        residual += error / count
    total = PRIOR_DATASETS + len(of_datasets)
    return Slopes(mean, squares / total, max(float(residual / total), 1e-6))


def _moments(scores: Floats, proxies: Floats) -> list[tuple[Floats, Floats, float, int]]:
    """XᵀX, Xᵀy, yᵀy and the degrees of freedom of each dataset, over the models that have score and proxy."""
    have_both = np.isfinite(scores) & np.isfinite(proxies)
    counted = np.flatnonzero(have_both.sum(axis=0) >= LEAST_MODELS)
    if not len(counted):
        return []
    priors = priors_without_each(scores)
    found = []
    for dataset in counted:
        both = have_both[:, dataset]
        x = features(priors[both, dataset], proxies[both, dataset])
        x = x - x.mean(axis=0)
        y = normal_scores(scores[both, dataset])
        found.append((x.T @ x, x.T @ y, float(y @ y), int(both.sum()) - 1))
    return found
