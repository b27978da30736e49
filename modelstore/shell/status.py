"""The line at the bottom of the prompt: database, transaction, device."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import duckdb

from modelstore.connection import Connection


def transaction(connection: Connection) -> str:
    """The transaction that is open, in words; nothing outside of one."""
    try:
        return "in transaction" if connection.in_transaction else ""
    except duckdb.TransactionException:
        return "transaction aborted: ROLLBACK"


def device() -> str:
    """The device of `device = 'auto'`. Until something has loaded torch, which takes seconds, its build tells."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "cuda"):
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        build = version("torch")
    except PackageNotFoundError:
        return "no torch"
    return "cpu" if build.endswith("+cpu") or not Path("/dev/nvidiactl").exists() else "cuda"
