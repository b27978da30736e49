"""Lists of labels, any number of them a row: how they are read, which are left out or refused, and their names.

In `PREPARED` the column ``label`` is then a ``VARCHAR[]``: the names of a row's labels, each once and in order. Lists
of zeros and ones, all of one length, are multi-hot: as ids of labels all rows would have the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelstore.data.splits import drop_unlabelled_splits
from modelstore.data.working_table import EACH_LABEL, PREPARED, SOURCE, WorkingTable
from modelstore.errors import first_of
from modelstore.sql_text import literal, quoted

MULTI_LABEL = "multi_label_classification"

_LIST = re.compile(r"\[\d*\]$")
_COMPOUND = re.compile(r"^(STRUCT|MAP|UNION|BLOB|JSON)\b|\[\d*\]$")
_FRACTIONAL = ("FLOAT", "DOUBLE", "DECIMAL")
_HOT = r"'[01](\.0+)?|true|false'"
_NAMED = 3  # labels that a notice names
# Arrays as NumPy prints them, without commas; lists in lists; None or nan in a list.
_NO_LIST = r"""'[''"]\s+[''"]|^\[\s*[-\d.]+\s+[-\d.]|^\[\s*\[|[\[,]\s*(None|nan|NaN|null|NULL)\s*[\],]'"""


def is_list(kind: str) -> bool:
    """Whether a type of DuckDB is a list or an array."""
    return _LIST.search(kind) is not None


def element_of(kind: str) -> str:
    """The type of a list's values."""
    return _LIST.sub("", kind)


def label_list(table: WorkingTable, column: str, kind: str, names: Sequence[str]) -> str:
    """The SQL of a list of labels as ``VARCHAR[]``; of a position without a name, NULL.

    Parameters
    ----------
    table
        The dataset's rows.
    column, kind
        The column and its type.
    names
        The names of the labels whose positions the lists hold; empty where they hold the labels themselves.

    Raises
    ------
    DatasetError
        If the elements are lists or objects.
    """
    element = element_of(kind)
    if _COMPOUND.search(element):
        raise table.error(
            f'its column "{column}" holds lists of type {kind}: a label is a text or a number, and a list of labels '
            "is a list of these"
        )
    source, text = quoted(column), "one::VARCHAR"
    if names:
        position = "TRY_CAST(one AS BIGINT)"
        listed = ", ".join(literal(name) for name in names)
        named = f"CASE WHEN {position} >= 0 THEN ([{listed}])[{position} + 1] END"
        text = f"CASE WHEN {position} IS NULL THEN one::VARCHAR ELSE {named} END"
    return f"CASE WHEN {source} IS NOT NULL THEN [{text} FOR one IN {source}] END"


def written_list(table: WorkingTable, column: str) -> str:
    """The SQL of a list of labels that is written as text, ``['a']``, or as a set, ``{a}``; of an empty text, NULL.

    Raises
    ------
    DatasetError
        If a row holds no list.
    """
    source = quoted(column)
    given = f"nullif(trim({source}), '')"
    # As Python writes sets and PostgreSQL arrays.
    list_of_set = rf"regexp_replace({given}, '^(\{{([^:]*)\}}|set\(\))$', '[\2]')"
    parsed = f"TRY_CAST({list_of_set} AS VARCHAR[])"
    bad = f"regexp_matches({given}, {_NO_LIST}) OR {parsed} IS NULL"
    found = table.run(
        f"SELECT {given}, row FROM (SELECT {source}, row_number() OVER () AS row FROM {SOURCE}) "
        f"WHERE {given} IS NOT NULL AND ({bad}) ORDER BY row LIMIT 1"
    )
    if found:
        value, row = found[0]
        raise table.error(
            f'the task {MULTI_LABEL} needs lists of labels, and row {row} of the column "{column}" holds '
            f"{_shortened(value)}: write ['a', 'b'], or make lists by a query, "
            f"string_split({source}, ',') AS label, or [{source}] AS label for one label a row"
        )
    return parsed


