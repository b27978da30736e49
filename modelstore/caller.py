"""The code that called the package, for DuckDB's replacement scans.

`FROM my_dataframe` finds a variable of the code that calls DuckDB: its locals, then its globals, and no other
code's. A call that passes through this package is therefore made from an expression evaluated in its caller's frame.
It runs before every statement, so it does as little as it can.

The module is at the root because the connection makes a `Caller`, and the planner below it runs queries through one.
"""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Any

import duckdb

# Modules of clients that expect of a connection what DuckDB's does not do.
JUPYSQL = "sql.run.resultset"
SQLALCHEMY = "sqlalchemy.pool.base"

_CALL = "modelstore call"  # a name that no variable can have
_EXPRESSION = compile("modelstore_call()", "<caller>", "eval").replace(co_names=(_CALL,))


class Caller:
    """The frame ``depth`` calls up, as the scope of calls to DuckDB: a mapping of its local variables.

    Parameters
    ----------
    depth
        How many calls up the frame is: 2 for the caller of the function that makes the object.
    """

    __slots__ = ("_call", "_frame", "_locals")

    def __init__(self, depth: int, _frame_at: Callable[[int], FrameType] = sys._getframe):
        self._frame = _frame_at(depth)

    @property
    def module(self) -> str:
        """The name of the caller's module."""
        return str(self._frame.f_globals.get("__name__"))

    def run(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Calls ``function`` from the caller's frame.

        Returns
        -------
        Any
            What the function returns.

        Raises
        ------
        duckdb.InvalidInputException
            Where a variable is no table: as DuckDB's, with the caller's file and line.
        """
        self._call = partial(function, *arguments, **named)
        try:
            return eval(_EXPRESSION, self._frame.f_globals, self)  # type: ignore[arg-type]
        except duckdb.InvalidInputException as error:
            raise self._in_place(error) from None

    def __getitem__(self, name: str) -> Any:
        return self._call if name == _CALL else self._locals[name]

    def keys(self) -> Iterable[str]:
        # DuckDB asks for them only where it does not find a table.
        self._locals = dict(self._frame.f_locals)
        return self._locals.keys()

    def _in_place(self, error: duckdb.InvalidInputException) -> duckdb.InvalidInputException:
        """The error with the caller's file and line in place of the expression's."""
        message = str(error)
        if '"<caller>:1"' not in message:
            return error
        place = f'"{self._frame.f_code.co_filename}:{self._frame.f_lineno}"'
        return type(error)(message.replace('"<caller>:1"', place))
