"""What SQLAlchemy asks about the tables of the current database, answered from DuckDB's catalog.

A store's file may have other databases attached: those are reached by SQL, and not reflected.
"""

from typing import Any

import duckdb
from sqlalchemy import text, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import reflection
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import NoSuchTableError

_TYPES: dict[str, type[types.TypeEngine[Any]]] = {
    "bigint": types.BigInteger,
    "bit": postgresql.BIT,
    "blob": types.LargeBinary,
    "boolean": types.Boolean,
    "date": types.Date,
    "double": types.Double,
    "float": types.REAL,
    "hugeint": types.Numeric,
    "integer": types.Integer,
    "interval": types.Interval,
    "smallint": types.SmallInteger,
    "time": types.Time,
    "timestamp": types.DateTime,
    "timestamp_ms": types.DateTime,
    "timestamp_ns": types.DateTime,
    "timestamp_s": types.DateTime,
    "tinyint": types.SmallInteger,
    "ubigint": types.Numeric,
    "uhugeint": types.Numeric,
    "uinteger": types.BigInteger,
    "usmallint": types.Integer,
    "utinyint": types.SmallInteger,
    "uuid": types.Uuid,
    "varchar": types.String,
}
# Of the current database, and the temporary tables, which are in a database of their own.
_PERMANENT = "database_name = current_database()"
_TABLES = f"""
SELECT schema_name, table_name AS name, table_oid AS oid, comment, 'table' AS kind, temporary, sql, database_name
FROM duckdb_tables() WHERE ({_PERMANENT} OR temporary) AND NOT internal
UNION ALL
SELECT schema_name, view_name, view_oid, comment, 'view', temporary, sql, database_name
FROM duckdb_views() WHERE ({_PERMANENT} OR temporary) AND NOT internal
"""


