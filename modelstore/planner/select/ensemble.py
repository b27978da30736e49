"""`ensemble = true`: the weighted vote of the winners, chosen on validation, where it is better than the best one."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.data.remote import AnyPath
from modelstore.errors import StoreError
from modelstore.planner.select.winners import TrainedWinner
from modelstore.selection.greedy_ensemble import greedy_ensemble
from modelstore.training.metrics import compared
from modelstore.training.scoring import score_split


@dataclass(frozen=True)
class Ensemble:
    """``weights`` by model, the greatest first; the scores are of the mean of their predictions."""

    weights: dict[str, float]
    validation: float
    test: float

    @property
    def name(self) -> str:
        """What the result calls it: its members."""
        return f"ensemble({', '.join(self.weights)})"

    def save(self, directories: dict[str, AnyPath], path: AnyPath) -> None:
        """Writes a JSON file that names the members, their folders, as seen from the file's, and weights."""
        members = [
            {
                "model": model,
                "weight": weight,
                "checkpoint": os.path.relpath(str(directories[model]), str(path.parent)),
            }
            for model, weight in self.weights.items()
        ]
        try:
            path.write_text(json.dumps({"ensemble": members}, indent=2))
        except OSError as error:
            raise StoreError(f'the ensemble cannot be saved in "{path}": {error.strerror or error}') from None


def ensemble_of(winners: Sequence[TrainedWinner]) -> Ensemble | None:
    """The ensemble of the winners; None where it is no better on validation than the best of them."""
    data = winners[0].data

    def scored(split: str, predictions: NDArray) -> float:
        return score_split(data, split, compared(data.target, predictions))

    weights, validation = greedy_ensemble(
        [winner.predict_scores("validation") for winner in winners], lambda mean: scored("validation", mean)
    )
    if validation <= max(winner.finalist.validation for winner in winners):
        return None
    members = [place for place in np.argsort(-weights, kind="stable") if weights[place] > 0]
    mean = sum(weights[place] * winners[place].predict_scores("test") for place in members)
    return Ensemble(
        {winners[place].finalist.model: float(weights[place]) for place in members},
        validation,
        scored("test", np.asarray(mean)),
    )
