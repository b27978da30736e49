"""What was written after `WITH`, checked against a statement's options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelstore.errors import OptionError, did_you_mean, point_at
from modelstore.options import (
    CLUSTERINGS,
    METRICS,
    PRIORS,
    PROXIES,
    SCHEDULES,
    TASKS,
    TUNINGS,
    BenchmarkOptions,
    ClusterOptions,
    CompareOptions,
    DatasetOptions,
    ModelOptions,
    OptionType,
    RecallOptions,
    RecipeOptions,
    SelectOptions,
    SuggestOptions,
)
from modelstore.selection import strategies

__all__ = ["CLUSTERINGS", "METRICS", "PRIORS", "PROXIES", "SCHEDULES", "TASKS", "TUNINGS", "OptionType"]

STRATEGIES = tuple(strategies.STRATEGIES)
RECIPE_OPTIONS = RecipeOptions.schema()
RECALL_OPTIONS = RecallOptions.schema()
SELECT_OPTIONS = SelectOptions.schema()
COMPARE_OPTIONS = CompareOptions.schema()
SUGGEST_OPTIONS = SuggestOptions.schema()
BENCHMARK_OPTIONS = BenchmarkOptions.schema()
CLUSTER_OPTIONS = ClusterOptions.schema()
DATASET_OPTIONS = DatasetOptions.schema()
MODEL_OPTIONS = ModelOptions.schema()


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
        checked[name] = kind.convert(option.value)
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