def read_label_lists(table: WorkingTable, column: str, kind: str, names: Sequence[str]) -> list[str]:
    """Brings the lists of `PREPARED` into their form, and leaves out rows of which no labels are known.

    Parameters
    ----------
    table
        The dataset's rows.
    column, kind
        The column that they are from, and its type.
    names
        The names of the labels whose positions the lists held.

    Returns
    -------
    list of str
        Notices of what was inferred or left out.

    Raises
    ------
    DatasetError
        If a list holds NULL, or the lists are no sets of labels: several numbers, or several answers.
    """
    notices = _leave_out_unknown(table, column)
    _check_elements(table, column, names)
    notices += _leave_out_blank(table, column)
    notices += _read_multi_hot(table, column, kind, names)
    notices += drop_unlabelled_splits(table, are_lists=True)  # lists of zeros alone
    notices += _repeated(table, column)
    # list_sort makes equal sets equal lists.
    table.run(f"UPDATE {PREPARED} SET label = list_sort(list_distinct(label))")
    return notices


def _leave_out_unknown(table: WorkingTable, column: str) -> list[str]:
    """Removes the rows whose list is NULL: an empty list says that there is no label, NULL that nobody knows."""
    [(rows, unknown, first)] = table.run(
        "SELECT count(*), count(*) FILTER (WHERE label IS NULL), min(row) FILTER (WHERE label IS NULL) "
        f"FROM {PREPARED}"
    )
    if not unknown:
        return []
    if unknown == rows:
        raise table.error(f'no row has a list of labels in the column "{column}"')
    table.run(f"DELETE FROM {PREPARED} WHERE label IS NULL")
    return [
        f"{unknown:,} of {rows:,} rows have no list of labels in {column} (the first is row {first}): they are left "
        "out; a row without any label has an empty list"
    ]


def _check_elements(table: WorkingTable, column: str, names: Sequence[str]) -> None:
    found = table.run(f"SELECT min(row) FROM {PREPARED} WHERE len([x FOR x IN label IF x IS NULL]) > 0")
    row = found[0][0]
    if row is not None:
        what = f"NULL, or a number that none of the {len(names)} names stands for" if names else "NULL"
        raise table.error(
            f'the list of labels in row {row} of the column "{column}" holds {what}: leave it out by a query, '
            f"[x FOR x IN {quoted(column)} IF x IS NOT NULL] AS label"
        )


def _leave_out_blank(table: WorkingTable, column: str) -> list[str]:
    """Removes blank texts from the lists: what is left of splitting a text that names no label."""
    blank = "len([x FOR x IN label IF trim(x) = '']) > 0"
    [(rows, count)] = table.run(f"SELECT count(*), count(*) FILTER (WHERE {blank}) FROM {PREPARED}")
    if not count:
        return []
    table.run(f"UPDATE {PREPARED} SET label = [x FOR x IN label IF trim(x) <> ''] WHERE {blank}")
    return [
        f"the lists of {count:,} of {rows:,} rows in {column} hold a blank text, which is no label and left out"
    ]


def _read_multi_hot(table: WorkingTable, column: str, kind: str, names: Sequence[str]) -> list[str]:
    """Makes the positions of ones of multi-hot lists; refuses lists of numbers or answers that are no labels."""
    zero_or_one = f"regexp_full_match(x, {_HOT})"
    if names:
        zero_or_one = f"x IN ({', '.join(literal(name) for name in names[:2])})"
    [(least, most, others, fractions, repeated)] = table.run(
        "SELECT min(len(label)), max(len(label)), "
        f"count(*) FILTER (WHERE len([x FOR x IN label IF NOT {zero_or_one}]) > 0), "
        r"count(*) FILTER (WHERE len([x FOR x IN label IF NOT regexp_full_match(x, '-?\d+')]) > 0 "
        "AND len([x FOR x IN label IF TRY_CAST(x AS DOUBLE) IS NULL]) = 0), "
        f"count(*) FILTER (WHERE len(label) > len(list_distinct(label))) FROM {PREPARED}"
    )
    is_hot = others == 0 and least == most >= 2
    element = element_of(kind)
    if names:
        if is_hot and repeated:
            raise table.error(
                f'the lists in its column "{column}" all have {most} values, each one of {len(names)} classes: these '
                f"are answers to {most} questions, and no sets of labels. Predict one of them by a query, "
                f"{quoted(column)}[1] AS label"
            )
        return []
    if is_hot:
        ones = (
            "[(i - 1)::VARCHAR FOR i IN range(1, len(label) + 1) IF label[i] = 'true' OR label[i] LIKE '1%']"
        )
        table.run(f"UPDATE {PREPARED} SET label = {ones}")
        return [
            f"the lists in {column} hold zeros and ones alone and all have {most} values: they are multi-hot, and "
            f"the labels are the positions 0 to {most - 1}; to name them, make lists of names by a query"
        ]
    if element.startswith(_FRACTIONAL) or (not is_list(kind) and fractions):
        raise table.error(
            f'its column "{column}" holds lists of numbers ({kind}): several numbers a row are not predicted '
            f"together. Predict one of them by a query, {quoted(column)}[1] AS label; where they are ids of labels, "
            f"{quoted(column)}::BIGINT[] AS label"
        )
    if element == "BOOLEAN":
        raise table.error(
            f'its column "{column}" holds lists of {least} to {most} booleans: give each row one for each label, two '
            "at least"
        )
    return []


