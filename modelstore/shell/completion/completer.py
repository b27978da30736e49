"""What completion offers at a place: names from the store and the catalog, options and their values, files."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from modelstore.language.tokens import Token, tokenize
from modelstore.option_types import OptionType
from modelstore.shell.commands.dot_commands import COMMANDS
from modelstore.shell.commands.first import options
from modelstore.shell.completion.context import Context, context_of, tables_in
from modelstore.shell.completion.grammar import beginnings
from modelstore.shell.completion.names import Names
from modelstore.shell.render.formats import FORMATS
from modelstore.sql_text import quoted

_DEVICES = ("auto", "cpu", "cuda")
_MOST = 300


class ModelStoreCompleter(Completer):
    """Completion of statements and dot commands."""

    def __init__(self, names: Names):
        self._names = names

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        statement = text.rsplit(";", 1)[-1].lstrip()
        if statement.startswith(".") and "\n" not in statement:
            yield from _dot(statement, self._names)
            return
        context = context_of(text, document.text_after_cursor)
        if (
            not context.part
            and not context.quote
            and not event.completion_requested
            and not context.offer.is_narrow
        ):
            return
        yield from _unique(self._of(context, document), context)

    def _of(self, context: Context, document: Document) -> Iterator[tuple[str, str]]:
        """(what to insert, what is said of it), the likeliest first."""
        part, offer = context.part, context.offer
        if offer.option is not None:
            yield from _values(offer.option)
        for name, option in offer.options.items():
            if _matches(name, part):
                yield f"{name} = ", _said(option)
        for kind in offer.kinds:
            yield from self._of_kind(kind, context, document)
        for word in offer.words:
            yield _cased(word, part), ""

    def _of_kind(self, kind: str, context: Context, document: Document) -> Iterator[tuple[str, str]]:
        names, part, quote = self._names, context.part, context.quote
        match kind:
            case "model":
                yield from ((_name(name, quote), said or kind) for name, said in names.models(part))
            case "dataset":
                yield from ((_name(name, quote), said or kind) for name, said in names.datasets(part))
            case "encoder":
                yield from ((_string(name), said or "model") for name, said in names.models(part))
            case "recipe":
                yield from ((_string(name), kind) for name, _ in names.recipes())
            case "device":
                yield from ((_string(name), "") for name in _DEVICES)
            case "selection":
                yield from names.selections("stopped", "failed", "running")
            case "file":
                yield from _files(part)
            case "statement":
                yield from ((_cased(word, part), "") for word in (*beginnings(), *names.keywords))
            case "table":
                yield from ((_identifier(name, quote), said) for name, said in names.tables())
                if not quote:
                    yield from ((f"{name}(", "table function") for name in names.table_functions)
            case "setting":
                yield from ((name, kind) for name in names.settings)
            case "column":
                for name, said in names.members(context.offer.table or ""):
                    yield _identifier(name, quote), said.lower()
            case "expression":
                yield from self._expression(context, document)

    def _expression(self, context: Context, document: Document) -> Iterator[tuple[str, str]]:
        names = self._names
        tables = tables_in(_statement_around(document))
        for alias, table in tables.items():
            for name, said in names.columns(table):
                yield _identifier(name, context.quote), f"{alias} · {said.lower()}"
        if context.quote:
            return
        yield from ((alias, "") for alias in tables)
        yield from ((_cased(word, context.part), "") for word in names.keywords)
        yield from ((f"{name}(", "function") for name in names.functions)


def _statement_around(document: Document) -> Sequence[Token]:
    """The tokens of the statement that the cursor is in."""
    tokens = tokenize(document.text)
    cursor = document.cursor_position
    before = [i for i, token in enumerate(tokens) if token.is_operator(";") and token.end <= cursor]
    after = [i for i, token in enumerate(tokens) if token.is_operator(";") and token.start >= cursor]
    return tokens[before[-1] + 1 if before else 0 : after[0] if after else len(tokens)]


def _unique(found: Iterator[tuple[str, str]], context: Context) -> Iterator[Completion]:
    """Completions of what is begun: what begins with it first, then what holds it."""
    seen: set[str] = set()
    later: list[tuple[str, str]] = []
    part = context.part.lower()
    back = -len(context.part) - len(context.quote)
    for text, said in found:
        plain = text.lower().lstrip("'\"")
        if text in seen or (part and part not in plain):
            continue
        seen.add(text)
        if not plain.startswith(part):
            later.append((text, said))
        else:
            yield Completion(text, back, display_meta=said)
        if len(seen) >= _MOST:
            break
    for text, said in later:
        yield Completion(text, back, display_meta=said)


def _matches(name: str, part: str) -> bool:
    return part.lower() in name.lower()


def _cased(word: str, part: str) -> str:
    """A keyword in the case that the user types."""
    return word.lower() if part and part.islower() else word


def _said(option: OptionType) -> str:
    default = "" if option.default is None else f", by default {_literal(option.default)}"
    return option.expectation() + default


def _literal(value: object) -> str:
    if isinstance(value, str):
        return f"'{value}'"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def _values(option: OptionType) -> Iterator[tuple[str, str]]:
    if option.choices:
        yield from ((_string(choice), "") for choice in option.choices)
    elif option.kind is bool:
        yield from (("true", ""), ("false", ""))
    if option.default is not None and option.kind is not bool and option.default not in option.choices:
        yield _literal(option.default), "the default"


def _string(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _name(name: str, quote: str) -> str:
    """A model's or dataset's name: as it is where it is a word, else as a string, as hub names are."""
    if quote == '"':
        return quoted(name)
    return name if not quote and name.isidentifier() and name.isascii() else _string(name)


def _identifier(name: str, quote: str) -> str:
    """A table's or column's name, quoted where it must be."""
    plain = name.isidentifier() and name.isascii() and name == name.lower()
    return name if plain and not quote else quoted(name)


def _files(part: str) -> Iterator[tuple[str, str]]:
    """The files and folders whose path begins like ``part``; a folder's quote stays open for what is in it."""
    folder, begun = os.path.split(part)
    try:
        entries = sorted(os.scandir(Path(folder).expanduser() if folder else "."), key=lambda e: e.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(begun) and (begun.startswith(".") or not entry.name.startswith(".")):
            path = _string(os.path.join(folder, entry.name))
            yield (path[:-1] + "/", "folder") if entry.is_dir() else (path, "")


def _dot(line: str, names: Names) -> Iterator[Completion]:
    """Completion of a dot command's name, then of its arguments."""
    head, space, tail = line.partition(" ")
    if not space:
        for name, command in COMMANDS.items():
            if name.startswith(head):
                yield Completion(name, -len(head), display_meta=command.help)
        return
    *given, part = tail.split(" ")
    taken = COMMANDS.get(head)
    if taken is None or len(given) >= taken.bounds[1]:
        return
    takes = taken.takes.split()
    for text, said in _arguments(takes[min(len(given), len(takes) - 1)].strip("[]."), part, names):
        if _matches(text, part):
            yield Completion(_shell_quoted(text), -len(part), display_meta=said)


def _arguments(takes: str, part: str, names: Names) -> Iterator[tuple[str, str]]:
    """What an argument may be that is of one of the kinds of ``takes``, or one of its words."""
    for kind in takes.split("|"):
        match kind:
            case "MODE":
                yield from ((form, "") for form in FORMATS)
            case "COMMAND":
                yield from ((name, command.help) for name, command in COMMANDS.items())
            case "FILE":
                yield from ((path[1:].removesuffix("'"), said) for path, said in _files(part))
            case "LIKE":
                yield from names.tables()
            case "MODEL":
                yield from names.models(part)
            case "DATASET":
                yield from names.datasets(part)
            case "RECIPE":
                yield from names.recipes()
            case "OPTION":  # and what some of them take
                yield from options()
                yield from ((path[1:].removesuffix("'"), said) for path, said in _files(part))
            case "SELECTION":
                yield from names.selections()
            case _:
                yield kind, ""


def _shell_quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
