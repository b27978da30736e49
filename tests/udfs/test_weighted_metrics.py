"""Metrics of resamples that are given by counts, against those of the rows written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.training.metrics import score
from modelstore.udfs.average_precision import average_precision
from modelstore.udfs.weighted_correlation import pearson, spearman

FEW = st.integers(-3, 3).map(float)  # many ties
ANY = st.floats(-1e9, 1e9).map(lambda value: float(np.float32(value)))


@st.composite
def resamples(draw, values):
    rows = draw(st.integers(1, 12))
    sides = [np.array(draw(st.lists(values, min_size=rows, max_size=rows))) for _ in range(2)]
    some = st.lists(st.integers(0, 3), min_size=rows, max_size=rows).filter(any)
    return (*sides, np.array(draw(st.lists(some, min_size=1, max_size=3)), dtype=float))


@pytest.mark.parametrize(("name", "formula"), [("pearson", pearson), ("spearman", spearman)])
@given(st.data())
def test_a_correlation_is_that_of_the_rows_written_out(name, formula, data):
    x, y, weights = data.draw(resamples(data.draw(st.sampled_from([FEW, ANY]))))
    expected = [score(name, np.repeat(x, w.astype(int)), np.repeat(y, w.astype(int))) for w in weights]
    assert formula(weights.T, x, y) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_very_large_and_small_numbers_correlate_too(scale):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 20))
    weights = generator.multinomial(20, np.full(20, 1 / 20), 5).T.astype(float)
    assert pearson(weights, x * scale, y + 3) == pytest.approx(pearson(weights, x, y))


@given(st.data())
def test_average_precision_is_that_of_the_rows_written_out(data):
    rows, labels = data.draw(st.integers(1, 10)), data.draw(st.integers(1, 3))
    cells = st.lists(st.integers(0, 4), min_size=rows * labels, max_size=rows * labels)
    scores = np.array(data.draw(cells)).reshape(rows, labels) / 4
    truth = np.array(data.draw(cells)).reshape(rows, labels) < 2
    weights = np.array([data.draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows).filter(any))])
    times = weights[0]
    expected = score("average_precision", np.repeat(scores, times, axis=0), np.repeat(truth, times, axis=0))
    assert average_precision(weights.T.astype(float), scores, truth) == pytest.approx([expected])
