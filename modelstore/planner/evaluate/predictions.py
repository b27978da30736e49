"""What models answer for the rows of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.interruption import check
from modelstore.planner.contents import check_model_unchanged
from modelstore.planner.evaluate.answers import Answers
from modelstore.planner.evaluate.labels import matched_labels
from modelstore.planner.model_files import predictor_path
from modelstore.progress import progress
from modelstore.store import Store
from modelstore.store.registered import Model
from modelstore.tasks import CLASS, LABELS, NUMBER, TAGS
from modelstore.training.metrics import compared
from modelstore.training.predictor import Predictor, load_predictor

ROWS = 1_024  # that a model is given at a time
_PREDICTS = {
    CLASS: "one class for each row",
    NUMBER: "a number for each row",
    LABELS: "any number of labels for each row",
    TAGS: "a tag for each word",
}


def predict_split(
    store: Store, models: Sequence[Model], data: TaskData, split: str, device: str
) -> dict[str, Answers]:
    """Runs models on all rows of a split, one after another.

    Parameters
    ----------
    store
        Where the models are registered.
    models
        The models.
    data, split
        The dataset, and which of its splits.
    device
        Where the models run: 'auto', 'cpu', 'cuda' or 'cuda:1'.

    Returns
    -------
    dict
        The answers by model, in their order; all have the same rows and labels.

    Raises
    ------
    ModelError
        Where a model has no head, predicts something else than the dataset is of, does not know its labels, or cannot
        be loaded or run.
    TrainingError
        Where there is no such device.
    """
    predictors = {model.name: _predictor(store, model, device) for model in models}
    names: dict[str, list[str]] = {}  # all are checked before any is run
    for model, predictor in predictors.items():
        _check_fits(predictor, data)
        names[model] = matched_labels(model, predictor.labels, data) if data.labels else []
    labels = list(dict.fromkeys([*data.labels, *(label for own in names.values() for label in own)]))
    truth, lengths = data.targets(split), data.tokens(split) if data.target is TAGS else None
    if data.target is LABELS:
        truth = np.hstack([truth, np.zeros((len(truth), len(labels) - len(data.labels)), bool)])
    answers = {}
    with progress(len(models) * data.split(split).num_rows, "evaluation", "row") as bar:
        for model in list(predictors):
            bar.set_postfix_str(model)
            places = np.array([labels.index(name) for name in names[model]], np.intp)
            predicted = _predict(predictors.pop(model), places, len(labels), data, split, bar.update)
            answers[model] = Answers(data.target, labels, predicted, truth, lengths)
    return answers


def _predictor(store: Store, model: Model, device: str) -> Predictor:
    check_model_unchanged(store, model)
    return load_predictor(model.name, predictor_path(model), device)


def _check_fits(predictor: Predictor, data: TaskData) -> None:
    """Raises ModelError where a model is of another modality than a dataset, or predicts something else."""
    if predictor.modality != data.modality:
        raise ModelError(
            f'the model "{predictor.name}" reads {predictor.modality}s, and the rows of {data.name} are '
            f"{data.modality}s"
        )
    if predictor.target is not data.target:
        raise ModelError(
            f'the model "{predictor.name}" predicts {_PREDICTS[predictor.target]}, and {data.name} has '
            f"{_PREDICTS[data.target]}"
        )


def _predict(
    predictor: Predictor,
    places: NDArray,
    labels: int,
    data: TaskData,
    split: str,
    on_rows: Callable[[int], object],
) -> NDArray:
    """What `Answers` has for the predictions of all rows, some rows at a time."""
    rows, found = data.split(split).drop_columns("label"), []
    for start in range(0, rows.num_rows, ROWS):
        check()
        some = rows.slice(start, ROWS)
        scores = predictor.scores(some)
        if not np.isfinite(scores).all():
            raise ModelError(f'the model "{predictor.name}" predicts what is not a finite number')
        if data.target is not NUMBER:
            own, scores = scores, np.zeros((len(scores), labels), scores.dtype)
            scores[:, places] = own
        found.append(compared(data.target, scores))
        on_rows(some.num_rows)
    return np.concatenate(found)
