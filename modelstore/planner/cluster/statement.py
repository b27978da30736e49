"""`CLUSTER MODELS`: groups models by their records, and names each cluster's representative."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from modelstore.errors import MissingRecordError, OptionError
from modelstore.interruption import check
from modelstore.language import nodes
from modelstore.language.options import CLUSTER_OPTIONS, CLUSTERINGS, defaults
from modelstore.planner.candidates import find_candidates
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, Step
from modelstore.planner.recipes import known_recipe
from modelstore.progress import progress
from modelstore.recall import clustering, model_priors
from modelstore.recall.distances import CosineDistances, Distances, OnPairs, PerformanceDistances
from modelstore.recall.reclustering import recluster
from modelstore.recall.silhouettes import silhouette_of
from modelstore.records import Matrix
from modelstore.store.catalog import Model
from modelstore.store.clusters import Memberships
from modelstore.store.results import Results

CARDS = 1024  # embedded at a time, and then stored


class Cluster(Plan):
    """Replaces the current clustering by one of the models that have records."""

    def __init__(
        self, context: StatementContext, models: Models, matrix: Matrix, method: str, options: dict[str, Any]
    ):
        self._context = context
        self._models = models
        self._matrix = matrix
        self._method = method
        self._options = options

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._models,)

    def describe(self) -> str:
        cut = f"threshold {self._options['threshold']:g}"
        if self._method == "kmeans":
            cut = f"{self._options['clusters']} clusters"
        return f"CLUSTER MODELS · {self._method} by {self._options['similarity']}, {cut}"

    def expected(self) -> Cost:
        return Cost(f"{len(self._matrix.models):,} models, {len(self._matrix.datasets):,} datasets")

    def run(self) -> pa.Table:
        clusters, names = self._context.store.clusters, self._matrix.models
        distances = self._distances()
        reclustered = None
        if self._method == "kmeans":
            labels = clustering.kmeans(self._matrix.scores, self._options["clusters"], self._options["seed"])
            silhouette = silhouette_of(distances, labels)
        else:
            last = clusters.last(self._made_by)
            with _neighbour_bar() as on_pairs:
                reclustered = recluster(names, distances, self._options["threshold"], last, on_pairs)
            labels, silhouette = reclustered.labels, reclustered.silhouette
        found = clustering.summarise(labels, model_priors.mean(self._matrix.scores))
        with self._context.store.transaction():
            clusters.replace(names, found.labels, [names[row] for row in found.representatives])
            if reclustered is not None:
                clusters.remember(self._made_by, reclustered.record)
        singletons = int((found.sizes == 1).sum())
        self.actual = Cost(f"{len(found.sizes):,} clusters, {singletons:,} of them singletons")
        return pa.table(
            {
                "clusters": pa.array([len(found.sizes)], pa.int64()),
                "models": pa.array([len(names)], pa.int64()),
                "singletons": pa.array([singletons], pa.int64()),
                "silhouette": pa.array([silhouette], pa.float64()),
            }
        )

    @property
    def _made_by(self) -> str:
        """What all distances hang on, besides the models' own records."""
        names = ("similarity", "threshold", "top_k")
        by: dict[str, Any] = {name: self._options[name] for name in names}
        return json.dumps(by | {"datasets": self._matrix.datasets})

    def _distances(self) -> Distances:
        if self._options["similarity"] == "performance":
            return PerformanceDistances(self._matrix.scores, self._options["top_k"])
        names, embeddings = self._embeddings()
        place_of = {name: place for place, name in enumerate(names)}
        places = [place_of.get(name, -1) for name in self._matrix.models]
        without = np.full((1, embeddings.shape[1]), np.nan, np.float32)
        return CosineDistances(np.concatenate([embeddings, without])[places])

    def _embeddings(self) -> tuple[list[str], np.ndarray]:
        """The models that have a card, and its embedding; a card is embedded once, and stored as soon as it is."""
        from modelstore.data.model_info import resolve
        from modelstore.training.features import embed_texts

        encoder, embeddings = self._encoder(), self._context.store.embeddings
        path = resolve(str(encoder.uri))
        cards = embeddings.cards_without(str(encoder.uri), self._matrix.models)
        with progress(len(cards), "cards", "card") as bar:
            for start in range(0, len(cards), CARDS):
                check()
                some = cards[start : start + CARDS]
                embeddings.add(str(encoder.uri), some, embed_texts(encoder.name, path, some))
                bar.update(len(some))
        return embeddings.of(str(encoder.uri), self._matrix.models)

    def _encoder(self) -> Model:
        name = self._options["encoder"]
        if name is None:
            raise OptionError(
                "similarity = 'text' needs a text encoder: name a registered text model by WITH (encoder = '…')"
            )
        return self._context.store.catalog.model(name)


@contextmanager
def _neighbour_bar() -> Iterator[OnPairs]:
    """A progress bar for a search through all pairs of models, shown once there is such a search."""
    with ExitStack() as stack:
        bars: list[Any] = []

        def on_pairs(pairs: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(progress(total, "neighbours", "pair")))
            bars[0].update(pairs)

        yield on_pairs


def clusters_without(results: Results, recipe: str, target: str) -> Callable[[Sequence[str]], Memberships]:
    """The clustering by the default options that there would be had ``target`` never been run, made when first asked
    for. It is not stored.
    """

    @cache
    def made() -> tuple[dict[str, int], np.ndarray, np.ndarray, np.ndarray]:
        matrix, options = results.matrix(recipe, excluding=target), defaults(CLUSTER_OPTIONS)
        labels = clustering.hierarchical(
            PerformanceDistances(matrix.scores, options["top_k"]), options["threshold"]
        )
        found = clustering.summarise(labels, model_priors.mean(matrix.scores))
        names = np.array([*matrix.models, None], dtype=object)
        # The last row is of a model without records.
        return (
            {name: row for row, name in enumerate(matrix.models)},
            np.append(found.labels, 0),
            names[np.append(found.representatives, -1)],
            np.append(found.sizes[found.labels - 1], 0),
        )

    def of(models: Sequence[str]) -> Memberships:
        row_of, cluster, representative, size = made()
        rows = [row_of.get(model, -1) for model in models]
        return Memberships(cluster[rows], representative[rows], size[rows])

    return of


def bind_cluster(context: StatementContext, statement: nodes.ClusterModels) -> Cluster:
    """Plans a CLUSTER over the candidates that have records of the recipe."""
    options = defaults(CLUSTER_OPTIONS) | context.options_of(statement, CLUSTER_OPTIONS)
    node = statement.args.get("method")
    method = "hierarchical"
    if node:
        method = context.choice_of(node, "clustering method", CLUSTERINGS, "use hierarchical or kmeans")
    if method == "kmeans" and options["clusters"] is None:
        raise OptionError("kmeans needs to know how many clusters: WITH (clusters = n)")
    recipe = known_recipe(context.store.recipes, options["recipe"])
    by_text = options["similarity"] == "text"  # of cards, which only registered models have
    candidates = find_candidates(context, statement, on_record=None if by_text else recipe)
    matrix = context.store.results.matrix(recipe, models=candidates.names)
    if by_text:  # a row for each model that has a card, with results or not
        names = sorted({*matrix.models, *context.store.catalog.with_card(candidates.names)})
        matrix = Matrix(names, matrix.datasets, matrix.rows(names))
    if not matrix.models:
        raise MissingRecordError(
            f"none of the {len(candidates.names)} models has a result of recipe {recipe} to be clustered by: "
            "run BENCHMARK MODELS, or load benchmark_results"
        )
    return Cluster(context, Models(candidates), matrix, method, options)
