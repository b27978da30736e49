"""LEEP, the log expected empirical prediction."""

import numpy as np
from numpy.typing import ArrayLike

from .arrays import as_classes, as_matrix

SUM_TOLERANCE = 1e-2  # a softmax of a thousand classes in half precision is off by some thousandths


def leep(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """The mean log-likelihood of the labels under the empirical predictor Σ_z P(y | z) θ(x)_z.

    Nguyen et al., "LEEP: A New Measure to Evaluate Transferability of Learned Representations", ICML 2020.

    probabilities: (n, z), row i the model's distribution θ(x_i) over its z source classes. labels: (n,)
    integers or strings. The result is in nats a row and at most 0; its exp is in (0, 1].

    One class: 0. Probabilities that say nothing of the label: minus the entropy of the labels, also the least
    there is. A source class of probability zero throughout adds nothing. Rows are scaled to sum to exactly 1.
    ValueError: no rows, a negative or non-finite probability, a row whose sum is not 1, labels that are
    missing or not as many as the rows.
    """
    theta = as_matrix(probabilities, "probabilities")
    codes, classes = as_classes(labels, len(theta))
    sums = theta.sum(axis=1)
    if (theta < 0).any() or (np.abs(sums - 1) > SUM_TOLERANCE).any():
        raise ValueError("each row of probabilities must be non-negative and sum to 1")
    theta = theta / sums[:, None]
    # (classes, z): a bincount for each source class needs no one-hot matrix of the labels.
    joint = np.stack([np.bincount(codes, weights=column, minlength=classes) for column in theta.T], axis=1)
    marginal = joint.sum(axis=0)
    conditional = np.divide(joint, marginal, out=np.zeros_like(joint), where=marginal > 0)
    predicted = np.einsum("nz,nz->n", conditional[codes], theta)
    return min(float(np.log(predicted).mean()), 0.0)  # rounding alone can take it above
