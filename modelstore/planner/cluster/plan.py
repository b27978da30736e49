"""The plan of `CLUSTER MODELS`: groups models by their records or their cards, and names representatives."""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from modelstore.errors import OptionError
from modelstore.language.statements import CLUSTER_MODELS
from modelstore.options import ClusterOptions, PlacementOptions
from modelstore.planner.cluster.card_embeddings import embed_cards, passes_to_embed
from modelstore.planner.cluster.threshold import choose_threshold, notify_of_misfit
from modelstore.planner.cluster_plan import where_passes_run, workers_for_passes
from modelstore.planner.context import StatementContext
from modelstore.planner.doubts import notify_of_doubts
from modelstore.planner.models_step import Models
from modelstore.planner.per_cent import notify_of_per_cent
from modelstore.planner.plan import Cost, Plan, Step, counted
from modelstore.planner.result_schema import schema_of
from modelstore.planner.unusable_scores import notify_of_unusable
from modelstore.progress import progress
from modelstore.recall import clustering, coarse_recall
from modelstore.recall.distances import CosineDistances, Distances, PerformanceDistances
from modelstore.recall.reclustering import recluster
from modelstore.recall.silhouettes import silhouette_of
from modelstore.store.clusters import LastClustering
from modelstore.store.registered import Model
from modelstore.store.results import Matrix

SCHEMA = schema_of(CLUSTER_MODELS)


class ClusterPlan(Plan):
    """Replaces the current clustering.

    Parameters
    ----------
    context
        The statement's context.
    models
        The candidates.
    matrix
        The scores of the models to cluster, a row a model.
    means
        For k-means, how many clusters; None for hierarchical clustering.
    options
        The statement's options.
    """

    schema = SCHEMA

    def __init__(
        self,
        context: StatementContext,
        models: Models,
        matrix: Matrix,
        means: int | None,
        options: ClusterOptions,
    ):
        self._context = context
        self._models = models
        self._matrix = matrix
        self._means = means
        self._options = options

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._models,)

    @property
    def computes(self) -> bool:
        return self._options.similarity == "text"

    def describe(self) -> str:
        threshold = self._options.threshold
        method = "hierarchical"
        cut = "threshold by silhouette" if threshold == "auto" else f"threshold {threshold:g}"
        if self._means is not None:
            method, cut = "kmeans", counted(self._means, "cluster")
        return f"CLUSTER MODELS · {method} by {self._options.similarity}, {cut}{self._where()}"

    def _where(self) -> str:
        """Where cards are embedded, in words."""
        if self._options.similarity != "text":
            return ""
        encoder = self._encoder()
        passes = passes_to_embed(self._context.store, encoder, self._matrix.models)
        return where_passes_run(self._context, self._options, [encoder.name], passes)

    def expected(self) -> Cost:
        models, datasets = len(self._matrix.models), len(self._matrix.datasets)
        return Cost(f"{counted(models, 'model')}, {counted(datasets, 'dataset')}")

    def run(self) -> pa.Table:
        self._context.refuse_read_only("CLUSTER MODELS")
        names = self._matrix.models
        distances = self._measure_distances()
        threshold = self._choose_threshold(distances)
        does_not_fit = self._notify_of_per_cent(threshold)
        if self._options.similarity == "performance":
            notify_of_unusable(self._context.store, [self._options.recipe])
        labels, silhouette, record = self._cluster(distances, threshold)
        found = clustering.summarise(labels, coarse_recall.mean_scores(self._matrix.scores))
        clusters = self._context.store.clusters
        with self._context.store.transaction():
            representatives = [names[row] for row in found.representatives]
            clusters.replace(names, found.labels, representatives, self._options_made_by())
            if threshold is not None:
                clusters.remember(self._made_by(threshold), record)
        singletons = int((found.sizes == 1).sum())
        if threshold is not None and threshold == self._options.threshold and not does_not_fit:
            notify_of_misfit(found.sizes, threshold)
        taken = "" if threshold is None else f", threshold {threshold:g}"
        self.actual = Cost(
            f"{counted(len(found.sizes), 'cluster')}, {singletons:,} of them singletons{taken}"
        )
        row = [len(found.sizes), len(names), singletons, silhouette, threshold]
        return pa.table(
            [pa.array([value], field.type) for value, field in zip(row, SCHEMA, strict=True)], SCHEMA
        )

    def _cluster(
        self, distances: Distances, threshold: float | None
    ) -> tuple[np.ndarray, float | None, LastClustering | None]:
        """Each model's label, the silhouette, and what the next hierarchical clustering can reuse."""
        if threshold is None:
            assert self._means is not None
            labels = clustering.kmeans(self._matrix.scores, self._means, self._options.seed)
            return labels, silhouette_of(distances, labels), None
        last = self._context.store.clusters.last(self._made_by(threshold))
        models = len(self._matrix.models)
        with progress(models * (models - 1) // 2, "neighbours", "pair") as bar:
            found = recluster(self._matrix.models, distances, threshold, last, bar.update)
        return found.labels, found.silhouette, found.record

    def _choose_threshold(self, distances: Distances) -> float | None:
        """Where average linkage is cut; None for k-means."""
        return None if self._means is not None else choose_threshold(distances, self._options.threshold)

    def _notify_of_per_cent(self, threshold: float | None) -> bool:
        """Says where scores are in per cent; returns whether that is why a given threshold does not fit."""
        if self._options.similarity != "performance":
            return False
        notify_of_doubts(self._context.store, self._options.recipe)
        effect = ""
        if threshold is not None and threshold <= 1 and self._options.threshold != "auto":
            effect = f"threshold {threshold:g} is one for shares of 1 and does not fit them"
        return notify_of_per_cent(self._context.store, self._options.recipe, effect) and bool(effect)

    def _options_made_by(self) -> dict[str, Any]:
        """The options by which the clustering can be made again, with its method."""
        options = self._options.as_dict()
        made_by = {name: value for name, value in options.items() if name not in PlacementOptions.schema()}
        return made_by | {"method": "hierarchical" if self._means is None else "kmeans"}

    def _made_by(self, threshold: float) -> str:
        """All that the distances depend on, besides the models' own records."""
        options = self._options
        return json.dumps(
            {
                "similarity": options.similarity,
                "threshold": threshold,
                "top_k": options.top_k,
                "datasets": self._matrix.datasets,
            }
        )

    def _measure_distances(self) -> Distances:
        """The distances between the models, for which cards without a stored embedding are embedded."""
        if self._options.similarity == "performance":
            return PerformanceDistances(self._matrix.scores, self._options.top_k)
        encoder, models = self._encoder(), self._matrix.models
        passes = passes_to_embed(self._context.store, encoder, models)
        workers = workers_for_passes(self._context, self._options, [encoder.name], passes)
        names, embeddings = embed_cards(self._context.store, encoder, models, workers)
        place_of = {name: place for place, name in enumerate(names)}
        places = [place_of.get(name, -1) for name in self._matrix.models]
        without = np.full((1, embeddings.shape[1]), np.nan, np.float32)
        return CosineDistances(np.concatenate([embeddings, without])[places])

    def _encoder(self) -> Model:
        name = self._options.encoder
        if name is None:
            raise OptionError(
                "similarity = 'text' needs a text encoder: name a registered text model by WITH (encoder = '…')"
            )
        return self._context.store.catalog.model(name)
