"""The options of statements, typed: each name, type, default, range, set of choices and help text stands here once.

A statement's options are a frozen dataclass. The language checks what was written after `WITH` against its `schema`,
the planner reads values (`options.threshold`), and completion and the SQL reference list them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal

from modelstore.option_types import Options, OptionType, option
from modelstore.tasks import METRICS, TASKS

PROXIES = ("leep", "nleep", "logme", "hscore", "knn")
PRIORS = ("normal", "mean")
TUNINGS = ("full", "frozen", "lora", "layerwise")
SCHEDULES = ("linear", "cosine", "constant")
KEEPS = ("best", "last")
LAYERS = ("last", "mean", "best")
CLASS_WEIGHTS = ("none", "balanced")
RATE_TRIALS = 3  # learning rates that a run tries in its first stage, where none is given
STRATEGIES = (
    "value_of_information",
    "two_phase",
    "fine_selection",
    "successive_halving",
    "probability_of_improvement",
    "brute_force",
)
DEFAULT_THRESHOLD = 0.09
CLUSTERINGS = ("hierarchical", "kmeans")
SPLITS = ("train", "validation", "test")
FORMATS = ("onnx",)
SIMILARITIES = ("performance", "text")
DATASET_SIMILARITIES = ("embedding", "results", "task2vec")
COST_COLUMNS = ("latency_ms", "rows_per_second", "memory")  # of `inference_costs`
EXECUTORS = ("torch", "replay", "ray")
SEARCH_ORDERS = ("downloads", "likes", "last_modified", "created_at", "trending_score")


@dataclass(frozen=True)
class _Epochs(Options):
    epochs: int = option(5, "how often training passes over the train split", minimum=1)


@dataclass(frozen=True)
class _Keep(Options):
    keep: str = option(
        "best", "the point of a run that counts: of its best validation, or its last", choices=KEEPS
    )


@dataclass(frozen=True)
class RecipeOptions(_Keep, _Epochs):
    """What a recipe is a name for; a run with other values is recorded under a name derived from the recipe's."""

    batch_size: int = option(32, "rows in a training batch", minimum=1)
    learning_rate: float | None = option(
        None,
        "the learning rate at its peak; found for each model in its first stage unless given",
        minimum=0,
        exclusive=True,
    )
    max_length: int = option(128, "tokens at which a text is cut", minimum=1)
    tuning: str = option("full", "which of a model's weights are trained", choices=TUNINGS)
    schedule: str = option("linear", "how the learning rate decays after its warm-up", choices=SCHEDULES)
    warm_up: float = option(0.06, "share of the steps in which the learning rate rises", minimum=0, maximum=1)
    weight_decay: float = option(0.01, "AdamW's weight decay", minimum=0)
    class_weights: str = option(
        "none",
        "whether rare classes weigh more in the training loss: 'balanced' is rows / (classes × rows of the class)",
        choices=CLASS_WEIGHTS,
    )
    label_smoothing: float = option(
        0.0,
        "share of each training target that is spread over all classes",
        minimum=0,
        maximum=1,
    )
    gradient_accumulation: int = option(
        1, "batches whose gradients add up to one step, as of a batch of so many times the rows", minimum=1
    )
    gradient_checkpointing: bool = option(
        False, "whether activations are computed again in the backward pass: less memory, a third more time"
    )

    @property
    def rows_per_step(self) -> int:
        """The rows whose gradients make one step of the optimizer."""
        return self.batch_size * self.gradient_accumulation

    @property
    def tokens_per_batch(self) -> int:
        """The most tokens of a batch of texts."""
        return self.batch_size * self.max_length


@dataclass(frozen=True)
class _RecipeName(Options):
    recipe: str = option("default", "the recipe whose records are read and written")


@dataclass(frozen=True)
class _Seed(Options):
    seed: int = option(0, "seed of everything random", minimum=0)


@dataclass(frozen=True)
class _Device(Options):
    device: str = option("auto", "where models run: 'auto', 'cpu', 'cuda' or 'cuda:1'")


@dataclass(frozen=True)
class PlacementOptions(_Device):
    """Where models run: on this machine, or on a cluster."""

    executor: str = option(
        "torch", "'torch' runs models on this machine, 'ray' on a Ray cluster", choices=("torch", "ray")
    )
    workers: int | None = option(
        None, "how many models run at once on a Ray cluster; as many as fit by default", minimum=1
    )


