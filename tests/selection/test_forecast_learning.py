"""What is learned from curves against its definition, and whether forecasts hold what they promise."""

import numpy as np
import pytest

from modelstore.recall.normal_scores import normal_score_prior, priors_without_each
from modelstore.selection.forecast_learning import (
    PRIOR_RUNS,
    CurveRecords,
    at_points,
    learn_forecasts,
    prior_covariance,
)
from modelstore.selection.sample import Sample

PLAN = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
EPOCHS = 4.0
ROWS = 400
NOTHING = CurveRecords(np.empty((3, 0, 5)), np.empty((3, 0)), np.empty((3, 0)), [])


def simulated(seed: int, models: int, datasets: int) -> tuple[np.ndarray, np.ndarray]:
    """Validations (models, datasets, points) on `ROWS` rows, and final test scores; models differ in talent."""
    random = np.random.default_rng(seed)
    talent = random.normal(0, 0.04, (models, 1))
    finals = (
        0.65 + random.normal(0, 0.06, (1, datasets)) + talent + random.normal(0, 0.08, (models, datasets))
    )
    left = 1 - PLAN / EPOCHS
    gains = random.normal(0.18, 0.08, (1, datasets, 1))
    speed = random.normal(0, 0.08, (models, datasets, 1))
    curves = finals[:, :, None] - (gains + speed) * left
    shared = random.normal(0, (0.25 / ROWS) ** 0.5, (models, datasets, 1))
    each = random.normal(0, (0.25 / ROWS) ** 0.5, curves.shape)
    return curves + shared + each, finals


def records(
    validations: np.ndarray, finals: np.ndarray, datasets: list[int], rows: float = ROWS
) -> CurveRecords:
    some = finals[:, datasets]
    samples = [Sample(rows)] * len(datasets)
    return CurveRecords(validations[:, datasets], some, priors_without_each(some), samples)


def test_a_curve_is_interpolated_and_not_continued() -> None:
    epochs, scores = np.array([0.5, 1.0, 2.0]), np.array([0.4, 0.6, 0.7])
    found = at_points(PLAN, epochs, scores)
    assert found[1:4].tolist() == [0.4, 0.6, 0.7]
    assert np.isnan(found[[0, 4]]).all()
    assert at_points(np.array([0.75, 1.5]), epochs, scores) == pytest.approx([0.5, 0.65])
    assert at_points(np.array([2.0 + 1e-9]), epochs, scores).tolist() == [0.7]
    gap = at_points(np.array([1.0]), epochs, np.array([0.4, np.nan, 0.7]))
    assert gap == pytest.approx([0.5])
    assert np.isnan(at_points(PLAN, epochs, np.full(3, np.nan))).all()


def test_an_empty_store_expects_no_gain_and_d() -> None:
    model = learn_forecasts(NOTHING, PLAN, EPOCHS)
    left = np.r_[0.0, 1 - PLAN / EPOCHS]
    for i in range(6):
        for j in range(6):
            expected = 0.08**2 * np.exp(-0.3 * abs(left[i] - left[j]))
            assert model.covariance[i, j] == pytest.approx(expected)
    assert model.gain.tolist() == [0.0] * 5
    assert model.slopes.tolist() == [0.0] * 6
    assert model.correlation == model.recorded_noise == 0.0
    validations = np.full((3, 5), np.nan)
    validations[:, 0] = [0.4, 0.5, 0.6]
    found = model.predict(validations, np.zeros(3), np.arange(3), Sample(300))
    assert found.mean.mean() == pytest.approx(0.5, abs=1e-5)
    assert 0.5 < found.mean[2] < 0.6


