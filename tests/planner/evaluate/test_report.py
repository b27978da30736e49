"""The rows of an evaluation of given answers, against the metrics' own definitions and exact tests."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn

from modelstore.data.task_data import TaskData
from modelstore.options import EvaluateOptions
from modelstore.planner.evaluate.answers import Answers
from modelstore.planner.evaluate.measures import all_measures, main_measure
from modelstore.planner.evaluate.report import Row, report
from modelstore.planner.evaluate.resampling import Resampling, kinds_of
from modelstore.tasks import CLASS, LABELS, NUMBER, TAGS, TASKS
from modelstore.training.metrics import compared, score
from modelstore.udfs.entity_f1 import entity_f1

NOTHING = pa.table({})
BIO = ("B-LOC", "I-LOC", "B-PER", "I-PER", "O")
FEW = EvaluateOptions(samples=200)
FEWEST = EvaluateOptions(samples=100)
METRICS = [
    (task, metric)
    for task in ("text_classification", "regression", "multi_label_classification", "token_classification")
    for metric in TASKS[task].target.metrics
]


def dataset(task: str, metric: str, labels: tuple[str, ...]) -> TaskData:
    return TaskData("d", task, metric, "text", labels, NOTHING, NOTHING, NOTHING)


def drawn(task: str, seed: int, rows: int = 40, model: int = 0) -> Answers:
    """A model's answers, which are right more often than not; the truth is the same for all models of a seed."""
    target, generator = TASKS[task].target, np.random.default_rng(seed)
    own = np.random.default_rng([seed, model + 1])
    if target is NUMBER:
        truth = generator.normal(size=rows).round(1)
        return Answers(NUMBER, (), truth + own.normal(size=rows), truth)
    if target is LABELS:
        truth = generator.random((rows, 3)) < 0.4
        return Answers(LABELS, "abc", (0.4 * truth + 0.6 * own.random((rows, 3))).round(2), truth)
    lengths = generator.integers(1, 8, rows) if target is TAGS else None
    size, labels = (rows, tuple("abc")) if lengths is None else (int(lengths.sum()), BIO)
    truth = generator.integers(len(labels), size=size)
    predicted = np.where(own.random(size) < 0.7, truth, own.integers(len(labels), size=size))
    if target is TAGS:
        predicted[own.random(size) < 0.1] = -1
    return Answers(target, labels, predicted, truth, lengths)


def written_out(answers: Answers, metric: str, rows: np.ndarray) -> float:
    """The metric of these rows, some of them several times, as training computes it."""
    predicted, truth = answers.predicted, answers.truth
    if answers.lengths is None:
        return score(metric, predicted[rows], truth[rows])
    ends = np.cumsum(answers.lengths)
    words = np.concatenate([np.arange(ends[row] - answers.lengths[row], ends[row]) for row in rows])
    if metric == "f1_entity":
        return entity_f1(predicted[words], truth[words], answers.lengths[rows], answers.labels)
    return score(metric, predicted[words], truth[words])


def value(rows: list[Row], metric: str, class_: str | None = None, model: str = "m") -> Any:
    [found] = [row for row in rows if (row.model, row.metric, row.class_) == (model, metric, class_)]
    return found.value


