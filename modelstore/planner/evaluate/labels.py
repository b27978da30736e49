"""Which of a dataset's labels each label of a model is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError, first_of
from modelstore.planner.evaluate.measures import marks_entities
from modelstore.progress import notify
from modelstore.udfs.entity_f1 import entity_types

_NAMELESS = re.compile(r"LABEL_(\d+)")
NAMED = 5  # labels that a message names


def matched_labels(model: str, own: Sequence[str], data: TaskData) -> list[str]:
    """The labels of a model by id, as the dataset spells them; labels that the dataset lacks as they are.

    Names decide, whatever their order: as they are, or else but for the case of letters. Labels without names,
    ``LABEL_0``, are the dataset's only where its labels are numbers.

    Parameters
    ----------
    model
        The model's name.
    own
        The names of its labels by id.
    data
        The dataset.

    Raises
    ------
    ModelError
        If it does not know a label of the dataset.
    """
    names = _as_spelled(model, own, data)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelError(
            f"the model \"{model}\" has several labels that are called '{twice}', so they cannot be told apart"
        )
    unknown = [name for name in _needed(data, data.labels) if name not in _needed(data, names)]
    if unknown:
        raise ModelError(_unknown(model, own, data, unknown))
    others = [name for name in names if name not in data.labels]
    if others:
        notify(
            f"{model} knows labels that {data.name} does not have ({_quoted(others)}): where it predicts one, "
            "that counts as wrong"
        )
    return names


def _as_spelled(model: str, own: Sequence[str], data: TaskData) -> list[str]:
    """The model's labels with the spelling of those of the dataset's that they are."""
    if set(data.labels) <= set(own):
        return list(own)
    spelling = {_folded(name): name for name in data.labels}
    if len(spelling) == len(data.labels) and len({_folded(name) for name in own}) == len(own):
        spelled = [spelling.get(_folded(name), name) for name in own]
        if spelled != list(own):
            one, other = next(pair for pair in zip(own, spelled, strict=True) if pair[0] != pair[1])
            notify(f"the labels of {model} are taken for those of {data.name}: '{one}' is '{other}'")
        return spelled
    return list(own)


def _folded(name: str) -> str:
    """What a label is called whatever the case of its letters; ``LABEL_3`` is the number 3."""
    nameless = _NAMELESS.fullmatch(name)
    return nameless[1] if nameless else name.strip().casefold()


def _needed(data: TaskData, labels: Sequence[str]) -> Sequence[str]:
    """What has to agree: the types of entities, which may be marked in several ways, or the labels themselves."""
    return entity_types(labels) if marks_entities(data) else labels


def _unknown(model: str, own: Sequence[str], data: TaskData, unknown: list[str]) -> str:
    if all(map(_NAMELESS.fullmatch, own)):
        return (
            f'the labels of the model "{model}" have no names ({first_of(list(own), NAMED)}), so nothing says which '
            f"each is of {_quoted(data.labels)}: name them in the id2label of its config.json"
        )
    noun = "label" if len(unknown) == 1 else "labels"
    return (
        f'the model "{model}" does not know the {noun} {_quoted(unknown)} of {data.name}: it was trained for '
        f"{_quoted(own)}"
    )


def _quoted(names: Sequence[str]) -> str:
    return first_of([f"'{name}'" for name in names], NAMED)
