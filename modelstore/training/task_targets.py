"""The targets of a dataset, by its task."""

from __future__ import annotations

from collections.abc import Callable

from modelstore.data.task_data import TaskData
from modelstore.tasks import CLASS, LABELS, NUMBER, TAGS
from modelstore.training.inputs.interface import Inputs
from modelstore.training.targets import ClassTargets, LabelTargets, NumberTargets, Targets
from modelstore.training.token_targets import TokenTargets

_OF_ROWS: dict[object, type[Targets]] = {CLASS: ClassTargets, LABELS: LabelTargets, NUMBER: NumberTargets}


def labels_of(data: TaskData) -> Targets:
    """The targets of a dataset where each label has an output of its own, those of tokens as any others."""
    return (ClassTargets if data.target is TAGS else _OF_ROWS[data.target])(data)


def targets_of(data: TaskData, inputs: Callable[[str], Inputs]) -> Targets:
    """The targets of a dataset; ``inputs`` returns the inputs of a split, among which those of tokens are found."""
    return TokenTargets(data, inputs) if data.target is TAGS else _OF_ROWS[data.target](data)
