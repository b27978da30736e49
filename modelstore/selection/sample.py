"""How far a score that is measured on few rows may be from that of all rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from modelstore.tasks import METRICS

Floats = NDArray[np.float64]

_POWERS = {"matthews": 1, "pearson": 2, "spearman": 2}  # of what a correlation leaves unexplained


@dataclass(frozen=True)
class Sample:
    """The rows that a score is measured on.

    Parameters
    ----------
    rows
        How many; less than 1 counts as 1.
    metric
        What is measured, one of `tasks.METRICS`.
    """

    rows: float
    metric: str = "accuracy"

    @classmethod
    def of(cls, rows: float | None, metric: str | None) -> Self | None:
        """None where the rows or the metric are not known: records of other programs may have any."""
        return cls(rows, metric) if rows and metric in METRICS else None

    def variance(self, scores: Floats | float) -> Floats:
        """The variance of scores by the draw of the rows.

        Of an accuracy a on n rows a (1 − a) / n, the binomial's. It stands for the other shares too, F1 and average
        precision, of which it says the order of magnitude: they count words and labels, or classes of few rows. Of
        Matthews' r it is (1 − r²) / n, since r = 2a − 1 of two classes of one size. Of a correlation r of numbers it
        is (1 − r²)² / n: R. A. Fisher, "On the 'probable error' of a coefficient of correlation", Metron 1921. A
        score out of range counts as the nearest within.

        Examples
        --------
        >>> Sample(100).variance(0.5), Sample(100, "pearson").variance(0.5)
        (array(0.0025), array(0.005625))
        """
        if self.metric in _POWERS:
            unexplained = 1.0 - np.clip(scores, -1.0, 1.0) ** 2
            return np.asarray(unexplained ** _POWERS[self.metric] / max(self.rows, 1.0))
        within = np.clip(scores, 0.0, 1.0)
        return np.asarray(within * (1.0 - within) / max(self.rows, 1.0))