def test_the_covariance_is_s_drawn_to_d() -> None:
    validations, finals = simulated(0, 10, 6)
    known = records(
        validations, finals, list(range(6)), rows=4_000
    )  # so that S less the noise is a covariance
    model = learn_forecasts(known, PLAN, EPOCHS)
    scores = np.concatenate([finals[:, :, None], validations], axis=2)
    scatter = np.zeros((6, 6))
    for dataset in range(6):
        u = known.priors[:, dataset] - known.priors[:, dataset].mean()
        centred = scores[:, dataset] - scores[:, dataset].mean(axis=0)
        residuals = centred - u[:, None] * model.slopes
        scatter += residuals.T @ residuals
    runs = 10 * 6 - 6
    accuracies = np.clip(validations, 0, 1)
    noise = (accuracies * (1 - accuracies) / 4_000).mean()
    measured = np.zeros((6, 6))
    measured[1:, 1:] = noise * (1 + np.eye(5))
    d = prior_covariance(np.r_[0.0, 1 - PLAN / EPOCHS])
    expected = (scatter - runs * measured + PRIOR_RUNS * d) / (runs + PRIOR_RUNS)
    assert model.covariance == pytest.approx(expected)
    assert model.recorded_noise == pytest.approx(noise)


def test_missing_runs_and_points_are_left_out() -> None:
    validations, finals = simulated(1, 12, 8)
    holes = np.random.default_rng(2).random(validations.shape) < 0.3
    validations[holes] = np.nan
    finals[3, :4] = np.nan
    validations[5, 5:] = np.nan
    model = learn_forecasts(records(validations, finals, list(range(8))), PLAN, EPOCHS)
    assert model.counts[3] == 4
    assert model.counts[5] == 5
    assert np.linalg.eigvalsh(model.covariance).min() > -1e-12
    assert np.linalg.eigvalsh(model.gain_covariance).min() > -1e-12
    without = learn_forecasts(records(np.full_like(validations, np.nan), finals, [0, 1]), PLAN, EPOCHS)
    assert without.covariance == pytest.approx(learn_forecasts(NOTHING, PLAN, EPOCHS).covariance)


def test_the_gain_is_drawn_to_none_and_its_interval_widens_where_few_datasets_are_known() -> None:
    validations, finals = simulated(3, 10, 20)
    few = learn_forecasts(records(validations, finals, [0, 1]), PLAN, EPOCHS)
    many = learn_forecasts(records(validations, finals, list(range(20))), PLAN, EPOCHS)
    gains = (finals[:, :2, None] - validations[:, :2]).mean(axis=0).sum(axis=0)
    assert few.gain == pytest.approx(gains / 3, abs=0.01)
    assert 0 < many.gain[3] < many.gain[0]
    assert few.gain_covariance[0, 0] > many.gain_covariance[0, 0]


@pytest.mark.parametrize("known", [15, 11])
def test_nine_in_ten_finals_of_a_held_out_dataset_are_within_their_interval_at_every_point(
    known: int,
) -> None:
    validations, finals = simulated(4, 24, 24)
    within = np.zeros((24, 5))
    for target in range(24):
        others = [d for d in range(24) if d != target][:known]
        model = learn_forecasts(records(validations, finals, others), PLAN, EPOCHS)
        prior = normal_score_prior(finals[:, others])
        for point in range(5):
            seen = validations[:, target].copy()
            seen[:, point + 1 :] = np.nan
            found = model.predict(seen, prior, np.arange(24), Sample(ROWS))
            errors = np.abs(finals[:, target] - found.mean)
            within[target, point] = (errors < 1.645 * found.spread).mean()
    # The defaults, which such records do not need, widen the intervals somewhat.
    assert ((within.mean(axis=0) > 0.85) & (within.mean(axis=0) < 0.98)).all()


def test_a_model_that_does_better_than_its_prior_everywhere_has_an_effect() -> None:
    validations, finals = simulated(5, 12, 20)
    # At the plan's first points this model is ahead of where its rank at the end would put it.
    validations[0, :, :2] += 0.15
    model = learn_forecasts(records(validations, finals, list(range(20))), PLAN, EPOCHS)
    assert model.effects[0, 1] > 0.0
    assert model.effects[0, 1] > np.delete(model.effects[:, 1], 0).max()
    assert 0.0 < model.correlation < 1.0
