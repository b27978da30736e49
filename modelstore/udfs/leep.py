"""LEEP, the log expected empirical prediction."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import are_label_sets, as_classes, as_label_sets, as_matrix

BLOCK_CELLS = 65_536
SUM_TOLERANCE = 1e-2  # a softmax of a thousand classes in half precision is off by some thousandths


def leep(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """The log expected empirical prediction: the mean log-likelihood of the labels under Σ_z P(y | z) θ(x)_z.

    Parameters
    ----------
    probabilities : (n, z) array_like of float
        Row i is the model's distribution θ(x_i) over its z source classes; rows are scaled to sum to exactly
        1.
    labels : (n,) array_like of int or str
        The target class of each row. Or an (n, labels) array of bool: which labels each row has; the result is
        then the mean over the labels that some rows have and others lack, each with these two classes.

    Returns
    -------
    float
        Nats a row, at most 0; its exp is in (0, 1]. 0 for one class; minus the entropy of the labels, the
        least there is, for probabilities that say nothing about the labels. A source class of probability
        zero throughout adds nothing.

    Raises
    ------
    ValueError
        No rows, a probability that is negative or not finite, a row whose sum is not 1, or labels that are
        missing or not as many as the rows.

    Notes
    -----
    Nguyen et al., "LEEP: A New Measure to Evaluate Transferability of Learned Representations", ICML 2020.

    Examples
    --------
    A model that predicts a source class for each target class, and one that predicts the same for all:

    >>> leep([[1.0, 0.0], [0.0, 1.0]], ["cat", "dog"])
    0.0
    >>> round(leep([[0.5, 0.5], [0.5, 0.5]], ["cat", "dog"]), 4)
    -0.6931
    """
    theta = as_matrix(probabilities, "probabilities")
    sums = theta.sum(axis=1)
    if theta.min() < 0 or np.abs(sums - 1).max() > SUM_TOLERANCE:
        raise ValueError("each row of probabilities must be non-negative and sum to 1")
    if are_label_sets(labels):
        return _leep_of_sets(theta / sums[:, None], as_label_sets(labels, len(theta)))
    codes, classes = as_classes(labels, len(theta))
    rows, sources = theta.shape
    # In blocks that stay in the processor's cache: several times as fast as whole matrices of a million rows.
    step = max(1, max(BLOCK_CELLS, classes * sources) // sources)
    blocks = [slice(start, start + step) for start in range(0, rows, step)]
    joint = np.zeros(classes * sources)
    for block in blocks:
        cells = codes[block, None] * sources + np.arange(sources)
        joint += np.bincount(cells.ravel(), (theta[block] / sums[block, None]).ravel(), len(joint))
    joint = joint.reshape(classes, sources)
    marginal = joint.sum(axis=0)
    conditional = np.divide(joint, marginal, out=np.zeros_like(joint), where=marginal > 0)
    total = 0.0
    for block in blocks:
        predicted = np.einsum("nz,nz->n", conditional[codes[block]], theta[block]) / sums[block]
        total += np.log(predicted).sum()
    return min(float(total / rows), 0.0)  # rounding alone can take it above


def _leep_of_sets(theta: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """The mean `leep` of the labels: P(label | x) is a product of matrices, for all of them at once."""
    marginal = theta.sum(axis=0)[:, None]
    joint = theta.T @ labels
    has = theta @ np.divide(joint, marginal, out=np.zeros_like(joint), where=marginal > 0)
    joint = theta.T @ ~labels
    lacks = theta @ np.divide(joint, marginal, out=np.zeros_like(joint), where=marginal > 0)
    return min(float(np.log(np.where(labels, has, lacks)).mean()), 0.0)
