"""A dataset's splits: those that its rows name, and those that are made by holding out rows of train."""

from __future__ import annotations

from collections.abc import Mapping

from modelstore.data.source import SPLIT_COLUMN
from modelstore.data.split_names import HELD_OUT
from modelstore.data.working_table import EACH_LABEL, PREPARED, WorkingTable
from modelstore.tasks import CLASS, LABELS, NUMBER, TAGS, Target

_SHARE = 0.1  # the share of all rows, or of each class, that makes a missing validation or test split
_LEAST = 3  # rows of a class that give one to each split
_NO_LABEL = ("-1", "-1.0")  # beside NULL: how the hub's test sets without labels are written

# By target: what rows are stratified by, and how that is said.
_STRATA = {
    CLASS: ("label", ", stratified by label"),
    NUMBER: ("0", ""),
    LABELS: ("stratum", ", stratified by the rarest label of each row"),
    TAGS: ("0", ""),
}


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


def drop_unlabelled_splits(table: WorkingTable, are_lists: bool = False) -> list[str]:
    """Removes a validation or test split in which no row has a label; a notice of each.

    A label of -1 or NULL is none; nor are there any in lists that are NULL or empty, or hold such labels alone.
    """
    unknown, stands = f"label IS NULL OR label IN {_NO_LABEL}", f"label IN {_NO_LABEL}"
    if are_lists:
        unknown = f"len([x FOR x IN coalesce(label, []) IF x NOT IN {_NO_LABEL}]) = 0"
        stands = f"list_has_any(label, {list(_NO_LABEL)})"
    notices = []
    for split in ("validation", "test"):
        [(rows, unlabelled, in_train)] = table.run(
            f"SELECT count(*) FILTER (WHERE split = $split), "
            f"count(*) FILTER (WHERE split = $split AND ({unknown})), "
            f"count(*) FILTER (WHERE split = 'train' AND {stands}) FROM {PREPARED}",
            {"split": split},
        )
        if rows and unlabelled == rows and not in_train:
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


def make_splits(table: WorkingTable, missing: list[str], target: Target) -> list[str]:
    """Makes the missing splits from train: the same rows each time, stratified by class or rarest label.

    Parameters
    ----------
    table
        The dataset's rows; ``split`` is filled.
    missing
        The splits to make.
    target
        What is predicted; rows are not stratified by numbers or tags.

    Returns
    -------
    list of str
        A notice of the splits that were made.
    """
    if not missing:
        return []
    stratum, by = _STRATA[target]
    if target is LABELS:
        _add_strata(table)
    for made, split in enumerate(missing):
        # The second one is a tenth of all rows too, not of what the first left.
        _hold_out(table, split, _SHARE / (1 - _SHARE * made), stratum, made=missing[:made])
    if target is LABELS:
        _keep_labels_in_train(table, missing)
    rows = dict(table.run(f"SELECT split, count(*) FROM {PREPARED} GROUP BY ALL"))
    sizes = " and ".join(f"{rows.get(split, 0):,} for {split}" for split in missing)
    return [f"it has no split {' or '.join(missing)}: rows of train are held out, {sizes}{by}"]


def _add_strata(table: WorkingTable) -> None:
    """Adds the column ``stratum`` to `PREPARED`: the rarest of a row's labels that have rows for all splits.

    A label of one row keeps that row in train, unless most rows have such a label.
    """
    counted = f"(SELECT label, count(*) AS rows FROM {EACH_LABEL} GROUP BY label)"
    [(once, rows)] = table.run(
        f"SELECT (SELECT count(DISTINCT row) FROM {EACH_LABEL} JOIN {counted} USING (label) WHERE rows = 1), "
        f"count(*) FROM {PREPARED}"
    )
    table.run(f"ALTER TABLE {PREPARED} ADD COLUMN stratum VARCHAR")
    table.run(
        f"""
        UPDATE {PREPARED} SET stratum = rarest.label FROM (
            SELECT row, arg_min(label, (rows, label)) AS label FROM {EACH_LABEL} JOIN {counted} USING (label)
            WHERE rows >= {_LEAST} OR (rows = 1 AND $keep_once) GROUP BY row
        ) AS rarest
        WHERE rarest.row = modelstore_prepared.row
        """,
        {"keep_once": once <= rows / 2},
    )


def _keep_labels_in_train(table: WorkingTable, made: list[str]) -> None:
    """Moves a row of each label that train lacks back to it, from the splits that were made, if it has two rows."""
    table.run(
        f"""
        UPDATE {PREPARED} SET split = 'train' WHERE row IN (
            SELECT arg_min(row, row) FILTER (WHERE list_contains($made, split::VARCHAR))
            FROM {EACH_LABEL} GROUP BY label HAVING NOT bool_or(split = 'train') AND count(*) > 1
        )
        """,
        {"made": made},
    )


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
