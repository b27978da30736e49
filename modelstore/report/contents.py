"""What a page shows, as plain values; their names are the keys of the JSON that the page's scripts read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

Cell = str | float | bool | None


class Column(NamedTuple):
    """A column of a table: ``kind`` says how its cells are written and sorted.

    It is text, name (of a model or dataset), time, yes (or no), count, number, score, share (of 1) or seconds.
    """

    title: str
    kind: str


@dataclass(frozen=True)
class Table:
    """The first ``rows`` of so many in all (``total``)."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: int


class Point(NamedTuple):
    """What a selection decided on an arm at a ``stage``, counted from 1; NaN is None."""

    stage: int
    validation: float | None
    predicted: float | None
    deviation: float | None
    action: str | None
    reason: str | None


@dataclass(frozen=True)
class Arm:
    """A model, or a pair of model and recipe, in a race."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Cost:
    """What a selection has spent, beside what training each of its ``arms`` to the end would have.

    ``whole`` are the epochs of one arm's whole training. ``brute_seconds`` are at the selection's own pace; None
    where that is not known.
    """

    arms: int
    whole: float | None
    epochs: float | None
    seconds: float | None
    brute_epochs: float | None
    brute_seconds: float | None


@dataclass(frozen=True)
class Race:
    """A selection by stage: the arms that stayed longest first.

    ``ends`` are the epochs that each stage ends at; empty where they are not known. Of more arms than are shown,
    ``total`` says how many there are.
    """

    selection: int
    title: str
    status: str
    reason: str | None
    winner: str | None
    ends: Sequence[float]
    arms: Sequence[Arm]
    total: int
    cost: Cost


@dataclass(frozen=True)
class HeatMap:
    """The performance matrix: models ordered by cluster (0 for none), then by mean score, best first.

    ``cells`` is base64 of little-endian 16-bit numbers, a row a model: 0 … 65534 stand for ``low`` … ``high`` of
    their dataset, 65535 for a pair without a score. ``of_models`` and ``of_datasets`` count those that are not shown
    too.
    """

    models: Sequence[str]
    clusters: Sequence[int]
    datasets: Sequence[str]
    low: Sequence[float]
    high: Sequence[float]
    cells: str
    of_models: int
    of_datasets: int


class Leaf(NamedTuple):
    """A leaf of a dendrogram: a model, or the best of so many (``models``), the last of which joined at a ``height``.

    ``cluster`` is None where theirs differ.
    """

    name: str
    models: int
    cluster: int | None
    height: float | None


class Merger(NamedTuple):
    """Two branches join at a ``height``, None where they have no dataset in common.

    Branches are numbered as in scipy's linkage: the leaves from 0, and after them the mergers in their order.
    """

    height: float | None
    first: int
    second: int


@dataclass(frozen=True)
class Tree:
    """A dendrogram by average linkage of 1 − similarity; ``threshold`` is where the clusters were cut."""

    leaves: Sequence[Leaf]
    mergers: Sequence[Merger]
    threshold: float | None
    models: int


@dataclass(frozen=True)
class Scatter:
    """A proxy's scores of models on a dataset, and their final scores there; each (models,)."""

    proxy: str
    dataset: str
    models: Sequence[str]
    proxy_scores: Sequence[float]
    scores: Sequence[float]


@dataclass(frozen=True)
class Page:
    """All that a page shows. ``renew`` is after how many seconds it loads itself again; None for never."""

    title: str
    made: str
    version: str
    renew: float | None
    recipe: str
    other_recipes: Sequence[str]
    counts: dict[str, int]
    selections: Table
    races: Sequence[Race]
    heat_map: HeatMap | None
    tree: Tree | None
    clusters_by: str | None
    models: Table
    datasets: Table
    proxies: Table
    scatters: Sequence[Scatter]
