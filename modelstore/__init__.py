"""modelstore: a DuckDB database of models that answers ``SELECT BEST MODEL FOR dataset``."""

from datetime import date as Date
from datetime import datetime as Timestamp
from datetime import time as Time
from typing import Any

from duckdb import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)

from modelstore.connection import Connection, connect
from modelstore.connection.best_model import BestModel
from modelstore.errors import (
    AlreadyExistsError,
    DatasetError,
    ExtensionSyntaxError,
    MissingRecordError,
    ModelError,
    NotFoundError,
    OptionError,
    StoreError,
    TrainingError,
    UnexpectedError,
)

__version__ = "0.1.0"

Binary = bytes
DateFromTicks = Date.fromtimestamp
TimestampFromTicks = Timestamp.fromtimestamp
InterfaceError = Error  # DuckDB has no class of that name


def TimeFromTicks(ticks: float) -> Time:
    """The local time of day at a number of seconds since the epoch."""
    return Timestamp.fromtimestamp(ticks).time()


def clear_cache() -> None:
    """Deletes all prepared data and converted models from the cache; what is needed again is made again."""
    from modelstore.data import cache

    cache.clear()


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext modelstore` calls in a notebook: see docs/how-to/notebooks.md."""
    from modelstore.clients.notebook import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """What `%unload_ext modelstore` calls."""
    from modelstore.clients.notebook import unload

    unload(shell)


apilevel = "2.0"
paramstyle = "qmark"
threadsafety = 1

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "AlreadyExistsError",
    "BestModel",
    "Binary",
    "Connection",
    "DataError",
    "DatabaseError",
    "DatasetError",
    "Date",
    "DateFromTicks",
    "Error",
    "ExtensionSyntaxError",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "MissingRecordError",
    "ModelError",
    "NotFoundError",
    "NotSupportedError",
    "OperationalError",
    "OptionError",
    "ProgrammingError",
    "StoreError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "TrainingError",
    "UnexpectedError",
    "Warning",
    "__version__",
    "apilevel",
    "clear_cache",
    "connect",
    "paramstyle",
    "threadsafety",
]