@dataclass(frozen=True)
class StageOptions(_Epochs):
    """Where the stages of a training end."""

    stages_per_epoch: int | None = option(
        None, "how often each epoch is validated; once, where neither this nor a plan says when", minimum=1
    )
    stages: tuple[float, ...] | None = option(
        None, "the epochs after which models are validated, `[0.25, 0.5, 1, 2]`", minimum=0, exclusive=True
    )

    def stage_ends(self) -> tuple[float, ...]:
        """The epochs at which the stages of a whole training end; the last is ``epochs``."""
        if self.stages is not None:
            return self.stages if self.stages[-1] >= self.epochs else (*self.stages, float(self.epochs))
        per_epoch = self.stages_per_epoch or 1
        # With stages of one epoch, 2.5 epochs are three stages, the last of them half as long.
        count = math.ceil(self.epochs * per_epoch - 1e-9)
        return tuple(min(stage / per_epoch, self.epochs) for stage in range(1, count + 1))


@dataclass(frozen=True)
class TrainingOptions(_Device, StageOptions, _Seed, RecipeOptions):
    """How one model is fine-tuned; runs with equal options, model and dataset are equal on one machine's CPU."""

    @property
    def trial_epochs(self) -> float:
        """The epochs that finding the learning rate takes, beside those of the training itself."""
        return 0.0 if self.learning_rate is not None else (RATE_TRIALS - 1) * self.stage_ends()[0]


@dataclass(frozen=True)
class CompetingRecipes(_RecipeName, TrainingOptions):
    """One recipe or several: by name, and by training options that are given as lists."""

    recipes: tuple[str, ...] | None = option(
        None,
        "the recipes that models train by, each model by each of them; SELECT BEST reads those of public records",
        names=True,
    )

    @classmethod
    def schema(cls) -> dict[str, OptionType]:
        types, of_recipe = super().schema(), {one.name for one in fields(RecipeOptions)}
        return {
            name: replace(kind, listed=name in of_recipe and name != "keep") for name, kind in types.items()
        }


@dataclass(frozen=True)
class BenchmarkOptions(PlacementOptions, CompetingRecipes):
    """`BENCHMARK MODELS`: how each pair is trained, and where."""


@dataclass(frozen=True)
class _Recalled(Options):
    proxy: str = option("leep", "the proxy that scores candidates where USING names none", choices=PROXIES)
    prior: str = option(
        "normal",
        "what ranks models before the target is looked at: the mean of normal scores, or the paper's mean",
        choices=PRIORS,
    )
    layers: str = option(
        "last",
        "the layers whose features proxies score: the last, the mean of all, or each, and the best score counts",
        choices=LAYERS,
    )
    recall: int | None = option(
        None,
        "how many models are recalled: 10, but `value_of_information` recalls only where many would cost too much",
        minimum=1,
    )

    @property
    def recalled(self) -> int:
        """How many models are recalled where recall is asked for."""
        return 10 if self.recall is None else self.recall


@dataclass(frozen=True)
class _Scored(Options):
    proxy_rows: int = option(2000, "rows of the train split that a proxy sees", minimum=2)


@dataclass(frozen=True)
class RecallOptions(PlacementOptions, _Seed, _RecipeName, _Scored, _Recalled):
    """`RECALL`: how candidates are ranked without training."""

    recipes: tuple[str, ...] | None = option(
        None, "the recipes whose records the prior pools, in place of the one recipe", names=True
    )
    batch_size: int = option(32, "rows in a batch of a proxy's forward pass", minimum=1)
    max_length: int = option(128, "tokens at which a text is cut", minimum=1)


@dataclass(frozen=True)
class _Dropping(Options):
    price: float = option(
        0.0015,
        "of the value of information: the least gain in score for which an epoch more is worth training",
        minimum=0,
    )
    threshold: float = option(
        0.0, "by what share another model's predicted score must be better to drop one", minimum=0
    )
    trends: int = option(4, "convergence trends of each model and stage", minimum=1)
    budget_epochs: float | None = option(None, "epochs that may be spent", minimum=0, exclusive=True)
    budget_seconds: float | None = option(None, "seconds that may be spent", minimum=0, exclusive=True)


@dataclass(frozen=True)
class CompareOptions(_Dropping, _Recalled, _Seed, StageOptions, _RecipeName, _Keep, _Epochs):
    """`COMPARE STRATEGIES`: reads records and trains nothing: of a recipe, how long runs are and what counts."""


@dataclass(frozen=True)
class SelectOptions(_Dropping, _Scored, _Recalled, BenchmarkOptions):
    """`SELECT BEST`: how candidates are recalled, trained and dropped."""

    executor: str = option(
        "torch",
        "'torch' trains on this machine, 'ray' on a Ray cluster, 'replay' reads recorded curves",
        choices=EXECUTORS,
    )
    register: bool = option(True, "whether the fine-tuned winner is added to `models`")
    reuse: bool = option(True, "whether runs on record are used instead of training again")
    ensemble: bool = option(False, "whether a weighted vote of several winners is tried")
    pareto: str | None = option(
        None,
        "what counts beside the score: the winners are on the Pareto front of both, and no model is dropped for "
        "one that is worse in it",
        choices=(*COST_COLUMNS, "parameters"),
    )
    latency_weight: float | None = option(
        None,
        "the score that a millisecond of latency is worth: the best model is that of the highest score − "
        "latency_weight × latency_ms",
        minimum=0,
        exclusive=True,
    )


