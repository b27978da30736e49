"""Which models are worth more training: another look at them may change the choice by more than it costs.

After point c each model has a forecast of mean μ and of a deviation δ_c of its own (`forecast`). By a later point h
its mean will have moved, by the variance that is resolved until then, δ_c² − δ_h², and the leader's by as much. So
an epoch more of a model is worth the expected improvement over the leader,

    v = max_h s_h [φ(z) + z Φ(z)] / (e_h − e_c),     s_h = √(2 (δ_c² − δ_h²)),     z = (μ_m − μ_leader) / s_h,

in score. What no training resolves, as the noise of test and validation rows, does not count. A model goes on while v
is at least the price of an epoch; the two of the best means always do; the best mean wins at the end, not the best
raw validation. (Value of information: Raiffa & Schlaifer, Applied Statistical Decision Theory, 1961; for choosing
among normals, Chick & Inoue, Operations Research 2001.)
"""

import numpy as np
from numpy.typing import NDArray

from modelstore.selection.forecast import Floats, Forecasts
from modelstore.udfs.expected_improvement import expected_improvement

Places = NDArray[np.intp]

FINALISTS = 2


def values_per_epoch(forecasts: Forecasts, epochs: Floats, reached: int, keep: int = 1) -> Floats:
    """v of each model that is still in the race: (models,), in score per epoch.

    Parameters
    ----------
    forecasts : of the models in the race alone.
    epochs : (points,) of the plan.
    reached : the place in it of the last point that they have been at.
    keep : how many winners there are to be; the last of them by mean is the leader that others must pass.

    Returns
    -------
    0 at the last point. The leader's own is that of a model level with it.
    """
    later = forecasts.later[:, reached + 1 :]
    if not later.size:
        return np.zeros(len(forecasts.mean))
    resolved = np.sqrt(2 * np.maximum(forecasts.deviation[:, None] ** 2 - later**2, 0.0))
    leader = np.sort(forecasts.mean)[::-1][min(keep, len(forecasts.mean)) - 1]
    gains = expected_improvement((forecasts.mean - leader)[:, None], resolved)
    return np.asarray((gains / (epochs[reached + 1 :] - epochs[reached])).max(axis=1))


def going_on(means: Floats, values: Floats, price: float, keep: int = 1) -> Places:
    """The places of the models that go on: first the best means, `FINALISTS` or ``keep``, then others by value.

    Parameters
    ----------
    means, values : (models,) the posterior means, and `values_per_epoch`.
    price : the least value for which an epoch more is worth training.
    """
    first, others = np.split(np.argsort(-means, kind="stable"), [max(FINALISTS, keep)])
    others = others[np.argsort(-values[others], kind="stable")]
    return np.r_[first, others[values[others] >= price]]
