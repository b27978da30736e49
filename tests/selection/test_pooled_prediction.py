"""The pooled predictor: what it says of an empty store, of new models, of noise, and how often it is right."""

import numpy as np
import pytest

from modelstore.records import Curve, Matrix
from modelstore.selection.pooled_prediction import PRIOR_DEVIATION, Predictor
from modelstore.selection.sample import Sample

EMPTY = Matrix([], [], np.empty((0, 0)))
EPOCHS = np.array([1.0, 2.0, 3.0, 4.0])


def records(
    random: np.random.Generator, models: int, datasets: int, noise: float = 0.02
) -> tuple[dict[tuple[str, str], Curve], Matrix]:
    """Curves that gain about 0.2, of models that differ by 0.05 everywhere and by 0.05 on each dataset."""
    better = random.normal(0, 0.05, (models, 1))
    finals = 0.6 + better + random.normal(0, 0.05, (models, datasets)) + random.normal(0, 0.1, (1, datasets))
    gains = random.normal(0.2, 0.05, datasets)
    curves = {}
    for m in range(models):
        for d in range(datasets):
            validations = finals[m, d] - gains[d] * (1 - EPOCHS / 4) + random.normal(0, noise, 4)
            tests = np.array([np.nan, np.nan, np.nan, finals[m, d]])
            curves[f"m{m}", f"d{d}"] = Curve(EPOCHS, validations, tests, np.zeros(4))
    return curves, Matrix([f"m{m}" for m in range(models)], [f"d{d}" for d in range(datasets)], finals)


def without(
    dataset: str, curves: dict[tuple[str, str], Curve], results: Matrix
) -> tuple[dict[tuple[str, str], Curve], Matrix]:
    kept = [i for i, name in enumerate(results.datasets) if name != dataset]
    matrix = Matrix(results.models, [results.datasets[i] for i in kept], results.scores[:, kept])
    return {pair: curve for pair, curve in curves.items() if pair[1] != dataset}, matrix


def test_an_empty_store_predicts_the_validation_with_a_spread_that_narrows() -> None:
    predictor = Predictor({}, EMPTY, {}, epochs=4)
    runs = {"a": [(1.0, 0.5), (2.0, 0.6)], "b": [(1.0, 0.7), (2.0, 0.7)]}
    early = predictor.predict({model: points[:1] for model, points in runs.items()})
    late = predictor.predict(runs)
    assert {model: forecast.mean for model, forecast in late.items()} == pytest.approx({"a": 0.6, "b": 0.7})
    assert early["a"].deviation == pytest.approx(PRIOR_DEVIATION * 0.75**0.5)
    assert late["a"].deviation == pytest.approx(PRIOR_DEVIATION * 0.5**0.5)


def test_validation_on_few_rows_is_trusted_less() -> None:
    curves, results = records(np.random.default_rng(0), 12, 8)
    predictor = Predictor(curves, results, {f"d{d}": Sample(10_000) for d in range(8)}, epochs=4)
    runs = {"new": [(4.0, 0.5)], "other": [(4.0, 0.7)]}
    many, few = predictor.predict(runs, Sample(10_000)), predictor.predict(runs, Sample(100))
    assert few["new"].deviation > many["new"].deviation
    assert few["other"].mean - few["new"].mean < many["other"].mean - many["new"].mean
    # Without records, the binomial variance is all that is known of the last stage.
    [alone] = Predictor({}, EMPTY, {}, epochs=4).predict({"new": [(4.0, 0.5)]}, Sample(100)).values()
    assert alone.deviation == pytest.approx((0.5 * 0.5 / 100) ** 0.5)


def test_a_new_model_is_an_average_one_that_is_less_sure() -> None:
    curves, results = records(np.random.default_rng(1), 12, 8)
    predictor = Predictor(curves, results, {}, epochs=4)
    best = results.models[int(results.scores.mean(axis=1).argmax())]
    known = predictor.predict({best: [(1.0, 0.5)], "new": [(1.0, 0.5)]})
    assert known[best].mean > known["new"].mean
    assert known["new"].deviation > known[best].deviation


def test_the_target_s_other_models_change_no_difference() -> None:
    curves, results = records(np.random.default_rng(2), 6, 5)
    predictor = Predictor(curves, results, {}, epochs=4)
    runs = {"m0": [(1.0, 0.5)], "m1": [(1.0, 0.6)], "m2": [(1.0, 0.2)]}
    all_three = predictor.predict(runs)
    two = predictor.predict({model: runs[model] for model in ("m0", "m1")})
    assert all_three["m1"].mean - all_three["m0"].mean == pytest.approx(two["m1"].mean - two["m0"].mean)


@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_on_datasets_held_out_nine_in_ten_finals_are_within_their_ninety_percent(epoch: int) -> None:
    curves, results = records(np.random.default_rng(3), 12, 20)
    inside, errors, naive = [], [], []
    for d, dataset in enumerate(results.datasets):
        predictor = Predictor(*without(dataset, curves, results), {}, epochs=4)
        runs = {
            model: list(zip(EPOCHS[:epoch], curves[model, dataset].validations[:epoch], strict=True))
            for model in results.models
        }
        forecasts = predictor.predict(runs)
        for m, model in enumerate(results.models):
            error = results.scores[m, d] - forecasts[model].mean
            inside.append(abs(error) < 1.645 * forecasts[model].spread)
            errors.append(error)
            naive.append(results.scores[m, d] - runs[model][-1][1])
    assert 0.85 < np.mean(inside) < 0.97
    assert np.mean(np.abs(errors)) < np.mean(np.abs(naive))
