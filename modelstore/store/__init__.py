"""The catalog, the records and the log of selections: the only package with SQL about their tables."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelstore.store.store import Store

__all__ = ["Store"]


def __getattr__(name: str) -> Any:
    """Imports `Store` when it is first used, as it takes NumPy and Arrow, which opening a database does not need."""
    if name == "Store":
        from modelstore.store.store import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
