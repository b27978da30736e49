"""Convergence trends of a model from its records, and what they predict (Cui et al., Eqs. 5–6)."""

from collections.abc import Mapping

import numpy as np

from modelstore.store.records import Curve
from modelstore.udfs.trends import convergence_trends, predict_final


def validation_at(curve: Curve, epoch: float) -> float:
    """The curve's validation score at an epoch (a fraction where stages are shorter than one).

    Between two recorded points it is interpolated; NaN before the first and after the last: what was
    not observed is no evidence.
    """
    return float(np.interp(epoch, curve.epochs, curve.validations, left=np.nan, right=np.nan))


def final_of(curve: Curve, recorded: float | None) -> float:
    """The final test score of a curve, or the recorded result where no test is on it; NaN for neither."""
    tested = curve.tests[np.isfinite(curve.tests)]
    if len(tested):
        return float(tested[-1])
    return float("nan") if recorded is None else recorded


def predict(
    validation: float, epoch: float, curves: Mapping[str, Curve], results: Mapping[str, float], clusters: int
) -> float | None:
    """The final score predicted for a model whose validation is ``validation`` at ``epoch``.

    ``curves`` and ``results`` are its records by benchmark dataset; None where they say nothing.
    """
    validations = np.array([validation_at(curve, epoch) for curve in curves.values()])
    finals = np.array([final_of(curve, results.get(dataset)) for dataset, curve in curves.items()])
    return predict_final(validation, convergence_trends(validations, finals, clusters))
