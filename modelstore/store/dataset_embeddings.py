"""The embeddings of datasets, by the encoder that computed them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class DatasetEmbedding:
    """What an encoder made of a dataset.

    Attributes
    ----------
    embedding
        (dimensions,) of an embedding, (units,) of Task2Vec.
    labels
        The mean embedding of the labels' names, (dimensions,); None where there are none in words.
    rows
        How many rows it was computed from.
    seconds
        How long that took.
    source
        The state of the dataset and of the encoder's weights then; None where it was unknown.
    """

    embedding: Vector
    labels: Vector | None
    rows: int
    seconds: float
    source: str | None


class DatasetEmbeddings(Repository):
    """Reads and writes ``dataset_embeddings``."""

    def of(self, method: str, encoder: str, options: str) -> dict[str, DatasetEmbedding]:
        """The embeddings by a method, an encoder (the place of its weights) and options, by dataset."""
        table: pa.Table = self._connection.sql(
            self.full(
                "SELECT dataset, embedding, labels, rows, coalesce(seconds, 0), source FROM main.dataset_embeddings "
                "WHERE method = ? AND encoder = ? AND options = ?"
            ),
            params=[method, encoder, options],
        ).to_arrow_table()
        names, embeddings, labels, rows, seconds, sources = table.columns
        return {
            names[place].as_py(): DatasetEmbedding(
                embeddings[place].values.to_numpy(),
                labels[place].values.to_numpy() if labels[place].is_valid else None,
                rows[place].as_py(),
                seconds[place].as_py(),
                sources[place].as_py(),
            )
            for place in range(table.num_rows)
        }

    def put(self, dataset: str, method: str, encoder: str, options: str, found: DatasetEmbedding) -> None:
        """Stores an embedding in place of the one by the same method, encoder and options."""
        key = [dataset, method, encoder, options]
        self._run(
            "DELETE FROM main.dataset_embeddings WHERE dataset = ? AND method = ? AND encoder = ? AND options = ?",
            key,
        )
        vectors = {
            name: pa.array([vector], pa.list_(pa.float32()))
            for name, vector in (("embedding", found.embedding), ("labels", found.labels))
        }
        with temp_table(self._connection, [dataset], **vectors) as one:
            self._run(
                "INSERT INTO main.dataset_embeddings (dataset, method, encoder, options, source, embedding, labels, "
                f"rows, seconds) SELECT model, ?, ?, ?, ?, embedding, labels, ?, ? FROM {one}",
                [method, encoder, options, found.source, found.rows, found.seconds],
            )
