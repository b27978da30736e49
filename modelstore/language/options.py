"""The options that `WITH (…)` takes: their types, bounds, defaults and which statement takes which."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelstore.errors import OptionError, did_you_mean, point_at
from modelstore.recall import priors
from modelstore.selection.strategies import BY_NAME


@dataclass(frozen=True)
class OptionType:
    """What an option takes: ``kind`` is bool, int, float or str; ``choices`` or bounds narrow it."""

    kind: type
    default: Any
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    exclusive: bool = False  # whether the minimum itself is out of range
    maximum: float | None = None

    def accepts(self, value: object) -> bool:
        if self.kind is bool:
            return isinstance(value, bool)
        if isinstance(value, bool):
            return False
        if self.kind is str:
            return isinstance(value, str) and (not self.choices or value.lower() in self.choices)
        if (
            not isinstance(value, (int, float)) or not abs(value) < 2**63
        ):  # NaN compares false with every bound
            return False
        if self.kind is int and value != int(value):
            return False
        if self.maximum is not None and value > self.maximum:
            return False
        return self.minimum is None or (value > self.minimum if self.exclusive else value >= self.minimum)

    def expectation(self) -> str:
        if self.kind is bool:
            return "true or false"
        if self.choices:
            return "one of " + ", ".join(f"'{choice}'" for choice in self.choices)
        if self.kind is str:
            return "a text value"
        noun = "a whole number" if self.kind is int else "a number"
        if self.minimum is None:
            return noun
        if self.maximum is not None:
            return f"{noun} from {self.minimum:g} to {self.maximum:g}"
        return f"{noun} {'above' if self.exclusive else 'of at least'} {self.minimum:g}"


PROXIES = ("leep", "nleep", "logme", "hscore", "knn")
STRATEGIES = ("two_phase", *BY_NAME)
PRIORS = ("auto", *priors.PRIORS)
TUNINGS = ("full", "frozen", "lora", "layerwise")
SCHEDULES = ("linear", "cosine", "constant")
CLUSTERINGS = ("hierarchical", "kmeans")
METRICS = ("accuracy", "f1_macro", "matthews", "pearson", "spearman")
TASKS = ("text_classification", "text_pair_classification", "image_classification", "regression")

_RECIPE = OptionType(str, "default")
# What a recipe is a name for; a run with other values than its recipe's is recorded under a derived name.
RECIPE_OPTIONS = {
    "epochs": OptionType(int, 5, minimum=1),
    "batch_size": OptionType(int, 32, minimum=1),
    "learning_rate": OptionType(float, 3e-5, minimum=0, exclusive=True),
    "max_length": OptionType(int, 128, minimum=1),
    "tuning": OptionType(str, "full", choices=TUNINGS),
    "schedule": OptionType(str, "linear", choices=SCHEDULES),
    "warm_up": OptionType(float, 0.06, minimum=0, maximum=1),
    "weight_decay": OptionType(float, 0.01, minimum=0),
}
_TRAINING = {
    **RECIPE_OPTIONS,
    "recipe": _RECIPE,
    "stages_per_epoch": OptionType(int, 1, minimum=1),
    "seed": OptionType(int, 0, minimum=0),
    "device": OptionType(str, "auto"),
}
_PROXIES = {
    "proxy": OptionType(str, "leep", choices=PROXIES),
    "proxy_rows": OptionType(int, 2000, minimum=2),
    "prior": OptionType(str, "auto", choices=PRIORS),
}
RECALL_OPTIONS = {
    **_PROXIES,
    "recall": OptionType(int, 10, minimum=1),
    "recipe": _RECIPE,
    "seed": OptionType(int, 0, minimum=0),
    "batch_size": OptionType(int, 32, minimum=1),
    "max_length": OptionType(int, 128, minimum=1),
    "device": OptionType(str, "auto"),
}
SELECT_OPTIONS = {
    **_TRAINING,
    **_PROXIES,
    "recall": OptionType(int, 10, minimum=1),
    "threshold": OptionType(float, 0.0, minimum=0),
    "trends": OptionType(int, 4, minimum=1),
    "executor": OptionType(str, "torch", choices=("torch", "replay")),
    "budget_epochs": OptionType(float, None, minimum=0, exclusive=True),
    "budget_seconds": OptionType(float, None, minimum=0, exclusive=True),
    "register": OptionType(bool, True),
    "reuse": OptionType(bool, True),
    "ensemble": OptionType(bool, False),
}
# A comparison reads records and trains nothing; how long a run was is all it asks of a recipe.
_TO_TRAIN = RECIPE_OPTIONS.keys() - {"epochs"} | {
    *("device", "proxy_rows", "executor", "register", "reuse", "ensemble")
}
COMPARE_OPTIONS = {name: kind for name, kind in SELECT_OPTIONS.items() if name not in _TO_TRAIN}
SUGGEST_OPTIONS = {"recipe": _RECIPE}
BENCHMARK_OPTIONS = _TRAINING
CLUSTER_OPTIONS = {
    "similarity": OptionType(str, "performance", choices=("performance", "text")),
    "encoder": OptionType(str, None),
    "top_k": OptionType(int, 5, minimum=1),
    "threshold": OptionType(float, 0.09, minimum=0),
    "clusters": OptionType(int, None, minimum=1),
    "recipe": _RECIPE,
    "seed": OptionType(int, 0, minimum=0),
}
DATASET_OPTIONS = {
    "text": OptionType(str, None),
    "text_pair": OptionType(str, None),
    "image": OptionType(str, None),
    "label": OptionType(str, None),
    "split": OptionType(str, None),
    "task": OptionType(str, None, choices=TASKS),
    "metric": OptionType(str, None, choices=METRICS),
    "seed": OptionType(int, 0, minimum=0),
}
MODEL_OPTIONS: dict[str, OptionType] = {}


@dataclass(frozen=True)
class Given:
    """An option as it was written: its value, parameters filled in, and its place for errors."""

    name: str
    value: object
    start: int
    end: int


def check(given: list[Given], allowed: Mapping[str, OptionType], sql: str) -> dict[str, Any]:
    """The options that were given, by name, checked and in their type. Raises ``OptionError``."""
    checked: dict[str, Any] = {}
    for option in given:
        name = option.name.lower()
        if name not in allowed:
            raise OptionError(point_at(_unknown(option.name, allowed), sql, option.start, option.end))
        if name in checked:
            message = f'Binder Error: the option "{name}" is given twice: give it once'
            raise OptionError(point_at(message, sql, option.start, option.end))
        kind = allowed[name]
        if not kind.accepts(option.value):
            message = (
                f'Binder Error: the option "{name}" takes {kind.expectation()}, not {_shown(option.value)}'
                + (did_you_mean(option.value, kind.choices) if isinstance(option.value, str) else "")
            )
            raise OptionError(point_at(message, sql, option.start, option.end))
        value: Any = option.value
        checked[name] = value.lower() if kind.choices else kind.kind(value)
    return checked


def defaults(allowed: Mapping[str, OptionType]) -> dict[str, Any]:
    """Every option's default."""
    return {name: kind.default for name, kind in allowed.items()}


def _unknown(name: str, allowed: Mapping[str, OptionType]) -> str:
    if not allowed:
        return f'Binder Error: unknown option "{name}": this statement takes none'
    hint = did_you_mean(name, allowed)
    return f'Binder Error: unknown option "{name}"{hint}; the options here are {", ".join(sorted(allowed))}'


def _shown(value: object) -> str:
    return "NULL" if value is None else repr(value)
