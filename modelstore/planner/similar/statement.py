"""Binds `SIMILAR DATASETS`: what is compared, and by which model."""

from modelstore.errors import MissingRecordError, NotFoundError, OptionError, did_you_mean
from modelstore.language import nodes
from modelstore.options import DATASET_SIMILARITIES, SimilarOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.recall.prior import pooled_matrix
from modelstore.planner.recipes import others_on_record, recorded_recipes
from modelstore.planner.similar.encoded import EncodedPlan
from modelstore.planner.similar.encoders import choose_encoder
from modelstore.planner.similar.plan import ResultsPlan, SimilarPlan, alike_by_results
from modelstore.recall.dataset_similarity import LEAST_MODELS
from modelstore.sql_text import spelled
from modelstore.store.registered import Dataset


def bind_similar(context: StatementContext, statement: nodes.Extension) -> SimilarPlan:
    """Plans a SIMILAR DATASETS; where no method is named, by results if there are enough, else by an encoder."""
    given = context.given_options(statement, SimilarOptions)
    options = SimilarOptions.of(given)
    store = context.store
    recipes = recorded_recipes(store.recipes, options.recipe, options.recipes, given)
    name = context.name_of(statement.args["target"])
    dataset = store.catalog.find_dataset(name)
    target = dataset.name if dataset is not None else _on_record(context, name, recipes)
    method = _method(context, statement)
    if method == "results" and options.encoder is not None:
        raise OptionError("Binder Error: USING results runs no encoder: leave the option encoder out")
    if method is None and options.encoder is not None:
        method = "embedding"
    unread = next((option for option in ("recipe", "recipes") if option in given), None)
    if unread is not None and method not in (None, "results"):
        raise OptionError(f"Binder Error: USING {method} reads no results: leave the option {unread} out")
    if method in (None, "results"):
        found = alike_by_results(store, recipes, target)
        if found:
            return ResultsPlan(store, recipes, target, found)
        if method == "results" or dataset is None:
            raise MissingRecordError(_why_no_results(context, recipes, target, dataset))
    if dataset is None:
        raise NotFoundError(
            f'"{target}" is no registered dataset, and USING {method} reads its rows: create it, or say USING results'
        )
    others = [one for one in store.catalog.datasets_of(dataset.modality) if one.name != dataset.name]
    if not others:
        raise NotFoundError(
            f'there is no other {dataset.modality} dataset to compare "{target}" with: CREATE DATASET registers some'
        )
    encoder = choose_encoder(context, dataset, options.encoder)
    return EncodedPlan(context, method or "embedding", dataset, others, encoder, options)


def _method(context: StatementContext, statement: nodes.Extension) -> str | None:
    """What is to be compared; None where the statement does not say."""
    node = statement.args.get("method")
    if node is None:
        return None
    return context.choice_of(
        node, "method", DATASET_SIMILARITIES, f"the methods are {', '.join(DATASET_SIMILARITIES)}"
    )


def _on_record(context: StatementContext, name: str, recipes: tuple[str, ...]) -> str:
    """The name of a dataset that is not registered as the results have it. Raises ``NotFoundError``."""
    store = context.store
    recorded = pooled_matrix(store, recipes)[0].datasets
    found = spelled(name, recorded)
    if found not in recorded:
        near = did_you_mean(name, [*recorded, *store.catalog.dataset_names()])
        of = f"of recipe {recipes[0]}" if len(recipes) == 1 else f"of the recipes {', '.join(recipes)}"
        raise NotFoundError(
            f'"{name}" is no registered dataset{near}, and benchmark_results has nothing {of} on it'
            f"{others_on_record(store.recipes, recipes)}"
        )
    return found


def _why_no_results(
    context: StatementContext, recipes: tuple[str, ...], target: str, dataset: Dataset | None
) -> str:
    """Why no dataset compares with the target by results, and what would be right."""
    instead = "run BENCHMARK MODELS, or load results"
    if dataset is not None:
        instead += ", or compare rows: USING embedding"
    return (
        f'no other dataset compares with "{target}" by results: that takes {LEAST_MODELS} models or more, not all '
        f"level, with results of {' or '.join(recipes)} on both: {instead}"
        f"{others_on_record(context.store.recipes, recipes)}"
    )
