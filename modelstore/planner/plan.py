"""A plan: a small tree of named steps, one class a step, each with what it expects to cost and what it did cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Cost:
    """What a step costs; None: unknown.

    ``models`` says what it yields, scores or trains; ``memory`` is in bytes, at most.
    """

    models: str | None = None
    epochs: float | None = None
    seconds: float | None = None
    memory: float | None = None

    def __str__(self) -> str:
        parts = [self.models] if self.models else []
        if self.epochs is not None:
            parts.append(f"{self.epochs:,.4g} epoch{'' if self.epochs == 1 else 's'}")
        if self.seconds is not None:
            parts.append(duration(self.seconds))
        if self.memory is not None:
            parts.append(size(self.memory))
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as people say them: `12 s`, `3 min 30`, `1 h 05`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d}"
    return f"{whole // 3600} h {whole % 3600 // 60:02d}"


def size(memory: float) -> str:
    """Bytes as people say them: `740 kB`, `1.2 GB`."""
    value, unit = memory / 1e3, "kB"
    for larger in ("MB", "GB"):
        if value >= 999.5:
            value, unit = value / 1e3, larger
    return f"{value:.1f} {unit}" if unit == "GB" or 0 < value < 9.95 else f"{value:.0f} {unit}"


class Step:
    """A node of a plan; ``actual`` is set when it has run."""

    actual: Cost | None = None

    @property
    def inputs(self) -> tuple["Step", ...]:
        return ()

    def describe(self) -> str:
        """The step in one line."""
        raise NotImplementedError

    def expected(self) -> Cost:
        """What it expects to cost."""
        raise NotImplementedError


class Plan(Step):
    """The root of a plan: a whole statement, whose `run` gives its rows."""

    def run(self) -> pa.Table:
        raise NotImplementedError


def explain(plan: Plan, analyze: bool) -> pa.Table:
    """The plan as a tree, a row a step, with `expected` and, once it has run, `actual`."""
    rows = [(line, str(step.expected()), str(step.actual or "")) for line, step in _lines(plan, "", "")]
    columns: dict[str, Any] = {"plan": [row[0] for row in rows], "expected": [row[1] for row in rows]}
    if analyze:
        columns["actual"] = [row[2] for row in rows]
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _lines(step: Step, lead: str, below: str) -> Iterator[tuple[str, Step]]:
    yield lead + step.describe(), step
    for position, child in enumerate(step.inputs):
        last = position == len(step.inputs) - 1
        yield from _lines(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))
