"""The parser of extension statements: a sqlglot dialect derived from its DuckDB dialect.

It reads what a statement's description says, word by word and clause by clause. It is fed DuckDB's own tokens, not
those of sqlglot's tokenizer. Every query, relation and predicate in DuckDB's SQL has been folded into one raw token
before, so that the user's own SQL is neither parsed here nor printed back.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokens import Token as GlotToken
from sqlglot.tokens import TokenType

from modelstore.errors import ExtensionSyntaxError, did_you_mean, point_at
from modelstore.language import nodes
from modelstore.language.description import AS_COPY, Clause, OneOf, Statement, Takes, Word
from modelstore.language.tokens import Kind, Token, value_of

_PUNCTUATION = {
    "(": TokenType.L_PAREN,
    ")": TokenType.R_PAREN,
    "[": TokenType.L_BRACKET,
    "]": TokenType.R_BRACKET,
    ",": TokenType.COMMA,
    "=": TokenType.EQ,
    "-": TokenType.DASH,
    ".": TokenType.DOT,
    "?": TokenType.PLACEHOLDER,
    "$": TokenType.PARAMETER,
}
_KINDS = {
    Kind.WORD: TokenType.VAR,
    Kind.QUOTED: TokenType.IDENTIFIER,
    Kind.STRING: TokenType.STRING,
    Kind.NUMBER: TokenType.NUMBER,
}
# A folded span of the user's own SQL; DuckDB has no such literal, so the type is free.
_RAW = TokenType.RAW_STRING


# Keywords at which the user's own SQL ends, whatever the statement: `JOIN … ON` needs parentheses.
_STOPS = {
    Takes.RELATION: ("WHERE", "ON", "USING"),
    Takes.PREDICATE: ("ON", "USING"),
    Takes.QUERY: (),
}


def parse_extension(
    sql: str, tokens: Sequence[Token], statement: Statement, parameters: Mapping[int, int], end: int
) -> nodes.Extension | nodes.Explain:
    """Parses one extension statement.

    Parameters
    ----------
    sql
        The whole script.
    tokens
        The statement's tokens, with those of an `EXPLAIN` before it.
    statement
        Its description.
    parameters
        The number of each `?` by its offset.
    end
        Where the statement's text ends, for errors about what is missing.

    Raises
    ------
    ExtensionSyntaxError
        Where the statement is not written as its description says.
    """
    parser = ModelStore().parser()
    assert isinstance(parser, ModelStore.Parser)
    parser.statement = statement
    parser.parameters = parameters
    parser.end = end
    [node] = parser.parse(_fold(sql, tokens, statement), sql)
    assert isinstance(node, (nodes.Extension, nodes.Explain))
    return node


def _fold(sql: str, tokens: Sequence[Token], statement: Statement) -> list[GlotToken]:
    """The tokens as sqlglot's, with each span of DuckDB's own SQL as one raw token."""
    raw = {clause.keyword: clause for clause in statement.clauses if clause.takes.is_duckdb}
    folded: list[GlotToken] = []
    index = depth = 0
    while index < len(tokens):
        token = tokens[index]
        folded.append(_convert(sql, token))
        depth += token.is_operator("(") - token.is_operator(")")
        index += 1
        clause = raw.get(token.text.upper()) if depth == 0 and token.kind is Kind.WORD else None
        if clause is None or (index > 1 and tokens[index - 2].is_operator(".")):
            continue
        later = (one.words[0] for one in statement.clauses_after(clause) if one.keyword)
        stop = _raw_end(tokens, index, (*_STOPS[clause.takes], *later))
        if stop > index:
            start, end = tokens[index].start, tokens[stop - 1].end
            folded.append(GlotToken(_RAW, sql[start:end], start=start, end=end - 1))
            index = stop
    return folded


def _convert(sql: str, token: Token) -> GlotToken:
    kind = _KINDS.get(token.kind) or _PUNCTUATION.get(token.text, TokenType.UNKNOWN)
    try:
        value = value_of(token)
        value.encode()
    except ValueError:
        message = "Parser Error: an escape in this string stands for no character"
        raise ExtensionSyntaxError(point_at(message, sql, token.start, token.end)) from None
    return GlotToken(kind, value, start=token.start, end=token.end - 1)


def _raw_end(tokens: Sequence[Token], index: int, stops: Sequence[str]) -> int:
    """The index at which DuckDB's own SQL from ``index`` on ends: at `WITH (` or one of ``stops``.

    A keyword after `.` or `AS` is a name, and `USING (` belongs to a join.
    """
    depth = 0
    for position in range(index, len(tokens)):
        token = tokens[position]
        depth += token.is_operator("(", "[", "{") - token.is_operator(")", "]", "}")
        before = tokens[position - 1]
        if depth or before.is_operator(".") or (position > index and before.is_word("AS")):
            continue
        opens = position + 1 < len(tokens) and tokens[position + 1].is_operator("(")
        if token.is_word("WITH"):
            if opens:
                return position
        elif token.is_word(*stops) and not (opens and token.is_word("USING")):
            return position
    return len(tokens)


class ModelStore(DuckDB):
    """DuckDB's dialect with the extension statements."""

    class Parser(DuckDBParser):
        statement: Statement
        parameters: Mapping[int, int] = {}
        end = 0

        def _parse_statement(self) -> exp.Expr | None:
            node = self._read_explained()
            if self._curr:
                word = self._curr.text.upper() if self._curr.token_type == TokenType.VAR else ""
                keywords = [clause.words[0] for clause in self.statement.keyword_clauses]
                self._fail("the end of the statement", did_you_mean(word, keywords) if word else "")
            return node

        def _read_explained(self) -> nodes.Extension | nodes.Explain:
            if not self._match_text_seq("EXPLAIN"):
                return self._read_statement()
            analyze = bool(self._match_text_seq("ANALYZE"))
            if not analyze and self._match(TokenType.L_PAREN):
                self._expect("ANALYZE")
                self._expect(")")
                analyze = True
            return nodes.Explain(this=self._read_statement(), analyze=analyze)

        def _read_statement(self) -> nodes.Extension:
            """Reads the words and clauses of the description in their order."""
            arguments: dict[str, Any] = {}
            for part in self.statement.parts:
                if isinstance(part, Word):
                    self._expect(*part.forms)
                elif isinstance(part, Clause):
                    arguments[part.argument] = self._read_clause(part)
                else:
                    arguments |= self._read_one_of(part)
            return nodes.Extension(statement=self.statement, **arguments)

        def _read_one_of(self, alternatives: OneOf) -> dict[str, Any]:
            for clause in alternatives.clauses:
                if self._match_text_seq(*clause.words):
                    return {clause.argument: self._read_operand(clause)}
            self._expect(*(clause.keyword for clause in alternatives.clauses))
            return {}

        def _read_clause(self, clause: Clause) -> Any:
            """What the planner finds of a clause, given or not."""
            if clause.takes is Takes.NOTHING:
                return bool(self._match_text_seq(*clause.words))
            if clause.takes is Takes.COUNT:
                return self._read_count(clause.expected)
            if clause is AS_COPY:
                is_given = self._match_text_seq("WITH") or (
                    self._curr and self._curr.token_type == TokenType.L_PAREN
                )
                return self._read_options(as_copy=True) if is_given else []
            if clause.keyword:
                is_given = bool(self._match_text_seq(clause.words[0]))
                for word in clause.words[1:] if is_given else ():
                    self._expect(word)
            else:
                is_given = not self._is_left_out(clause)
            if is_given or (clause.required and not clause.keyword):
                return self._read_operand(clause)
            if clause.required:
                self._expect(clause.keyword)
            return [] if clause.takes in (Takes.NAMES, Takes.OPTIONS) else None

        def _is_left_out(self, clause: Clause) -> bool:
            """Whether the keyword of a later clause, or the end, stands where an operand without keyword might."""
            later = self.statement.clauses_after(clause)
            token = self._curr
            if not token:
                return not any(one.required for one in later)
            return token.token_type == TokenType.VAR and any(
                one.keyword and one.words[0] == token.text.upper() for one in later
            )

        def _read_operand(self, clause: Clause) -> Any:
            if clause.everything and self._match_text_seq(*clause.everything.split()):
                return []
            match clause.takes:
                case Takes.NAME:
                    return self._read_name(clause.expected)
                case Takes.NAMES:
                    return self._read_names(clause.expected)
                case Takes.VALUE:
                    return self._read_value(clause.expected)
                case Takes.OPTIONS:
                    return self._read_options()
                case _:
                    return self._read_raw(clause.expected)

        def _read_raw(self, expected: str) -> exp.Expr:
            token = self._curr
            if not token or token.token_type != _RAW:
                self._fail(expected)
            self._advance()
            return nodes.Raw(this=token.text, start=token.start, end=token.end + 1)

        def _read_names(self, expected: str) -> list[exp.Expr]:
            names = [self._read_name(expected)]
            while self._match(TokenType.COMMA):
                names.append(self._read_name(expected))
            return names

        def _read_name(self, expected: str) -> exp.Expr:
            parameter = self._read_parameter()
            if parameter is not None:
                return parameter
            token = self._curr
            if not token or token.token_type not in (TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING):
                self._fail(expected)
            self._advance()
            return nodes.Name(this=token.text, start=token.start, end=token.end + 1)

        def _read_count(self, expected: str) -> exp.Expr | None:
            if self._curr and self._curr.token_type in (
                TokenType.NUMBER,
                TokenType.DASH,
                TokenType.PLACEHOLDER,
                TokenType.PARAMETER,
            ):
                return self._read_value(expected)
            return None

        def _read_options(self, as_copy: bool = False) -> list[exp.Expr]:
            options: list[exp.Expr] = []
            self._expect("(")
            while not self._match(TokenType.R_PAREN):
                if options:
                    self._expect(",")
                name = self._read_name("an option's name")
                if as_copy:
                    self._match(TokenType.EQ)
                    value = self._read_word() or self._read_option_value()
                else:
                    self._expect("=")
                    value = self._read_option_value()
                options.append(nodes.Option(this=name, value=value))
            return options

        def _read_word(self) -> exp.Expr | None:
            """A text that needs no quotes."""
            token = self._curr
            if (
                not token
                or token.token_type != TokenType.VAR
                or token.text.upper() in ("TRUE", "FALSE", "NULL")
            ):
                return None
            self._advance()
            return nodes.Value(this=token.text.lower(), start=token.start, end=token.end + 1)

        def _read_option_value(self) -> exp.Expr:
            """A literal, a parameter, or a list of them."""
            first = self._curr
            if not self._match(TokenType.L_BRACKET):
                return self._read_value("a literal or a parameter")
            values: list[exp.Expr] = []
            while not self._match(TokenType.R_BRACKET):
                if values:
                    self._expect(",")
                values.append(self._read_value("a literal or a parameter"))
            return nodes.ValueList(expressions=values, start=first.start, end=self._prev.end + 1)

        def _read_value(self, expected: str) -> exp.Expr:
            parameter = self._read_parameter()
            return self._read_literal(expected) if parameter is None else parameter

        def _read_literal(self, expected: str) -> exp.Expr:
            first = self._curr
            negative = bool(self._match(TokenType.DASH))
            token = self._curr
            value: object = None
            number = _number(token.text) if token and token.token_type == TokenType.NUMBER else None
            if number is not None:
                value = -number if negative else number
            elif token and token.token_type == TokenType.STRING and not negative:
                value = token.text
            elif token and token.text.upper() in ("TRUE", "FALSE") and not negative:
                value = token.text.upper() == "TRUE"
            elif not (token and token.text.upper() == "NULL" and not negative):
                hint = (
                    f" (a text value is quoted: '{token.text}')"
                    if token and token.token_type == TokenType.VAR
                    else ""
                )
                self._fail(expected, hint)
            self._advance()
            return nodes.Value(this=value, start=first.start, end=token.end + 1)

        def _read_parameter(self) -> exp.Expr | None:
            token = self._curr
            if self._match(TokenType.PLACEHOLDER):
                number = self.parameters[token.start]
                return nodes.Parameter(this=str(number), start=token.start, end=token.end + 1)
            if self._match(TokenType.PARAMETER):
                name = self._curr
                if not name or name.token_type not in (TokenType.VAR, TokenType.NUMBER):
                    self._fail("a parameter's name after $")
                self._advance()
                return nodes.Parameter(this=name.text, start=token.start, end=name.end + 1)
            return None

        def _expect(self, *texts: str) -> None:
            for text in texts:
                if self._match_text_seq(text):
                    return
            word = self._curr.text if self._curr and self._curr.token_type == TokenType.VAR else ""
            self._fail(" or ".join(texts), did_you_mean(word, texts) if word else "")

        def _quoting_hint(self, token: GlotToken) -> str:
            """How to write a name that holds - or / or a dot, as those of the hub do, where one was meant."""
            before = self._prev
            if token.text not in ("-", "/", ".") or before is None or before.end + 1 != token.start:
                return ""
            name = re.match(r"[\w./-]+", self.sql[before.start :])
            return f' (a name that holds "{token.text}" is quoted: "{name[0]}")' if name else ""

        def _fail(self, expected: str, hint: str = "") -> NoReturn:
            token = self._curr
            if token:
                hint = hint or self._quoting_hint(token)
                message = f'Parser Error: syntax error at or near "{token.text}": expected {expected}{hint}'
                raise ExtensionSyntaxError(point_at(message, self.sql, token.start, token.end + 1))
            message = f"Parser Error: the statement ends too early: expected {expected}"
            raise ExtensionSyntaxError(point_at(message, self.sql, self.end))


def _number(text: str) -> int | float | None:
    digits = text.replace("_", "")
    try:
        number = float(digits)
    except ValueError:
        return None
    return int(digits) if digits.isdigit() and number < 2**63 else number
