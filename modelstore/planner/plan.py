"""A plan: a small tree of named steps, one class a step, each with what it expects to cost and what it did cost."""

from collections.abc import Iterator
from dataclasses import dataclass

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

    schema: pa.Schema

    def run(self) -> pa.Table:
        raise NotImplementedError

    def preview(self) -> pa.Table:
        """As many rows as it expects to yield, before anything has run: ranks and models alone are filled in.

        With them a query around it is planned for EXPLAIN and described for DESCRIBE.
        """
        models = self.likely_models()
        known = {"rank": range(1, len(models) + 1), "model": models}
        columns = [known.get(field.name, [None] * len(models)) for field in self.schema]
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, self.schema, strict=True)], self.schema)

    def likely_models(self) -> list[str]:
        """Models that its rows might be about, as many as it expects to yield."""
        raise NotImplementedError


def explain(plan: Plan, analyze: bool) -> pa.Table:
    """The plan as a tree, a row a step, with `expected` and, once it has run, `actual`."""
    names = ["plan", "expected", "actual"] if analyze else ["plan", "expected"]
    rows = _rows(plan)
    return pa.table({name: pa.array([r[i] for r in rows], pa.string()) for i, name in enumerate(names)})


def as_text(plan: Plan, analyze: bool) -> str:
    """The same tree as one text, its columns aligned."""
    rows = [("", "expected", "actual"), *_rows(plan)]
    columns = list(zip(*rows, strict=True))[: 3 if analyze else 2]
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*padded, strict=True))


def _rows(plan: Plan) -> list[tuple[str, str, str]]:
    return [(line, str(step.expected()), str(step.actual or "")) for line, step in _lines(plan, "", "")]


def _lines(step: Step, lead: str, below: str) -> Iterator[tuple[str, Step]]:
    yield lead + step.describe(), step
    for position, child in enumerate(step.inputs):
        last = position == len(step.inputs) - 1
        yield from _lines(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))
