"""Scores the predictions for a split of a dataset by the dataset's metric."""

from __future__ import annotations

from numpy.typing import NDArray

from modelstore.data.task_data import TaskData
from modelstore.training.metrics import finite_score
from modelstore.udfs.entity_f1 import entity_f1


def score_split(data: TaskData, split: str, predictions: NDArray) -> float:
    """Scores predictions for a split by the dataset's metric; higher is better.

    Parameters
    ----------
    data
        The dataset.
    split
        The split's name.
    predictions
        What `score` takes for the metric, in the form of `TaskData.targets`; -1 for a token without a prediction.

    Raises
    ------
    ValueError
        The score is not a finite number.
    """
    labels = data.targets(split)
    if data.metric == "f1_entity":
        return entity_f1(predictions, labels, data.tokens(split), data.labels)
    return finite_score(data.metric, predictions, labels)
