"""The clustering on record."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from modelstore.records import LastClustering
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table


@dataclass(frozen=True)
class Memberships:
    """Of n models: ``cluster`` (0 for one that the clustering does not know), its ``representative`` (None) and
    ``size`` (0)."""

    cluster: np.ndarray
    representative: np.ndarray
    size: np.ndarray


class Clusters(Repository):
    """Reads and writes ``model_clusters``, and ``last_clustering`` by which the next is quick."""

    def of(self, models: Sequence[str]) -> Memberships:
        """Where each model is in the clustering."""
        with temp_table(self._connection, models) as few:
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
        with temp_table(self._connection, models, cluster=clusters, representative=representatives) as few:
            self._rows("DELETE FROM main.model_clusters")
            self._rows(
                "INSERT INTO main.model_clusters (model, cluster, representative) "
                f"SELECT model, cluster, representative FROM {few}"
            )

    def last(self, by: str) -> LastClustering | None:
        """What the last clustering found, if it was made ``by`` the same: its similarity, threshold and so on."""
        table = self._connection.sql(
            "SELECT model, state, neighbours, cluster, own, other, nearest FROM main.last_clustering "
            "WHERE made_by = ? ORDER BY place",
            params=[by],
        ).to_arrow_table()
        if not table.num_rows:
            return None
        lists = table["neighbours"].combine_chunks()
        return LastClustering(
            models=table["model"].to_pylist(),
            states=table["state"].to_numpy(),
            left=np.repeat(np.arange(table.num_rows, dtype=np.int32), lists.value_lengths().to_numpy()),
            right=lists.flatten().to_numpy(),
            **{name: table[name].to_numpy() for name in ("cluster", "own", "other", "nearest")},
        )

    def remember(self, by: str, found: LastClustering | None) -> None:
        """Stores what the next clustering can reuse, in place of the last; None: nothing."""
        self._rows("DELETE FROM main.last_clustering")
        if found is None:
            return
        ends = np.searchsorted(found.left, np.arange(len(found.models) + 1))
        columns = {name: getattr(found, name) for name in ("cluster", "own", "other", "nearest")}
        columns |= {"state": found.states}
        columns |= {"neighbours": pa.ListArray.from_arrays(ends.astype(np.int32), found.right)}
        with temp_table(self._connection, found.models, **columns) as few:
            self._rows("INSERT INTO main.last_clustering BY NAME SELECT ? AS made_by, * FROM " + few, [by])
