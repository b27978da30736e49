"""A final score predicted from one model's own records: by its convergence trends (Cui et al., Eqs. 5-6)."""

from collections.abc import Mapping

from modelstore.records import Curve
from modelstore.udfs.trends import predict_final, trends_of_curves


def predict(
    validation: float,
    epoch: float,
    curves: Mapping[str, Curve],
    results: Mapping[str, float],
    clusters: int,
    keep: str = "best",
) -> float | None:
    """Predicts a model's final score on a target.

    Parameters
    ----------
    validation, epoch
        Its score on validation, and the epochs after which it has it.
    curves, results
        Its curves and final scores on record, by benchmark dataset.
    clusters
        How many trends it has at most.
    keep
        Which point of a recorded run counts, ``'best'`` or ``'last'``.

    Returns
    -------
    float or None
        None where the records say nothing.
    """
    trends = trends_of_curves(
        [(curve.epochs, curve.validations, curve.tests) for curve in curves.values()],
        [results.get(dataset) for dataset in curves],
        epoch,
        clusters,
        keep,
    )
    return predict_final(validation, trends)
