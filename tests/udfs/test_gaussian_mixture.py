import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from modelstore.udfs.gaussian_mixture import gaussian_mixture


def blobs(spread, rows=300, seed=0):
    random = np.random.default_rng(seed)
    labels = random.choice(3, rows, p=[0.7, 0.2, 0.1])
    centres = np.array([[0.0, 0.0, 0.0], [6.0, 0.0, 2.0], [0.0, 6.0, -2.0]])
    return centres[labels] + random.normal(size=(rows, 3)) * spread, labels


def test_finds_clusters_that_stand_apart():
    points, labels = blobs([1.0, 0.5, 0.2])
    posterior = gaussian_mixture(points, 3)
    assert adjusted_rand_score(labels, posterior.argmax(axis=1)) == 1
    assert posterior.max(axis=1).min() > 0.9


def test_posteriors_agree_with_another_implementation_where_clusters_overlap():
    points, labels = blobs([2.0, 1.5, 1.0], rows=2000)
    ours = gaussian_mixture(points, 3)
    other = GaussianMixture(3, covariance_type="diag", random_state=0, tol=1e-4)
    theirs = other.fit(points).predict_proba(points)
    # Components come in any order: they are matched by the label that is most theirs.
    ours, theirs = (p[:, [p[labels == y].sum(axis=0).argmax() for y in range(3)]] for p in (ours, theirs))
    assert np.abs(ours - theirs).mean() < 0.02
    assert ours.min(axis=1).mean() + (1 - ours.max(axis=1)).mean() > 0.02  # not one-hot: they do overlap


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 1000))
def test_each_row_is_a_distribution(rows, components, seed):
    points = np.random.default_rng(seed).integers(0, 3, (rows, 2)).astype(float)
    posterior = gaussian_mixture(points, components)
    assert posterior.shape[0] == rows
    assert posterior.shape[1] <= components
    assert (posterior >= 0).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1)


def test_the_same_seed_gives_the_same_result():
    points, _ = blobs([3.0, 3.0, 3.0])
    np.testing.assert_array_equal(gaussian_mixture(points, 7, seed=4), gaussian_mixture(points, 7, seed=4))
    assert not np.array_equal(gaussian_mixture(points, 7, seed=4), gaussian_mixture(points, 7, seed=5))


@given(st.integers(0, 100), st.sampled_from([2.0**-20, 2.0**20]))
def test_unit_of_the_points_does_not_matter(seed, unit):
    points, _ = blobs([1.0, 2.0, 3.0], rows=40, seed=seed)
    np.testing.assert_allclose(gaussian_mixture(points * unit, 4), gaussian_mixture(points, 4), atol=1e-6)


def test_fewer_distinct_points_than_components_have_one_each():
    posterior = gaussian_mixture([[0.0], [5.0], [5.0], [9.0]], 4)
    np.testing.assert_allclose(np.sort(posterior.max(axis=1)), 1, atol=1e-6)
    assert len(set(posterior.argmax(axis=1))) == 3


def test_points_that_are_all_the_same_have_one_component():
    # NumPy's mean of seven 0.1 is not 0.1.
    np.testing.assert_array_equal(
        gaussian_mixture(np.full((7, 3), 0.1), 3), np.ones((7, 1))
    )  # 0.1 is not the mean of seven 0.1


def test_wrong_arguments_of_gaussian_mixture_are_refused():
    with pytest.raises(ValueError, match="at least one component"):
        gaussian_mixture([[1.0], [2.0]], 0)
    with pytest.raises(ValueError, match="finite"):
        gaussian_mixture([[1.0], [np.inf]], 1)
