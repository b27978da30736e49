"""What is suspicious in a dataset's rows, and is said when it is registered."""

from __future__ import annotations

from modelstore.data.working_table import EACH_LABEL, PREPARED, WorkingTable
from modelstore.errors import first_of
from modelstore.tasks import CLASS, LABELS, TAGS, Target

_BYTES_A_TOKEN = 4  # of English, in the vocabularies of the usual tokenizers
_MAX_LENGTH = 128  # the default of the option max_length
_SHARE_TO_TELL = 0.05
_NAMED = 3  # examples in a notice


def find_suspicious(table: WorkingTable, target: Target) -> list[str]:
    """Notices of classes, labels or tags that may be one or have one row, and of texts that are cut."""
    notices = _long_texts(table)
    if target is CLASS:
        notices += [*_similar_classes(table, PREPARED, "classes"), *_rare_classes(table, PREPARED, "class")]
    elif target is LABELS:
        notices += [
            *_similar_classes(table, EACH_LABEL, "labels"),
            *_rare_classes(table, EACH_LABEL, "label"),
        ]
    elif target is TAGS:
        notices += _similar_classes(table, EACH_LABEL, "tags")
    return notices


def find_overlaps(table: WorkingTable, splits: list[str]) -> list[str]:
    """Notices of rows in these splits whose content stands in train too."""
    rows = table.run(
        "SELECT split, count(*), count(*) FILTER (WHERE digest IN "
        f"(SELECT digest FROM {PREPARED} WHERE split = 'train')) AS alike FROM {PREPARED} "
        "WHERE list_contains(?, split::VARCHAR) GROUP BY ALL ORDER BY ALL",
        [splits],
    )
    return [
        f"{alike:,} of the {size:,} rows of {split} stand in train too, so that scores on it are too good"
        for split, size, alike in rows
        if alike
    ]


def _long_texts(table: WorkingTable) -> list[str]:
    """The share of texts that are longer than the default of ``max_length``, estimated from their bytes."""
    [(share,)] = table.run(f"SELECT avg((bytes > {_BYTES_A_TOKEN * _MAX_LENGTH})::INT) FROM {PREPARED}")
    if share < _SHARE_TO_TELL:
        return []
    return [
        f"about {100 * share:.0f} % of the texts have more than {_MAX_LENGTH} tokens (estimated from their length) "
        "and are cut there: a larger max_length reads more of them"
    ]


def _similar_classes(table: WorkingTable, labels: str, noun: str) -> list[str]:
    """Classes or labels whose names differ by case or blanks alone."""
    rows = table.run(
        f"SELECT list(DISTINCT label ORDER BY label) AS names FROM {labels} "
        r"GROUP BY lower(trim(regexp_replace(replace(label, chr(160), ' '), '\s+', ' ', 'g'))) "
        "HAVING len(names) > 1 ORDER BY names"
    )
    if not rows:
        return []
    alike = [" and ".join(f"'{name}'" for name in names) for (names,) in rows]
    return [
        f"{noun} differ by case or blanks alone, and count as different ones: {first_of(alike, _NAMED, '; ')}"
    ]


def _rare_classes(table: WorkingTable, labels: str, noun: str) -> list[str]:
    """Classes or labels that have one row."""
    rows = table.run(f"SELECT label FROM {labels} GROUP BY label HAVING count(*) = 1 ORDER BY label")
    if not rows:
        return []
    names = ", ".join(f"'{label}'" for (label,) in rows[:_NAMED]) + (", …" if len(rows) > _NAMED else "")
    plural = "classes" if noun == "class" else "labels"
    subject = f"1 {noun} has" if len(rows) == 1 else f"{len(rows):,} {plural} have"
    return [f"{subject} one row only ({names})"]