@dataclass(frozen=True)
class SuggestOptions(_RecipeName):
    """`SUGGEST BENCHMARKS`."""


@dataclass(frozen=True)
class SearchOptions(Options):
    """`SEARCH MODELS`: what the hub is asked for."""

    task: str | None = option(
        None, "the hub's name of their task, such as `fill-mask`; with FOR, instead of the usual"
    )
    language: str | None = option(None, "the code of a language that they are for, such as `de`")
    license: str | None = option(None, "their licence, such as `apache-2.0`")
    base: str | None = option(None, "the repository of the model that they were made from, `owner/name`")
    limit: int = option(100, "how many models at most", minimum=1, maximum=1_000_000)
    sort: str = option("downloads", "what the models with the most come first of", choices=SEARCH_ORDERS)


@dataclass(frozen=True)
class SimilarOptions(_Device, _Seed, _RecipeName):
    """`SIMILAR DATASETS`: whose records are compared, and which model reads which rows."""

    recipes: tuple[str, ...] | None = option(
        None, "the recipes whose results are pooled, in place of the one recipe", names=True
    )
    encoder: str | None = option(
        None,
        "the registered model that reads the rows; the smallest that makes sentence embeddings, or the smallest",
    )
    proxy_rows: int = option(500, "rows of each train split that the encoder reads", minimum=2)
    batch_size: int = option(32, "rows in a batch of the encoder's forward pass", minimum=1)
    max_length: int = option(128, "tokens at which a text is cut", minimum=1)


@dataclass(frozen=True)
class EvaluateOptions(_Device, _Seed):
    """`EVALUATE MODELS`: which rows models predict, and how sure the scores of so many rows are."""

    split: str = option("test", "the split whose rows are predicted", choices=SPLITS)
    confidence: float = option(
        0.95,
        "share of intervals, over many splits of this size, that hold the true value",
        minimum=0.5,
        maximum=0.999,
    )
    samples: int = option(
        1000, "how many resamples intervals and p-values are made of", minimum=100, maximum=1_000_000
    )


@dataclass(frozen=True)
class ClusterOptions(_Seed, _RecipeName, PlacementOptions):
    """`CLUSTER MODELS`: what makes two models alike, and where clusters are cut."""

    similarity: str = option(
        "performance", "whether models are compared by scores or by cards", choices=SIMILARITIES
    )
    encoder: str | None = option(None, "the text model that embeds the cards")
    top_k: int = option(5, "how many of the largest differences count (k of Eq. 1)", minimum=1)
    threshold: float | Literal["auto"] = option(
        DEFAULT_THRESHOLD,
        "the distance at which average linkage is cut; 'auto' takes the one of the greatest mean silhouette",
        minimum=0,
    )
    clusters: int | None = option(None, "the number of clusters of k-means", minimum=1)


@dataclass(frozen=True)
class DatasetOptions(_Seed):
    """`CREATE DATASET`: which columns mean what, where names do not say so."""

    text: str | None = option(None, "the column of texts, or of lists of tokens")
    text_pair: str | None = option(None, "the column of second texts")
    image: str | None = option(None, "the column of images")
    label: str | None = option(None, "the column of labels, or of lists of tags")
    split: str | None = option(None, "the column that says train, validation or test")
    config: str | None = option(None, "the configuration, where a folder or repository has several")
    task: str | None = option(None, "the task, where it is not the one inferred", choices=tuple(TASKS))
    metric: str | None = option(None, "the metric, where it is not the task's own", choices=METRICS)


@dataclass(frozen=True)
class LeftoverOptions(Options):
    """`LIST LEFTOVERS` and `REMOVE LEFTOVERS`."""

    days: float = option(
        7.0,
        "how long a benchmark's unfinished run, or what an unknown process was writing, must be unchanged",
        minimum=0,
    )


@dataclass(frozen=True)
class PublishOptions(Options):
    """`PUBLISH MODEL`."""

    private: bool | None = option(
        None, "whether the repository is private; by default as your account on the hub says"
    )


@dataclass(frozen=True)
class ExportOptions(Options):
    """`EXPORT MODEL`."""

    format: str = option("onnx", "what the model is written as", choices=FORMATS)


@dataclass(frozen=True)
class ModelOptions(Options):
    """`CREATE MODEL` takes none."""
