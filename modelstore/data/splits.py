"""A dataset's splits: those that its rows name, and those that are made by holding out rows of train."""

from __future__ import annotations

from modelstore.data.working_table import PREPARED, WorkingTable

HELD_OUT = 0.1  # the share of all rows, or of each class, that makes a missing validation or test split
_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def make_splits(table: WorkingTable, content: str, is_regression: bool, seed: int) -> None:
    """Fills the column ``split`` of `PREPARED` from ``given_split``, which it drops.

    A missing validation or test split is made from train: the same rows each time, stratified by label.

    Parameters
    ----------
    table
        The dataset's rows.
    content
        The column that tells rows apart: ``text`` or ``image``.
    is_regression
        Whether the labels are numbers, by which rows are not stratified.
    seed
        Another seed holds out other rows.

    Raises
    ------
    DatasetError
        If a row names an unknown split, or there is no train split.
    """
    present = _read_given_splits(table)
    stratum = "0" if is_regression else "label"
    missing = [split for split in ("test", "validation") if split not in present]
    for made, split in enumerate(missing):
        # The second one is a tenth of all rows too, not of what the first left.
        _hold_out(table, split, HELD_OUT / (1 - HELD_OUT * made), content, stratum, seed)
    table.run(f"ALTER TABLE {PREPARED} DROP COLUMN given_split")


def _read_given_splits(table: WorkingTable) -> set[str]:
    """Fills ``split`` where rows name one, else with train; the splits that there are then."""
    cases = " ".join(f"WHEN '{given}' THEN '{split}'" for given, split in _NAMES.items())
    table.run(
        f"UPDATE {PREPARED} SET split = CASE lower(given_split) {cases} END WHERE given_split IS NOT NULL"
    )
    unknown = table.run(
        f"SELECT given_split, min(row) FROM {PREPARED} WHERE given_split IS NOT NULL AND split IS NULL "
        "GROUP BY ALL ORDER BY 2 LIMIT 1"
    )
    if unknown:
        value, row = unknown[0]
        raise table.error(f"the split '{value}' in row {row} is unknown: use train, validation or test")
    table.run(f"UPDATE {PREPARED} SET split = 'train' WHERE given_split IS NULL")
    present = {split for (split,) in table.run(f"SELECT DISTINCT split FROM {PREPARED}")}
    if "train" not in present:
        raise table.error("it has no rows in the split train")
    return present


def _hold_out(table: WorkingTable, split: str, share: float, content: str, stratum: str, seed: int) -> None:
    # An MD5 of the content orders the rows: the same in every version of DuckDB, whatever the rows' order.
    table.run(
        f"""
        UPDATE {PREPARED} SET split = $split FROM (
            SELECT row, row_number() OVER (PARTITION BY {stratum} ORDER BY key, row) AS position,
                   count(*) OVER (PARTITION BY {stratum}) AS size
            FROM (SELECT row, label, md5(md5({content}) || $salt) AS key
                  FROM {PREPARED} WHERE split = 'train')
        ) AS ordered
        WHERE ordered.row = modelstore_prepared.row AND size >= 3
          AND position <= greatest(1, round(size * $share))
        """,
        {"split": split, "salt": f"{seed}/{split}", "share": share},
    )
