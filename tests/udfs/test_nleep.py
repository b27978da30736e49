import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from modelstore.udfs.gaussian_mixture import gaussian_mixture
from modelstore.udfs.leep import leep
from modelstore.udfs.nleep import nleep


def problem(separation, rows=300, width=12, classes=3, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    return random.normal(size=(classes, width))[labels] * separation + random.normal(
        size=(rows, width)
    ), labels


def test_agrees_with_another_implementation_of_its_steps():
    features, labels = problem(0.5, rows=1500)
    reduced = PCA(0.8).fit_transform(features)
    mixtures = [
        GaussianMixture(15, covariance_type="diag", random_state=seed).fit(reduced) for seed in range(4)
    ]
    theirs = [leep(mixture.predict_proba(reduced), labels) for mixture in mixtures]
    ours = np.mean([nleep(features, labels, seed) for seed in range(4)])
    assert ours == pytest.approx(np.mean(theirs), abs=0.03)
    assert ours < -0.1  # neither is at its limit of 0


@pytest.mark.parametrize(("rows", "components"), [(400, 15), (100, 10), (12, 2)])
def test_is_leep_of_a_mixture_of_five_components_a_class_where_rows_suffice(rows, components):
    features, labels = problem(0.5, rows)
    posterior = gaussian_mixture(PCA(0.8).fit_transform(features), components, seed=2)
    assert nleep(features, labels, seed=2) == pytest.approx(leep(posterior, labels), abs=1e-6)


def test_rises_as_the_classes_come_apart():
    scores = [nleep(*problem(separation)) for separation in (0.0, 0.5, 1.0, 3.0)]
    assert scores == sorted(scores)
    assert scores[0] < -0.9
    assert scores[-1] > -0.05


@pytest.mark.parametrize("width", [5, 200])
def test_features_that_say_nothing_stay_near_the_entropy_of_the_labels(width):
    features, _ = problem(0.0, rows=100, width=width)
    labels = np.arange(100) % 10  # 5 components a class would be 50 for 100 rows
    assert nleep(features, labels) < 0.6 * -np.log(10)


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(2, 30), st.integers(1, 20), st.sampled_from([2.0**-10, 1.0, 2.0**10]))
def test_is_at_most_zero_and_the_unit_of_the_features_does_not_matter(seed, rows, width, unit):
    features, labels = problem(1.0, rows=rows, width=width, seed=seed)
    value = nleep(features, labels)
    assert value <= 0
    assert nleep(features * unit, labels) == pytest.approx(value, abs=1e-6)


def test_the_same_seed_gives_the_same_score():
    features, labels = problem(0.7)
    assert nleep(features, labels, seed=3) == nleep(features, labels, seed=3)
    assert nleep(features, labels, seed=3) != nleep(features, labels, seed=4)


def test_nleep_of_one_class_is_zero():
    assert nleep(np.eye(4), ["a"] * 4) == 0


def test_constant_features_score_minus_the_entropy_of_the_labels():
    assert nleep(np.full((4, 3), 0.1), ["a", "a", "b", "b"]) == pytest.approx(-np.log(2))


def test_wrong_arguments_of_nleep_are_refused():
    with pytest.raises(ValueError, match="features must be finite"):
        nleep([[1.0], [np.nan]], [0, 1])
    with pytest.raises(ValueError, match="one label a row"):
        nleep([[1.0], [2.0]], [0, 1, 1])
