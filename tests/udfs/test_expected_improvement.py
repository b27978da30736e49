"""The expected improvement against the integral that it stands for."""

import numpy as np
import pytest

from modelstore.udfs.expected_improvement import expected_improvement


@pytest.mark.parametrize(
    ("ahead", "deviation"), [(0.0, 1.0), (0.3, 0.2), (-0.5, 0.4), (2.0, 0.1), (-1.0, 0.1)]
)
def test_it_is_the_mean_of_what_is_above_zero(ahead: float, deviation: float) -> None:
    x = np.linspace(-9, 9, 200_001)
    density = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    expected = np.trapezoid(np.maximum(ahead + deviation * x, 0) * density, x)
    assert expected_improvement(ahead, deviation) == pytest.approx(expected, abs=1e-8)


def test_without_deviation_it_is_what_is_ahead() -> None:
    found = expected_improvement([0.3, -0.3], 0.0)
    assert found.tolist() == [0.3, 0.0]
    assert expected_improvement(np.zeros((3, 1)), np.ones(2)).shape == (3, 2)
