"""Tokenises texts for a model, once for each split, and pads them when a batch is made."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import nn

from modelstore.data import cache
from modelstore.data.model_limits import shown
from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.interruption import check
from modelstore.libraries import quiet
from modelstore.training.inputs.interface import VERSIONS

LONGEST = 512  # tokens of a text for a model whose tokenizer does not say at how many it truncates
CHUNK = 1000  # texts that the tokenizer gets at once,
CHUNK_CHARACTERS = 1_000_000  # and their characters: an interruption waits for so many
# A text is cut to so many characters a token before it is tokenised. Tokens have 4 or 5; a text is cut too early only
# where words of several hundred letters, or blanks, fill it.
CHARACTERS_PER_TOKEN = 256


class TextPreprocessor:
    """Makes a model's inputs from texts, by its tokenizer.

    Parameters
    ----------
    model
        The model's name, for messages.
    tokenizer
        The tokenizer of transformers. It gets a padding token if it has none, and pads on the side that `_pads_left`
        says.
    network
        The network that the inputs are for. Its config gets the tokenizer's padding token: by it, a decoder with a
        classification head finds the last token of a text.
    max_length
        The tokens at which a text is truncated; fewer if the network or the tokenizer cannot take as many. None: as
        many as the tokenizer itself says, which for a model that was fine-tuned here is what it was trained with.

    Raises
    ------
    ModelError
        The tokenizer has no token to pad with.
    """

    def __init__(self, model: str, tokenizer: Any, network: nn.Module, max_length: int | None):
        self.model = model
        self.tokenizer = tokenizer
        self.config = network.config
        _ensure_padding_token(model, tokenizer, self.config)
        tokenizer.padding_side = "left" if _pads_left(network) else "right"
        for config in {id(c): c for c in (self.config, self.config.get_text_config())}.values():
            config.pad_token_id = tokenizer.pad_token_id
        wanted = _own_truncation(tokenizer) if max_length is None else max_length
        self.max_length = min(wanted, _stated_length(model, tokenizer), _max_tokens(network))
        accepted = inspect.signature(network.forward).parameters
        self.names = {name for name in tokenizer.model_input_names if name in accepted}
        if getattr(self.config, "type_vocab_size", 0) < 2:
            self.names -= {"token_type_ids"}  # GPT-2 would take them for word ids
        self._identity: list[Any] | None = None
        if (backend := getattr(tokenizer, "backend_tokenizer", None)) is not None:
            # Everything that decides a text's tokens: models with equal tokenizers share cache entries.
            settings = (tokenizer.truncation_side, tokenizer.model_input_names, tokenizer.pad_token_id)
            kind = type(tokenizer).__name__
            cut = CHARACTERS_PER_TOKEN
            self._identity = ["text", VERSIONS, kind, settings, self.max_length, cut, backend.to_str()]

    def split(self, data: TaskData, split: str, rows: NDArray | None = None) -> TextInputs:
        """Returns the tokens of a split, or of some of its rows, (n,), as `encode` does."""
        return self.encode(data.split(split) if rows is None else data.split(split).take(rows))

    def encode(self, table: pa.Table, cached: bool = True) -> TextInputs:
        """Returns the tokens of a table's column ``text``, and ``text_pair`` if it has one.

        Parameters
        ----------
        table
            The rows.
        cached
            Whether they go through the cache on disk.

        Raises
        ------
        ModelError
            The tokenizer gives a token that the network has no embedding for.
        """
        texts = table.select([name for name in ("text", "text_pair") if name in table.column_names])
        if self._identity is None or not cached:
            tokens = self._tokenise(texts)
        else:
            tokens = cache.load_or_compute(self._key(self._identity, texts), lambda: self._tokenise(texts))
        largest = max(self.tokenizer.pad_token_id, pc.max(pc.list_flatten(tokens["input_ids"])).as_py())
        if largest >= (getattr(self.config, "vocab_size", None) or largest + 1):
            raise ModelError(
                f"the tokenizer of model {self.model} gives token {largest}, and its config.json has a "
                f"vocab_size of {self.config.vocab_size}: the two do not belong together"
            )
        return self._inputs(texts, tokens)

    def _inputs(self, table: pa.Table, tokens: pa.Table) -> TextInputs:
        """Returns the inputs of a table's rows, from what `_tokenise` gives for it."""
        return TextInputs(tokens, self.names, self.tokenizer)

    def _key(self, identity: list[Any], table: pa.Table) -> str:
        """Returns the name of the cache entry of a table's tokens."""
        return cache.key(identity, table)

    def _encode(self, texts: list[list[Any]]) -> Mapping[str, list[list[int]]]:
        """Returns the tokens of rows by name, from the values of their columns."""
        encoded: Mapping[str, list[list[int]]] = self.tokenizer(
            *texts, truncation=True, max_length=self.max_length
        )
        return encoded

    def _tokenise(self, table: pa.Table) -> pa.Table:
        """Returns a table of what `_encode` gives of ids of tokens, types and words: lists of int32."""
        # An empty text may have no tokens, and a model needs at least one.
        instead = {"input_ids": [self.tokenizer.pad_token_id], "token_type_ids": [0], "word_ids": [-1]}
        batches = []
        with quiet():
            for batch in self._chunks(table):
                check()
                texts = [column.to_pylist() for column in batch.columns]
                encoded = self._encode(texts)
                columns = {
                    name: pa.array([row or instead[name] for row in encoded[name]], pa.list_(pa.int32()))
                    for name in instead
                    if name in encoded
                }
                batches.append(pa.RecordBatch.from_pydict(columns))
        return pa.Table.from_batches(batches).combine_chunks()

    def _chunks(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        """The texts that the tokenizer gets at once, each cut to what can be in its first `max_length` tokens."""
        most = self.max_length * CHARACTERS_PER_TOKEN
        cut = (-most, None) if self.tokenizer.truncation_side == "left" else (0, most)
        columns = {name: _sliced(table[name], *cut) for name in table.column_names}
        sizes = np.sum([_characters(column) for column in columns.values()], axis=0)
        start = characters = 0
        shortened = pa.table(columns)
        for row, size in enumerate(sizes.tolist()):
            if row - start == CHUNK or (row > start and characters + size > CHUNK_CHARACTERS):
                yield from shortened.slice(start, row - start).to_batches()
                start, characters = row, 0
            characters += size
        yield from shortened.slice(start).to_batches()

    def save(self, directory: Path) -> None:
        """Writes the tokenizer's files, with the length at which texts are truncated."""
        if (backend := getattr(self.tokenizer, "backend_tokenizer", None)) is not None:
            backend.enable_truncation(self.max_length, direction=self.tokenizer.truncation_side)
        self.tokenizer.save_pretrained(directory)


class TextInputs:
    """The tokens of n rows, padded when a batch is made.

    Parameters
    ----------
    tokens
        The columns ``input_ids`` and perhaps ``token_type_ids``: lists of int32.
    names
        The inputs that the model takes.
    tokenizer
        The tokenizer, which says how to pad.

    Attributes
    ----------
    fields
        For each input, the tokens of all rows one after another, and the value to pad with.
    lengths
        The tokens of each row, (n,).
    with_mask
        Whether the model takes an attention mask.
    left
        Whether padding goes to the left of a text.
    """

    def __init__(self, tokens: pa.Table, names: set[str], tokenizer: Any):
        padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
        self.fields = {
            name: (pc.list_flatten(tokens[name]).to_numpy(), padding[name])
            for name in tokens.column_names
            if name in names | {"input_ids"}
        }
        self.lengths: NDArray = pc.list_value_length(tokens["input_ids"]).to_numpy()
        self._starts = np.cumsum(self.lengths, dtype=np.int64) - self.lengths
        self.with_mask = "attention_mask" in names
        self.left = tokenizer.padding_side == "left"

    @property
    def nbytes(self) -> int:
        """The size of all tokens, in bytes."""
        return sum(values.nbytes for values, _ in self.fields.values())

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: NDArray) -> dict[str, torch.Tensor]:
        """Returns ``input_ids`` and the model's other inputs, each (rows, longest row) int64."""
        mask = self.mask(rows)
        positions = self.positions(mask, rows)
        padded = {
            name: np.where(mask, values[np.where(mask, positions, 0)], padding).astype(np.int64)
            for name, (values, padding) in self.fields.items()
        }
        if self.with_mask:
            padded["attention_mask"] = mask
        return {name: torch.from_numpy(values) for name, values in padded.items()}

    def positions(self, mask: NDArray, rows: NDArray) -> NDArray:
        """Returns the position of each token of a batch among the tokens of all rows, (rows, longest row).

        Parameters
        ----------
        mask
            What `mask` returns for these rows; where it is 0, the positions mean nothing.
        rows
            The row numbers of the batch, (rows,).
        """
        return np.cumsum(mask, axis=1) - 1 + self._starts[rows, None]

    def mask(self, rows: NDArray) -> NDArray:
        """Returns the attention mask of a batch, (rows, longest row) int64: 1 for a token and 0 for padding."""
        lengths = self.lengths[rows]
        positions = np.arange(lengths.max())
        return ((positions[::-1] if self.left else positions) < lengths[:, None]).astype(np.int64)


