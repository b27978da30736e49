"""The clustering on record."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelstore.store.listing import listed
from modelstore.store.reader import Reader


@dataclass(frozen=True)
class Memberships:
    """Of n models: ``cluster`` (0 for one that the clustering does not know), its ``representative`` (None) and
    ``size`` (0)."""

    cluster: np.ndarray
    representative: np.ndarray
    size: np.ndarray


class Clusters(Reader):
    """Reads and writes ``model_clusters``."""

    def of(self, models: Sequence[str]) -> Memberships:
        """Where each model is in the clustering."""
        with listed(self._connection, models) as few:
            columns = self._connection.execute(
                f"""
                WITH sizes AS (SELECT cluster, count(*) AS size FROM main.model_clusters GROUP BY cluster)
                SELECT place, coalesce(cluster, 0) AS cluster, representative, coalesce(size, 0) AS size
                FROM {few} LEFT JOIN main.model_clusters USING (model) LEFT JOIN sizes USING (cluster)
                """
            ).fetchnumpy()
        order = np.argsort(columns["place"])
        representatives = np.ma.filled(columns["representative"].astype(object), None)
        return Memberships(
            np.ma.getdata(columns["cluster"])[order],
            representatives[order],
            np.ma.getdata(columns["size"])[order],
        )

    def replace(self, models: list[str], clusters: np.ndarray, representatives: list[str]) -> None:
        """Stores a clustering, one row a model, in place of the last one."""
        with listed(self._connection, models, cluster=clusters, representative=representatives) as few:
            self._rows("DELETE FROM main.model_clusters")
            self._rows(
                "INSERT INTO main.model_clusters (model, cluster, representative) "
                f"SELECT model, cluster, representative FROM {few}"
            )
