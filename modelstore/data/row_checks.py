"""Checks of a dataset's rows: no values are missing, no split is empty, and every label can be learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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


def explain_split_column(types: Iterable[str], columns: Mapping[str, str]) -> list[str]:
    """A notice of a column split that is not read, as the names of files say the splits."""
    unread = [
        column for column in types if column.lower() == "split" and columns.get("split") == SPLIT_COLUMN
    ]
    return [f"the names of files say the splits: the column {column} is not read" for column in unread]


def check_values(table: WorkingTable, columns: Mapping[str, str], task: str, named: int = 0) -> None:
    """Checks that each row has every value that it needs; ``named`` is how many names of classes its file has.

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
        what = f"label among the {named} classes that the file names" if role == "label" and named else role
        _check_missing(table, "number" if is_number else what, column, bad)


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
    labels = tuple(label for label, in_train in table.labels_by_id(PREPARED, names) if in_train)
    if len(labels) < 2:
        raise table.error(f"every label in train is '{labels[0]}': classification needs at least two classes")
    unseen = table.run(
        f"SELECT label, split, count(*) FROM {PREPARED} WHERE NOT list_contains(?, label) "
        "GROUP BY ALL ORDER BY split, label LIMIT 1",
        [list(labels)],
    )
    if unseen:
        label, split, count = unseen[0]
        rows_of = "1 row" if count == 1 else f"{count:,} rows"
        raise table.error(
            f"the label '{label}' stands in {rows_of} of {split} and in none of train: "
            f"no model could learn it{_hint(label, labels)}{REGRESSION if are_numbers else ''}"
        )
    return labels


def _hint(label: str, known: Sequence[str]) -> str:
    """What a label may be that no class of train is."""
    alike = [name for name in known if name.strip().lower() == label.strip().lower()]
    if alike:
        return f" (train has '{alike[0]}': bring them to one spelling by AS SELECT)"
    if label in ("-1", "?", ""):
        return " (if it stands for rows without a label, leave them out by AS SELECT … WHERE)"
    return ""
