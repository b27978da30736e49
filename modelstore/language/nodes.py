"""The statements of ours as sqlglot expressions: what the dialect's parser makes, and the planner binds.

A query, relation or predicate inside a statement stays the text that the user wrote (`Raw`): it is
DuckDB's, and is passed on as it is.
"""

from typing import ClassVar

from sqlglot import exp


class Raw(exp.Expression):
    """A span of the user's own SQL: ``this`` its text, ``start`` and ``end`` where it stands."""

    arg_types = {"this": True, "start": True, "end": True}


class Parameter(exp.Expression):
    """`?` (``this`` is its number, from 1, as text), `$1` or `$name`."""

    arg_types = {"this": True, "start": True, "end": True}


class Name(exp.Expression):
    """A model's, dataset's, strategy's or proxy's name, or a `Parameter` that gives it."""

    arg_types = {"this": True, "start": True, "end": True}


class Value(exp.Expression):
    """A literal's Python value in ``this`` (or a `Parameter`)."""

    arg_types = {"this": False, "start": True, "end": True}


class Option(exp.Expression):
    """`name = value` inside `WITH (…)`."""

    arg_types = {"this": True, "value": True}


class Extension(exp.Expression):
    """A statement of ours; ``options`` is a list of `Option`."""

    arg_types: ClassVar[dict[str, bool]] = {"options": False}
    title: ClassVar[str]


class CreateModel(Extension):
    arg_types = {"this": True, "uri": True, "replace": False, "exists": False, "options": False}
    title = "CREATE MODEL"


class CreateDataset(Extension):
    arg_types = {
        "this": True,
        "uri": False,
        "query": False,
        "replace": False,
        "exists": False,
        "options": False,
    }
    title = "CREATE DATASET"


class DropModel(Extension):
    arg_types = {"this": True, "exists": False, "options": False}
    title = "DROP MODEL"


class DropDataset(Extension):
    arg_types = {"this": True, "exists": False, "options": False}
    title = "DROP DATASET"


class BenchmarkModels(Extension):
    """``datasets`` is a list of `Name`, or empty for ALL DATASETS."""

    arg_types = {"relation": False, "where": False, "datasets": False, "options": False}
    title = "BENCHMARK MODELS"


class ClusterModels(Extension):
    arg_types = {"relation": False, "where": False, "method": False, "options": False}
    title = "CLUSTER MODELS"


class Recall(Extension):
    arg_types = {
        "count": False,
        "target": True,
        "relation": False,
        "where": False,
        "proxies": False,
        "options": False,
    }
    title = "RECALL MODELS"


class SelectBest(Extension):
    arg_types = {
        "count": False,
        "target": True,
        "relation": False,
        "where": False,
        "strategy": False,
        "options": False,
    }
    title = "SELECT BEST MODEL"


class CompareStrategies(Extension):
    """``strategies`` is a list of `Name`, or empty for all; ``datasets`` one too, or empty for ALL DATASETS."""

    arg_types = {"strategies": False, "datasets": False, "options": False}
    title = "COMPARE STRATEGIES"


class SuggestBenchmarks(Extension):
    """``model`` is a `Name`, where the benchmarks are for one model."""

    arg_types = {"count": False, "model": False, "options": False}
    title = "SUGGEST BENCHMARKS"


class ResumeSelection(Extension):
    """``this`` is the selection's id, a `Value` or `Parameter`."""

    arg_types = {"this": True, "options": False}
    title = "RESUME SELECTION"


class Explain(Extension):
    arg_types = {"this": True, "analyze": False}
    title = "EXPLAIN"
