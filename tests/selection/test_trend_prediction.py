"""Predictions from recorded curves, matched by epoch."""

import numpy as np
import pytest

from modelstore.records import Curve
from modelstore.selection.trend_prediction import predict


def curve(epochs: list[float], validations: list[float], tests: list[float]) -> Curve:
    return Curve(np.array(epochs), np.array(validations), np.array(tests), np.zeros(len(epochs)))


def test_the_prediction_is_the_mean_final_of_the_nearest_trend() -> None:
    curves = {
        "low1": curve([1, 2], [0.20, 0.3], [0.2, 0.40]),
        "low2": curve([1, 2], [0.22, 0.3], [0.2, 0.50]),
        "high": curve([1, 2], [0.80, 0.9], [0.8, 0.95]),
    }
    assert predict(0.3, 1, curves, {}, clusters=2) == pytest.approx(0.45)
    assert predict(0.7, 1, curves, {}, clusters=2) == pytest.approx(0.95)


def test_a_model_without_curves_has_no_prediction() -> None:
    assert predict(0.5, 1, {}, {}, clusters=4) is None
