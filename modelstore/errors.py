"""The errors a user can cause.

They derive from DuckDB's own classes, so that `except duckdb.Error`, and PEP 249's hierarchy, catch them too. The
message of each is one sentence: what is wrong, and what would be right.
"""

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from unicodedata import east_asian_width

import duckdb

from modelstore.visible import VisibleMessage


class ExtensionSyntaxError(VisibleMessage, duckdb.ParserException):
    """An extension statement that cannot be read; the message ends with the line and a caret."""


class OptionError(VisibleMessage, duckdb.BinderException):
    """An unknown option, or a value of the wrong type or out of range."""


class NotFoundError(VisibleMessage, duckdb.CatalogException):
    """A model, dataset, recipe or column that does not exist."""


class AlreadyExistsError(VisibleMessage, duckdb.CatalogException):
    """A model or dataset of that name is registered already."""


class ModelError(VisibleMessage, duckdb.InvalidInputException):
    """A model that cannot be used."""


class DatasetError(VisibleMessage, duckdb.InvalidInputException):
    """A dataset that cannot be trained on."""


class MissingRecordError(VisibleMessage, duckdb.InvalidInputException):
    """A recorded result, curve or proxy score that a statement needs is not in the store."""


class TrainingError(VisibleMessage, duckdb.OperationalError):
    """A training run that failed: it diverged, or ran out of memory."""


class StoreError(VisibleMessage, duckdb.OperationalError):
    """A database file that cannot be opened as a model store."""


class LockedStoreError(StoreError):
    """A database file that another process has open."""


class UnexpectedError(VisibleMessage, duckdb.InternalError):
    """An error of this package or a library that no other class here stands for."""


# What ends a statement, and is no failure of the model or dataset that it is at.
INTERRUPTIONS = (KeyboardInterrupt, SystemExit, GeneratorExit, duckdb.InterruptException)


def reason_of(error: BaseException) -> str:
    """Why something failed, in one line, for people: the error's message, and its class where that says more."""
    if isinstance(error, MemoryError):
        return "memory ran out"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    if isinstance(error, duckdb.Error) and lines:
        return str(error)
    if lines and (isinstance(error, OSError | ValueError | RuntimeError) or type(error) is Exception):
        return lines[0].rstrip(".:")
    return f"{type(error).__name__}: {lines[0].rstrip('.:')}" if lines else type(error).__name__


def as_database_error(error: BaseException) -> duckdb.Error:
    """The error of PEP 249 that stands for any error: itself where it is one."""
    if isinstance(error, duckdb.Error):
        return error
    if isinstance(error, MemoryError):
        return duckdb.OutOfMemoryException("memory ran out: free some, or ask for less at once")
    return UnexpectedError(f"the statement failed by an error that was not foreseen: {reason_of(error)}")


def of_function(error: duckdb.Error) -> BaseException:
    """The error of this package, or the interruption, that a function of SQL has raised; any other error as it is.

    DuckDB wraps what a function in Python raises in an ``InvalidInputException`` that has its text alone.
    """
    found = _IN_FUNCTION.search(str(error))
    raised = _OF_FUNCTIONS.get(found[1]) if found else None
    return raised(found[2].strip()) if raised is not None and found is not None else error


_IN_FUNCTION = re.compile(r"exception occurred while executing the UDF: (\w+): ?(.*)", re.DOTALL)
_OF_FUNCTIONS: dict[str, type[BaseException]] = {
    one.__name__: one
    for one in (
        OptionError,
        NotFoundError,
        ModelError,
        DatasetError,
        TrainingError,
        StoreError,
        UnexpectedError,
        duckdb.InterruptException,
        duckdb.PermissionException,
        KeyboardInterrupt,
    )
}


def point_at(message: str, sql: str, start: int, end: int | None = None) -> str:
    """An error message that shows its place, as DuckDB's do.

    Parameters
    ----------
    message
        The sentence.
    sql
        The text that it is about.
    start, end
        The offsets of the place in it; without ``end``, one character.

    Returns
    -------
    str
        The sentence, the line of ``sql``, and carets under the place.
    """
    line_start = sql.rfind("\n", 0, start) + 1
    line_end = sql.find("\n", start)
    line = sql[line_start : line_end if line_end >= 0 else len(sql)]
    number = sql.count("\n", 0, start) + 1
    column = start - line_start
    width = max(1, min(end if end is not None else start + 1, line_start + len(line)) - start)
    # A long line is cut to the part around the place.
    if len(line) > 100:
        first = max(0, column - 40)
        line, column = ("…" if first else "") + line[first : first + 90], column - first + (1 if first else 0)
    label = f"LINE {number}: "
    carets = "^" * min(width, max(1, len(line) - column))
    wide = sum(east_asian_width(character) in "FW" for character in line[:column])  # each takes two cells
    return f"{message}\n\n{label}{line}\n{' ' * (len(label) + column + wide)}{carets}"


def offset_of(place: str, text: str) -> int | None:
    """The offset in a text of the place that DuckDB's error shows of it after `LINE`; None where it is not found."""
    match = re.match(r"(\d+): (.*)\n( *)\^", place)
    if match is None:
        return None
    lines = text.split("\n")
    number, shown = int(match[1]), match[2]
    if number > len(lines):
        return None
    fragment = shown.removeprefix("...").removesuffix("...")
    column = lines[number - 1].find(fragment.rstrip())
    if column < 0:
        return None
    column += len(match[3]) - len(f"LINE {match[1]}: ") - (3 if shown.startswith("...") else 0)
    return sum(len(line) + 1 for line in lines[: number - 1]) + max(0, column)


def is_of_one_model(error: BaseException) -> bool:
    """Whether an error need not come again with other models, as DuckDB's, or one of a dataset's rows, would."""
    return not isinstance(error, duckdb.Error) or isinstance(error, ModelError | TrainingError)


def first_of(texts: Sequence[str], most: int, separator: str = ", ") -> str:
    """The first of some texts for a message, ``most`` at most, and how many more there are.

    Examples
    --------
    >>> first_of(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = len(texts) - most
    return separator.join(texts[:most]) + (f" and {more:,} more" if more > 0 else "")


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The end of an error's sentence: the name among ``known`` that is nearest to ``word``, if one is near.

    Examples
    --------
    >>> did_you_mean("recal", ["recall", "epochs"])
    ' (did you mean "recall"?)'
    >>> did_you_mean("batch", ["recall", "epochs"])
    ''
    """
    originals = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), originals, n=1, cutoff=0.6)
    if not near or near[0] == word.lower():  # the word itself, in the wrong place
        return ""
    return f' (did you mean "{originals[near[0]]}"?)'
