"""Stores of versions that kept the text of cards alone: what the cards say becomes columns of ``models``."""

import duckdb
import pyarrow as pa

from modelstore.data.card_metadata import read_metadata
from modelstore.store.temp_table import temp_table


def describe_models(connection: duckdb.DuckDBPyConnection) -> None:
    """Fills what the cards of registered models say, and what winners were fine-tuned from."""
    rows = connection.execute(
        "SELECT name, card, base FROM main.models WHERE card IS NOT NULL OR base IS NOT NULL"
    ).fetchall()
    said = [read_metadata(card) for _, card, _ in rows]
    texts = pa.list_(pa.string())
    columns = {
        "license": pa.array([one.license for one in said], pa.string()),
        "languages": pa.array([one.languages or None for one in said], texts),
        "tags": pa.array([one.tags or None for one in said], texts),
        "base_model": pa.array(
            [one.base_model or base for one, (_, _, base) in zip(said, rows, strict=True)], pa.string()
        ),
    }
    with temp_table(connection, [name for name, _, _ in rows], **columns) as few:
        changes = ", ".join(f"{column} = few.{column}" for column in columns)
        connection.execute(f"UPDATE main.models SET {changes} FROM {few} AS few WHERE name = few.model")
