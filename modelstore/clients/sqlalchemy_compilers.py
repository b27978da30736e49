"""DuckDB's SQL as SQLAlchemy writes it: PostgreSQL's, but for what DuckDB has otherwise."""

from typing import Any

import duckdb
from sqlalchemy import cast, types
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGIdentifierPreparer, PGTypeCompiler


class StatementCompiler(PGCompiler):
    """Queries and changes."""

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """Nothing: DuckDB locks no rows; of two transactions that change a row, the second fails."""
        return ""

    def visit_bitwise_xor_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return f"xor({self.process(binary.left, **kw)}, {self.process(binary.right, **kw)})"

    def visit_json_getitem_op_binary(
        self, binary: Any, operator: Any, _cast_applied: bool = False, **kw: Any
    ) -> str:
        """In parentheses: the arrow of DuckDB, which lambdas have too, binds less than a comparison."""
        is_json = binary.type._type_affinity is types.JSON
        if not is_json and not _cast_applied:
            return self.process(cast(binary, binary.type), _cast_applied=True, **kw)
        left, right = (self.process(side, **kw) for side in (binary.left, binary.right))
        return f"({left} {'->' if is_json else '->>'} {right})"

    visit_json_path_getitem_op_binary = visit_json_getitem_op_binary


class TypeCompiler(PGTypeCompiler):
    """Column types."""

    def visit_FLOAT(self, type_: Any, **kw: Any) -> str:
        """Eight bytes, as Python's floats, unless fewer bits are asked for: DuckDB's FLOAT has four."""
        return "FLOAT" if type_.precision is not None and type_.precision <= 24 else "DOUBLE"


def _reserved_words() -> set[str]:
    """The words that DuckDB reads as names in quotes alone."""
    sql = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')"
    with duckdb.connect() as connection:
        return {word for (word,) in connection.execute(sql).fetchall()}


class IdentifierPreparer(PGIdentifierPreparer):
    """Quotes names as PostgreSQL does, and DuckDB's own reserved words too."""

    reserved_words = PGIdentifierPreparer.reserved_words | _reserved_words()
