"""Binds `CLUSTER MODELS`: which models are clustered, by what and how."""

from dataclasses import replace

from modelstore.errors import MissingRecordError, OptionError
from modelstore.language import nodes
from modelstore.options import CLUSTERINGS, ClusterOptions, RecipeOptions
from modelstore.planner.candidates import find_candidates
from modelstore.planner.cluster.plan import ClusterPlan
from modelstore.planner.context import StatementContext
from modelstore.planner.inference_costs import ModelCosts
from modelstore.planner.models_step import Models
from modelstore.planner.recipes import known_recipe
from modelstore.store.results import Matrix


def bind_cluster(context: StatementContext, statement: nodes.Extension) -> ClusterPlan:
    """Plans a CLUSTER of the candidates that have records of the recipe or, for similarity by text, a card."""
    options = context.options_of(statement, ClusterOptions)
    means = _means(context, statement, options)
    recipe = known_recipe(context.store.recipes, options.recipe)
    by_text = options.similarity == "text"  # only registered models have cards
    candidates = find_candidates(
        context,
        statement,
        on_record=() if by_text else (recipe,),
        costs=ModelCosts(context, options, RecipeOptions.max_length),
    )
    matrix = context.store.results.matrix(recipe, models=candidates.names)
    if by_text:  # a row for each model that has a card, with results or not
        names = sorted({*matrix.models, *context.store.embeddings.with_card(candidates.names)})
        matrix = Matrix(names, matrix.datasets, matrix.rows(names))
    if not matrix.models:
        raise MissingRecordError(
            f"none of the {len(candidates.names)} models has a result of recipe {recipe} to be clustered by: "
            "run BENCHMARK MODELS, or load benchmark_results"
        )
    return ClusterPlan(context, Models(candidates), matrix, means, replace(options, recipe=recipe))


def _means(context: StatementContext, statement: nodes.Extension, options: ClusterOptions) -> int | None:
    """How many clusters k-means makes; None for hierarchical clustering."""
    node = statement.args.get("method")
    if not node:
        return None
    method = context.choice_of(node, "clustering method", CLUSTERINGS, "use hierarchical or kmeans")
    if method != "kmeans":
        return None
    if options.clusters is None:
        raise OptionError("kmeans needs to know how many clusters: WITH (clusters = n)")
    return options.clusters
