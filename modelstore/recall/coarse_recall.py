"""The recall scores (Cui et al., Eqs. 2–4): prior times the proxy of a model's cluster representative."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from modelstore.udfs.normalise import normalise_likelihood, normalise_rank

# These are likelihoods, with a scale of their own; the others are known by their rank alone.
LIKELIHOODS = ("leep", "nleep")


# Singletons whose proxy is propagated at a time; then twice as many, and so on.
_BATCH = 512


@dataclass(frozen=True)
class ScoringPlan:
    """Who is scored on the target, and whose proxy stands for each of n candidates.

    ``scored`` names the models to score; ``source`` (n,) is the place in it of the model that stands for a
    candidate, or −1 for a singleton, whose proxy is propagated from all of them (Eq. 4). ``cluster`` (n,) is 0 for
    a candidate that the clustering does not know.
    """

    candidates: list[str]
    cluster: np.ndarray
    scored: list[str]
    source: np.ndarray


@dataclass(frozen=True)
class Recalled:
    """A recalled model, with what it was ranked by.

    By Eqs. 2–4 ``recall_score`` is ``prior`` × ``proxy_score``, the proxy normalised to [0, 1]. By another prior
    it is the share of the candidates that rank no higher, and ``proxy_score`` None for those that were not scored.
    """

    rank: int
    model: str
    cluster: int | None
    representative: str | None
    prior: float
    proxy_score: float | None
    recall_score: float


def plan_scoring(
    candidates: list[str], cluster: np.ndarray, representative: np.ndarray, size: np.ndarray
) -> ScoringPlan:
    """Which models must be scored: the representatives of the candidates' non-singleton clusters (Eq. 3).

    ``cluster`` (0: none), ``representative`` and ``size`` are of each candidate's cluster, (n,). A representative
    may stand outside the candidates. Where no candidate is in a non-singleton cluster, and for a candidate that
    the clustering does not know, the candidate itself is scored.
    """
    shared = (cluster > 0) & (size > 1)
    itself = cluster == 0 if shared.any() else np.ones(len(candidates), dtype=bool)
    stands_for = representative.copy()
    stands_for[~shared] = None
    stands_for[itself] = np.array(candidates, dtype=object)[itself]
    encoded = pa.array(stands_for, pa.string()).dictionary_encode()
    scored = encoded.dictionary.to_pylist()
    place_of = np.empty(len(scored) + 1, dtype=np.intp)
    order = sorted(range(len(scored)), key=scored.__getitem__)
    place_of[order] = np.arange(len(scored))
    place_of[-1] = -1
    source = place_of[encoded.indices.fill_null(-1).to_numpy()]
    return ScoringPlan(candidates, cluster, [scored[place] for place in order], source)


def without_failures(plan: ScoringPlan, scored: Sequence[str]) -> ScoringPlan:
    """The plan when only ``scored`` could be scored.

    The members of a cluster whose representative could not be are taken for singletons; a candidate
    that stood for itself and could not be is left out.
    """
    place_of = {name: place for place, name in enumerate(scored)}
    source = np.array([place_of.get(name, -1) for name in plan.scored] + [-1], dtype=np.intp)[plan.source]
    failed = np.flatnonzero((source < 0) & (plan.source >= 0))
    out = [place for place in failed.tolist() if plan.candidates[place] == plan.scored[plan.source[place]]]
    if not out:
        return ScoringPlan(plan.candidates, plan.cluster, list(scored), source)
    names = np.delete(np.array(plan.candidates, dtype=object), out).tolist()
    return ScoringPlan(names, np.delete(plan.cluster, out), list(scored), np.delete(source, out))


def priors(means: np.ndarray) -> np.ndarray:
    """acc(m) of the candidates (Eq. 2), from the mean of vec(m), NaN for a model without records: (n,).

    A model without records has the candidates' mean; where nobody has any, all have 1.
    """
    known = np.isfinite(means)
    return np.where(known, means, means[known].mean() if known.any() else 1.0)


def normalise(proxies: Mapping[str, np.ndarray]) -> np.ndarray:
    """Raw scores of each proxy, shape (scored,), as one number in [0, 1] a model.

    One likelihood is exp of itself; anything else is the mean rank over the proxies.
    """
    if len(proxies) == 1:
        [(name, scores)] = proxies.items()
        return normalise_likelihood(scores) if name in LIKELIHOODS else normalise_rank(scores)
    return np.mean([normalise_rank(scores) for scores in proxies.values()], axis=0)


def rank(
    plan: ScoringPlan,
    count: int,
    prior: np.ndarray,
    proxy: np.ndarray,
    most: np.ndarray,
    propagated: Callable[[np.ndarray], np.ndarray],
) -> list[Recalled]:
    """The ``count`` best candidates by recall score, best first (ties by name).

    ``prior`` (n,) is acc(m), ``proxy`` the normalised score by place in ``plan.scored``. ``propagated(singletons)``
    gives Eq. 4 of some of the candidates, by their places, and is asked only of those that might be among the best:
    ``most`` (n,) is what it gives at most (see `most_propagated`).
    """
    values = np.where(plan.source >= 0, proxy[plan.source], np.nan)
    scores = prior * values
    waiting = np.flatnonzero(plan.source < 0)
    # A negative prior turns the bound into one from below.
    bound = np.where(prior[waiting] >= 0, prior[waiting] * most[waiting], np.inf)
    order = np.argsort(-bound, kind="stable")
    waiting, bound = waiting[order], bound[order]
    size = _BATCH
    while len(waiting):
        kept = waiting[:size][bound[:size] >= _last_of(scores, count)]
        if not len(kept):
            break
        values[kept] = propagated(kept)
        scores[kept] = prior[kept] * values[kept]
        waiting, bound = waiting[size:], bound[size:]
        size *= 2
    places = np.flatnonzero(scores >= _last_of(scores, count)).tolist()
    places.sort(key=lambda place: (-scores[place], plan.candidates[place]))
    return [
        Recalled(
            rank=position,
            model=plan.candidates[place],
            cluster=int(plan.cluster[place]) or None,
            representative=plan.scored[plan.source[place]] if plan.source[place] >= 0 else None,
            prior=float(prior[place]),
            proxy_score=float(values[place]),
            recall_score=float(scores[place]),
        )
        for position, place in enumerate(places[:count], 1)
    ]


def _last_of(scores: np.ndarray, count: int) -> float:
    """The ``count``-th best score that is known, −∞ where there are fewer."""
    known = scores[~np.isnan(scores)]
    return float(np.partition(known, -count)[-count]) if len(known) >= count else -np.inf


def propagate(similarity: np.ndarray, proxy: np.ndarray, lowest: float) -> np.ndarray:
    """Eq. 4: each singleton's mean over the representatives of sim(m, r) · proxy(r), shape (singletons,).

    A representative with which it shares no dataset says nothing of it and is left out of its mean; one
    that shares none with any gets the mean proxy at ``lowest``, the least similarity that there can be.
    """
    known = np.isfinite(similarity)
    counts = known.sum(axis=1)
    sums = np.where(known, similarity * proxy, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(similarity), lowest * proxy.mean()), where=counts > 0)


def most_propagated(
    datasets: np.ndarray, of_scored: np.ndarray, proxy: np.ndarray, all_datasets: int
) -> np.ndarray:
    """What `propagate` gives at most to a model by the number of datasets it has: (n,), from ``datasets`` (n,).

    No similarity is above 1, and a model shares a dataset with each representative that has more than it lacks
    (``of_scored`` has their numbers of datasets). So Eq. 4 is at most the mean proxy of those with the best of the
    others.
    """
    order = np.argsort(-proxy, kind="stable")
    bounds = np.empty(all_datasets + 1)
    for has in range(all_datasets + 1):
        surely = of_scored > all_datasets - has
        others = proxy[order][~surely[order]]
        sums = proxy[surely].sum() + np.concatenate([[0.0], np.cumsum(others)])
        counts = surely.sum() + np.arange(len(others) + 1)
        bounds[has] = (sums[counts > 0] / counts[counts > 0]).max()
    return bounds[datasets] * (1 + 1e-9)  # for what rounding adds
