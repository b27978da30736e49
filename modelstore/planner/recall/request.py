"""What a recall asks for, in `RECALL` and as the first phase of `SELECT BEST`."""

from dataclasses import dataclass

from modelstore.options import RecallOptions
from modelstore.store.registered import Dataset


@dataclass(frozen=True)
class RecallRequest:
    """The ``count`` best candidates for a target.

    Parameters
    ----------
    target
        The name of the target dataset.
    dataset
        The target where it is registered.
    count
        How many models are recalled.
    proxies
        The proxies that score models.
    recipes
        The recipes whose records are read: all for the prior, and the first alone for clusters.
    options
        How candidates are ranked and scored.
    to_train
        Whether all recalled models are trained, so that their order does not matter.
    replays
        Whether stored scores stand for scoring in a replay, and cost what scoring would.
    scores
        Whether models may be scored at all; without scores the prior ranks them alone.
    why_unscored
        Why not, for EXPLAIN.
    epochs_a_score
        What scoring a model counts as, in epochs of the target; None: by the rows of one forward pass, however many
        proxies it serves.
    """

    target: str
    dataset: Dataset | None
    count: int
    proxies: tuple[str, ...]
    recipes: tuple[str, ...]
    options: RecallOptions
    to_train: bool = False
    replays: bool = False
    scores: bool = True
    why_unscored: str = "the budget has no room for scoring"
    epochs_a_score: float | None = None
