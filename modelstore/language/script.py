"""A script, all of it read before any of it runs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from modelstore.language.near_misses import misspelt
from modelstore.language.scanner import scan, split

if TYPE_CHECKING:
    from modelstore.language.scanner import Statement


@dataclass(frozen=True)
class ScriptStatement:
    """One statement of a script, from ``start`` to ``end``; ``ours`` is None where DuckDB parses it."""

    start: int
    end: int
    ours: "Statement | None" = None

    @property
    def holds_ours(self) -> bool:
        return self.ours is not None and bool(self.ours.found)


def parses(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether DuckDB parses a text: what it parses is never ours."""
    return _parser_error(connection, sql) is None


def split_script(connection: duckdb.DuckDBPyConnection, sql: str) -> list[ScriptStatement]:
    """The statements of a script. Raises ``ExtensionSyntaxError`` for one of ours that is wrong."""
    if parses(connection, sql):
        return [ScriptStatement(start, end) for start, end, _ in split(sql)]
    return [
        ScriptStatement(
            start, end, None if parses(connection, sql[start:end]) else scan(sql, start, end, tokens)
        )
        for start, end, tokens in split(sql)
    ]


def check_script(connection: duckdb.DuckDBPyConnection, sql: str, pieces: Sequence[ScriptStatement]) -> None:
    """Raises the error of the first of a script's statements that is wrong, with its line in the whole.

    Where nothing is ours, and no word's spelling alone keeps it from being, it is DuckDB's own error.
    """
    if not any(piece.holds_ours for piece in pieces):
        whole = _parser_error(connection, sql)
        if whole is not None:
            raise misspelt(sql) or whole
    for piece in pieces:
        error = _parser_error(connection, piece.ours.around()) if piece.ours else None
        if piece.ours and error is not None:
            before = re.sub(r"[^\n]", " ", sql[: piece.start])  # for its line in the whole script
            raise misspelt(sql) or _parser_error(connection, before + piece.ours.around()) or error


def last_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The last statement of a script, in which a query of DuckDB's stands for each of ours."""
    piece = split_script(connection, sql)[-1]
    text = sql[piece.start : piece.end] if piece.ours is None else piece.ours.around()
    return connection.extract_statements(text)[-1]


def _parser_error(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Error | None:
    try:
        connection.extract_statements(sql)
    except duckdb.Error as error:
        return error
    return None
