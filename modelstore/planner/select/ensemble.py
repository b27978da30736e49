"""`ensemble = true`: the weighted vote of the finalists, chosen on validation, where it is better than the best."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from modelstore.errors import StoreError
from modelstore.selection.ensemble import greedy_ensemble
from modelstore.selection.selector import Finalist
from modelstore.training.metrics import score
from modelstore.training.run import TrainingRun


@dataclass(frozen=True)
class Ensemble:
    """``weights`` by model, the greatest first; the scores are of the mean of their predictions."""

    weights: dict[str, float]
    validation: float
    test: float

    @property
    def name(self) -> str:
        return f"ensemble({', '.join(self.weights)})"

    def save(self, directories: dict[str, Path], path: Path) -> None:
        """Writes a JSON file that names the members, their folders and weights."""
        members = [
            {"model": model, "weight": weight, "checkpoint": str(directories[model])}
            for model, weight in self.weights.items()
        ]
        try:
            path.write_text(json.dumps({"ensemble": members}, indent=2))
        except OSError as error:
            raise StoreError(f'the ensemble cannot be saved in "{path}": {error.strerror or error}') from None


def ensemble_of(finalists: Sequence[Finalist]) -> Ensemble | None:
    """The ensemble of models that were trained; None where it is no better on validation than the best of them."""
    runs = [cast(TrainingRun, finalist.run) for finalist in finalists]
    data = runs[0].data

    def scored(split: str, predictions: NDArray) -> float:
        classes = predictions.argmax(axis=1) if predictions.ndim == 2 else predictions
        return score(data.metric, classes, data.split(split).column("label").to_numpy())

    weights, validation = greedy_ensemble(
        [run.predict_scores("validation") for run in runs], lambda mean: scored("validation", mean)
    )
    if validation <= max(finalist.validation for finalist in finalists):
        return None
    members = [place for place in np.argsort(-weights, kind="stable") if weights[place] > 0]
    mean = sum(weights[place] * runs[place].predict_scores("test") for place in members)
    return Ensemble(
        {finalists[place].model: float(weights[place]) for place in members},
        validation,
        scored("test", np.asarray(mean)),
    )