@pytest.mark.parametrize(("task", "metric"), METRICS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_each_metric_of_a_resample_is_that_of_its_rows(task, metric, seed):
    answers, generator = drawn(task, seed, rows=12), np.random.default_rng(seed)
    data = dataset(task, metric, tuple(answers.labels))
    draws = [generator.integers(12, size=12), np.arange(12), np.zeros(12, int)]
    weights = np.stack([np.bincount(rows, minlength=12) for rows in draws], axis=1).astype(float)
    expected = [written_out(answers, metric, rows) for rows in draws]
    assert main_measure(data, answers).values(weights)[:, 0] == pytest.approx(expected)
    every = all_measures(data, answers)
    assert every.names[0] == (metric, None)
    assert every.values(weights)[:, 0] == pytest.approx(expected)


@pytest.mark.parametrize(("task", "metric"), METRICS)
def test_the_dataset_s_metric_comes_first_with_an_interval_around_it(task, metric):
    answers = drawn(task, 1)
    data = dataset(task, metric, tuple(answers.labels))
    first, *_ = rows = report(data, {"m": answers}, FEW)
    assert (first.model, first.metric, first.class_) == ("m", metric, None)
    assert first.low < first.value < first.high
    assert rows == report(data, {"m": answers}, FEW)  # the same each time
    wide = report(data, {"m": answers}, EvaluateOptions(samples=200, confidence=0.99))[0]
    assert wide.low <= first.low < first.high <= wide.high
    assert wide.high - wide.low > first.high - first.low


def test_numbers_have_correlations_and_an_error_in_their_own_unit():
    answers = drawn("regression", 2)
    rows = report(dataset("regression", "spearman", ()), {"m": answers}, FEW)
    assert [row.metric for row in rows] == ["spearman", "pearson", "rmse"]
    error = sklearn.root_mean_squared_error(answers.truth, answers.predicted)
    assert value(rows, "rmse") == pytest.approx(error)


def test_classes_have_their_scores_and_a_confusion_matrix():
    answers = drawn("text_classification", 3)
    rows = report(dataset("text_classification", "accuracy", tuple("abc")), {"m": answers}, FEW)
    expected = sklearn.precision_recall_fscore_support(answers.truth, answers.predicted)
    for metric, by_class in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [value(rows, metric, name) for name in "abc"] == pytest.approx(list(by_class))
    cells = {(row.class_, row.metric): row.value for row in rows if row.metric.startswith("predicted ")}
    for true, row in zip("abc", sklearn.confusion_matrix(answers.truth, answers.predicted), strict=True):
        assert [cells.get((true, f"predicted {name}"), 0) for name in "abc"] == row.tolist()


def test_labels_have_their_scores_and_a_matrix_of_two_by_two_each():
    answers = drawn("multi_label_classification", 4)
    rows = report(dataset("multi_label_classification", "f1_micro", tuple("abc")), {"m": answers}, FEW)
    matrices = sklearn.multilabel_confusion_matrix(answers.truth, answers.predicted >= 0.5)
    for name, ((tn, fp), (fn, tp)) in zip("abc", matrices, strict=True):
        counts = [
            value(rows, f"{one}_{side}", name)
            for one in ("true", "false")
            for side in ("positives", "negatives")
        ]
        assert counts == [tp, tn, fp, fn]
        assert value(rows, "recall", name) == pytest.approx(tp / (tp + fn))


def test_entities_count_by_type_and_other_tags_by_word():
    tags, lengths = ("B-LOC", "B-PER", "I-PER", "O"), np.array([3, 2])
    truth, predicted = np.array([1, 2, 3, 0, 3]), np.array([1, 3, 3, 0, 0])
    answers = Answers(TAGS, tags, predicted, truth, lengths)
    rows = report(dataset("token_classification", "f1_entity", tags), {"m": answers}, FEW)
    assert value(rows, "accuracy") == pytest.approx(3 / 5)
    assert (value(rows, "recall", "LOC"), value(rows, "precision", "LOC")) == (1.0, 0.5)
    assert (value(rows, "false_negatives", "PER"), value(rows, "false_positives", "PER")) == (1, 1)
    plain = Answers(TAGS, ("NOUN", "VERB"), np.array([0, -1, 1]), np.array([0, 1, 0]), np.array([3]))
    rows = report(dataset("token_classification", "accuracy", plain.labels), {"m": plain}, FEW)
    cells = {(row.class_, row.metric): row.value for row in rows if row.metric.startswith(("pred", "not"))}
    assert cells == {("NOUN", "predicted NOUN"): 1, ("NOUN", "predicted VERB"): 1, ("VERB", "not_read"): 1}


def test_what_is_not_defined_has_no_value():
    answers = Answers(CLASS, tuple("ab"), np.zeros(4, int), np.array([0, 0, 0, 1]))
    rows = report(dataset("text_classification", "accuracy", tuple("ab")), {"m": answers}, FEW)
    assert np.isnan(value(rows, "precision", "b"))
    assert value(rows, "recall", "b") == value(rows, "f1", "b") == 0.0


def test_accuracies_are_compared_as_mcnemar_s_exact_test_does():
    truth = np.zeros(60, int)
    one, other = truth.copy(), truth.copy()
    one[:4], other[4:18] = 1, 1  # rows that one model alone gets wrong
    answers = {name: Answers(CLASS, tuple("ab"), said, truth) for name, said in (("m", one), ("n", other))}
    data = dataset("text_classification", "accuracy", tuple("ab"))
    rows = report(data, answers, EvaluateOptions(samples=20_000))
    exact = stats.binomtest(4, 18).pvalue
    assert value(rows, "p_value against n") == pytest.approx(exact, abs=0.006)
    [difference] = [row for row in rows if row.metric == "difference from n"]
    assert difference.value == pytest.approx(10 / 60)
    assert 0 < difference.low < difference.value < difference.high


@pytest.mark.parametrize(("task", "metric"), METRICS)
def test_models_that_are_alike_are_told_apart_as_rarely_as_the_level_says(task, metric):
    rejected = 0
    for seed in range(40):
        models = {name: drawn(task, seed, model=place) for place, name in enumerate("mn")}
        rows = report(dataset(task, metric, tuple(models["m"].labels)), models, FEWEST)
        rejected += value(rows, "p_value against n") <= 0.2
    assert rejected <= 15  # of 8 expected: more have a chance below 1 %


def test_a_much_better_model_is_told_whatever_the_scales_of_both():
    answers = drawn("regression", 5, rows=80)
    good = Answers(
        NUMBER, (), 1e6 * (answers.truth + 0.1 * (answers.predicted - answers.truth)), answers.truth
    )
    for metric in ("pearson", "spearman"):
        rows = report(dataset("regression", metric, ()), {"m": good, "n": answers}, FEW)
        assert value(rows, "difference from n") > 0
        assert value(rows, "p_value against n") < 0.02


def test_every_two_models_are_compared_in_their_order_and_p_values_corrected():
    truth = np.zeros(50, int)
    answers = {}
    for wrong, name in ((0, "x"), (6, "y"), (7, "z")):
        predicted = truth.copy()
        predicted[:wrong] = 1
        answers[name] = Answers(CLASS, tuple("ab"), predicted, truth)
    data = dataset("text_classification", "accuracy", tuple("ab"))
    rows = report(data, answers, EvaluateOptions(samples=20_000))
    pairs = [(row.model, row.metric) for row in rows if row.metric.startswith("difference")]
    assert pairs == [("x", "difference from y"), ("x", "difference from z"), ("y", "difference from z")]
    alone = report(data, {name: answers[name] for name in "xz"}, EvaluateOptions(samples=20_000))
    corrected = value(rows, "p_value against z", model="x")
    assert corrected == pytest.approx(3 * value(alone, "p_value against z", model="x"), rel=0.2)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_rows_that_agree_are_of_one_kind(rows):
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    first, kinds = kinds_of(columns)
    assert len(first) == len(set(rows))
    assert [rows[first[kind]] for kind in kinds] == rows


@pytest.mark.parametrize("kinds", [np.arange(1200), np.arange(1200) % 7])
def test_resamples_hold_as_many_rows_and_the_jackknife_misses_each_once(kinds):
    resampling = Resampling(kinds, 150, seed=3)
    drawn = np.concatenate(list(resampling.bootstrap()), axis=1)
    assert drawn.shape == (len(resampling.counts), 150)
    assert (drawn.sum(axis=0) == 1200).all()
    assert np.allclose(drawn.mean(axis=1), resampling.counts, rtol=0.5)
    missing = resampling.whole - np.concatenate(list(resampling.jackknife()), axis=1)
    assert (missing.sum(axis=1) == resampling.counts).all()
    swaps = np.concatenate(list(resampling.swaps()), axis=1)
    assert swaps.sum() == pytest.approx(150 * 600, rel=0.01)


def test_tags_are_compared_as_training_compares_them():
    scores = np.array([[0.2, 0.8], [0.0, 0.0]])
    assert compared(TAGS, scores).tolist() == [1, -1]
