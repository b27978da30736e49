"""Predictions from recorded curves, matched by epoch."""

import numpy as np
import pytest

from modelstore.selection.trends import final_of, predict, validation_at
from modelstore.store.records import Curve


def curve(epochs: list[float], validations: list[float], tests: list[float]) -> Curve:
    return Curve(np.array(epochs), np.array(validations), np.array(tests), np.zeros(len(epochs)))


def test_a_point_between_two_stages_is_interpolated_and_nothing_is_made_up_outside() -> None:
    recorded = curve([1, 2], [0.4, 0.6], [np.nan, 0.7])
    assert validation_at(recorded, 1.5) == pytest.approx(0.5)
    assert np.isnan(validation_at(recorded, 0.5))
    assert np.isnan(validation_at(recorded, 3))


def test_the_final_score_is_the_last_test_or_the_recorded_result() -> None:
    assert final_of(curve([1, 2], [0.4, 0.6], [0.5, 0.7]), recorded=0.1) == 0.7
    assert final_of(curve([1, 2], [0.4, 0.6], [np.nan, np.nan]), recorded=0.1) == 0.1
    assert np.isnan(final_of(curve([1], [0.4], [np.nan]), recorded=None))


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