class Reflection(DefaultDialect):
    """The part of a dialect that reflects."""

    def _rows(self, connection: Any, sql: str, **values: Any) -> list[Any]:
        return list(connection.execute(text(sql), values))

    def _get_default_schema_name(self, connection: Any) -> str:
        return str(connection.scalar(text("SELECT current_schema()")))

    # --- names

    @reflection.cache
    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        sql = f"SELECT schema_name FROM duckdb_schemas() WHERE {_PERMANENT} AND NOT internal ORDER BY ALL"
        names = [name for (name,) in self._rows(connection, sql)]
        return names if "main" in names else ["main", *names]

    @reflection.cache
    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return self._names(connection, schema, "table", temporary=False)

    @reflection.cache
    def get_temp_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return self._names(connection, schema, "table", temporary=True)

    @reflection.cache
    def get_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return self._names(connection, schema, "view", temporary=False)

    @reflection.cache
    def get_temp_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return self._names(connection, schema, "view", temporary=True)

    def _names(self, connection: Any, schema: str | None, kind: str, temporary: bool) -> list[str]:
        sql = (
            f"SELECT name FROM ({_TABLES}) WHERE kind = :kind AND temporary = :temporary AND schema_name = "
            "if(temporary, 'main', :schema) ORDER BY name"
        )
        named = {"kind": kind, "temporary": temporary, "schema": schema or self.default_schema_name}
        return [name for (name,) in self._rows(connection, sql, **named)]

    @reflection.cache
    def get_sequence_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        sql = (
            f"SELECT sequence_name FROM duckdb_sequences() WHERE {_PERMANENT} AND schema_name = :schema "
            "ORDER BY ALL"
        )
        rows = self._rows(connection, sql, schema=schema or self.default_schema_name)
        return [name for (name,) in rows]

    def has_table(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        return self._find(connection, table_name, schema) is not None

    def has_sequence(self, connection: Any, sequence_name: str, schema: str | None = None, **kw: Any) -> bool:
        return sequence_name in self.get_sequence_names(connection, schema)

    def has_schema(self, connection: Any, schema_name: str, **kw: Any) -> bool:
        return schema_name in self.get_schema_names(connection)

    def _find(self, connection: Any, table: str, schema: str | None) -> Any:
        """The row of a table or view; a temporary one comes first, as where it is queried."""
        sql = (
            f"FROM ({_TABLES}) WHERE lower(name) = lower(:table) AND (schema_name = :schema OR temporary AND "
            ":unnamed) ORDER BY temporary DESC LIMIT 1"
        )
        named = {"table": table, "schema": schema or self.default_schema_name, "unnamed": schema is None}
        return next(iter(self._rows(connection, sql, **named)), None)

    def _table(self, connection: Any, table: str, schema: str | None) -> Any:
        found = self._find(connection, table, schema)
        if found is None:
            raise NoSuchTableError(f"{schema}.{table}" if schema else table)
        return found

    # --- a table's parts

    @reflection.cache
    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        found = self._table(connection, table_name, schema)
        sql = """
            SELECT column_name, data_type, is_nullable, column_default, comment, is_generated, generation_expression
            FROM duckdb_columns() WHERE database_name = :database AND table_oid = :oid ORDER BY column_index
        """
        return [
            {
                "name": name,
                "type": type_of(described),
                "nullable": nullable,
                "default": None if generated else default,
                "autoincrement": False,
                "comment": comment,
                **({"computed": {"sqltext": expression}} if generated else {}),
            }
            for name, described, nullable, default, comment, generated, expression in self._rows(
                connection, sql, oid=found.oid, database=found.database_name
            )
        ]

    def _constraints(self, connection: Any, table: str, schema: str | None, kind: str) -> list[Any]:
        found = self._table(connection, table, schema)
        sql = """
            SELECT constraint_name AS name, constraint_column_names AS columns, expression,
                referenced_table, referenced_column_names AS referenced_columns
            FROM duckdb_constraints()
            WHERE database_name = :database AND table_oid = :oid AND constraint_type = :kind ORDER BY ALL
        """
        return self._rows(connection, sql, oid=found.oid, database=found.database_name, kind=kind)

    @reflection.cache
    def get_pk_constraint(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        rows = self._constraints(connection, table_name, schema, "PRIMARY KEY")
        if not rows:
            return {"constrained_columns": [], "name": None}
        return {"constrained_columns": rows[0].columns, "name": rows[0].name}

    @reflection.cache
    def get_foreign_keys(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        return [
            {
                "name": row.name,
                "constrained_columns": row.columns,
                "referred_schema": schema,  # DuckDB's foreign keys stay within a schema
                "referred_table": row.referenced_table,
                "referred_columns": row.referenced_columns,
                "options": {},
            }
            for row in self._constraints(connection, table_name, schema, "FOREIGN KEY")
        ]

    @reflection.cache
    def get_unique_constraints(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        rows = self._constraints(connection, table_name, schema, "UNIQUE")
        return [{"name": row.name, "column_names": row.columns} for row in rows]

    @reflection.cache
    def get_check_constraints(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        rows = self._constraints(connection, table_name, schema, "CHECK")
        return [{"name": row.name, "sqltext": row.expression} for row in rows]

    @reflection.cache
    def get_indexes(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        found = self._table(connection, table_name, schema)
        sql = """
            SELECT index_name, is_unique, expressions::VARCHAR[] FROM duckdb_indexes()
            WHERE database_name = :database AND table_oid = :oid ORDER BY ALL
        """
        columns = {column["name"] for column in self.get_columns(connection, table_name, schema)}
        indexes = []
        for name, unique, listed in self._rows(connection, sql, oid=found.oid, database=found.database_name):
            expressions = [expression.strip("'\"") for expression in listed]
            index: dict[str, Any] = {"name": name, "unique": unique}
            index["column_names"] = [one if one in columns else None for one in expressions]
            if None in index["column_names"]:
                index["expressions"] = expressions
            indexes.append(index)
        return indexes

    @reflection.cache
    def get_table_comment(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        return {"text": self._table(connection, table_name, schema).comment}

    @reflection.cache
    def get_view_definition(
        self, connection: Any, view_name: str, schema: str | None = None, **kw: Any
    ) -> str:
        found = self._table(connection, view_name, schema)
        if found.kind != "view":
            raise NoSuchTableError(view_name)
        return str(found.sql)


def type_of(described: str) -> types.TypeEngine[Any]:
    """SQLAlchemy's type for one of DuckDB's by name; ``NullType`` where it has none, as for a struct."""
    if described == "JSON":  # of which DuckDB says that it is a VARCHAR
        return types.JSON()
    return _as_type(duckdb.sqltype(described))


def _as_type(found: Any) -> types.TypeEngine[Any]:
    if found.id == "decimal":
        (_, precision), (_, scale) = found.children
        return types.Numeric(precision, scale)
    if found.id in ("list", "array"):
        item, dimensions = found, 0
        while item.id in ("list", "array"):
            item, dimensions = item.children[0][1], dimensions + 1
        return types.ARRAY(_as_type(item), dimensions=dimensions)
    if found.id == "enum":
        [(_, values)] = found.children
        return types.Enum(*values, native_enum=False)
    if found.id.endswith("with time zone"):
        kind = types.Time if found.id.startswith("time ") else types.DateTime
        return kind(timezone=True)
    return _TYPES.get(found.id, types.NullType)()