def _repeated(table: WorkingTable, column: str) -> list[str]:
    [(rows, repeated, negative)] = table.run(
        f"SELECT count(*), count(*) FILTER (WHERE len(label) > len(list_distinct(label))), "
        f"count(*) FILTER (WHERE list_contains(label, '-1')) FROM {PREPARED}"
    )
    notices = []
    if repeated:
        notices.append(
            f"{repeated:,} of {rows:,} rows name a label in {column} more than once, which counts once"
        )
    if negative:
        notices.append(
            f"-1 counts as a label, of {negative:,} rows; if it only fills lists up, leave it out by a query, "
            f"[x FOR x IN {quoted(column)} IF x <> -1] AS label"
        )
    return notices


def find_labels(table: WorkingTable, names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The labels' names by id, those that are numbers ordered by their value, and notices of what is to be known.

    Parameters
    ----------
    table
        The dataset's rows.
    names
        The names in the order that the dataset's own description has; empty where it has none.

    Raises
    ------
    DatasetError
        If all rows of train have the same labels, or train has none of those of another split.
    """
    [(sets, labelled, empty, rows)] = table.run(
        "SELECT count(DISTINCT label) FILTER (WHERE split = 'train'), "
        "count(*) FILTER (WHERE split = 'train' AND len(label) > 0), "
        f"count(*) FILTER (WHERE len(label) = 0), count(*) FROM {PREPARED}"
    )
    if not labelled:
        raise table.error("no row of train has a label: every list is empty")
    if sets == 1:
        raise table.error("all rows of train have the same labels: there is nothing to learn")
    found = table.labels_by_id(EACH_LABEL, names)
    notices = [f"{empty:,} of {rows:,} rows have no label (an empty list)"] if empty else []
    unseen = [label for label, in_train in found if not in_train]
    if unseen:
        notices.append(_unseen(table, unseen))
    return tuple(label for label, _ in found), notices


def _unseen(table: WorkingTable, unseen: list[str]) -> str:
    """A notice of labels that train lacks; ``DatasetError`` where a split has no others."""
    rows = table.run(
        f"SELECT split, count(DISTINCT row) FILTER (WHERE list_contains($unseen, label)), "
        f"bool_and(list_contains($unseen, label)) FROM {EACH_LABEL} WHERE split <> 'train' GROUP BY ALL ORDER BY ALL",
        {"unseen": unseen},
    )
    for split, _, foreign in rows:
        if foreign:
            raise table.error(
                f"no label of {split} stands in a row of train ('{unseen[0]}' does not): no model could learn them"
            )
    listed = first_of([f"'{label}'" for label in unseen], _NAMED)
    where = " and ".join(
        f"{count:,} {'row' if count == 1 else 'rows'} of {split}" for split, count, _ in rows if count
    )
    where += " and in none of train"
    if len(unseen) == 1:
        return f"the label {listed} stands in {where}: no model can learn it; it counts as missed"
    return f"the labels {listed} stand in {where}: no model can learn them; they count as missed"


def _shortened(value: str) -> str:
    return f"'{value if len(value) <= 40 else value[:37] + '…'}'"
