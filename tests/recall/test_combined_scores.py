"""The slopes of prior and proxy: what is assumed, what records teach, and the variance that follows."""

import numpy as np
import pytest

from modelstore.recall.combined_scores import DEFAULT_SLOPES, PRIOR_SLOPES, features, learn_slopes

NONE = np.full((20, 5), np.nan)


def records(random: np.random.Generator, datasets: int, proxy: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores of 80 models of one talent each, and proxies that see ``proxy`` of what a dataset adds to it."""
    talent = random.normal(size=(80, 1))
    own = random.normal(size=(80, datasets))
    scores = talent + 0.7 * own
    return scores, proxy * own + np.sqrt(1 - proxy**2) * random.normal(size=own.shape)


def test_without_recorded_proxies_the_slopes_are_the_defaults() -> None:
    scores = np.random.default_rng(0).random((20, 5))
    assert learn_slopes(scores, NONE) is DEFAULT_SLOPES
    assert tuple(learn_slopes(np.empty((0, 0)), np.empty((0, 0))).mean) == PRIOR_SLOPES
    three = NONE.copy()
    three[:3] = 0.5
    assert learn_slopes(scores, three) is DEFAULT_SLOPES


def test_a_proxy_that_tells_much_gains_weight_as_datasets_are_recorded() -> None:
    told = [learn_slopes(*records(np.random.default_rng(1), n, proxy=0.95)).mean[1] for n in (2, 6, 30)]
    assert PRIOR_SLOPES[1] < told[0] < told[1] < told[2]
    useless = learn_slopes(*records(np.random.default_rng(2), 30, proxy=0.0))
    assert useless.mean[1] == pytest.approx(0.0, abs=0.06)


def test_many_datasets_teach_their_own_slopes() -> None:
    """The least squares of all recorded datasets together, where there are so many that the defaults fade."""
    from modelstore.recall.normal_scores import normal_scores, priors_without_each

    scores, proxies = records(np.random.default_rng(3), 60, proxy=0.5)
    found = learn_slopes(scores, proxies)
    priors = priors_without_each(scores)
    x = np.concatenate([features(priors[:, d], proxies[:, d]) for d in range(60)])
    y = np.concatenate([normal_scores(scores[:, d]) for d in range(60)])
    expected, squares, *_ = np.linalg.lstsq(x, y, rcond=None)
    assert found.mean == pytest.approx(expected, abs=0.03)
    assert found.variance == pytest.approx(squares[0] / len(y), abs=0.03)


def test_scores_and_variances_are_as_they_are_defined() -> None:
    x = features(np.array([1.0, 0.2, -0.5]), np.array([3.0, np.nan, 1.0]))
    assert x[1, 1] == 0.0
    assert x[0, 1] == -x[2, 1] > 0
    slopes = learn_slopes(*records(np.random.default_rng(4), 8, proxy=0.5))
    for row, score, variance in zip(x, slopes.scores(x), slopes.variances(x), strict=True):
        assert score == pytest.approx(row @ slopes.mean)
        assert variance == pytest.approx(row @ slopes.covariance @ row + slopes.variance)
    assert (np.linalg.eigvalsh(slopes.covariance) > 0).all()
    assert features(np.array([0.3]))[0].tolist() == [0.3, 0.0]
