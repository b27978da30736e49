"""Average linkage where most models were clustered before: the same clusters, from what has changed alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelstore.recall import clustering
from modelstore.recall.agglomeration import agglomerate
from modelstore.recall.distances import CELLS, Distances, Edges, OnPairs, search, silent, within
from modelstore.recall.silhouettes import Separation, judged, mean_silhouette, silhouette_of
from modelstore.records import LastClustering

# Where more than one model in so many is new or changed, a search for all neighbours is as fast.
FEW = 10


@dataclass(frozen=True)
class Reclustered:
    """The labels (models,), their silhouette, and what the next clustering can reuse: None for nothing."""

    labels: NDArray[np.intp]
    silhouette: float | None
    record: LastClustering | None


def recluster(
    models: list[str],
    distances: Distances,
    threshold: float,
    last: LastClustering | None,
    on_pairs: OnPairs = silent,
) -> Reclustered:
    """The clusters and silhouette that `hierarchical` and `silhouette_of` give, whatever ``last`` is.

    Two models whose states have not changed are as far apart as they were. What takes time is to find the
    pairs within the threshold, and to measure how far clusters are apart. The pairs of unchanged models are
    on record; with those of the others, agglomeration starts from the same numbers as without a record, to
    the last digit, and so gives the same clusters, also where distances are equal.

    Parameters
    ----------
    models, distances
        The models' names, and the distances between them.
    threshold
        Where average linkage is cut.
    last
        The record of the last clustering; None where there is none.
    on_pairs
        Called as a search goes through the pairs.
    """
    states = distances.states()
    place_of = {name: place for place, name in enumerate(models)}
    place = np.array([place_of.get(name, -1) for name in last.models] if last else [], np.intp)
    if last:
        place[states[place] != last.states] = -1
    near = _neighbours(distances, threshold, last, place, on_pairs)
    if near is None:
        labels, kept = clustering.dense(distances, threshold, on_pairs)
        codes = np.unique(labels, return_inverse=True)[1]
        return Reclustered(codes, silhouette_of(kept, codes), None)
    codes = np.unique(agglomerate(distances, near, threshold), return_inverse=True)[1]
    separation = _separation(distances, codes, last, place)
    record = LastClustering(
        models=models,
        states=states,
        left=near.left,
        right=near.right,
        cluster=codes,
        own=separation.own,
        other=separation.other,
        nearest=separation.nearest,
    )
    return Reclustered(codes, mean_silhouette(codes, separation), record)


def _neighbours(
    distances: Distances,
    threshold: float,
    last: LastClustering | None,
    place: NDArray[np.intp],
    on_pairs: OnPairs,
) -> Edges | None:
    """The pairs within the threshold, in order.

    ``place`` is where each of the last models is now; −1 for one that is gone or has changed.
    """
    n, most = len(distances), clustering.most_neighbours(len(distances))
    fresh = np.setdiff1d(np.arange(n), place)
    if last is None or len(fresh) > n // FEW:
        return search(distances, threshold, most, on_pairs)
    ends = place[np.stack([last.left, last.right])]
    ends = ends[:, (ends >= 0).all(axis=0)]
    lefts, rights = [ends.min(axis=0)], [ends.max(axis=0)]
    everyone = np.arange(n)
    older = np.ones(n, dtype=bool)
    older[fresh] = False
    step = max(1, CELLS // n)
    for start in range(0, len(fresh), step):
        block = fresh[start : start + step]
        # `pairs`, which decides, rounds differently.
        row, other = np.nonzero(distances.between(block, everyone) <= threshold + 1e-5)
        one = block[row]
        once = older[other] | (one < other)
        lefts.append(np.minimum(one, other)[once])
        rights.append(np.maximum(one, other)[once])
    left, right = np.concatenate(lefts), np.concatenate(rights)
    order = np.lexsort((right, left))
    near = within(distances, left[order], right[order], threshold)
    return near if len(near) <= most else None


def _separation(
    distances: Distances, codes: NDArray[np.intp], last: LastClustering | None, place: NDArray[np.intp]
) -> Separation:
    """How far apart the clusters are, for the `judged` models.

    A model of an unchanged cluster whose nearest other cluster is unchanged is as near to it as it was; only
    a cluster that has changed may be nearer.
    """
    found = Separation.unknown(len(codes))
    rows = judged(codes)
    if codes.max(initial=0) == 0:
        return found
    if last is not None:
        now = _unchanged(codes, last, place)
        nearest = np.append(now, -1)[last.nearest]
        old = np.flatnonzero((now[last.cluster] >= 0) & (nearest >= 0))
        new = place[old]
        found.own[new], found.other[new], found.nearest[new] = last.own[old], last.other[old], nearest[old]
        _nearer(distances, codes, np.setdiff1d(codes, now), np.sort(new), found)
    found.measure(distances, codes, rows[found.nearest[rows] < 0])
    return found


def _unchanged(codes: NDArray[np.intp], last: LastClustering, place: NDArray[np.intp]) -> NDArray[np.intp]:
    """The number that each of the last clusters has now; −1 if it has other members, or one of them has changed."""
    stayed = place >= 0
    sizes, was = np.bincount(codes), np.bincount(last.cluster)
    lowest, highest = np.full(len(was), len(sizes)), np.full(len(was), -1)
    np.minimum.at(lowest, last.cluster[stayed], codes[place[stayed]])
    np.maximum.at(highest, last.cluster[stayed], codes[place[stayed]])
    same = (lowest == highest) & (np.bincount(last.cluster[stayed], minlength=len(was)) == was)
    same[same] = sizes[lowest[same]] == was[same]
    return np.where(same, lowest, -1)


def _nearer(
    distances: Distances,
    codes: NDArray[np.intp],
    changed: NDArray[np.intp],
    rows: NDArray[np.intp],
    found: Separation,
) -> None:
    """Replaces the nearest other cluster of ``rows`` by one of ``changed`` where that is nearer."""
    members = np.flatnonzero(np.isin(codes, changed))
    if not len(members):
        return
    members = members[np.argsort(codes[members], kind="stable")]
    starts = np.searchsorted(codes[members], changed)
    sizes = np.diff(np.append(starts, len(members)))
    step = max(1, CELLS // len(members))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        apart = distances.between(block, members, np.float32)
        means = np.add.reduceat(apart, starts, axis=1, dtype=np.float64) / sizes
        best = means.argmin(axis=1)
        mean = means[np.arange(len(block)), best]
        nearer = mean < found.other[block]
        found.other[block[nearer]] = mean[nearer]
        found.nearest[block[nearer]] = changed[best[nearer]]
