"""How alike two tasks are by the diagonal Fisher information of one probe network (Task2Vec)."""

import numpy as np
from numpy.typing import ArrayLike


def fisher_similarity(a: ArrayLike, b: ArrayLike) -> float:
    """cos(a / (a + b), b / (a + b)), element by element: 1 for equal embeddings.

    Dividing by the sum makes every unit of the network count alike, however much information it carries.

    Parameters
    ----------
    a, b : (units,) array_like of float
        The Fisher information of each unit on two tasks, none below 0. A unit with none on both says nothing.

    Returns
    -------
    float
        In [0, 1]: 1 − d_sym; NaN where one of the tasks has no information at all.

    Raises
    ------
    ValueError
        If the embeddings are of different networks, so that their lengths differ.

    Notes
    -----
    Achille et al., "Task2Vec: Task Embedding for Meta-Learning", ICCV 2019, the symmetric distance d_sym.

    Examples
    --------
    >>> round(fisher_similarity([1.0, 2.0], [1.0, 2.0]), 6), round(fisher_similarity([1.0, 3.0], [3.0, 1.0]), 6)
    (1.0, 0.6)
    """
    one, other = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if one.shape != other.shape:
        raise ValueError(f"embeddings of {one.size} and {other.size} units do not compare")
    total = one + other
    some = total > 0
    x, y = one[some] / total[some], other[some] / total[some]
    lengths = float(np.sqrt((x @ x) * (y @ y)))
    return min(1.0, float(x @ y) / lengths) if lengths > 0 else float("nan")
