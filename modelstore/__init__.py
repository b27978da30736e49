"""modelstore: a DuckDB database of models that answers ``SELECT BEST MODEL FOR dataset``."""

from duckdb import (
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
)

__version__ = "0.1.0"

apilevel = "2.0"
paramstyle = "qmark"
threadsafety = 1

__all__ = [
    "AlreadyExistsError",
    "Connection",
    "DataError",
    "DatabaseError",
    "DatasetError",
    "Error",
    "ExtensionSyntaxError",
    "IntegrityError",
    "InternalError",
    "MissingRecordError",
    "ModelError",
    "NotFoundError",
    "NotSupportedError",
    "OperationalError",
    "OptionError",
    "ProgrammingError",
    "StoreError",
    "TrainingError",
    "Warning",
    "__version__",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]
