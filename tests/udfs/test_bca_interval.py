"""BCa intervals against scipy's, and what any interval has to keep to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from modelstore.udfs.bca_interval import bca_interval


def drawn(sample, statistic, resamples=4000, seed=0):
    generator = np.random.default_rng(seed)
    draws = statistic(generator.choice(sample, (resamples, len(sample))))
    left_out = np.array([statistic(np.delete(sample, place)[None])[0] for place in range(len(sample))])
    return statistic(sample[None])[0], draws, left_out


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_it_is_scipy_s_interval(confidence):
    sample = np.random.default_rng(1).exponential(size=40)  # skewed, so that both corrections count
    statistic = lambda values: values.std(axis=-1)  # noqa: E731
    estimate, draws, left_out = drawn(sample, statistic)
    theirs = stats.bootstrap(
        (sample,),
        statistic,
        n_resamples=0,
        bootstrap_result=type("Given", (), {"bootstrap_distribution": draws})(),
        confidence_level=confidence,
        method="BCa",
    ).confidence_interval
    assert bca_interval(estimate, draws, left_out, confidence) == pytest.approx((theirs.low, theirs.high))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    st.floats(-1e6, 1e6),
)
def test_it_lies_within_the_resampled_values_and_grows_with_confidence(draws, left_out, estimate):
    narrow, wide = (bca_interval(estimate, draws, left_out, confidence) for confidence in (0.5, 0.95))
    assert min(draws) <= wide[0] <= narrow[0] <= narrow[1] <= wide[1] <= max(draws)


def test_a_scale_changes_nothing():
    estimate, draws, left_out = drawn(
        np.random.default_rng(2).exponential(size=30), lambda v: v.mean(axis=-1)
    )
    low, high = bca_interval(estimate, draws, left_out)
    for scale in (1e-120, 1e120):
        assert bca_interval(estimate * scale, draws * scale, left_out * scale) == pytest.approx(
            (low * scale, high * scale)
        )


def test_resamples_without_a_value_are_left_out():
    estimate, draws, left_out = drawn(np.random.default_rng(3).normal(size=30), lambda v: v.mean(axis=-1))
    some = np.concatenate([[np.nan], draws, [np.nan]])
    assert bca_interval(estimate, some, [*left_out, np.nan]) == bca_interval(estimate, draws, left_out)
    assert np.isnan(bca_interval(np.nan, draws, left_out)).all()
    assert np.isnan(bca_interval(1.0, [np.nan], left_out)).all()
    assert bca_interval(1.0, [1.0, 1.0], [1.0, 1.0]) == (1.0, 1.0)


def test_it_holds_the_true_value_about_as_often_as_it_says():
    generator, held = np.random.default_rng(4), 0
    for _ in range(300):
        sample = (generator.random(60) < 0.8).astype(float)
        counts = generator.multinomial(60, np.full(60, 1 / 60), 400)
        left_out = (sample.sum() - sample) / 59
        low, high = bca_interval(sample.mean(), counts @ sample / 60, left_out, 0.9)
        held += low <= 0.8 <= high
    assert 0.84 <= held / 300 <= 0.95
