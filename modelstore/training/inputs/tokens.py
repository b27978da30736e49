"""Tokenises sentences that are split into words, and keeps where the first word piece of each word is."""

from __future__ import annotations

import copy
import weakref
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from torch import nn

from modelstore.data import cache
from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.progress import notify
from modelstore.training.inputs.text import TextInputs, TextPreprocessor

IGNORED = -100  # the target of a token that is no word's first piece, as in transformers
_told: weakref.ref[TaskData] | None = None  # the data of which it was said last that words are cut


class WordInputs(TextInputs):
    """The tokens of n sentences, and where the first piece of each word is among them.

    Attributes
    ----------
    words
        The words of each sentence, (n,).
    places
        For each token, the word whose first piece it is, as its place among the words of all sentences; -1 for
        another piece, a special token, or a token of no word.
    """

    def __init__(self, tokens: pa.Table, names: set[str], tokenizer: Any, words: NDArray):
        super().__init__(tokens, names, tokenizer)
        self.words = words
        within = pc.list_flatten(tokens["word_ids"]).to_numpy().astype(np.int64)
        before = np.repeat(np.cumsum(words, dtype=np.int64) - words, self.lengths)
        first = within >= 0
        # Pieces of one word follow each other. A sentence begins with another word than the one before ends.
        first[1:] &= (within[1:] != within[:-1]) | (before[1:] != before[:-1])
        self.places = np.where(first, within + before, -1)

    def first_pieces(self, rows: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Returns where the words of a batch are that have a piece: sentence by sentence, word by word.

        Parameters
        ----------
        rows
            The numbers of the sentences, (rows,).

        Returns
        -------
        places
            Their places among the words of all sentences, (words,).
        sentences, positions
            The row and the position of their first pieces in the batch, (words,), where its longest row has no
            padding.
        """
        mask = self.mask(rows)
        found = np.where(mask, self.places[np.where(mask, self.positions(mask, rows), 0)], -1)
        sentences, positions = np.nonzero(found >= 0)
        return found[sentences, positions], sentences, positions

    def only(self, places: NDArray) -> WordInputs:
        """Returns these inputs with the first pieces of some words alone.

        Parameters
        ----------
        places
            The places of the words to keep among the words of all sentences, (n,).
        """
        some = copy.copy(self)
        some.places = np.where(np.isin(self.places, places), self.places, -1)
        return some

    def with_targets(self, labels: NDArray) -> TextInputs:
        """Returns these inputs with one field, ``labels``: each word's label at its first piece, else `IGNORED`.

        Parameters
        ----------
        labels
            The labels of the words of all sentences, (words,).
        """
        targets = copy.copy(self)
        values = np.where(self.places >= 0, labels[np.maximum(self.places, 0)], IGNORED)
        targets.fields, targets.with_mask = {"labels": (values, IGNORED)}, False
        return targets


class WordPreprocessor(TextPreprocessor):
    """Makes a model's inputs from lists of words, by its tokenizer.

    Raises
    ------
    ModelError
        The tokenizer does not say which word a piece is of, or has no token to pad with.
    """

    def __init__(self, model: str, tokenizer: Any, network: nn.Module, max_length: int | None):
        if not tokenizer.is_fast:
            raise ModelError(
                f"the tokenizer of model {model} ({type(tokenizer).__name__}) does not say which word a piece is of, "
                "which token classification needs: give a model with a tokenizer.json, or leave it out with WHERE"
            )
        super().__init__(model, tokenizer, network, max_length)

    def split(self, data: TaskData, split: str, rows: NDArray | None = None) -> WordInputs:
        """Returns the tokens of a split, or of some of its rows, (n,); says once where words are cut off."""
        inputs = super().split(data, split, rows)
        assert isinstance(inputs, WordInputs)
        if split == "train" and rows is None:
            self._tell_what_is_cut(data, inputs)
        return inputs

    def _inputs(self, table: pa.Table, tokens: pa.Table) -> WordInputs:
        words = pc.list_value_length(table["text"]).to_numpy()
        return WordInputs(tokens, self.names, self.tokenizer, words)

    def _key(self, identity: list[Any], table: pa.Table) -> str:
        lists = table["text"]
        lengths = pa.table({"words": pc.list_value_length(lists).cast(pa.string())})
        flat = pa.table({"text": pc.list_flatten(lists)})
        return cache.key(["words", cache.key(identity, lengths)], flat)

    def _encode(self, texts: list[list[list[str]]]) -> dict[str, list[list[int]]]:
        encoded = self.tokenizer(
            texts[0], is_split_into_words=True, truncation=True, max_length=self.max_length
        )
        word_ids = [
            [-1 if word is None else word for word in encoded.word_ids(row)] for row in range(len(texts[0]))
        ]
        return {**encoded, "word_ids": word_ids}

    def _tell_what_is_cut(self, data: TaskData, inputs: WordInputs) -> None:
        global _told
        words, read = int(inputs.words.sum()), int((inputs.places >= 0).sum())
        if read == words or (_told is not None and _told() is data):
            return
        _told = weakref.ref(data)
        share = 100 * (words - read) / words
        notify(
            f"{max(share, 0.1):.1f} % of the words in train of {data.name} are cut off at max_length = "
            f"{self.max_length}, or have no token, as {self.model} reads them: they are not learnt, and in "
            "validation and test such words count as not found"
        )
