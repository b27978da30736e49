"""The forecasts against the joint Gaussian of all models, conditioned at once, and what they do with little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.selection.forecast import ForecastModel, unexplained_share
from modelstore.selection.forecast_learning import prior_covariance
from modelstore.selection.sample import Sample

POINTS = 4
LEVEL = 100.0  # the variance of a level of which nothing is known


def learned(seed: int) -> ForecastModel:
    random = np.random.default_rng(seed)
    root = random.normal(0, 0.02, (POINTS, POINTS))
    left = np.r_[0.0, np.linspace(0.9, 0.0, POINTS)]
    return ForecastModel(
        gain=random.uniform(0, 0.2, POINTS),
        gain_covariance=root @ root.T,
        slopes=random.uniform(0, 0.08, 1 + POINTS),
        covariance=prior_covariance(left) + 1e-3 * np.eye(1 + POINTS),
        correlation=0.4,
        effects=random.normal(0, 0.02, (6, 1 + POINTS)),
        counts=np.array([1, 1, 5, 5, 2, 9]),
        recorded_noise=0.002,
    )


def target(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Validations of 9 models that stopped at different points (one has none), their priors and places."""
    random = np.random.default_rng(seed)
    validations = random.uniform(0.5, 0.8, (9, POINTS))
    for model, stop in enumerate([4, 4, 1, 2, 2, 3, 1, 0, 4]):
        validations[model, stop:] = np.nan
    validations[8, 1] = np.nan  # a gap
    return validations, random.normal(0, 0.7, 9), np.array([0, 1, 2, 3, -1, 4, 5, -1, -1])


def joint(
    model: ForecastModel, validations: np.ndarray, prior: np.ndarray, models: np.ndarray, noise: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean and covariance of all models' vectors, which are observed, and those of each model's own part alone."""
    size, count = 1 + POINTS, len(prior)
    offset = np.full((size, size), LEVEL)
    offset[1:, 1:] += model.gain_covariance
    own = np.zeros((count * size, count * size))
    mean = np.zeros(count * size)
    measured = np.zeros((size, size))
    measured[1:, 1:] = noise * (1 + np.eye(POINTS))
    for m in range(count):
        at = slice(m * size, (m + 1) * size)
        known = model.counts[models[m]] if models[m] >= 0 else 0
        own[at, at] = (
            float(unexplained_share(model.correlation, np.array(known))) * model.covariance + measured
        )
        effect = model.effects[models[m]] if models[m] >= 0 else 0.0
        mean[at] = np.r_[0.0, -model.gain] + prior[m] * model.slopes + effect
    observed = np.column_stack([np.zeros(count, dtype=bool), np.isfinite(validations)]).reshape(-1)
    return mean, own + np.tile(offset, (count, count)), own, observed


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_a_forecast_is_the_joint_gaussian_given_all_that_was_seen(seed: int) -> None:
    model, (validations, prior, models) = learned(seed), target(seed)
    found = model.predict(validations, prior, models, Sample(300))
    noise = float(Sample(300).variance(np.nanmean(validations[:, -1])))
    mean, covariance, own, observed = joint(model, validations, prior, models, noise)
    values = np.column_stack([np.zeros(9), validations]).reshape(-1)[observed]
    size = 1 + POINTS
    finals = np.arange(9) * size
    # A level that is almost free: shift it first, so that the two agree beyond its prior.
    shift = (values - mean[observed]).mean()
    gain = np.linalg.solve(covariance[np.ix_(observed, observed)], covariance[np.ix_(observed, finals)])
    expected = shift + mean[finals] + (values - mean[observed] - shift) @ gain
    spread = np.sqrt(
        np.diag(covariance[np.ix_(finals, finals)] - covariance[np.ix_(finals, observed)] @ gain)
    )
    assert found.mean == pytest.approx(expected, abs=1e-5)
    assert found.spread == pytest.approx(spread, rel=1e-4)
    for m in range(9):
        mine = np.flatnonzero(observed[m * size : (m + 1) * size]) + m * size
        assert found.deviation[m] ** 2 == pytest.approx(given_those(own, m * size, mine), abs=1e-9)
        last = mine[-1] % size if len(mine) else 0
        assert np.isnan(found.later[m, :last]).all()
        for point in range(last, POINTS):
            mine = np.append(mine, m * size + 1 + point)
            assert found.later[m, point] ** 2 == pytest.approx(given_those(own, m * size, mine), abs=1e-9)


def given_those(covariance: np.ndarray, final: int, observed: np.ndarray) -> float:
    """The variance of one entry given others."""
    if not len(observed):
        return float(covariance[final, final])
    with_final = covariance[observed, final]
    inner = covariance[np.ix_(observed, observed)]
    return float(covariance[final, final] - with_final @ np.linalg.solve(inner, with_final))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_models_and_the_level_of_the_target_change_nothing(seed: int) -> None:
    model, (validations, prior, models) = learned(seed), target(seed)
    found = model.predict(validations, prior, models)
    order = np.random.default_rng(seed).permutation(9)
    moved = model.predict(validations[order] + 0.1, prior[order], models[order])
    assert moved.mean == pytest.approx(found.mean[order] + 0.1, abs=1e-6)
    assert moved.spread == pytest.approx(found.spread[order])


def test_more_points_leave_less_and_fewer_rows_leave_more() -> None:
    model, (validations, prior, models) = learned(0), target(0)
    found = model.predict(validations, prior, models, Sample(1_000))
    assert (found.deviation <= found.spread).all()
    for deviation, later in zip(found.deviation, found.later, strict=True):
        rest = np.r_[deviation, later[np.isfinite(later)]]
        assert (np.diff(rest) <= 1e-12).all()
    assert (model.predict(validations, prior, models, Sample(100)).deviation >= found.deviation).all()


def test_before_anything_is_seen_the_prior_orders_the_models() -> None:
    model = learned(1)
    prior = np.array([0.5, -0.5, 1.0])
    found = model.predict(np.full((3, POINTS), np.nan), prior, np.full(3, -1))
    assert np.argsort(-found.mean).tolist() == [2, 0, 1]
    assert (found.spread > 1).all()  # of the level nothing is known
    assert found.deviation == pytest.approx(np.sqrt(model.covariance[0, 0]))
    assert found.of(np.array([2])).mean == found.mean[2:]


def test_what_is_left_of_a_model_s_variance_falls_with_the_datasets_that_know_it() -> None:
    shares = unexplained_share(0.5, np.array([0, 1, 4, 10**6]))
    assert shares[0] == 1.0
    assert (np.diff(shares) < 0).all()
    assert shares[-1] == pytest.approx(0.5, abs=1e-5)
    assert unexplained_share(0.0, np.array([7])) == 1.0
