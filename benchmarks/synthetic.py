"""Made-up performance matrices of many models, for the benchmarks of scale: shape (models, datasets), a third NaN.

`families` is like a hub: half of the models descend from a few thousand base models, and score within a point or
two of their base (`noise` is the standard deviation); the other half are alone. How good a base is, its skill, moves
its scores on all datasets; each base has strengths of its own besides. Sizes of families are geometric: many small,
few large.

`dense` is like a small hub's matrix many times over: 17 families, whose models score within a few points of their
base, so that nearly all pairs of a family are within the default threshold. Sizes are unequal, the largest a quarter.

`cloud` has no clusters at all: each model is alone, in a cloud so tight that two in five pairs are within the default
threshold. Where average linkage divides such a cloud hangs on small differences, and no approximation can repeat it.
"""

import numpy as np

DATASETS = 24
MISSING = 1 / 3
DENSE_FAMILIES = 17


def families(models: int, seed: int = 0, noise: float = 0.012) -> np.ndarray:
    random = np.random.default_rng(seed)
    sizes: list[int] = []
    while sum(sizes) < models // 2:
        sizes.append(2 + int(random.geometric(1 / 12)))
    bases = len(sizes) + models - models // 2
    base = np.concatenate(
        [np.repeat(np.arange(len(sizes)), sizes)[: models // 2], np.arange(len(sizes), bases)]
    )
    scores = _individuals(bases, random, spread=0.15)[base] + random.normal(0, noise, (models, DATASETS))
    return _observed(scores[random.permutation(models)], random)


def dense(models: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    shares = 1 / np.arange(1, DENSE_FAMILIES + 1)
    family = random.choice(DENSE_FAMILIES, models, p=shares / shares.sum())
    scores = _individuals(DENSE_FAMILIES, random, spread=0.15)[family]
    return _observed(scores + random.normal(0, 0.025, scores.shape), random)


def cloud(models: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return _observed(_individuals(models, random, spread=0.05), random)


def _individuals(count: int, random: np.random.Generator, spread: float) -> np.ndarray:
    difficulty = random.uniform(0.45, 0.85, DATASETS)
    skill = random.normal(0, spread / 2, (count, 1))
    return difficulty + skill + random.normal(0, spread, (count, DATASETS))


def _observed(scores: np.ndarray, random: np.random.Generator) -> np.ndarray:
    scores = np.clip(scores, 0.01, 0.99)
    scores[random.random(scores.shape) < MISSING] = np.nan
    return scores
