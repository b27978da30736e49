"""The grammar of our statements: a sqlglot dialect derived from its DuckDB dialect.

It is fed DuckDB's own tokens (not sqlglot's tokenizer's), in which every query, relation and predicate
that is DuckDB's has been folded into one raw token before, so that nothing of the user's own SQL is
ever parsed here, or printed back.
"""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokens import Token as GlotToken
from sqlglot.tokens import TokenType

from modelstore.errors import ExtensionSyntaxError, did_you_mean, point_at
from modelstore.language import nodes
from modelstore.language.tokens import Kind, Token, value_of

_PUNCTUATION = {
    "(": TokenType.L_PAREN,
    ")": TokenType.R_PAREN,
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


def parse_extension(
    sql: str, tokens: Sequence[Token], parameters: Mapping[int, int], end: int
) -> nodes.Extension:
    """Parses one statement of ours.

    ``parameters`` maps the offset of each `?` to its number; ``end`` is where the statement's text ends,
    for errors about what is missing. Raises ``ExtensionSyntaxError``.
    """
    parser = ModelStore().parser()
    assert isinstance(parser, ModelStore.Parser)
    parser.parameters = parameters
    parser.end = end
    [expression] = parser.parse(_fold(sql, tokens), sql)
    assert isinstance(expression, nodes.Extension)
    return expression


def _fold(sql: str, tokens: Sequence[Token]) -> list[GlotToken]:
    """Our tokens as sqlglot's, with each span that is DuckDB's as one raw token."""
    folded: list[GlotToken] = []
    index = 0
    depth = 0
    while index < len(tokens):
        token = tokens[index]
        folded.append(_convert(sql, token))
        depth += token.is_operator("(") - token.is_operator(")")
        index += 1
        stop = _raw_end(tokens, index - 1) if depth == 0 else None
        if stop is not None and stop > index:
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


def _raw_end(tokens: Sequence[Token], index: int) -> int | None:
    """Where the DuckDB text that a clause's keyword opens ends, or None if it opens none."""
    token = tokens[index]
    first = next((token for token in tokens if not token.is_word("EXPLAIN", "ANALYZE")), token)
    creates = first.is_word("CREATE")
    if creates and token.is_word("AS"):
        return _before_trailing_with(tokens, index + 1)
    if creates or (index and tokens[index - 1].is_operator(".")):
        return None
    if token.is_word("FROM"):
        return _clause_end(tokens, index + 1, ("WHERE", "ON"))
    if token.is_word("WHERE"):
        return _clause_end(tokens, index + 1, ("ON",))
    return None


def _clause_end(tokens: Sequence[Token], index: int, words: tuple[str, ...]) -> int:
    depth = 0
    while index < len(tokens):
        token = tokens[index]
        depth += token.is_operator("(", "[", "{") - token.is_operator(")", "]", "}")
        if depth == 0 and not tokens[index - 1].is_operator(".") and not tokens[index - 1].is_word("AS"):
            following = tokens[index + 1] if index + 1 < len(tokens) else None
            if token.is_word(*words):
                return index
            if token.is_word("WITH") and following is not None and following.is_operator("("):
                return index
            if token.is_word("USING") and (following is None or not following.is_operator("(")):
                return index
        index += 1
    return index


def _before_trailing_with(tokens: Sequence[Token], index: int) -> int:
    """A dataset's query ends where a `WITH ( … )` begins that closes with the statement."""
    depth = 0
    for position in range(index, len(tokens) - 1):
        token = tokens[position]
        depth += token.is_operator("(", "[", "{") - token.is_operator(")", "]", "}")
        if depth == 0 and token.is_word("WITH") and tokens[position + 1].is_operator("("):
            return position
    return len(tokens)


class ModelStore(DuckDB):
    """DuckDB's dialect with our statements."""

    class Parser(DuckDBParser):
        parameters: Mapping[int, int] = {}
        end = 0

        def _parse_statement(self) -> exp.Expr | None:
            statement = self._read_extension()
            if self._curr:
                expected = "the end of the statement"
                clause = self._curr.text.upper() if self._curr.token_type == TokenType.VAR else ""
                self._fail(
                    expected, did_you_mean(clause, ("FROM", "WHERE", "USING", "WITH")) if clause else ""
                )
            return statement

        def _read_extension(self) -> nodes.Extension:
            if self._match_text_seq("EXPLAIN"):
                analyze = bool(self._match_text_seq("ANALYZE"))
                if not analyze and self._match(TokenType.L_PAREN):
                    self._expect("ANALYZE")
                    self._expect(")")
                    analyze = True
                return nodes.Explain(this=self._read_extension(), analyze=analyze)
            if self._match_text_seq("CREATE"):
                return self._read_create()
            if self._match_text_seq("DROP"):
                return self._read_drop()
            if self._match_text_seq("BENCHMARK"):
                return self._read_benchmark()
            if self._match_text_seq("CLUSTER"):
                return self._read_cluster()
            if self._match_text_seq("RECALL"):
                return self._read_recall()
            if self._match_text_seq("COMPARE"):
                return self._read_compare()
            if self._match_text_seq("SUGGEST"):
                return self._read_suggest()
            if self._match_text_seq("RESUME"):
                self._expect("SELECTION")
                return nodes.ResumeSelection(this=self._read_value("the selection's id, a number"))
            self._expect("SELECT")
            return self._read_select_best()

        def _read_create(self) -> nodes.Extension:
            replace = bool(self._match_text_seq("OR", "REPLACE"))
            is_model = bool(self._match_text_seq("MODEL"))
            if not is_model:
                self._expect("DATASET")
            exists = bool(self._match_text_seq("IF", "NOT", "EXISTS"))
            name = self._read_name("a name")
            if not is_model and self._match_text_seq("AS"):
                query = self._read_raw("a query")
                return nodes.CreateDataset(
                    this=name, query=query, replace=replace, exists=exists, options=self._read_options()
                )
            self._expect("FROM", *([] if is_model else ["AS"]))
            uri = self._read_value("the uri as a string, like 'path/to/it' or 'hf://owner/name'")
            kind = nodes.CreateModel if is_model else nodes.CreateDataset
            return kind(this=name, uri=uri, replace=replace, exists=exists, options=self._read_options())

        def _read_drop(self) -> nodes.Extension:
            kind = nodes.DropModel if self._match_text_seq("MODEL") else nodes.DropDataset
            if kind is nodes.DropDataset:
                self._expect("DATASET")
            exists = bool(self._match_text_seq("IF", "EXISTS"))
            return kind(this=self._read_name("a name"), exists=exists)

        def _read_benchmark(self) -> nodes.Extension:
            self._expect("MODELS")
            relation, where = self._read_candidates()
            datasets = self._read_datasets()
            return nodes.BenchmarkModels(
                relation=relation, where=where, datasets=datasets, options=self._read_options()
            )

        def _read_cluster(self) -> nodes.Extension:
            self._expect("MODELS")
            relation, where = self._read_candidates()
            method = self._read_name("a clustering method") if self._match_text_seq("USING") else None
            return nodes.ClusterModels(
                relation=relation, where=where, method=method, options=self._read_options()
            )

        def _read_recall(self) -> nodes.Extension:
            count = self._read_count()
            self._expect("MODELS", "MODEL")
            self._expect("FOR")
            target = self._read_name("the target dataset's name")
            relation, where = self._read_candidates()
            proxies = self._read_names("a proxy's name") if self._match_text_seq("USING") else []
            return nodes.Recall(
                count=count,
                target=target,
                relation=relation,
                where=where,
                proxies=proxies,
                options=self._read_options(),
            )

        def _read_select_best(self) -> nodes.Extension:
            self._expect("BEST")
            count = self._read_count()
            self._expect("MODEL", "MODELS")
            self._expect("FOR")
            target = self._read_name("the target dataset's name")
            relation, where = self._read_candidates()
            strategy = self._read_name("a strategy's name") if self._match_text_seq("USING") else None
            return nodes.SelectBest(
                count=count,
                target=target,
                relation=relation,
                where=where,
                strategy=strategy,
                options=self._read_options(),
            )

        def _read_compare(self) -> nodes.Extension:
            self._expect("STRATEGIES", "STRATEGY")
            named = not (
                self._curr and self._curr.token_type == TokenType.VAR and self._curr.text.upper() == "ON"
            )
            strategies = self._read_names("a strategy's name, or ON") if named else []
            datasets = self._read_datasets()
            return nodes.CompareStrategies(
                strategies=strategies, datasets=datasets, options=self._read_options()
            )

        def _read_suggest(self) -> nodes.Extension:
            count = self._read_count()
            self._expect("BENCHMARKS", "BENCHMARK")
            model = None
            if self._match_text_seq("FOR"):
                self._expect("MODEL")
                model = self._read_name("the model's name")
            return nodes.SuggestBenchmarks(count=count, model=model, options=self._read_options())

        def _read_datasets(self) -> list[exp.Expr]:
            """`ON { dataset [, …] | ALL DATASETS }`: empty for all."""
            self._expect("ON")
            if self._match_text_seq("ALL", "DATASETS"):
                return []
            return self._read_names("a dataset's name, or ALL DATASETS")

        def _read_candidates(self) -> tuple[exp.Expr | None, exp.Expr | None]:
            relation = self._read_raw("a relation") if self._match_text_seq("FROM") else None
            where = self._read_raw("a predicate") if self._match_text_seq("WHERE") else None
            return relation, where

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

        def _read_count(self) -> exp.Expr | None:
            if self._curr and self._curr.token_type in (
                TokenType.NUMBER,
                TokenType.DASH,
                TokenType.PLACEHOLDER,
                TokenType.PARAMETER,
            ):
                return self._read_value("a number")
            return None

        def _read_options(self) -> list[exp.Expr]:
            options: list[exp.Expr] = []
            if not self._match_text_seq("WITH"):
                return options
            self._expect("(")
            while not self._match(TokenType.R_PAREN):
                if options:
                    self._expect(",")
                name = self._read_name("an option's name")
                self._expect("=")
                options.append(nodes.Option(this=name, value=self._read_value("a literal or a parameter")))
            return options

        def _read_value(self, expected: str) -> exp.Expr:
            parameter = self._read_parameter()
            if parameter is not None:
                return parameter
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

        def _fail(self, expected: str, hint: str = "") -> NoReturn:
            token = self._curr
            if token:
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
