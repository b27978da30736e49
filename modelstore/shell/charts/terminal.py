"""Pictures in the terminal: the curves of a selection or a model, its trends, the clusters' sizes.

A few lines of our own: the libraries that draw in terminals know colours and braille, and none of them reads in
a pipe or a file.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from modelstore.connection import Connection
from modelstore.shell.render.cells import cut, display_width, pad
from modelstore.shell.render.messages import ShellError

_HEIGHT = 15
_MARKS = ascii_lowercase + ascii_uppercase
Points = Sequence[tuple[float, float]]


def line_chart(series: Mapping[str, Points], width: int, height: int = _HEIGHT) -> str:
    """Curves of (x, y) points, each with a letter of its own: ``names`` of ``series`` are the letters.

    Where two fall on one cell, the first that was given is seen.
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
    """Horizontal bars of (label, length, what is said after it)."""
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


def _rows(connection: Connection, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
    rows = connection.execute(sql, values or []).fetchall()
    return list(rows)


def selection(connection: Connection, number: int) -> str:
    """A selection's stages: each model's validation, and who was dropped when, and why."""
    head = _rows(connection, "SELECT dataset, method, status FROM selections WHERE id = ?", [number])
    rows = _rows(
        connection,
        "SELECT model, list((stage, validation) ORDER BY stage) FILTER (validation IS NOT NULL), "
        "arg_max((stage, validation, action, reason), stage) FROM selection_stages WHERE selection = ? "
        "GROUP BY model ORDER BY max(stage) DESC, arg_max(validation, stage) DESC NULLS LAST, model",
        [number],
    )
    if not head:
        raise ShellError(f"there is no selection {number}: .selections lists them")
    dataset, method, status = head[0]
    title = f"selection {number}: {method} for {dataset}, {status}\n"
    if not rows:
        return title + "no stage of it is finished\n"
    marks = dict(zip((row[0] for row in rows), _MARKS, strict=False))
    series = {marks[model]: points for model, points, _ in rows if points and model in marks}
    drawn = line_chart(series, _width()) if series else ""
    return title + drawn + "".join(_fate(marks.get(model, " "), model, *last) for model, _, last in rows)


def _fate(
    mark: str, model: str, stage: int, validation: float | None, action: str, reason: str | None
) -> str:
    """A line of the legend: a model's last validation, and what became of it when, and why."""
    score = " " * 5 if validation is None else f"{validation:.3f}"
    what = {"kept": "", "won": "won"}.get(action, f"{action} at stage {stage}")
    return f"  {mark}  {score}  {model}  {': '.join(filter(None, (what, reason)))}".rstrip() + "\n"


def curve(connection: Connection, model: str, dataset: str, recipe: str | None = None) -> str:
    """A model's recorded training on a dataset, the mean over its runs of each recipe, or of the one named."""
    rows = _rows(
        connection,
        "SELECT coalesce(recipe, 'default'), coalesce(epoch, stage), avg(validation), avg(test) FROM training_curves "
        "WHERE model = $model AND dataset = $dataset AND coalesce(recipe, 'default') = "
        "coalesce($recipe, recipe, 'default') GROUP BY ALL ORDER BY ALL",
        {"model": model, "dataset": dataset, "recipe": recipe},  # type: ignore[arg-type]
    )
    series: dict[str, list[tuple[float, float]]] = {}
    for name, epoch, validation, test in rows:
        for split, score in (("validation", validation), ("test", test)):
            if score is not None and math.isfinite(score):
                series.setdefault(f"{split} ({name})", []).append((epoch, score))
    if not series:
        of = f" of recipe {recipe}" if recipe else ""
        raise ShellError(f'there is no curve of "{model}" on "{dataset}"{of} on record')
    marks = dict(zip(series, _MARKS, strict=False))
    drawn = line_chart({marks[name]: points for name, points in series.items() if name in marks}, _width())
    legend = [
        f"  {marks[name]}  {points[-1][1]:.3f}  {name}" for name, points in series.items() if name in marks
    ]
    return f"{model} on {dataset}, by epoch\n{drawn}" + "\n".join(legend) + "\n"


def trends(connection: Connection, model: str, recipe: str = "default") -> str:
    """A model's convergence trends: of each cluster of datasets at an epoch, the mean validation and mean final."""
    epochs = _rows(
        connection,
        "SELECT DISTINCT coalesce(epoch, stage) FROM training_curves WHERE model = ? "
        "AND coalesce(recipe, 'default') = ? AND isfinite(validation) ORDER BY 1",
        [model, recipe],
    )
    rows = []
    for (epoch,) in epochs:
        found = _rows(
            connection,
            "SELECT validation, test, len(datasets) FROM convergence_trends($1, $2, recipe := $3) ORDER BY 1",
            [model, epoch, recipe],
        )
        for trend, (validation, test, datasets) in enumerate(found):
            label = f"epoch {epoch:g}" if trend == 0 else ""
            of = f"{datasets} dataset{'' if datasets == 1 else 's'}"
            rows.append((label, max(test, 0.0), f"{validation:.3f} → {test:.3f}, {of}"))
    if not rows:
        raise ShellError(f'there is no trend of "{model}" of recipe {recipe} on record')
    return f"trends of {model}: validation → final score\n" + bars(rows, _width())


def clusters(connection: Connection) -> str:
    """How many models each cluster has, with its representative."""
    rows = _rows(
        connection,
        "SELECT cluster, any_value(representative), count(*) FROM model_clusters GROUP BY cluster "
        "ORDER BY count(*) DESC, cluster",
    )
    if not rows:
        raise ShellError("there are no clusters yet: CLUSTER MODELS makes them")
    return bars([(f"{number} {name or ''}", count, str(count)) for number, name, count in rows], _width())
