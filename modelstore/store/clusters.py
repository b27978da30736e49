"""The clustering on record."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    """Reads and writes ``model_clusters``, and ``last_clustering``, which makes the next clustering quick."""

    def of(self, models: Sequence[str]) -> Memberships:
        """The cluster of each model, in the order given."""
        with temp_table(self._connection, models) as few:
            columns = self._by_place(
                f"""
                WITH sizes AS (SELECT cluster, count(*) AS size FROM main.model_clusters GROUP BY cluster)
                SELECT place, coalesce(cluster, 0) AS cluster, representative, coalesce(size, 0) AS size
                FROM {few} LEFT JOIN main.model_clusters USING (model) LEFT JOIN sizes USING (cluster)
                """
            )
        return Memberships(columns["cluster"], columns["representative"], columns["size"])

    def sizes(self) -> list[tuple[int, str | None, int]]:
        """(cluster, representative, number of models) of each cluster, the largest first."""
        rows = self._rows(
            "SELECT cluster, any_value(representative), count(*) FROM main.model_clusters GROUP BY cluster "
            "ORDER BY count(*) DESC, cluster"
        )
        return [(cluster, representative, size) for cluster, representative, size in rows]

    def replace(
        self, models: list[str], clusters: np.ndarray, representatives: list[str], options: dict[str, Any]
    ) -> None:
        """Stores a clustering in place of the last one.

        Parameters
        ----------
        models, clusters, representatives
            Each model, the number of its cluster, and the model that represents the cluster.
        options
            How it was made.
        """
        self._run("DELETE FROM main.clustering_options")
        self._run("INSERT INTO main.clustering_options (options) VALUES (?)", [json.dumps(options)])
        with temp_table(self._connection, models, cluster=clusters, representative=representatives) as few:
            self._run("DELETE FROM main.model_clusters")
            self._run(
                "INSERT INTO main.model_clusters (model, cluster, representative) "
                f"SELECT model, cluster, representative FROM {few}"
            )

    def options(self) -> dict[str, Any]:
        """How the clustering on record was made; empty where that is not known."""
        rows = self._rows("SELECT options FROM main.clustering_options")
        return dict(json.loads(rows[0][0])) if rows else {}

    def threshold(self) -> float | None:
        """Where the clustering on record was cut; None for one that was not, or for which that was not kept."""
        if self.options().get("method") != "hierarchical":
            return None
        rows = self._rows("SELECT made_by FROM main.last_clustering LIMIT 1")
        return float(json.loads(rows[0][0])["threshold"]) if rows else None

    def last(self, by: str) -> LastClustering | None:
        """What the last hierarchical clustering found; None where it was made ``by`` other settings."""
        table = self._connection.sql(
            self.full(
                "SELECT model, state, neighbours, cluster, own, other, nearest FROM main.last_clustering "
                "WHERE made_by = ? ORDER BY place"
            ),
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
        """Stores what the next clustering can reuse; None deletes what the last one stored."""
        self._run("DELETE FROM main.last_clustering")
        if found is None:
            return
        ends = np.searchsorted(found.left, np.arange(len(found.models) + 1))
        columns = {name: getattr(found, name) for name in ("cluster", "own", "other", "nearest")}
        columns |= {"state": found.states}
        columns |= {"neighbours": pa.ListArray.from_arrays(ends.astype(np.int32), found.right)}
        with temp_table(self._connection, found.models, **columns) as few:
            self._run("INSERT INTO main.last_clustering BY NAME SELECT ? AS made_by, * FROM " + few, [by])
