"""Checks of a dataset's rows: no values are missing, no split is empty, and every label can be learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelstore.data.source import SPLIT_COLUMN
from modelstore.data.working_table import PREPARED, WorkingTable

LARGEST_NUMBER = 1e30  # of a regression: squares of larger ones, and sums of these, overflow
REGRESSION = "; to predict a number, WITH (task = 'regression')"


def check_rows(table: WorkingTable) -> None:
    """Raises ``DatasetError`` where there are no rows."""
    [(rows,)] = table.run(f"SELECT count(*) FROM {PREPARED}")
    if not rows:
        raise table.error("it has no rows")


def check_split_column(table: WorkingTable, columns: Mapping[str, str]) -> None:
    """Raises ``DatasetError`` where rows lack a value in the column that says the split."""
    if columns.get("split") not in (None, SPLIT_COLUMN):
        _check_missing(table, "split", columns["split"], "given_split IS NULL")


def check_values(table: WorkingTable, columns: Mapping[str, str], task: str) -> None:
    """Checks that each row has every value that it needs.

    Raises
    ------
    DatasetError
        With how many rows lack a value, and the first of them.
    """
    for role, column in columns.items():
        if role == "split":
            continue
        is_number = role == "label" and task == "regression"
        bad = "label IS NULL OR NOT isfinite(label)" if is_number else f"{role} IS NULL"
        _check_missing(table, "number" if is_number else role, column, bad)


def _check_missing(table: WorkingTable, what: str, column: str, bad: str) -> None:
    [(rows, missing, first)] = table.run(
        f"SELECT count(*), count(*) FILTER (WHERE {bad}), min(row) FILTER (WHERE {bad}) FROM {PREPARED}"
    )
    if missing:
        raise table.error(
            f'{missing:,} of {rows:,} rows have no {what} in the column "{column}" (the first is row '
            f"{first}): leave them out with WHERE, or fill them in"
        )


def count_rows(table: WorkingTable, are_numbers: bool) -> dict[str, int]:
    """The number of rows by split; where classes are numbers, the error says how to predict numbers.

    Raises
    ------
    DatasetError
        If a split is empty.
    """
    rows = dict(table.run(f"SELECT split, count(*) FROM {PREPARED} GROUP BY ALL"))
    for split in ("train", "validation", "test"):
        if not rows.get(split):
            more = REGRESSION if are_numbers else ""
            raise table.error(
                f"the split {split} is empty: it needs rows of its own, or more rows in train{more}"
            )
    return rows


def check_numbers(table: WorkingTable) -> None:
    """Checks that the labels of a regression differ, and can be computed with.

    Raises
    ------
    DatasetError
        If all of them in train are the same, or one is larger than `LARGEST_NUMBER`.
    """
    huge = table.run(
        f"SELECT row, label FROM {PREPARED} WHERE abs(label) > ? ORDER BY row LIMIT 1", [LARGEST_NUMBER]
    )
    if huge:
        row, label = huge[0]
        raise table.error(
            f"the label {label:g} in row {row} is too large to be learned: divide the labels, so that none is beyond "
            f"{LARGEST_NUMBER:g}"
        )
    [(low, high)] = table.run(f"SELECT min(label), max(label) FROM {PREPARED} WHERE split = 'train'")
    if low == high:
        raise table.error(f"every label in train is {low:g}: there is nothing to learn")


def find_classes(table: WorkingTable, names: Sequence[str], are_numbers: bool) -> tuple[str, ...]:
    """The class names by id; names that are numbers are ordered by their value.

    Parameters
    ----------
    table
        The dataset's rows.
    names
        The names in the order that the dataset's own description has; empty where it has none.
    are_numbers
        Whether all labels are numbers, so that a regression may have been meant.

    Raises
    ------
    DatasetError
        If train has fewer than two classes, or another split has one that train lacks.
    """
    rows = table.run(
        f"SELECT label FROM {PREPARED} WHERE split = 'train' GROUP BY label "
        "ORDER BY list_position(?, label) NULLS LAST, TRY_CAST(label AS DOUBLE) NULLS LAST, label",
        [list(names)],
    )
    labels = tuple(label for (label,) in rows)
    if len(labels) < 2:
        raise table.error(f"every label in train is '{labels[0]}': classification needs at least two classes")
    unseen = table.run(
        f"SELECT label, split, count(*) FROM {PREPARED} WHERE NOT list_contains(?, label) "
        "GROUP BY ALL ORDER BY split, label LIMIT 1",
        [list(labels)],
    )
    if unseen:
        label, split, count = unseen[0]
        raise table.error(
            f"the label '{label}' stands in {count:,} rows of {split} and in none of train: "
            f"no model could learn it{REGRESSION if are_numbers else ''}"
        )
    return labels
