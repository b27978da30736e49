"""Colours of a statement while it is typed: keywords (DuckDB's and the extensions'), strings, numbers, comments."""

from collections.abc import Callable, Iterator, Sequence

import duckdb
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.styles import Style

from modelstore.language import statements
from modelstore.language.scanner import extension_starts
from modelstore.language.tokens import Kind, Token, tokenize
from modelstore.shell.parts import parts_of

# The terminal's own colours, which its user has chosen for its background.
STYLE = Style.from_dict(
    {
        "sql.keyword": "bold ansigreen",
        "sql.extension": "bold ansimagenta",
        "sql.string": "ansiyellow",
        "sql.number": "ansicyan",
        "sql.comment": "italic ansibrightblack",
        "sql.dot": "bold ansiblue",
        "bottom-toolbar": "noreverse ansibrightblack",
    }
)


class SqlLexer(Lexer):
    """Styles by DuckDB's own tokens; what of them is a keyword, DuckDB says too."""

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        lines: list[StyleAndTextTuples] = [[]]
        for style, text in styled(document.text):
            first, *others = text.split("\n")
            lines[-1].append((style, first))
            lines.extend([(style, other)] for other in others)
        return lambda number: lines[number] if number < len(lines) else []


def styled(text: str) -> list[tuple[str, str]]:
    """The text in pieces, each with its style."""
    pieces: list[tuple[str, str]] = []
    position = 0
    for part in parts_of(text):
        pieces.append(("", text[position : part.start]))
        if part.is_dot:
            end = text.index(part.text, part.start) + len(part.text)
            pieces.append(("class:sql.dot", text[part.start : end]))
            position = end
        else:
            pieces += _styled_sql(part.text)
            position = part.start + len(part.text)
    return [*pieces, ("", text[position:])]


def _styled_sql(sql: str) -> list[tuple[str, str]]:
    keywords = {offset for offset, kind in duckdb.tokenize(sql) if kind == duckdb.token_type.keyword}
    is_ascii = sql.isascii()
    pieces: list[tuple[str, str]] = []
    position = 0
    for token, is_extension in _with_extensions(tokenize(sql)):
        pieces.append(_gap(sql[position : token.start]))
        offset = token.start if is_ascii else len(sql[: token.start].encode("utf-8", "surrogatepass"))
        style = "class:sql.extension" if is_extension else _style(token, offset in keywords)
        pieces.append((style, sql[token.start : token.end]))
        position = token.end
    return [*pieces, _gap(sql[position:])]


def _with_extensions(tokens: Sequence[Token]) -> Iterator[tuple[Token, bool]]:
    """Each token, and whether it is a keyword of an extension statement."""
    keywords = statements.LANGUAGE.keywords
    statement: list[Token] = []
    for token in [*tokens, None]:
        if token is not None:
            statement.append(token)
        if statement and (token is None or token.is_operator(";")):
            first = min(extension_starts(statement), default=len(statement))
            yield from ((one, i >= first and one.is_word(*keywords)) for i, one in enumerate(statement))
            statement = []


def _style(token: Token, is_keyword: bool) -> str:
    if token.kind is Kind.STRING:
        return "class:sql.string"
    if token.kind is Kind.NUMBER:
        return "class:sql.number"
    return "class:sql.keyword" if is_keyword and token.kind is Kind.WORD else ""


def _gap(text: str) -> tuple[str, str]:
    """What stands between tokens: blanks, or a comment."""
    return ("class:sql.comment" if text.strip() else "", text)
