"""Proxies of several labels a row: the mean over the labels of the score of having it or not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelstore.recall.proxies import PROXIES, Measured, compute
from modelstore.udfs.hscore import hscore
from modelstore.udfs.knn import knn_accuracy
from modelstore.udfs.leep import leep
from modelstore.udfs.logme import logme
from modelstore.udfs.nleep import nleep

FORMULAS = {"leep": leep, "nleep": nleep, "logme": logme, "hscore": hscore, "knn": knn_accuracy}


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, width, labels = draw(st.integers(4, 40)), draw(st.integers(1, 6)), draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    sets = random.random((rows, labels)) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    sets[:2, 0] = [True, False]  # one label at least that some rows have and others lack
    features = random.normal(size=(rows, width)) + sets[:, :1]
    return features, random.dirichlet(np.ones(4), rows), sets


@settings(deadline=None, max_examples=40)
@given(problems())
@pytest.mark.parametrize("name", FORMULAS)
def test_a_proxy_of_label_sets_is_the_mean_of_that_of_each_label(
    name: str, problem: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    features, probabilities, sets = problem
    given = probabilities if name == "leep" else features
    mixed = [column for column in sets.T if 0 < column.sum() < len(column)]
    expected = np.mean([FORMULAS[name](given, column.astype(int)) for column in mixed])
    assert FORMULAS[name](given, sets) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", FORMULAS)
def test_label_sets_that_say_nothing_are_refused(name: str) -> None:
    given = np.full((4, 2), 0.5)
    with pytest.raises(ValueError, match="no label is there in some rows and not in others"):
        FORMULAS[name](given, np.ones((4, 3), bool))
    with pytest.raises(ValueError, match="one set of labels a row: 4 rows, 3 sets"):
        FORMULAS[name](given, np.array([[True], [False], [True]]))


def test_features_that_tell_the_labels_score_higher() -> None:
    random = np.random.default_rng(0)
    sets = random.random((200, 6)) < 0.3
    scales = np.arange(1, 7)  # of spheres, whose covariance is shrunk away, the H-score is 0
    telling = scales * (sets + 0.2 * random.normal(size=sets.shape))
    noise = scales * random.normal(size=sets.shape)
    theirs = np.where(sets[:, :3], 0.8, 0.2)
    heads = [theirs / theirs.sum(axis=1, keepdims=True), random.dirichlet(np.ones(3), 200)]
    good, bad = (
        compute(list(PROXIES), Measured(features, head, sets, regression=False))
        for features, head in zip((telling, noise), heads, strict=True)
    )
    assert all(good[name] > bad[name] for name in PROXIES)


def test_thousands_of_labels_take_little_memory() -> None:
    random = np.random.default_rng(0)
    features, sets = random.normal(size=(400, 16)), random.random((400, 3000)) < 0.01
    found = compute(["logme", "hscore", "knn"], Measured(features, None, sets, regression=False))
    assert all(np.isfinite(score) for score in found.values())
