"""Where a selection stops to look: stages of training rows, which grow geometrically.

The first is a quarter of an epoch or `FIRST_ROWS`, whichever is less, and at least `LEAST_BATCHES` batches; each
further one doubles what was trained so far, until the recipe's epochs are done. A large target so never pays a whole
epoch for every candidate. (Geometric rungs as in successive halving: Jamieson & Talwalkar, AISTATS 2016.)
"""

import math

import numpy as np
from numpy.typing import NDArray

FIRST_EPOCHS = 0.25
FIRST_ROWS = 1_000
LEAST_BATCHES = 10


def stage_rows(train_rows: int, epochs: float, batch_size: int) -> list[int]:
    """How many rows have been trained on after each stage.

    Parameters
    ----------
    train_rows : of the target.
    epochs : of a whole training.
    batch_size : of the recipe; no stage ends within a batch.

    Returns
    -------
    Rising; the last is the whole training. One stage where that is at most `LEAST_BATCHES` batches.

    Examples
    --------
    >>> stage_rows(600, 4, 10)
    [150, 300, 600, 1200, 2400]
    >>> stage_rows(500_000, 3, 32)[:4]
    [1024, 2048, 4096, 8192]
    """
    whole = math.ceil(train_rows * epochs)
    first = max(min(math.ceil(train_rows * FIRST_EPOCHS), FIRST_ROWS), LEAST_BATCHES * batch_size)
    reached = math.ceil(first / batch_size) * batch_size
    found = []
    while reached < whole:
        found.append(reached)
        reached *= 2
    return [*found, whole]


def stage_epochs(train_rows: int, epochs: float, batch_size: int) -> NDArray[np.float64]:
    """The epochs that each stage ends at: (stages,), rising to ``epochs``.

    A stage that would end within half a batch of a whole epoch ends with it: an epoch's last batch may be smaller,
    and no two ends fall on one batch.

    Examples
    --------
    >>> stage_epochs(161, 2, 16).tolist()
    [1.0, 2.0]
    """
    ends = np.array(stage_rows(train_rows, epochs, batch_size)[:-1]) / train_rows
    whole, batches = np.round(ends), math.ceil(train_rows / batch_size)
    ends = np.where(np.abs(ends - whole) * batches <= 0.5, whole, ends)
    return np.append(ends[ends < epochs], epochs)


def recording_epochs(train_rows: int, epochs: float, batch_size: int) -> NDArray[np.float64]:
    """The epochs at which a run is validated whose curve is to serve any strategy: (points,), rising to ``epochs``.

    They are the ends of the growing stages, and of each epoch.

    Examples
    --------
    >>> recording_epochs(600, 4, 10).tolist()
    [0.25, 0.5, 1.0, 2.0, 3.0, 4.0]
    """
    whole = np.arange(1.0, epochs)
    return np.union1d(stage_epochs(train_rows, epochs, batch_size), whole)
