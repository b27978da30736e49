"""Charts in the terminal: the curves of a selection or a model, its trends, the clusters' sizes.

The libraries that draw in terminals use colours and braille, which cannot be read in a pipe or a file; these few
lines use letters.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase

from modelstore.shell.charts.selections import by_outcome
from modelstore.shell.render.cells import cut, display_width, pad
from modelstore.shell.render.messages import ShellError
from modelstore.sql_text import spelled
from modelstore.store.selections import LoggedDecision
from modelstore.store.store import Store

_HEIGHT = 15
_MARKS = ascii_lowercase + ascii_uppercase
Points = Sequence[tuple[float, float]]


def line_chart(series: Mapping[str, Points], width: int, height: int = _HEIGHT) -> str:
    """A chart of curves.

    Parameters
    ----------
    series
        The (x, y) points of each curve, by the letter that draws it. Where two curves meet in a cell, the first is
        seen.
    width, height
        In cells of the terminal; the axes are included in the width.

    Returns
    -------
    str
        The chart's lines.
    """
    points = [point for curve in series.values() for point in curve]
    low, high = (float(bound(y for _, y in points)) for bound in (min, max))
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    first, last = (float(bound(x for x, _ in points)) for bound in (min, max))
    columns = max(width - 10, 20)
    grid = [[" "] * columns for _ in range(height)]

    def cell(x: float, y: float) -> tuple[int, int]:
        across = 0.5 if last == first else (x - first) / (last - first)
        return round(across * (columns - 1)), round((high - y) / (high - low) * (height - 1))

    for curve in reversed(list(series.values())):
        cells = [cell(x, y) for x, y in sorted(curve)]
        for (x0, y0), (x1, y1) in pairwise(cells):
            for x in range(x0 + 1, x1):
                grid[round(y0 + (y1 - y0) * (x - x0) / (x1 - x0))][x] = "·"
    for mark, curve in reversed(list(series.items())):
        for column, height_of in (cell(x, y) for x, y in curve):
            grid[height_of][column] = mark
    lines = []
    for row, content in enumerate(grid):
        labelled = row % 7 == 0
        label = f"{high - (high - low) * row / (height - 1):8.3f}" if labelled else " " * 8
        lines.append(f"{label} {'┤' if labelled else '│'}{''.join(content).rstrip()}")
    lines.append(" " * 9 + "└" + "─" * columns)
    left, right = f"{first:g}", f"{last:g}"
    lines.append(" " * 10 + left + " " * max(1, columns - len(left) - len(right)) + right)
    return "\n".join(lines) + "\n"


def bars(rows: Sequence[tuple[str, float, str]], width: int) -> str:
    """A chart of horizontal bars, each with a label before it and a text after it: (label, length, text)."""
    left = min(max(display_width(label) for label, _, _ in rows), width // 2)
    longest = max(length for _, length, _ in rows)
    space = max(10, width - left - max(len(said) for _, _, said in rows) - 3)
    lines = []
    for label, length, said in rows:
        bar = "█" * max(1 if length > 0 else 0, round(space * length / longest)) if longest > 0 else ""
        lines.append(f"{pad(cut(label, left), left)} {bar} {said}".rstrip())
    return "\n".join(lines) + "\n"


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 120)


def selection(store: Store, number: int) -> str:
    """A selection's stages: the validation of each model, and which was dropped when and why.

    Raises ``ShellError`` where there is no selection of that number.
    """
    heading = store.selections.heading(number)
    if heading is None:
        raise ShellError(f"there is no selection {number}: .selections lists them")
    dataset, method, status = heading
    title = f"selection {number}: {method} for {dataset}, {status}\n"
    models = by_outcome(store.selections.decisions(number))
    if not models:
        return title + "no stage of it is finished\n"
    marks = dict(zip(models, _MARKS, strict=False))
    points = {
        model: [(d.stage, d.validation) for d in decisions if d.validation is not None]
        for model, decisions in models.items()
    }
    series = {mark: points[model] for model, mark in marks.items() if points[model]}
    drawn = line_chart(series, _width()) if series else ""
    legend = (_fate(marks.get(model, " "), model, decisions[-1]) for model, decisions in models.items())
    return title + drawn + "".join(legend)


def _fate(mark: str, model: str, last: LoggedDecision) -> str:
    """A line of the legend: a model's last validation, and what became of it when and why."""
    score = " " * 5 if last.validation is None else f"{last.validation:.3f}"
    what = {"kept": "", "won": "won"}.get(last.action, f"{last.action} at stage {last.stage}")
    return f"  {mark}  {score}  {model}  {': '.join(filter(None, (what, last.reason)))}".rstrip() + "\n"


def curve(store: Store, model: str, dataset: str, recipe: str | None = None) -> str:
    """A model's recorded training on a dataset, the mean over its runs of each recipe, or of the one named.

    Raises ``ShellError`` where there is none.
    """
    model = spelled(model, store.catalog.models_on_record())
    dataset = spelled(dataset, store.catalog.datasets_in("training_curves"))
    series: dict[str, list[tuple[float, float]]] = {}
    for name, epoch, validation, test in store.curves.points(model, dataset, recipe):
        for split, score in (("validation", validation), ("test", test)):
            if score is not None and math.isfinite(score):
                series.setdefault(f"{split} ({name})", []).append((epoch, score))
    if not series:
        of = f" of recipe {recipe}" if recipe else ""
        raise ShellError(f'there is no curve of "{model}" on "{dataset}"{of} on record')
    marks = dict(zip(series, _MARKS, strict=False))
    drawn = line_chart({mark: series[name] for name, mark in marks.items()}, _width())
    legend = [f"  {mark}  {series[name][-1][1]:.3f}  {name}" for name, mark in marks.items()]
    return f"{model} on {dataset}, by epoch\n{drawn}" + "\n".join(legend) + "\n"


def trends(store: Store, model: str, recipe: str = "default") -> str:
    """A model's convergence trends at each epoch: the mean validation then, and the mean final score.

    Raises ``ShellError`` where there are none.
    """
    model = spelled(model, store.catalog.models_on_record())
    rows = []
    for epoch in store.curves.epochs(model, recipe):
        for trend, (validation, final, datasets) in enumerate(store.curves.trends(model, epoch, recipe)):
            label = f"epoch {epoch:g}" if trend == 0 else ""
            of = f"{datasets} dataset{'' if datasets == 1 else 's'}"
            rows.append((label, max(final, 0.0), f"{validation:.3f} → {final:.3f}, {of}"))
    if not rows:
        raise ShellError(f'there is no trend of "{model}" of recipe {recipe} on record')
    return f"trends of {model}: validation → final score\n" + bars(rows, _width())


def clusters(store: Store) -> str:
    """The number of models of each cluster, with its representative. Raises ``ShellError`` where there are none."""
    sizes = store.clusters.sizes()
    if not sizes:
        raise ShellError("there are no clusters yet: CLUSTER MODELS makes them")
    return bars([(f"{number} {name or ''}", count, str(count)) for number, name, count in sizes], _width())
