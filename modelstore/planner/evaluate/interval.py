"""The confidence interval of one model's score, as `EVALUATE MODELS` gives it."""

from __future__ import annotations

import math

from modelstore.data.task_data import TaskData
from modelstore.options import EvaluateOptions
from modelstore.planner.evaluate.answers import Answers
from modelstore.planner.evaluate.measures import main_measure
from modelstore.planner.evaluate.report import kinds_of_rows, resample
from modelstore.planner.evaluate.resampling import Resampling
from modelstore.progress import progress


def score_interval(data: TaskData, answers: Answers) -> tuple[float, float] | None:
    """The interval of the dataset's metric, by EVALUATE's defaults; None where it is not defined.

    Parameters
    ----------
    data
        The dataset.
    answers
        What the model says of rows of it.
    """
    options = EvaluateOptions()
    first, kinds = kinds_of_rows([answers])
    resampling = Resampling(kinds, options.samples, options.seed)
    measure = main_measure(data, answers.of_rows(first))
    with progress(options.samples, "interval of the score", "resample") as bar:
        [statistic] = resample(measure, resampling, bar.update).values()
    low, high = statistic.interval(options.confidence)
    return None if math.isnan(low) or math.isnan(high) else (low, high)
