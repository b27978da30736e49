"""The tasks, each described once: what is predicted for a row, from which column, and what scores it.

What depends on the task asks this description, `training.targets` (loss and predictions) or `training.metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """What a model predicts for a row.

    Parameters
    ----------
    metrics
        What scores predictions; the first is the default.
    problem_type
        What transformers calls it, in the config of a model that is trained for it. The config of a token classifier
        has no such entry.
    """

    metrics: tuple[str, ...]
    problem_type: str


CLASS = Target(("accuracy", "f1_macro", "matthews"), "single_label_classification")
NUMBER = Target(("pearson", "spearman"), "regression")
# Any number of labels.
LABELS = Target(("f1_micro", "f1_macro", "average_precision"), "multi_label_classification")
TAGS = Target(("f1_entity", "accuracy"), "token_classification")  # one for each token of a row


@dataclass(frozen=True)
class Task:
    """A task.

    Parameters
    ----------
    target
        What is predicted for a row: `CLASS`, `NUMBER`, `LABELS` or `TAGS`.
    input
        The column that it needs; None: any of text, text and text_pair, or image.
    """

    target: Target
    input: str | None = None


TASKS: dict[str, Task] = {
    "text_classification": Task(CLASS, "text"),
    "text_pair_classification": Task(CLASS, "text_pair"),
    "image_classification": Task(CLASS, "image"),
    "regression": Task(NUMBER),
    "multi_label_classification": Task(LABELS),
    "token_classification": Task(TAGS),
}
METRICS = tuple(dict.fromkeys(metric for task in TASKS.values() for metric in task.target.metrics))


def target_of(task: str) -> Target:
    """What the task of this name predicts for a row."""
    return TASKS[task].target
