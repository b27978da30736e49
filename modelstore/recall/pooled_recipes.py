"""The records of several recipes as one matrix, for priors of models whatever recipe they train by."""

from collections.abc import Sequence

import numpy as np

from modelstore.recall.normal_scores import normal_score_matrix
from modelstore.records import Matrix


def pool_recipes(matrices: Sequence[Matrix]) -> Matrix:
    """A matrix in which only the order of a dataset's models counts, as for `normal_score_prior`.

    The scores of one recipe stay as they are. Those of several are not comparable: a model must not gain by being on
    record with the better recipe alone. So each recipe's scores on a dataset are ranked among themselves, and a cell
    is the mean of the model's normal scores on that dataset over the recipes that it has there.

    Parameters
    ----------
    matrices : of each recipe, one or more.
    """
    if len(matrices) == 1:
        return matrices[0]
    models = sorted({model for matrix in matrices for model in matrix.models})
    datasets = sorted({dataset for matrix in matrices for dataset in matrix.datasets})
    row_of = {model: row for row, model in enumerate(models)}
    column_of = {dataset: column for column, dataset in enumerate(datasets)}
    sums, counts = np.zeros((len(models), len(datasets))), np.zeros((len(models), len(datasets)))
    for matrix in matrices:
        if not matrix.models:
            continue
        scores = normal_score_matrix(matrix.scores)
        cells = np.ix_(
            [row_of[model] for model in matrix.models], [column_of[dataset] for dataset in matrix.datasets]
        )
        sums[cells] += np.nan_to_num(scores)
        counts[cells] += np.isfinite(scores)
    return Matrix(models, datasets, np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
