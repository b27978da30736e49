"""Who is recalled by a prior: the best by themselves, or those that complement each other."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def recalled(
    z: Floats, prior: Floats, count: int, complementary: bool = False, first: int | None = None
) -> list[int]:
    """The places of the ``count`` models to recall, of standardised scores ``z`` (models, datasets), NaN where
    missing, and ``prior`` (models,). ``first`` stands before all others, where it is given.
    """
    by_prior = np.argsort(-prior, kind="stable")
    chosen = [int(by_prior[0]) if first is None else first] if len(prior) else []
    if complementary:
        return greedy(z, prior, count, chosen)
    return (chosen + by_prior[by_prior != chosen[0]].tolist())[:count] if chosen else []


def greedy(z: Floats, prior: Floats, count: int, chosen: list[int]) -> list[int]:
    """``chosen`` and more, up to ``count``, such that the best of them is good whatever the target is like.

    With r the residuals of z from each model's own mean (0 where missing), a model is taken to have prior + r on a
    target that is like one of the datasets. Each next model is the one that raises the mean over the datasets of the
    best so far most: a greedy portfolio (Feurer et al., "Auto-Sklearn 2.0", JMLR 2022, section 3.1), of a submodular
    objective. Ties go to the better prior.
    """
    known = np.isfinite(z)
    counts = np.maximum(known.sum(axis=1), 1)
    means = np.where(known, z, 0.0).sum(axis=1) / counts
    expected = prior[:, None] + np.where(known, z - means[:, None], 0.0)
    best = expected[chosen].max(axis=0) if chosen else np.full(z.shape[1], -np.inf)
    chosen = list(chosen)
    while len(chosen) < min(count, len(prior)):
        gains = np.maximum(expected, best).mean(axis=1) if z.shape[1] else prior.copy()
        gains += 1e-6 * prior
        gains[chosen] = -np.inf
        chosen.append(int(np.argmax(gains)))
        best = np.maximum(best, expected[chosen[-1]])
    return chosen
