"""Which of several choices no other is better than in score and in cost at once: the Pareto front."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(scores: ArrayLike, costs: ArrayLike) -> NDArray[np.bool_]:
    """Whether each choice is on the front: no other has at least its score at no more than its cost, and one better.

    Equal choices are on the front together. (Kung, Luccio & Preparata, "On Finding the Maxima of a Set of Vectors",
    Journal of the ACM 1975: sorted by one of two coordinates, one pass finds them.)

    Parameters
    ----------
    scores : (n,) higher is better.
    costs : (n,) lower is better.

    Returns
    -------
    (n,). A choice with a NaN is not on the front, and keeps no other off it.

    Examples
    --------
    >>> pareto_front([0.9, 0.8, 0.7], [20.0, 5.0, 9.0]).tolist()  # the last is worse than the second, and costs more
    [True, True, False]
    """
    score, cost = np.asarray(scores, dtype=float), np.asarray(costs, dtype=float)
    [known] = np.nonzero(~(np.isnan(score) | np.isnan(cost)))
    order = known[np.lexsort((-score[known], cost[known]))]  # the cheapest first, of those the best
    found = np.zeros(len(score), dtype=bool)
    best = None
    for place in order:
        if best is None or score[place] > score[best]:
            best = place
        found[place] = (score[place], cost[place]) == (score[best], cost[best])
    return found


def expected_front_size(choices: int) -> float:
    """How many of n choices are on the front where score and cost are independent: H_n = 1 + 1/2 + … + 1/n.

    Bentley, Kung, Schkolnick & Thompson, "On the Average Number of Maxima in a Set of Vectors and Applications",
    Journal of the ACM 1978.

    Examples
    --------
    >>> expected_front_size(4)
    2.083333333333333
    """
    return sum(1 / place for place in range(1, choices + 1))
