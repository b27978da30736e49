"""The line at the bottom of the prompt: database, transaction, device."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import duckdb

from modelstore.connection import Connection


def transaction(connection: Connection) -> str:
    """Whether a transaction is open, in words; nothing outside of one."""
    try:
        return "in transaction" if connection.in_transaction else ""
    except duckdb.TransactionException:
        return "transaction aborted: ROLLBACK"


def device() -> str:
    """What `device = 'auto'` trains on. Loading torch takes seconds: until something else does, its build tells."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "cuda"):
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        build = version("torch")
    except PackageNotFoundError:
        return "no torch"
    return "cpu" if build.endswith("+cpu") or not Path("/dev/nvidiactl").exists() else "cuda"
