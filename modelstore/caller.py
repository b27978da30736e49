"""The code that called us, for DuckDB's replacement scans.

`FROM my_dataframe` finds a variable of the code that calls DuckDB: its locals, then its globals, and no other
code's. A call that comes through us is therefore made from an expression evaluated where our caller is.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from types import CodeType
from typing import Any

_CALL = "modelstore call"  # a name that no variable can have
_EXPRESSION = compile("modelstore_call()", "<caller>", "eval")


class Caller(Mapping[str, Any]):
    """The frame ``depth`` calls up, as the scope of calls to DuckDB: a mapping of its local variables."""

    __slots__ = ("_call", "_frame", "_locals")

    def __init__(self, depth: int):
        self._frame = sys._getframe(depth)
        self._call: Any = None
        self._locals: dict[str, Any] | None = None

    def run(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What ``function`` returns when it is called from there."""
        frame = self._frame
        self._call = partial(function, *arguments, **named)
        return eval(_expression_at(frame.f_code.co_filename, frame.f_lineno), frame.f_globals, self)

    def __getitem__(self, name: str) -> Any:
        return self._call if name == _CALL else self._variables()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables())

    def __len__(self) -> int:
        return len(self._variables())

    def _variables(self) -> dict[str, Any]:
        # Only looked at where a table is not found: most calls never need them.
        if self._locals is None:
            self._locals = dict(self._frame.f_locals)
        return self._locals


@lru_cache(maxsize=4096)
def _expression_at(file: str, line: int | None) -> CodeType:
    """The call as an expression that stands at a line, which DuckDB's errors about variables name."""
    return _EXPRESSION.replace(co_names=(_CALL,), co_filename=file, co_firstlineno=line or 1)
