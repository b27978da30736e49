"""Names, texts and paths as SQL."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

_SCHEMAS = ("main", "dataset_rows")
_SYNTAX = ("coalesce", "cast", "try_cast", "unnest")  # what looks like a function, and is part of the grammar
# Comments, texts and quoted names first, so that nothing inside them is taken for a name.
_names = re.compile(
    r"""--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|"""
    rf"(?<![\w.\"])(?P<schema>{'|'.join(_SCHEMAS)})(?=\.)|"
    r"(?<![\w.\"])(?P<function>[a-z]\w*)(?=\()"
)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def literal(value: object) -> str:
    """A text as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def as_pattern(path: Path | str) -> str:
    """The pattern that one path meets: DuckDB takes ``[``, ``*`` and ``?`` as they are where they are in brackets."""
    return re.sub(r"[\[*?]", r"[\g<0>]", str(path))


def file_literal(path: Path | str) -> str:
    """The path of exactly one file as an SQL literal."""
    return literal(as_pattern(path))


def file_list(paths: Iterable[Path]) -> str:
    """The paths of files as a list."""
    return "[" + ", ".join(file_literal(path) for path in paths) + "]"


def folded(name: str) -> str:
    """A name as DuckDB compares identifiers: the letters A to Z do not differ by case, all others do.

    Examples
    --------
    >>> folded("Große-Ärzte")
    'große-Ärzte'
    """
    return name.translate(_LOWER)


def spelled(name: str, known: Iterable[str]) -> str:
    """A name as it is written among some known ones; as it is where none of them is the same name.

    Examples
    --------
    >>> spelled("BERT", ["bert", "roberta"])
    'bert'
    """
    same = [other for other in known if folded(other) == folded(name)]
    return name if name in same or not same else min(same)


def same_name(expression: str, other: str) -> str:
    """A condition that two SQL expressions are one name, as `folded` compares them."""
    return f"{folded_sql(expression)} = {folded_sql(other)}"


def folded_sql(expression: str) -> str:
    """`folded` of an SQL expression."""
    return f"translate({expression}, '{string.ascii_uppercase}', '{string.ascii_lowercase}')"


@lru_cache(maxsize=1024)
def in_full(sql: str, catalog: str | None = None) -> str:
    """SQL of the package's own with names in full, so that nothing that a user makes stands in for what they name.

    A temporary table, a view or a registered frame hides a table of the same name in ``main``, and a macro hides a
    function.

    Parameters
    ----------
    sql
        The statement. A schema is followed by a dot, and a function by its parenthesis, without a blank.
    catalog
        The database that ``main`` and ``dataset_rows`` are in; None where no table of theirs is named.

    Examples
    --------
    >>> in_full("SELECT avg(score) FROM main.benchmark_results WHERE model IN ('main.x')", "zoo")
    'SELECT system.main.avg(score) FROM "zoo".main.benchmark_results WHERE model IN (\'main.x\')'
    """

    def qualified(found: re.Match[str]) -> str:
        if found["schema"] and catalog is not None:
            return f"{quoted(catalog)}.{found['schema']}"
        if found["function"] and found["function"] not in _SYNTAX:
            return f"system.main.{found['function']}"
        return found[0]

    return _names.sub(qualified, sql)
