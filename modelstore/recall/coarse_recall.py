"""The recall scores (Cui et al., Eqs. 2–4): prior times the proxy of a model's cluster representative."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelstore.udfs.normalise import normalise_likelihood, normalise_rank

# These are likelihoods, with a scale of their own; the others are known by their rank alone.
LIKELIHOODS = ("leep", "nleep")


@dataclass(frozen=True)
class ScoringPlan:
    """Who is scored on the target, and whose proxy stands for each candidate.

    ``scored`` names the models to score; ``source[candidate]`` the scored model that stands for it, or
    None for a singleton, whose proxy is propagated from all of them (Eq. 4).
    """

    scored: list[str]
    source: dict[str, str | None]


@dataclass(frozen=True)
class Recalled:
    """A recalled model: ``recall_score`` = ``prior`` × ``proxy_score``, the proxy normalised to [0, 1]."""

    rank: int
    model: str
    cluster: int | None
    representative: str | None
    prior: float
    proxy_score: float
    recall_score: float


def plan_scoring(candidates: Sequence[str], clusters: Mapping[str, tuple[int, str]]) -> ScoringPlan:
    """Which models must be scored: the representatives of the candidates' non-singleton clusters (Eq. 3).

    A representative may stand outside the candidates. Where no candidate is in a non-singleton cluster,
    and for a candidate that the clustering does not know, the candidate itself is scored.
    """
    sizes: dict[int, int] = {}
    for cluster, _ in clusters.values():
        sizes[cluster] = sizes.get(cluster, 0) + 1
    source: dict[str, str | None] = {}
    for name in candidates:
        if name not in clusters:
            source[name] = name
        else:
            cluster, representative = clusters[name]
            source[name] = representative if sizes[cluster] > 1 else None
    if not any(name in clusters and source[name] is not None for name in candidates):
        source = {name: name for name in candidates}
    scored = sorted({model for model in source.values() if model is not None})
    return ScoringPlan(scored, source)


def without_failures(plan: ScoringPlan, scored: Sequence[str]) -> ScoringPlan:
    """The plan when only ``scored`` could be scored.

    The members of a cluster whose representative could not be are taken for singletons; a candidate
    that stood for itself and could not be is left out.
    """
    kept = set(scored)
    source = {
        name: model if model in kept else None
        for name, model in plan.source.items()
        if model in kept or model != name
    }
    return ScoringPlan(list(scored), source)


def priors(scores: np.ndarray) -> np.ndarray:
    """acc(m), the mean of vec(m) (Eq. 2): shape (n,) from the candidates' rows of the matrix, shape (n, datasets).

    A model without records has the candidates' mean; where nobody has any, all have 1.
    """
    known = np.isfinite(scores)
    counts = known.sum(axis=1)
    sums = np.where(known, scores, 0.0).sum(axis=1)
    means = np.divide(sums, counts, out=np.full(len(scores), np.nan), where=counts > 0)
    with_records = means[counts > 0]
    return np.where(counts > 0, means, with_records.mean() if len(with_records) else 1.0)


def normalise(proxies: Mapping[str, np.ndarray]) -> np.ndarray:
    """Raw scores of each proxy, shape (scored,), as one number in [0, 1] a model.

    One likelihood is exp of itself; anything else is the mean rank over the proxies.
    """
    if len(proxies) == 1:
        [(name, scores)] = proxies.items()
        return normalise_likelihood(scores) if name in LIKELIHOODS else normalise_rank(scores)
    return np.mean([normalise_rank(scores) for scores in proxies.values()], axis=0)


def rank(
    candidates: Sequence[str],
    clusters: Mapping[str, tuple[int, str]],
    plan: ScoringPlan,
    prior: np.ndarray,
    proxy: Mapping[str, float],
    similarities_of: Callable[[list[str], list[str]], np.ndarray],
) -> list[Recalled]:
    """The candidates by recall score, best first (ties by name).

    ``proxy`` is the normalised score by scored model; ``similarities_of(singletons, scored)`` gives
    their similarity, shape (singletons, scored), NaN where unknown.
    """
    singletons = [name for name in candidates if plan.source[name] is None]
    values = {name: proxy[source] for name, source in plan.source.items() if source is not None}
    if singletons:
        scores = np.array([proxy[name] for name in plan.scored], dtype=float)
        propagated = propagate(similarities_of(singletons, plan.scored), scores)
        values.update(zip(singletons, propagated.tolist(), strict=True))
    rows = []
    for name, acc in zip(candidates, prior.tolist(), strict=True):
        cluster = clusters[name][0] if name in clusters else None
        rows.append((acc * values[name], name, cluster, plan.source[name], acc, values[name]))
    rows.sort(key=lambda row: (-row[0], row[1]))
    return [
        Recalled(position, name, cluster, source, acc, value, score)
        for position, (score, name, cluster, source, acc, value) in enumerate(rows, 1)
    ]


def propagate(similarity: np.ndarray, proxy: np.ndarray) -> np.ndarray:
    """Eq. 4: each singleton's mean over the representatives of sim(m, r) · proxy(r), shape (singletons,).

    A representative with which it shares no dataset says nothing of it and is left out of its mean; one
    that shares none with any gets the mean proxy at the lowest similarity there is.
    """
    known = np.isfinite(similarity)
    counts = known.sum(axis=1)
    sums = np.where(known, similarity * proxy, 0.0).sum(axis=1)
    lowest = float(similarity[known].min(initial=1.0))
    return np.divide(sums, counts, out=np.full(len(similarity), lowest * proxy.mean()), where=counts > 0)
