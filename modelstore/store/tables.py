"""Which tables DuckDB finds by their names alone."""

import duckdb

from modelstore.sql_text import in_full, same_name


def has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether a table or view of this name can be named without its schema."""
    sql = f"""
        SELECT 1 FROM (
            SELECT database_name, schema_name, table_name AS name FROM duckdb_tables()
            UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views()
        )
        WHERE {same_name("name", "$name")} AND database_name IN (current_database(), 'temp')
            AND list_contains(current_schemas(true), schema_name)
    """
    return bool(connection.execute(in_full(sql), {"name": name}).fetchall())
