"""What a model's records predict of its final score on a target (Cui et al., Eqs. 5–6)."""

from collections.abc import Mapping

from modelstore.records import Curve
from modelstore.udfs.trends import predict_final, trends_of_curves


def predict(
    validation: float, epoch: float, curves: Mapping[str, Curve], results: Mapping[str, float], clusters: int
) -> float | None:
    """The final score predicted for a model whose validation is ``validation`` at ``epoch``.

    ``curves`` and ``results`` are its records by benchmark dataset; None where they say nothing.
    """
    trends = trends_of_curves(
        [(curve.epochs, curve.validations, curve.tests) for curve in curves.values()],
        [results.get(dataset) for dataset in curves],
        epoch,
        clusters,
    )
    return predict_final(validation, trends)
