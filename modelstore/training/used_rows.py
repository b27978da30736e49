"""Trains only those rows of a word embedding that the training texts use, to the same weights as all of it.

A row whose token is in no training text has no gradient. AdamW only shrinks it, at step t by the factor 1 − η_t λ,
and by the same factor as all such rows. So they need neither gradients nor moments: one number, which AdamW shrinks
in their place, stands for what becomes of them. A text model of 20 million parameters may have half of them in rows
that 400 texts do not use; of a multilingual one, with 250,000 tokens, they are nearly all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from modelstore.data.model_shape import MOST_USED
from modelstore.training.inputs.interface import Inputs
from modelstore.training.inputs.text import TextInputs

_SPECIAL = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")


class UsedRows(nn.Embedding):
    """An embedding of which some rows are trained.

    Parameters
    ----------
    embedding
        The whole embedding, (tokens, width), in whose place this one is.
    used
        The tokens whose rows are trained, (rows,), rising.

    Attributes
    ----------
    weight
        The rows that are trained, (rows, width).
    scale
        What has become of the others: their factor, (1, 1), a weight whose gradient is always 0.
    """

    def __init__(self, embedding: nn.Embedding, used: NDArray):
        whole = embedding.weight.detach()
        tokens = torch.from_numpy(used).to(whole.device)
        places = torch.full((len(whole),), -1, dtype=torch.int32, device=whole.device)
        places[tokens] = torch.arange(len(tokens), dtype=torch.int32, device=whole.device)
        padding = None if embedding.padding_idx is None else int(places[embedding.padding_idx])
        super().__init__(len(used), whole.shape[1], padding, _weight=whole[tokens])
        self.whole_padding = embedding.padding_idx
        self.scale = nn.Parameter(whole.new_ones(1, 1))
        self.register_buffer("whole", whole, persistent=False)
        self.register_buffer("places", places, persistent=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embeds tokens of any shape, (...): (..., width)."""
        places = self.places[ids]
        trained = nn.functional.embedding(places.clamp(min=0), self.weight, self.padding_idx)
        others = nn.functional.embedding(ids, self.whole) * self.scale
        return torch.where(places.unsqueeze(-1) >= 0, trained, others)

    @torch.no_grad()
    def all_rows(self) -> torch.Tensor:
        """The whole embedding as training has left it, (tokens, width)."""
        rows = self.whole * self.scale
        rows[self.places >= 0] = self.weight
        return rows


def train_used_rows(network: nn.Module, inputs: Inputs) -> None:
    """Has a network train only the rows of its word embedding that training texts use, where that pays.

    Parameters
    ----------
    network
        A model of transformers, changed in place.
    inputs
        The inputs of the train split.
    """
    if isinstance(inputs, TextInputs):
        ids, _ = inputs.fields["input_ids"]
        train_rows(network, ids)


def train_rows(network: nn.Module, tokens: NDArray) -> None:
    """Has a network train, of its word embedding, only the rows of tokens, (n,), and of those that its config names.

    Its config has the token that texts are padded with: the preprocessor sets it.
    """
    embeddings = _word_embeddings(network)
    if not embeddings:
        return
    whole, config = embeddings[0], network.config.get_text_config()
    special = [getattr(config, name, None) for name in _SPECIAL] + [whole.padding_idx]
    is_used = np.zeros(whole.num_embeddings, bool)
    is_used[tokens] = True
    is_used[[one for one in special if isinstance(one, int) and 0 <= one < len(is_used)]] = True
    used = np.flatnonzero(is_used)
    if len(used) <= MOST_USED * len(is_used):
        _replace(network, embeddings, UsedRows(whole, used))


def train_all_rows(network: nn.Module) -> None:
    """Takes back what `train_used_rows` has done to a network that has not been trained since."""
    for rows in {module for _, module in _replaced(network)}:
        _replace(network, [rows], nn.Embedding(*rows.whole.shape, rows.whole_padding, _weight=rows.whole))


def with_all_rows(network: nn.Module) -> dict[str, torch.Tensor]:
    """Returns a network's weights by the names, and in the shapes, that it had before `train_used_rows`."""
    weights = network.state_dict()
    replaced = _replaced(network)
    rows = {module: module.all_rows() for _, module in replaced}
    for name, module in replaced:
        weights[f"{name}.weight"] = rows[module]
        del weights[f"{name}.scale"]
    return weights


def _word_embeddings(network: nn.Module) -> list[nn.Embedding]:
    """The modules that embed a network's tokens, all by one weight; none where it is fixed or also used otherwise."""
    try:
        weight = network.get_input_embeddings().weight
    except (AttributeError, NotImplementedError):
        return []
    found = [m for m in network.modules() if any(p is weight for p in m.parameters(recurse=False))]
    plain = weight.requires_grad and all(type(module) is nn.Embedding for module in found)
    if not plain or any(m.max_norm is not None or m.scale_grad_by_freq or m.sparse for m in found):
        return []
    return found if len({module.padding_idx for module in found}) == 1 else []


def _replaced(network: nn.Module) -> list[tuple[str, UsedRows]]:
    """All names of such modules; one that stands for several has several."""
    named = network.named_modules(remove_duplicate=False)
    return [(name, module) for name, module in named if isinstance(module, UsedRows)]


def _replace(network: nn.Module, old: Sequence[nn.Module], new: nn.Module) -> None:
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if any(child is one for one in old):
                setattr(module, name, new)
