"""Whether proxies are worth their price, and for how many models.

Training everybody for a first stage says more than any proxy at the same cost. A proxy earns its keep where there are
many models, or where a stage is long and a score of some rows is nearly free.
"""

SCORED = 10
SCORED_WITH_FEW_RECORDS = 20
FEW_DATASETS = 5
_FORWARD, _TRAINING = 1.0, 3.0  # the cost of a row: forward alone, and with the step back of twice the work
_SHARE = 1 / 2  # of a race that halves, the first look at all is a third or more


def recalls_everybody(models: int, first_stage: float, expected: float) -> bool:
    """Whether all candidates are to be trained for the first stage, unscored.

    Parameters
    ----------
    first_stage : how long it is, in epochs.
    expected : what the whole selection is expected to cost, in epochs.
    """
    return models * first_stage <= _SHARE * expected


def models_to_score(datasets: int) -> int:
    """How many of the best by prior are scored: more where few datasets are on record, and the prior is weak."""
    return SCORED_WITH_FEW_RECORDS if datasets < FEW_DATASETS else SCORED


def scoring_epochs(models: int, rows: int, train_rows: int) -> float:
    """What it costs to score so many models on so many rows each, in epochs of the target.

    Examples
    --------
    >>> scoring_epochs(10, 600, 600)
    3.3333333333333335
    """
    return models * rows * _FORWARD / (train_rows * _TRAINING)
