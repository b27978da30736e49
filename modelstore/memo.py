"""What was derived from records, kept in memory for as long as the records are the same."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Memo:
    """The newest value of each kind, with the state of the records that it holds for.

    Examples
    --------
    >>> memo = Memo()
    >>> [memo.value("sum", state, lambda: print("summed") or 3) for state in ("a", "a")]
    summed
    [3, 3]
    """

    def __init__(self) -> None:
        self._newest: dict[str, tuple[Hashable, Any]] = {}

    def value(self, kind: str, state: Hashable, derive: Callable[[], Value]) -> Value:
        """The value of this kind; derived where it is not known for this state.

        Parameters
        ----------
        kind
            What is derived; one value of each kind is kept.
        state
            What the value depends on, such as a fingerprint of the records.
        derive
            Computes the value.
        """
        known = self._newest.get(kind)
        if known is None or known[0] != state:
            known = (state, derive())
            self._newest[kind] = known
        value: Value = known[1]
        return value
