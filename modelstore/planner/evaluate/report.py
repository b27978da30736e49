"""The rows of `EVALUATE MODELS`: metrics, comparisons, the scores of each class, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from modelstore.data.task_data import TaskData
from modelstore.options import EvaluateOptions
from modelstore.planner.evaluate.answers import Answers, confusion, outcomes_of, outcomes_of_entities
from modelstore.planner.evaluate.comparison import Comparison, Resampled, compare_all
from modelstore.planner.evaluate.measures import BY_CLASS, Measure, all_measures, marks_entities
from modelstore.planner.evaluate.resampling import Resampling, kinds_of
from modelstore.progress import progress
from modelstore.tasks import CLASS, LABELS, NUMBER
from modelstore.udfs.entity_f1 import entity_types


class Row(NamedTuple):
    """A row of the result: a statistic of a model, of one class or of all, with both ends of its interval."""

    model: str
    metric: str
    class_: str | None
    value: float
    low: float | None = None
    high: float | None = None


def report(data: TaskData, answers: dict[str, Answers], options: EvaluateOptions) -> list[Row]:
    """Scores the answers of models for the same rows.

    Parameters
    ----------
    data
        The dataset.
    answers
        What each model says.
    options
        How many resamples are drawn, by which seed, and the confidence of intervals.

    Returns
    -------
    list of Row
        The metrics of each model; each pair of models; the scores of classes; counts.
    """
    first, kinds = kinds_of_rows(list(answers.values()))
    of_kinds = {model: one.of_rows(first) for model, one in answers.items()}
    resampling = Resampling(kinds, options.samples, options.seed)
    compares = len(answers) > 1
    resampled: dict[str, dict[tuple[str, str | None], Resampled]] = {}
    with progress(options.samples * (len(answers) + compares), "evaluation", "resample") as bar:
        for model, one in of_kinds.items():
            resampled[model] = resample(all_measures(data, one), resampling, bar.update)
        scores = {model: found[data.metric, None] for model, found in resampled.items()}
        comparisons = compare_all(data, of_kinds, scores, resampling, bar.update) if compares else []
    rows = list(_metrics(resampled, options.confidence))
    rows += _comparisons(comparisons, options.confidence)
    for model, one in answers.items():
        if data.target is not NUMBER:
            rows += _classes(model, data, one, resampled[model], options.confidence)
    for model, one in answers.items():
        if data.target is CLASS or (data.target not in (NUMBER, LABELS) and not marks_entities(data)):
            rows += _confusion(model, data, one)
    return rows


def kinds_of_rows(answers: list[Answers]) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each kind, and the kind of each row: few kinds of classes, and else one of each row's own."""
    if answers[0].target is CLASS:
        return kinds_of([answers[0].truth, *(one.predicted for one in answers)])
    rows = np.arange(answers[0].rows)
    return rows, rows


def resample(
    measure: Measure, resampling: Resampling, on_part: Callable[[int], object]
) -> dict[tuple[str, str | None], Resampled]:
    """The statistics of a measure, by metric and class."""
    [values] = measure.values(resampling.whole)
    bootstrap = []
    for weights in resampling.bootstrap():
        bootstrap.append(measure.values(weights))
        on_part(weights.shape[1])
    drawn = np.concatenate(bootstrap)
    without = np.concatenate([measure.values(weights) for weights in resampling.jackknife()])
    return {
        name: Resampled(float(values[place]), drawn[:, place], without[:, place])
        for place, name in enumerate(measure.names)
    }


def _metrics(
    resampled: dict[str, dict[tuple[str, str | None], Resampled]], confidence: float
) -> Iterator[Row]:
    for model, found in resampled.items():
        for (metric, name), statistic in found.items():
            if name is None:
                yield Row(model, metric, None, statistic.value, *statistic.interval(confidence))


def _comparisons(comparisons: list[Comparison], confidence: float) -> Iterator[Row]:
    for one in comparisons:
        ends = one.difference.interval(confidence)
        yield Row(one.model, f"difference from {one.other}", None, one.difference.value, *ends)
        yield Row(one.model, f"p_value against {one.other}", None, one.p_value)


def _classes(
    model: str,
    data: TaskData,
    answers: Answers,
    resampled: dict[tuple[str, str | None], Resampled],
    confidence: float,
) -> Iterator[Row]:
    """The scores of each class, label or type of entities, and the counts that they are made of."""
    of_entities = marks_entities(data)
    outcomes = outcomes_of_entities(answers) if of_entities else outcomes_of(answers)
    own = entity_types(data.labels) if of_entities else data.labels
    counts = zip(outcomes.classes, *map(np.ndarray.tolist, outcomes.counts()), strict=True)
    for name, hits, predicted, true in counts:
        if name not in own and not predicted:
            continue  # one that only models know
        for metric in BY_CLASS:
            statistic = resampled[metric, name]
            yield Row(model, metric, name, statistic.value, *statistic.interval(confidence))
        yield Row(model, "support", name, true)
        if of_entities or data.target is LABELS:
            yield Row(model, "true_positives", name, hits)
            yield Row(model, "false_positives", name, predicted - hits)
            yield Row(model, "false_negatives", name, true - hits)
        if data.target is LABELS:
            yield Row(model, "true_negatives", name, answers.rows - predicted - true + hits)


def _confusion(model: str, data: TaskData, answers: Answers) -> Iterator[Row]:
    """How many rows of each class are answered by which class, where there are any."""
    cells = confusion(answers)
    names = [f"predicted {name}" for name in answers.labels] + ["not_read"]
    for name, row in zip(data.labels, cells[: len(data.labels)], strict=True):
        for place in np.flatnonzero(row):
            yield Row(model, names[place], name, int(row[place]))
