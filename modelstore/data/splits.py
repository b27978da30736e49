"""A dataset's splits: those that its rows name, and those that are made by holding out rows of train."""

from __future__ import annotations

from collections.abc import Mapping

from modelstore.data.columns import HELD_OUT
from modelstore.data.source import SPLIT_COLUMN
from modelstore.data.working_table import PREPARED, WorkingTable

_SHARE = 0.1  # the share of all rows, or of each class, that makes a missing validation or test split
_LEAST = 3  # rows of a class that give one to each split
_UNKNOWN = "(label IS NULL OR label IN ('-1', '-1.0'))"  # how the hub's test sets without labels are written


def check_given_splits(table: WorkingTable, columns: Mapping[str, str]) -> None:
    """Drops the column ``given_split`` of `PREPARED`, if there is one.

    Raises
    ------
    DatasetError
        If a row names an unknown split.
    """
    if columns.get("split") in (None, SPLIT_COLUMN):
        return
    unknown = table.run(
        f"SELECT given_split, min(row) FROM {PREPARED} WHERE split IS NULL GROUP BY ALL ORDER BY 2 LIMIT 1"
    )
    if unknown:
        value, row = unknown[0]
        raise table.error(f"the split '{value}' in row {row} is unknown: use train, validation or test")
    table.run(f"ALTER TABLE {PREPARED} DROP COLUMN given_split")


def drop_unlabelled_splits(table: WorkingTable) -> list[str]:
    """Removes a validation or test split in which no row has a label (-1 or NULL); a notice of each."""
    notices = []
    for split in ("validation", "test"):
        [(rows, unlabelled, known)] = table.run(
            f"SELECT count(*) FILTER (WHERE split = $split), "
            f"count(*) FILTER (WHERE split = $split AND {_UNKNOWN}), "
            f"count(*) FILTER (WHERE split = 'train' AND label IN ('-1', '-1.0')) FROM {PREPARED}",
            {"split": split},
        )
        if rows and unlabelled == rows and not known:
            table.run(f"DELETE FROM {PREPARED} WHERE split = ?", [split])
            notices.append(f"none of the {rows:,} rows of {split} has a label: the split counts as missing")
    return notices


def find_missing_splits(table: WorkingTable) -> list[str]:
    """The splits that have no rows, of those that can be made from train.

    Raises
    ------
    DatasetError
        If train itself has none.
    """
    present = {split for (split,) in table.run(f"SELECT DISTINCT split FROM {PREPARED}")}
    if "train" not in present:
        raise table.shape_error("it has no rows in the split train")
    return [split for split in HELD_OUT if split not in present]


def make_splits(table: WorkingTable, missing: list[str], stratified: bool) -> list[str]:
    """Makes the missing splits from train: the same rows each time, stratified by label.

    Parameters
    ----------
    table
        The dataset's rows; ``split`` is filled.
    missing
        The splits to make.
    stratified
        Whether rows are held out in proportion to the labels, which are classes then.

    Returns
    -------
    list of str
        A notice of the splits that were made.
    """
    stratum = "label" if stratified else "0"
    sizes = []
    for made, split in enumerate(missing):
        # The second one is a tenth of all rows too, not of what the first left.
        _hold_out(table, split, _SHARE / (1 - _SHARE * made), stratum, made=missing[:made])
        [(rows,)] = table.run(f"SELECT count(*) FROM {PREPARED} WHERE split = ?", [split])
        sizes.append(f"{rows:,} for {split}")
    if not missing:
        return []
    by = ", stratified by label" if stratified else ""
    return [f"it has no split {' or '.join(missing)}: rows of train are held out, {' and '.join(sizes)}{by}"]


def _hold_out(table: WorkingTable, split: str, share: float, stratum: str, made: list[str]) -> None:
    # A class is large enough if it has enough rows together with those that went to the split made before.
    table.run(
        f"""
        UPDATE {PREPARED} SET split = $split FROM (
            SELECT row, split AS stands, count(*) OVER (PARTITION BY {stratum}) AS size,
                   count(*) OVER (PARTITION BY {stratum}, split) AS rest,
                   row_number() OVER (PARTITION BY {stratum}, split ORDER BY order_{split}, row) AS place
            FROM {PREPARED} WHERE split = 'train' OR list_contains($made, split::VARCHAR)
        ) AS ordered
        WHERE ordered.row = modelstore_prepared.row AND stands = 'train' AND size >= {_LEAST} AND rest >= 2
          AND place <= greatest(1, round(rest * $share))
        """,
        {"split": split, "share": share, "made": made},
    )
