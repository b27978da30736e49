"""Which models are scored for which candidates, by their clusters, and what their scores say of singletons."""

from collections.abc import Callable, Sequence

import numpy as np

from modelstore.interruption import check
from modelstore.planner.recall.request import RecallRequest
from modelstore.recall import coarse_recall
from modelstore.recall.coarse_recall import ScoringPlan
from modelstore.store.clusters import Memberships
from modelstore.store.results import Results
from modelstore.udfs.similarity import similarities

ClusterLookup = Callable[[Sequence[str]], Memberships]


def plan_representatives(names: list[str], clusters_of: ClusterLookup) -> ScoringPlan:
    """The representatives of the candidates' clusters, which are scored for all members (Cui et al., Eq. 3)."""
    found = clusters_of(names)
    return coarse_recall.plan_scoring(names, found.cluster, found.representative, found.size)


def propagation(
    results: Results, request: RecallRequest, plan: ScoringPlan, proxy: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """How scores propagate to singletons by similarity (Cui et al., Eq. 4).

    Parameters
    ----------
    results
        The records, which tell how similar models are.
    request
        What is asked for; the target's own records are left out.
    plan
        Which models are scored.
    proxy
        Their scores in [0, 1], (scored,).

    Returns
    -------
    Callable
        Takes the places of some candidates in ``plan`` and returns their propagated scores, (places,).
    """
    names = np.array(plan.candidates, dtype=object)

    def propagate(singletons: np.ndarray) -> np.ndarray:
        check()
        difference, _ = results.greatest_difference(request.recipes[0], request.target)
        some = names[singletons].tolist()
        matrix = results.matrix(request.recipes[0], request.target, [*some, *plan.scored])
        similarity = similarities(matrix.rows(some), matrix.rows(plan.scored))
        return coarse_recall.propagate(similarity, proxy, 1.0 - difference)

    return propagate
