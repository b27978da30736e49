"""The recall scores (Cui et al., Eqs. 2-4): a model's prior times the proxy of its cluster's representative."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from modelstore.udfs.normalise import normalise_likelihood, normalise_rank

# These are likelihoods, which have a scale; of other proxies only the rank counts.
LIKELIHOODS = ("leep", "nleep")
# How many singletons get a propagated proxy at first; then twice as many, and so on.
BATCH = 512


@dataclass(frozen=True)
class ScoringPlan:
    """The models to score on the target, and which one's proxy each of n candidates gets.

    Parameters
    ----------
    candidates
        The candidates' names.
    cluster
        (n,): their clusters; 0 for a candidate that the clustering does not know.
    scored
        The models to score.
    source
        (n,): the place in ``scored`` of the model whose proxy a candidate gets; −1 for a singleton, whose
        proxy is propagated from all of them (Eq. 4).
    """

    candidates: list[str]
    cluster: np.ndarray
    scored: list[str]
    source: np.ndarray


@dataclass(frozen=True)
class Recalled:
    """A recalled model, with what ranks it.

    By Eqs. 2-4 ``recall_score`` is ``prior`` × ``proxy_score``, the proxy normalised to [0, 1], and ``chance`` is
    None. By the mean of normal scores it is the share of the candidates that rank no higher, ``proxy_score`` is None
    for those that were not scored, and ``chance`` is how likely the model is the best of all candidates.
    """

    rank: int
    model: str
    cluster: int | None
    representative: str | None
    prior: float
    proxy_score: float | None
    recall_score: float
    chance: float | None = None


def plan_scoring(
    candidates: list[str], cluster: np.ndarray, representative: np.ndarray, size: np.ndarray
) -> ScoringPlan:
    """Plans which models are scored: the representatives of the candidates' non-singleton clusters (Eq. 3).

    Parameters
    ----------
    candidates
        The candidates' names.
    cluster, representative, size
        (n,): each candidate's cluster (0 for none), its representative, which need not be a candidate, and
        its size.

    Returns
    -------
    ScoringPlan
        A candidate is scored itself where the clustering does not know it, and where no candidate is in a
        non-singleton cluster.
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
    """The plan after only ``scored`` could be scored.

    Where a representative could not be, the members of its cluster count as singletons; a candidate that was
    to be scored itself is left out.
    """
    place_of = {name: place for place, name in enumerate(scored)}
    source = np.array([place_of.get(name, -1) for name in plan.scored] + [-1], dtype=np.intp)[plan.source]
    failed = np.flatnonzero((source < 0) & (plan.source >= 0))
    out = [place for place in failed.tolist() if plan.candidates[place] == plan.scored[plan.source[place]]]
    if not out:
        return ScoringPlan(plan.candidates, plan.cluster, list(scored), source)
    names = np.delete(np.array(plan.candidates, dtype=object), out).tolist()
    return ScoringPlan(names, np.delete(plan.cluster, out), list(scored), np.delete(source, out))


def mean_scores(scores: np.ndarray) -> np.ndarray:
    """acc(m), the mean of a model's scores (Eq. 2): (models,) of (models, datasets); NaN for a model without any."""
    known = np.isfinite(scores)
    counts = known.sum(axis=1)
    sums = np.where(known, scores, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(scores), np.nan), where=counts > 0)


def priors(means: np.ndarray) -> np.ndarray:
    """acc(m) of the candidates (Eq. 2), from the means of their scores, NaN for a model without records: (n,).

    A model without records gets the mean of the others; where none has records, all get 1.
    """
    known = np.isfinite(means)
    return np.where(known, means, means[known].mean() if known.any() else 1.0)


def normalise(proxies: Mapping[str, np.ndarray]) -> np.ndarray:
    """The raw scores of each proxy, (scored,), as one number in [0, 1] for each model.

    A single likelihood becomes its exp; anything else becomes the mean rank over the proxies.
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
    """The best candidates by recall score.

    Parameters
    ----------
    plan
        The candidates, and which one's proxy each gets.
    count
        How many to return.
    prior
        (n,): acc(m).
    proxy
        (scored,): the normalised score of each of ``plan.scored``.
    most
        (n,): the most that ``propagated`` may give a candidate; see `most_propagated`.
    propagated
        Gives Eq. 4 of some of the candidates, by their places; asked only of those that might be among the
        best.

    Returns
    -------
    list of Recalled
        The best first; ties by name.
    """
    values = np.where(plan.source >= 0, proxy[plan.source], np.nan)
    scores = prior * values
    waiting = np.flatnonzero(plan.source < 0)
    # A negative prior turns the bound into one from below.
    bound = np.where(prior[waiting] >= 0, prior[waiting] * most[waiting], np.inf)
    order = np.argsort(-bound, kind="stable")
    waiting, bound = waiting[order], bound[order]
    size = BATCH
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
    """The ``count``-th best of the known scores; −∞ where there are fewer."""
    known = scores[~np.isnan(scores)]
    return float(np.partition(known, -count)[-count]) if len(known) >= count else -np.inf


def propagate(similarity: np.ndarray, proxy: np.ndarray, lowest: float) -> np.ndarray:
    """Eq. 4: for each singleton m, the mean over the representatives r of sim(m, r) · proxy(r).

    Parameters
    ----------
    similarity
        (singletons, representatives): NaN for two models without a dataset in common, which the mean leaves
        out.
    proxy
        (representatives,): their normalised scores.
    lowest
        The least similarity that there can be: a singleton without a dataset in common with any gets it with
        the mean proxy.

    Returns
    -------
    (singletons,) ndarray of float

    Examples
    --------
    >>> propagate(np.array([[0.9, 0.5], [np.nan, np.nan]]), np.array([1.0, 0.4]), lowest=0.2).round(2).tolist()
    [0.55, 0.14]
    """
    known = np.isfinite(similarity)
    counts = known.sum(axis=1)
    sums = np.where(known, similarity * proxy, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(similarity), lowest * proxy.mean()), where=counts > 0)


def most_propagated(
    datasets: np.ndarray, of_scored: np.ndarray, proxy: np.ndarray, all_datasets: int
) -> np.ndarray:
    """The most that `propagate` can give each of n models, by how many datasets it has results on: (n,).

    No similarity is above 1, and a model shares a dataset with each representative that has more datasets
    than the model lacks. So Eq. 4 is at most the mean proxy of those together with the best of the others.

    Parameters
    ----------
    datasets
        (n,): on how many datasets each model has results.
    of_scored
        (scored,): the same of the scored models.
    proxy
        (scored,): their normalised scores.
    all_datasets
        How many datasets there are.
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
