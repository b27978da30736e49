"""How much better scores are by one recipe than by others: what is known of a pair that has no records."""

import numpy as np

from modelstore.selection.forecast import Floats, Places

PRIOR_DATASETS = 3.0  # on which no recipe is better than another


def recipe_effects(scores: Floats, models: Places, recipes: Places) -> Floats:
    """The effect of each recipe on scores, drawn to 0.

    With y(m, r, d) the score of model m by recipe r on dataset d, and ȳ(m, d) its mean over the recipes that m has
    there, two or more,

        e(r) = Σ_d mean_m [y(m, r, d) − ȳ(m, d)] / (n_r + n₀)

    over the n_r datasets that have such a model by recipe r: the mean, as if n₀ = `PRIOR_DATASETS` more had said 0.
    A model that is on record with one recipe alone says nothing. (Paired differences and shrinkage as in a random
    effects model: Laird & Ware, Biometrics 1982.)

    Parameters
    ----------
    scores : (pairs, datasets, points), NaN where missing; a point is what is compared, such as the score at an epoch.
    models, recipes : (pairs,) the place of each pair's model and of its recipe, from 0.

    Returns
    -------
    (recipes, points)
    """
    known = np.isfinite(scores)
    filled = np.where(known, scores, 0.0)
    shape = (int(models.max(initial=-1)) + 1, *scores.shape[1:])
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, models, filled)
    np.add.at(counts, models, known)
    compared = known & (counts[models] > 1)
    apart = np.where(compared, filled - sums[models] / np.maximum(counts[models], 1), 0.0)
    effects = np.zeros((int(recipes.max(initial=-1)) + 1, scores.shape[2]))
    for recipe in range(len(effects)):
        rows = recipes == recipe
        pairs = compared[rows].sum(axis=0)
        on_dataset = apart[rows].sum(axis=0) / np.maximum(pairs, 1)
        effects[recipe] = on_dataset.sum(axis=0) / ((pairs > 0).sum(axis=0) + PRIOR_DATASETS)
    return effects
