"""The embeddings of model cards by a text encoder, which similarity by text compares."""

from collections.abc import Sequence

import numpy as np

from modelstore.interruption import check
from modelstore.progress import progress
from modelstore.store import Store
from modelstore.store.catalog import Model

CARDS = 1024  # embedded at a time, and then stored


def embed_cards(store: Store, encoder: Model, models: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Embeds the cards that have no stored embedding yet, and stores each embedding as soon as it is computed.

    Parameters
    ----------
    store
        The store.
    encoder
        The text model that embeds the cards.
    models
        The models whose cards are wanted.

    Returns
    -------
    names, embeddings
        The models that have a card, and their embeddings, (names, dimensions).
    """
    from modelstore.data.hub import resolve_model
    from modelstore.training.features import embed_texts

    uri = str(encoder.uri)
    path = resolve_model(encoder.name, uri).path
    cards = store.embeddings.cards_without(uri, models)
    with progress(len(cards), "cards", "card") as bar:
        for start in range(0, len(cards), CARDS):
            check()
            some = cards[start : start + CARDS]
            store.embeddings.add(uri, some, embed_texts(encoder.name, path, some))
            bar.update(len(some))
    return store.embeddings.of(uri, models)
