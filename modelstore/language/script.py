"""A script, all of it read before any of it runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from modelstore.language.scan import scan, split

if TYPE_CHECKING:
    from modelstore.language.scan import Statement


@dataclass(frozen=True)
class Piece:
    """One statement of a script, from ``start`` to ``end``; ``ours`` is None where DuckDB parses it."""

    start: int
    end: int
    ours: "Statement | None" = None


def parses(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether DuckDB parses a text: what it parses is never ours."""
    try:
        connection.extract_statements(sql)
    except duckdb.Error:
        return False
    return True


def read_script(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Piece]:
    """The statements of a script.

    Raises the error of the first that is wrong, with its line in the whole: ``ExtensionSyntaxError``, or DuckDB's
    own ``ParserException``.
    """
    if parses(connection, sql):
        return [Piece(start, end) for start, end, _ in split(sql)]
    pieces = []
    for start, end, tokens in split(sql):
        ours = None if parses(connection, sql[start:end]) else scan(sql, start, end, tokens)
        pieces.append(Piece(start, end, ours))
    if not any(piece.ours and piece.ours.found for piece in pieces):
        connection.extract_statements(sql)  # where nothing is ours, the error is DuckDB's own
    for piece in pieces:
        if piece.ours and not piece.ours.found:
            _raise_in_place(connection, sql, piece.start, piece.end)
    return pieces


def _raise_in_place(connection: duckdb.DuckDBPyConnection, sql: str, start: int, end: int) -> None:
    """Raises DuckDB's error about one statement, with its line in the whole script."""
    line_start = sql.rfind("\n", 0, start) + 1
    before = "\n" * sql.count("\n", 0, start) + " " * (start - line_start)
    connection.extract_statements(before + sql[start:end])
    connection.extract_statements(sql[start:end])
