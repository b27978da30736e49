"""The Arrow schema of a statement's rows, from the result columns of its description."""

import pyarrow as pa

from modelstore.language.description import Statement

_TYPES = {
    "VARCHAR": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "TIMESTAMP": pa.timestamp("us"),
}


def schema_of(statement: Statement) -> pa.Schema:
    """The schema of the rows that a statement returns."""
    return pa.schema([(column.name, _TYPES[column.type]) for column in statement.columns])
