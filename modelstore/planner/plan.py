"""A plan: a small tree of steps, one class a step, each with its expected cost and, once run, its actual cost."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from modelstore.sizes import size


@dataclass(frozen=True)
class Cost:
    """What a step costs, in the units in which `EXPLAIN` shows it. None: unknown.

    Parameters
    ----------
    amount
        How much the step yields, scores or trains, with its noun: ``4 models``.
    epochs
        Epochs of training; scoring a model counts as a part of one.
    seconds
        Seconds by the clock.
    memory
        The most bytes that are in use.
    probed
        Whether the seconds come from a probe of this machine, since nothing is on record.

    Examples
    --------
    >>> str(Cost("4 models", epochs=8, seconds=90))
    '4 models, 8 epochs, 1 min 30'
    """

    amount: str | None = None
    epochs: float | None = None
    seconds: float | None = None
    memory: float | None = None
    probed: bool = False

    def __str__(self) -> str:
        parts = [self.amount] if self.amount else []
        if self.epochs is not None:
            parts.append(f"{_rounded(self.epochs)} epoch{'' if self.epochs == 1 else 's'}")
        if self.seconds is not None:
            parts.append(duration(self.seconds) + (" by a probe" if self.probed else ""))
        if self.memory is not None:
            parts.append(size(self.memory))
        return ", ".join(parts)


def _rounded(epochs: float) -> str:
    """Epochs for people: ``9.98``, ``12.5``, ``1,200``."""
    return f"{round(epochs, 2 if epochs < 10 else 1):,.10g}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 pair``, ``1,200 pairs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds for people: ``12 s``, ``3 min 30``, ``1 h 05``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d}"
    return f"{whole // 3600} h {whole % 3600 // 60:02d}"


class Step:
    """A node of a plan.

    A subclass is one kind of step. It describes itself in one line and expects a cost without running anything.

    Attributes
    ----------
    actual
        What the step did cost; None until it has run.
    expected_before
        What it was expected to cost before it ran (`note_expected`): a run's own records are no expectation.
    """

    actual: Cost | None = None
    expected_before: Cost | None = None

    @property
    def inputs(self) -> tuple["Step", ...]:
        """The steps that come before this one."""
        return ()

    def describe(self) -> str:
        """The step in one line."""
        raise NotImplementedError

    def expected(self) -> Cost:
        """What the step is expected to cost, judged by the records."""
        raise NotImplementedError


class Plan(Step):
    """The root of a plan: one whole statement.

    Attributes
    ----------
    schema
        The columns of the statement's result.
    notes
        Steps that run nothing: what else EXPLAIN says, after the steps that run.
    """

    schema: pa.Schema
    notes: tuple[Step, ...] = ()

    @property
    def computes(self) -> bool:
        """Whether its run trains or runs models, which one statement of a process does at a time."""
        return False

    @property
    def commits(self) -> bool:
        """Whether its run commits what it does as it goes, and so cannot be a part of a transaction."""
        return False

    def run(self) -> pa.Table:
        """Runs the statement, sets ``actual``, and returns the rows."""
        raise NotImplementedError

    def preview(self) -> pa.Table:
        """As many rows as the plan expects to yield, before it has run, for the query around a table expression.

        EXPLAIN plans that query and DESCRIBE describes it. Ranks and models alone are filled in.
        """
        models = self.likely_models()
        known = {"rank": range(1, len(models) + 1), "model": models}
        columns = [known.get(field.name, [None] * len(models)) for field in self.schema]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self.schema, strict=True)]
        return pa.table(arrays, self.schema)

    def likely_models(self) -> list[str]:
        """Models that might be in the rows, as many as the plan expects to yield."""
        raise NotImplementedError


def explain(plan: Plan, analyze: bool) -> pa.Table:
    """The plan as a tree, a row a step.

    Parameters
    ----------
    plan
        The plan, which has run where ``analyze`` is set.
    analyze
        Whether actual costs are shown too.

    Returns
    -------
    pyarrow.Table
        The text columns ``plan`` and ``expected``, and ``actual`` with ``analyze``.
    """
    names = ["plan", "expected", "actual"] if analyze else ["plan", "expected"]
    columns = list(zip(*_rows(plan), strict=True))
    return pa.table({name: pa.array(columns[place], pa.string()) for place, name in enumerate(names)})


def note_expected(plan: Step) -> None:
    """Notes what each step is expected to cost, before the plan runs."""
    plan.expected_before = plan.expected()
    for step in _children(plan):
        note_expected(step)


def as_text(plan: Plan, analyze: bool) -> str:
    """The tree of `explain` as one text with aligned columns."""
    rows = [("", "expected", "actual"), *_rows(plan)]
    columns = list(zip(*rows, strict=True))[: 3 if analyze else 2]
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*padded, strict=True))


def _children(step: Step) -> tuple[Step, ...]:
    return (*step.inputs, *step.notes) if isinstance(step, Plan) else step.inputs


def _rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Each step's line in the tree, its expected and its actual cost."""
    return [
        (line, str(step.expected_before or step.expected()), str(step.actual or ""))
        for line, step in _lines(plan, "", "")
    ]


def _lines(step: Step, lead: str, below: str) -> Iterator[tuple[str, Step]]:
    """The lines of a step and its inputs; ``lead`` stands before the first of them, ``below`` before the others."""
    yield lead + step.describe(), step
    children = _children(step)
    for position, child in enumerate(children):
        last = position == len(children) - 1
        yield from _lines(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))
