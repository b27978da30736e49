"""Accuracy of the nearest neighbours."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_groups, as_matrix

BLOCK_CELLS = 4_000_000


def knn_accuracy(features: ArrayLike, labels: ArrayLike, k: int = 5) -> float:
    """The share of rows whose label is the vote of their k nearest other rows, by cosine similarity.

    Parameters
    ----------
    features : (n, d) array_like of float
        Any scale, not centred. A row of zeros has similarity 0 to every other.
    labels : (n,) array_like of int or str
        The class of each row. Or an (n, labels) array of bool: which labels each row has; the result is then the
        mean over the labels that some rows have and others lack, each with these two classes.
    k : int
        How many neighbours vote; all the others where there are fewer.

    Returns
    -------
    float
        In [0, 1]; 1 for one class. Votes that tie go to the class with the greater sum of similarities; which
        of equally near rows are among the k is not defined.

    Raises
    ------
    ValueError
        Fewer than 2 rows, a feature that is not finite, k < 1, or labels that are missing or not as many as
        the rows.

    Notes
    -----
    The proxy of Renggli et al., "Which Model to Transfer? Finding the Needle in the Growing Haystack", CVPR
    2022, with one row left out at a time.

    Examples
    --------
    >>> knn_accuracy([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [0.1, 3.0]], [0, 0, 1, 1], k=1)
    1.0
    """
    x = as_matrix(features, "features")
    rows = len(x)
    groups = as_groups(labels, rows)
    if rows < 2:
        raise ValueError("neighbours need at least two rows")
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    k = min(k, rows - 1)
    # By the largest entry first: the square of one may be no number that there is.
    for order in (np.inf, 2):
        lengths = np.linalg.norm(x, order, axis=1, keepdims=True)
        x = np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0)
    step = max(1, BLOCK_CELLS // rows)
    right = 0.0
    for start in range(0, rows, step):
        cosine = x[start : start + step] @ x.T
        block = np.arange(len(cosine))
        cosine[block, start + block] = -np.inf
        nearest = np.argpartition(cosine, rows - k, axis=1)[:, -k:]
        # Summed similarities lie in [−k, k]: scaled so, they decide between equal votes and nothing else.
        votes = 1 + np.take_along_axis(cosine, nearest, axis=1) / (2 * k + 1)
        right += _share_right(groups, nearest, votes, groups[start : start + step])
    return right / rows


def _share_right(
    groups: NDArray[np.intp] | NDArray[np.bool_],
    nearest: NDArray[np.intp],
    votes: NDArray[np.float64],
    truth: NDArray[np.intp] | NDArray[np.bool_],
) -> float:
    """How many rows get the right label by the votes of their neighbours; of label sets, the mean over the labels."""
    if groups.ndim == 2:
        voters = groups[nearest].astype(np.float64)
        has, lacks = (np.einsum("nk,nkl->nl", votes, side) for side in (voters, 1 - voters))
        return float(((has > lacks) == truth).mean(axis=1).sum())
    rows, classes = len(nearest), int(groups.max()) + 1
    ballot = np.bincount(
        (np.arange(rows)[:, None] * classes + groups[nearest]).ravel(), votes.ravel(), rows * classes
    )
    return float((ballot.reshape(-1, classes).argmax(axis=1) == truth).sum())
