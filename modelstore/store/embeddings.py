"""The embeddings of model cards, by the text encoder that computed them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table

# The card that each model is compared by. That of a selection's winner tells of the selection, in the same words as
# those of all winners, so the card of the model that it was fine-tuned from stands for it.
_CARDS = (
    "(WITH RECURSIVE lineage AS (SELECT name, name AS root FROM main.models UNION "
    "SELECT lineage.name, tuned.base FROM lineage JOIN main.models AS tuned ON tuned.name = lineage.root "
    "WHERE tuned.base IS NOT NULL) "
    "SELECT lineage.name, card FROM lineage JOIN main.models AS origin ON origin.name = root "
    "WHERE origin.base IS NULL AND card <> '')"
)


class Embeddings(Repository):
    """Reads and writes ``card_embeddings``."""

    def with_card(self, models: Sequence[str]) -> list[str]:
        """Those of the models that have a card to be compared by."""
        with temp_table(self._connection, models) as few:
            rows = self._rows(f"SELECT name FROM {_CARDS} JOIN {few} ON model = name")
        return [name for (name,) in rows]

    def cards_without(self, encoder: str, models: Sequence[str]) -> list[str]:
        """The distinct cards of the models that have no embedding by ``encoder`` (the directory of its weights)."""
        with temp_table(self._connection, models) as few:
            rows = self._rows(
                f"SELECT DISTINCT card FROM {_CARDS} JOIN {few} ON model = name "
                "WHERE md5(card) NOT IN (SELECT card FROM main.card_embeddings WHERE encoder = ?) "
                "ORDER BY card",
                [encoder],
            )
        return [card for (card,) in rows]

    def add(self, encoder: str, cards: Sequence[str], embeddings: np.ndarray) -> None:
        """Stores the embeddings of some cards, shape (len(cards), dimensions)."""
        vectors = pa.FixedSizeListArray.from_arrays(embeddings.ravel(), embeddings.shape[1])
        with temp_table(self._connection, cards, embedding=vectors) as few:
            self._run(
                "INSERT INTO main.card_embeddings (encoder, card, embedding) "
                f"SELECT ?, md5(model), embedding FROM {few} ORDER BY place",
                [encoder],
            )

    def of(self, encoder: str, models: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """Those of the models that have a card with an embedding.

        Returns
        -------
        tuple
            Their names, in the order given, and the embeddings, shape (names, dimensions).
        """
        with temp_table(self._connection, models) as few:
            columns = self._connection.execute(
                self.full(
                    f"SELECT model, embedding FROM {few} JOIN {_CARDS} AS m ON name = model "
                    "JOIN main.card_embeddings AS e ON e.encoder = ? AND e.card = md5(m.card) ORDER BY place"
                ),
                [encoder],
            ).fetchnumpy()
        names = columns["model"].tolist()
        return names, np.stack(columns["embedding"].tolist()) if names else np.empty((0, 0), np.float32)

    def forget(self, encoder: str) -> None:
        """Deletes the embeddings by an encoder that was replaced."""
        self._run("DELETE FROM main.card_embeddings WHERE encoder = ?", [encoder])
