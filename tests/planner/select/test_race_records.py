"""What a race knows of pairs of model and recipe."""

import numpy as np
import pytest

from modelstore.planner.select.race_records import RaceRecords
from modelstore.records import Curve, Matrix

POINTS = np.array([1.0, 2.0, 4.0])
NO_RESULTS = Matrix([], [], np.empty((0, 0)))


def curve(final: float) -> Curve:
    validations = final - 0.1 / POINTS
    tests = np.array([np.nan, np.nan, final])
    return Curve(POINTS, validations, tests, np.ones(3))


def recorded(gain: float, models: int, datasets: int, seed: int = 0) -> dict[tuple[str, str], Curve]:
    random = np.random.default_rng(seed)
    return {
        (f"m{m}", f"d{d}"): curve(0.4 + 0.05 * m + gain + random.normal(0, 0.005))
        for m in range(models)
        for d in range(datasets)
    }


def forecast(records: RaceRecords, *pairs: tuple[str, str]) -> np.ndarray:
    seen = np.full((len(pairs), 3), np.nan)
    seen[:, 0] = 0.5
    return records.forecast(pairs, seen, None).mean


def test_one_recipe_has_no_effect() -> None:
    records = RaceRecords.learn({"a": recorded(0.0, 4, 12)}, {"a": NO_RESULTS}, {}, POINTS)
    np.testing.assert_array_equal(records.effect_of["a"], np.zeros(4))


def test_a_pair_without_records_has_its_models_prior_and_its_recipes_effect() -> None:
    curves = {"a": recorded(0.0, 4, 12), "b": recorded(0.1, 3, 12, seed=1)}
    records = RaceRecords.learn(curves, dict.fromkeys(curves, NO_RESULTS), {}, POINTS)
    assert records.effect_of["b"][0] == pytest.approx(0.05 * 12 / 15, abs=0.005)
    assert records.place_of.keys() == {(f"m{m}", "a") for m in range(4)} | {(f"m{m}", "b") for m in range(3)}
    better, worse, unknown = forecast(records, ("m3", "b"), ("m3", "a"), ("m3", "c"))
    assert better > unknown
    # The same validation promises more where the recipe makes more of what is left, or was expected to be there.
    assert ("m3", "b") not in records.place_of
    assert np.isfinite([better, worse, unknown]).all()


def test_what_several_recipes_know_is_pooled() -> None:
    """A model that is on record with one recipe counts with the other too."""
    few = {key: one for key, one in recorded(0.1, 4, 12).items() if key[0] != "m0"}
    curves = {"a": recorded(0.0, 4, 12), "b": few}
    records = RaceRecords.learn(curves, dict.fromkeys(curves, NO_RESULTS), {}, POINTS)
    assert sorted(records.prior_of, key=records.prior_of.__getitem__) == ["m0", "m1", "m2", "m3"]
