"""Rows as HTML, for notebooks. Names of models and values may hold anything: all text is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from modelstore.visible import visible

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 40  # that are shown of a longer result: as many first as last ones
_MOST_CHARACTERS = 300  # of a value
_PLAN = ["explain_key", "explain_value"]  # the columns of DuckDB's EXPLAIN


def of_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """A table.

    Parameters
    ----------
    columns
        Their names.
    rows
        Python values by column; None is NULL.
    caption
        A line above it, if it is not empty.
    """
    head = "".join(f"<th>{_text(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    title = f"<caption>{_text(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def of_text(text: str) -> str:
    """Lines in letters of one width, such as a plan's tree."""
    return f"<pre>{escape(visible(text))}</pre>"


def of_table(table: "pa.Table") -> str:
    """An Arrow table: a plan of DuckDB's as its text; of more than `MOST_ROWS` rows, the first and the last."""
    if table.column_names == _PLAN:
        return of_text("\n".join(str(text) for text in table[1].to_pylist()))
    if table.num_rows <= MOST_ROWS:
        return of_rows(table.column_names, _rows(table))
    half = MOST_ROWS // 2
    rows = [*_rows(table[:half]), ["…"] * table.num_columns, *_rows(table[-half:])]
    return of_rows(table.column_names, rows, f"{table.num_rows:,} rows")


def _rows(table: "pa.Table") -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _cell(value: Any) -> str:
    if value is None:
        return "<td><em>NULL</em></td>"
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = f"{value:.6g}" if isinstance(value, float) else str(value)
        return f'<td style="text-align: right">{number}</td>'
    return f'<td style="text-align: left; white-space: pre-wrap">{_text(str(value))}</td>'


def _text(text: str) -> str:
    return escape(visible(text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"))