def _ensure_padding_token(model: str, tokenizer: Any, config: Any) -> None:
    """Sets a tokenizer's padding token where it has none, or one that the network has no embedding for.

    It becomes the config's, else the token that ends a text. Raises ModelError where there is none.
    """
    text_config = config.get_text_config()
    words = getattr(text_config, "vocab_size", None) or len(tokenizer)
    given = tokenizer.pad_token_id
    if given is not None and given < words:
        return
    for other in (text_config.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id):
        if other is not None and 0 <= other < min(words, len(tokenizer)):
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(other)
            return
    if given is None:  # GPT-2 was trained without padding
        raise ModelError(f"the tokenizer of model {model} has no padding token: set its pad_token")


def _own_truncation(tokenizer: Any) -> int:
    """The tokens at which a tokenizer truncates by its own files, else `LONGEST`."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    own = getattr(backend, "truncation", None)
    return int(own["max_length"]) if own else LONGEST


def _stated_length(model: str, tokenizer: Any) -> int:
    """The tokens that a tokenizer says its model can take. Raises ModelError where that is no number of tokens."""
    stated = tokenizer.model_max_length
    if not isinstance(stated, int | float) or isinstance(stated, bool) or not stated >= 1:
        raise ModelError(
            f"the tokenizer_config.json of model {model} has {shown('model_max_length', stated)}: it is a number of "
            "tokens, 1 or more"
        )
    return int(min(stated, 10**9))


def _sliced(texts: pa.ChunkedArray, start: int, stop: int | None) -> pa.ChunkedArray:
    """The texts' characters from one place to another; what is short already is not copied.

    Of texts that are lists of words, as many words stay as characters would, each with as many characters.
    """
    limit = abs(stop if stop is not None else start)
    if pa.types.is_list(texts.type):
        shortest = pc.list_slice(texts, 0, limit)
        words = _sliced(pc.list_flatten(shortest), 0, limit).combine_chunks()
        offsets = np.concatenate([[0], np.cumsum(pc.list_value_length(shortest).to_numpy())])
        return pa.chunked_array([pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), words)])
    if (pc.max(pc.binary_length(texts)).as_py() or 0) <= limit:
        return texts
    return pc.utf8_slice_codeunits(texts, start, stop)


def _characters(texts: pa.ChunkedArray) -> NDArray:
    """How many characters each text has, (texts,); each word of a list counts as at least one."""
    if not pa.types.is_list(texts.type):
        return pc.utf8_length(texts).to_numpy()
    lengths = np.maximum(pc.utf8_length(pc.list_flatten(texts)).to_numpy(), 1)
    ends = np.cumsum(pc.list_value_length(texts).to_numpy())
    return np.diff(np.concatenate([[0], lengths]).cumsum()[np.concatenate([[0], ends])])


def _pads_left(network: nn.Module) -> bool:
    """Whether padding goes to the left of a text.

    On the right, padding changes nothing: tokens keep their positions, and a decoder's do not attend to what follows
    them. XLNet alone is made for padding on the left: its classifier reads the last position.
    """
    return network.config.model_type == "xlnet"


def _max_tokens(network: nn.Module) -> int:
    """Returns the most tokens that the network has positions for."""
    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and similar models count positions from one past the padding token's id.
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    stated = getattr(network.config, "max_position_embeddings", None) or -1
    return stated if stated > 0 else 10**9  # XLNet states -1, T5 states nothing: any length
