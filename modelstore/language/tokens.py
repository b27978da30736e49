"""DuckDB's own tokens of a text, with where each begins and ends.

``duckdb.tokenize`` gives starts only, as UTF-8 byte offsets, and takes a no-break space for part of a
word where the parser sees a blank. Here a token has its text and its character offsets, comments are
left out, and words are cut at those spaces.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

import duckdb

# The spaces that DuckDB's parser turns into blanks outside of quotes.
_UNICODE_SPACE = re.compile("[\u00a0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]+")
# `.` comes as a number, `$` apart from its name, and several brackets may come as one operator.
_PUNCTUATION = frozenset("()[]{},;.?$=-")


class Kind(Enum):
    WORD = auto()  # a keyword or an unquoted identifier
    QUOTED = auto()  # "an identifier"
    STRING = auto()
    NUMBER = auto()
    OPERATOR = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token; ``text`` is as it was written, ``start`` and ``end`` are character offsets."""

    kind: Kind
    text: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        """Whether this is one of the given keywords (upper case), unquoted."""
        return self.kind is Kind.WORD and self.text.upper() in words

    def is_operator(self, *texts: str) -> bool:
        return self.kind is Kind.OPERATOR and self.text in texts


def tokenize(sql: str) -> list[Token]:
    """The tokens of ``sql``, comments left out. Never raises: an unfinished string is one token to the end."""
    encoded = sql.encode("utf-8", "surrogatepass")
    raw = duckdb.tokenize(sql)
    starts = [offset for offset, _ in raw] + [len(encoded)]
    if len(encoded) != len(sql):
        starts = _character_offsets(encoded, starts)
    tokens: list[Token] = []
    comment, string = duckdb.token_type.comment, duckdb.token_type.string_const
    for (_, kind), start, stop in zip(raw, starts, starts[1:], strict=False):
        text = sql[start:stop].rstrip()
        # Most tokens of a long text are of these kinds, which the rest says too, in more time.
        if text in _PUNCTUATION and kind != string and kind != comment:
            tokens.append(Token(Kind.OPERATOR, text, start, start + 1))
        elif text.isascii() and text.isalnum() and kind != string and kind != comment:
            kind_of_word = Kind.NUMBER if text[0].isdigit() else Kind.WORD
            tokens.append(Token(kind_of_word, text, start, start + len(text)))
        elif text and kind != comment:
            tokens.extend(_cut(text, start, is_string=kind == string))
    return tokens


def _character_offsets(encoded: bytes, offsets: list[int]) -> list[int]:
    characters, last, count = [], 0, 0
    for offset in offsets:
        count += len(encoded[last:offset].decode("utf-8", "surrogatepass"))
        characters.append(count)
        last = offset
    return characters


def _cut(text: str, start: int, is_string: bool) -> list[Token]:
    """A raw token as one or, where it holds no-break spaces or joined punctuation, several."""
    if text[0] == '"':
        return [Token(Kind.QUOTED, text, start, start + len(text))]
    if is_string:
        return [Token(Kind.STRING, text, start, start + len(text))]
    pieces: list[Token] = []
    position = 0
    for space in [*_UNICODE_SPACE.finditer(text), None]:
        piece = text[position : space.start() if space else len(text)].strip()
        if piece:
            begin = start + text.index(piece, position)
            pieces.extend(_plain(piece, begin))
        if space:
            position = space.end()
    return pieces


def _plain(text: str, start: int) -> list[Token]:
    if text[0].isalpha() or text[0] == "_":
        return [Token(Kind.WORD, text, start, start + len(text))]
    if text[0].isdigit() or (text[0] == "." and len(text) > 1):
        return [Token(Kind.NUMBER, text, start, start + len(text))]
    if all(character in _PUNCTUATION for character in text):
        return [Token(Kind.OPERATOR, c, start + i, start + i + 1) for i, c in enumerate(text)]
    kind = Kind.WORD if text.isidentifier() else Kind.OPERATOR
    return [Token(kind, text, start, start + len(text))]


def value_of(token: Token) -> str:
    """The text that a string, a quoted identifier or a word stands for, quotes and escapes undone."""
    text = token.text
    if token.kind is Kind.QUOTED:
        return text[1:].removesuffix('"').replace('""', '"')
    if token.kind is not Kind.STRING:
        return text
    if text[0] == "$":
        tag = text[: text.index("$", 1) + 1]
        return text[len(tag) :].removesuffix(tag)
    if text[0] in "eE":
        return _unescape(text[2:].removesuffix("'").replace("''", "'"))
    return text[1:].removesuffix("'").replace("''", "'")


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xuU" and len(code) > 1:
            return chr(int(code[1:], 16))
        return _ESCAPES.get(code, code)

    return re.sub(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", one, text, flags=re.S)
