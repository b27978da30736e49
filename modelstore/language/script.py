"""A script, read once and whole before any of it runs: its statements, and the first error in it."""

import re
from dataclasses import dataclass
from enum import Enum, auto

import duckdb

from modelstore.errors import offset_of, point_at
from modelstore.language.near_misses import misspelt
from modelstore.language.nodes import Raw
from modelstore.language.scanner import EmbeddedStatement, scan, skip_explain, split, yields
from modelstore.language.statements import LANGUAGE
from modelstore.language.tokens import Token

_SOME_QUERY = "SELECT 0"  # shorter than any extension statement


class Mode(Enum):
    """Whether a statement's queries are run, or their plans or columns alone are asked for."""

    RUN = auto()
    EXPLAIN = auto()
    ANALYZE = auto()
    DESCRIBE = auto()


@dataclass(frozen=True)
class ScriptStatement:
    """One statement of a script.

    Parameters
    ----------
    sql
        The whole script.
    start, end
        Where the statement stands in it.
    tokens
        Its tokens.
    embedded
        The extension statements in it, in the order in which they must run; none where it is DuckDB's alone.
    """

    sql: str
    start: int
    end: int
    tokens: tuple[Token, ...]
    embedded: tuple[EmbeddedStatement, ...] = ()

    @property
    def first(self) -> int:
        """Where its first token stands: DuckDB counts the places of errors from there."""
        return self.tokens[0].start

    @property
    def text(self) -> str:
        return self.sql[self.start : self.end]

    @property
    def mode(self) -> Mode:
        """What the statement's first words ask for."""
        if self.tokens[0].is_word("DESCRIBE", "DESC", "SHOW") and not self._begins_as_extension:
            return Mode.DESCRIBE
        if not self.tokens[0].is_word("EXPLAIN"):
            return Mode.RUN
        explain = self.tokens[1 : skip_explain(self.tokens)]
        return Mode.ANALYZE if any(token.is_word("ANALYZE") for token in explain) else Mode.EXPLAIN

    @property
    def _begins_as_extension(self) -> bool:
        """Whether an extension statement begins with its first word, as in SHOW RECORDS."""
        return any(one.start == self.first for one in self.embedded)

    def duckdb_text(self) -> str:
        """The statement as DuckDB can parse it, at the same lines and columns.

        In the place of each extension statement stands a query: the one that it has, or a short one with its FROM and
        WHERE.
        """
        text = self.text
        for one in self.embedded:
            first, last = one.start - self.start, one.end - self.start
            text = text[:first] + self._query_in(one, text[first:last]) + text[last:]
        return text

    def _query_in(self, embedded: EmbeddedStatement, text: str) -> str:
        """What DuckDB can parse of an extension statement, in a text as long as that is."""
        kept = re.sub(r"[^\n]", " ", text)

        def keep(part: Raw, keyword: str = "") -> None:
            nonlocal kept
            start, end = part.args["start"] - embedded.start, part.args["end"] - embedded.start
            if keyword and text[start - 1].upper() != keyword[-1]:
                keyword += " "
            kept = kept[: start - len(keyword)] + keyword + text[start:end] + kept[end:]

        arguments = embedded.node.args
        if arguments.get("query"):
            keep(arguments["query"])
            return kept
        kept = _SOME_QUERY + kept[len(_SOME_QUERY) :]
        for argument, keyword in (("relation", "FROM"), ("where", "WHERE")):
            if isinstance(arguments.get(argument), Raw):
                keep(arguments[argument], keyword)
        return kept


@dataclass(frozen=True)
class Script:
    """A text that DuckDB does not parse as it is: it is wrong, or it holds extension statements.

    ``error`` is DuckDB's first error, with its line in the whole script, in what is left of it for DuckDB; None where
    all is well.
    """

    sql: str
    statements: tuple[ScriptStatement, ...]
    error: duckdb.Error | None

    @property
    def is_extended(self) -> bool:
        """Whether it holds extension statements."""
        return any(statement.embedded for statement in self.statements)

    def check(self) -> None:
        """Raises the script's error, if it has one.

        Where one word's spelling is all that keeps a statement from being an extension statement, that is the error.
        """
        if self.error is not None:
            raise misspelt(self.sql) or self.error


def read_script(connection: duckdb.DuckDBPyConnection, sql: str) -> Script | None:
    """Reads a script.

    Returns
    -------
    Script or None
        None where DuckDB parses all of it, which makes it DuckDB's.

    Raises
    ------
    ExtensionSyntaxError
        Where an extension statement is wrong.
    """
    whole = _parser_error(connection, sql)
    may_yield = LANGUAGE.may_yield.search(sql) is not None
    if whole is None and not may_yield:
        return None
    statements: list[ScriptStatement] = []
    first_error: duckdb.Error | None = None
    pieces = split(sql)
    for start, end, tokens in pieces:
        if may_yield and yields(tokens):
            statements.append(ScriptStatement(sql, start, end, tokens, scan(sql, end, tokens)))
            continue
        # A single statement is not parsed, as the whole is not.
        is_duckdbs = whole is None or (len(pieces) > 1 and _parser_error(connection, sql[start:end]) is None)
        if is_duckdbs:
            statements.append(ScriptStatement(sql, start, end, tokens))
            continue
        statement = ScriptStatement(sql, start, end, tokens, scan(sql, end, tokens))
        statements.append(statement)
        if first_error is None:
            is_whole = len(pieces) == 1 and not statement.embedded
            first_error = whole if is_whole else _error_in(connection, statement)
    is_extended = any(statement.embedded for statement in statements)
    if whole is None and not is_extended:
        return None
    return Script(sql, tuple(statements), first_error if is_extended else whole)


def last_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The last statement of a script as DuckDB parses it, with short queries for extension statements."""
    script = read_script(connection, sql)
    text = sql if script is None else script.statements[-1].duckdb_text()
    return connection.extract_statements(text)[-1]


def _error_in(connection: duckdb.DuckDBPyConnection, statement: ScriptStatement) -> duckdb.Error | None:
    """DuckDB's error in what is left of a statement, with its place in the whole script."""
    text = statement.duckdb_text()
    error = _parser_error(connection, text)
    if error is None or (statement.start == 0 and text == statement.text):
        return error
    before = re.sub(r"[^\n]", " ", statement.sql[: statement.start])
    error = _parser_error(connection, before + text) or error
    message, _, place = str(error).partition("\n\nLINE ")
    offset = offset_of(place, before + text) if place else None
    return error if offset is None else type(error)(point_at(message, statement.sql, offset))


def _parser_error(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Error | None:
    try:
        connection.extract_statements(sql)
    except duckdb.Error as error:
        return error
    return None
