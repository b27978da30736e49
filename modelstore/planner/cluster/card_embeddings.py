"""The embeddings of model cards by a text encoder, which similarity by text compares."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from modelstore.data.hub import ModelRef
from modelstore.execution.jobs import Job, OnBatch, run_jobs
from modelstore.execution.worker import Worker
from modelstore.execution.workers import Workers
from modelstore.progress import progress
from modelstore.store import Store
from modelstore.store.registered import Model

CARDS = 1024  # embedded at a time, and then stored


@dataclass(frozen=True)
class _Embedded:
    """Some cards and their embeddings, (cards, dimensions)."""

    cards: Sequence[str]
    embeddings: np.ndarray


def passes_to_embed(store: Store, encoder: Model, models: Sequence[str]) -> int:
    """How many times the encoder runs to embed the cards of the models that have no stored embedding yet."""
    return math.ceil(len(store.embeddings.cards_without(str(encoder.uri), models)) / CARDS)


def embed_cards(
    store: Store, encoder: Model, models: Sequence[str], workers: AbstractContextManager[Workers]
) -> tuple[list[str], np.ndarray]:
    """Embeds the cards that have no stored embedding yet, and stores each embedding as soon as it is computed.

    Parameters
    ----------
    store
        The store.
    encoder
        The text model that embeds the cards.
    models
        The models whose cards are wanted.
    workers
        Those that run the encoder, where cards are to be embedded.

    Returns
    -------
    names, embeddings
        The models that have a card, and their embeddings, (names, dimensions).
    """
    from modelstore.data.hub import resolve_model

    uri = str(encoder.uri)
    cards = store.embeddings.cards_without(uri, models)
    if cards:
        waiting = [cards[start : start + CARDS] for start in range(0, len(cards), CARDS)]
        ref = resolve_model(encoder.name, uri)

        def take(worker: Worker, another: bool) -> Job[_Embedded] | None:
            return _job(ref, waiting.pop(0)) if waiting else None

        def store_them(done: _Embedded) -> None:
            store.embeddings.add(uri, done.cards, done.embeddings)
            bar.update(len(done.cards))

        with progress(len(cards), "cards", "card") as bar, workers as at_work:
            run_jobs(at_work, len(waiting), take, store_them, bar.update)
    return store.embeddings.of(uri, models)


def _job(encoder: ModelRef, cards: Sequence[str]) -> Job[_Embedded]:
    def embed(worker: Worker, on_batch: OnBatch) -> _Embedded:
        return _Embedded(cards, worker.embed_texts(encoder, cards))

    return embed
