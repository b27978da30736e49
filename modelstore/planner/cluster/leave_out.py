"""The clustering without the records of one dataset, for a replay in which that dataset is new."""

from collections.abc import Sequence

import numpy as np

from modelstore.options import ClusterOptions
from modelstore.planner.cluster.threshold import find_threshold
from modelstore.recall import clustering, coarse_recall
from modelstore.recall.distances import PerformanceDistances
from modelstore.store import Store
from modelstore.store.clusters import Memberships


class LeaveOneOutClusters:
    """Hierarchical clusters by performance without the records of ``target``.

    They are made when first needed, with the options of the clustering on record where that is of the same kind, and
    not stored.
    """

    def __init__(self, store: Store, recipe: str, target: str):
        self._results = store.results
        self._clusters = store.clusters
        self._recipe = recipe
        self._target = target
        self._row_of: dict[str, int] = {}
        self._memberships: Memberships | None = None

    def of(self, models: Sequence[str]) -> Memberships:
        """Where each model is in the clustering."""
        if self._memberships is None:
            self._memberships = self._cluster()
        rows, all_models = [self._row_of.get(model, -1) for model in models], self._memberships
        return Memberships(all_models.cluster[rows], all_models.representative[rows], all_models.size[rows])

    def _options(self) -> ClusterOptions:
        made = self._clusters.options()
        alike = made.get("method") == "hierarchical" and made.get("similarity") == "performance"
        return ClusterOptions.of(made) if alike else ClusterOptions()

    def _cluster(self) -> Memberships:
        """The membership of each model on record, and as the last row that of a model without records."""
        matrix, options = self._results.matrix(self._recipe, excluding=self._target), self._options()
        self._row_of = {name: row for row, name in enumerate(matrix.models)}
        distances = PerformanceDistances(matrix.scores, options.top_k)
        threshold, _ = find_threshold(distances, options.threshold)
        labels = clustering.hierarchical(distances, threshold)
        found = clustering.summarise(labels, coarse_recall.mean_scores(matrix.scores))
        names = np.array([*matrix.models, None], dtype=object)
        return Memberships(
            np.append(found.labels, 0),
            names[np.append(found.representatives, -1)],
            np.append(found.sizes[found.labels - 1], 0),
        )
