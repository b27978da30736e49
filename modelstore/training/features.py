"""Computes the features that proxies score: one forward pass of a model before fine-tuning, over some rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from modelstore.data.model_config import has_classification_head, read_config
from modelstore.data.sentence_transformers import pooling_of
from modelstore.data.task_data import TaskData
from modelstore.errors import TrainingError
from modelstore.interruption import check
from modelstore.libraries import first_line
from modelstore.progress import notify
from modelstore.tasks import TAGS
from modelstore.training.failures import FAILURES
from modelstore.training.hardware import computing, forward_precision, pick_device
from modelstore.training.inputs.batches import evaluation_batches
from modelstore.training.inputs.interface import Inputs
from modelstore.training.inputs.loading import load_preprocessor
from modelstore.training.inputs.text import TextInputs, TextPreprocessor
from modelstore.training.inputs.tokens import WordInputs
from modelstore.training.layers import LayerPooling
from modelstore.training.loading import load_for_features
from modelstore.training.parts import is_of_timm, timm_head
from modelstore.training.pooling import pool_tokens

TOKENS_A_ROW = 2  # more tokens than rows: most are outside of entities


@dataclass(frozen=True)
class Features:
    """The output of a model, before any fine-tuning, for n rows of a dataset's train split.

    Parameters
    ----------
    features
        The pooled last hidden state, (n, d); with `layers = 'mean'` the mean over the layers.
    probabilities
        The probabilities of the z classes of the model's own head, (n, z); None for a model without one.
    labels
        The dataset's class ids, or the numbers of a regression, (n,); or which labels each row has, (n, labels).
    by_layer
        With `layers = 'best'`, the features of each layer, each (n, d).
    rows
        The rows that passed through the model: n, but of token classification the sentences of the n tokens.
    """

    features: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    labels: NDArray
    rows: int
    by_layer: tuple[NDArray[np.float32], ...] = ()


def extract(
    model: str,
    path: Path,
    data: TaskData,
    rows: int = 2000,
    seed: int = 0,
    batch_size: int = 32,
    max_length: int = 128,
    device: str = "auto",
    on_batch: Callable[[], None] | None = None,
    layers: str = "last",
) -> Features:
    """Computes a model's features for a sample of a dataset's train split.

    Parameters
    ----------
    model, path
        The model's name, for messages, and its directory.
    data
        The dataset.
    rows
        The size of the sample, which is stratified by class; a smaller train split is used as a whole.
    seed
        Draws the sample, and the weights that the model directory lacks.
    batch_size
        The rows in one forward pass.
    max_length
        The tokens at which a text is truncated.
    device
        As `pick_device` takes it.
    on_batch
        Called after each forward pass.
    layers
        "last"; "mean" for the mean of all layers' pooled features (side by side where their widths differ); "best"
        for those of each layer beside the last's. The embeddings are no layer, and the last layer's are those after
        the final norm, as in TransformerRanker (Garbas et al., arXiv 2409.05997).

    Returns
    -------
    Features
        For a text, the last hidden state, pooled as the model's own Pooling module says, else its mean over the
        tokens. For an image, the pooler's output, or the mean over its patches where the pooler is not trained. For
        token classification, the last hidden state at the first pieces of at most `TOKENS_A_ROW` times ``rows``
        tokens, drawn from the sample in proportion to the tags.

    Raises
    ------
    ModelError
        The model cannot be loaded, or its modality is not the dataset's.
    DatasetError
        An image cannot be decoded.
    TrainingError
        This machine does not have the device, or its memory runs out.
    """
    target_device = pick_device(device)
    sample = draw(data.strata("train"), rows, seed)
    of_tokens = data.target is TAGS
    with_head = not of_tokens and has_classification_head(read_config(path))
    extractor = Extractor(model, path, data.modality, with_head, max_length, seed, words=of_tokens)
    inputs = extractor.preprocessor.split(data, "train", sample)
    labels = data.targets("train", sample)
    if isinstance(inputs, WordInputs):
        tokens = _draw_tokens(inputs, labels, TOKENS_A_ROW * rows, seed)
        inputs, labels = inputs.only(tokens), labels[tokens]
    features, logits, by_layer = extractor.forward(inputs, batch_size, target_device, on_batch, layers)
    return Features(
        features=features.numpy(),
        probabilities=None if logits is None else logits.softmax(dim=1).numpy(),
        labels=labels,
        rows=len(sample),
        by_layer=tuple(layer.numpy() for layer in by_layer),
    )


def embed_texts(
    model: str,
    path: Path,
    texts: Sequence[str],
    batch_size: int = 32,
    max_length: int = 512,
    device: str = "auto",
) -> NDArray[np.float32]:
    """Embeds texts with a text model.

    Parameters
    ----------
    model, path
        The model's name, for messages, and its directory.
    texts
        The n texts.
    batch_size, max_length, device
        As for `extract`.

    Returns
    -------
    NDArray
        The last hidden state of each text's tokens, pooled as for `extract`, (n, d).

    Raises
    ------
    ModelError, TrainingError
        As for `extract`.
    """
    extractor = Extractor(model, path, "text", with_head=False, max_length=max_length, seed=0)
    assert isinstance(extractor.preprocessor, TextPreprocessor)
    inputs = extractor.preprocessor.encode(pa.table({"text": pa.array(texts, pa.string())}))
    return extractor.forward(inputs, batch_size, pick_device(device), None)[0].numpy()


class Extractor:
    """Runs a model before fine-tuning, with its own classification head or without a head."""

    def __init__(
        self,
        model: str,
        path: Path,
        modality: str,
        with_head: bool,
        max_length: int | None,
        seed: int,
        words: bool = False,
    ):
        self.model, self.with_head = model, with_head
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)  # draws the weights that the model directory lacks
            loaded = load_for_features(model, path, modality, with_head)
        self.network, self.trained_pooler = loaded.network, loaded.trained_pooler
        if with_head and not loaded.trained_head:
            notify(
                f"the weights of model {model} lack the classification head that its config.json speaks of: none is "
                "used"
            )
            self.with_head = False
        self.pooling = pooling_of(path) if modality == "text" else ()
        self.preprocessor = load_preprocessor(model, path, modality, self.network, max_length, words)

    @property
    def base(self) -> Any:
        """The network without its head; of an encoder-decoder, the encoder."""
        base = self.network.base_model
        return base.get_encoder() if getattr(self.network.config, "is_encoder_decoder", False) else base

    def forward(
        self,
        inputs: Inputs,
        batch_size: int,
        device: torch.device,
        on_batch: Callable[[], None] | None,
        layers: str = "last",
    ) -> tuple[torch.Tensor, torch.Tensor | None, list[torch.Tensor]]:
        """Returns the pooled features, (n, d), the head's logits, (n, z), and for "best" the features of each layer.

        All are in the order of the inputs' rows.
        Of `WordInputs` they are those of the words that have a first piece.
        """
        # A hook on the base model catches the hidden states that a classifier's forward pass does not return.
        base = self.base
        network = self.network if self.with_head else base
        passed: list[Any] = []
        if self.with_head and is_of_timm(self.network):  # its base ends in the head, which takes the features
            hook = timm_head(self.network).register_forward_pre_hook(
                lambda _, inputs: passed.append(inputs[0])
            )
        else:
            hook = base.register_forward_hook(lambda _module, _arguments, output: passed.append(output))

        order: list[NDArray] = []
        features: list[torch.Tensor] = []
        logits: list[torch.Tensor] = []
        by_layer: list[list[torch.Tensor]] = []
        pooling = nullcontext() if layers == "last" else LayerPooling(self.model, base)
        try:
            network.to(device)
            bfloat16 = forward_precision(device) == torch.bfloat16
            with (
                computing(self.network, device),
                torch.inference_mode(),
                torch.autocast(device.type, torch.bfloat16, bfloat16),
                pooling as all_layers,
            ):
                for rows in evaluation_batches(inputs, batch_size):
                    check()
                    batch = {name: values.to(device) for name, values in inputs.batch(rows).items()}
                    if all_layers is not None:
                        all_layers.begin(partial(self._pool_layer, inputs, rows))
                    output = network(**batch)
                    final = passed.pop()
                    if all_layers is not None and layers == "best":
                        by_layer.append(all_layers.features(final.last_hidden_state))
                    if all_layers is not None and layers == "mean":
                        features.append(all_layers.mean(final.last_hidden_state))
                    else:
                        features.append(self.pool(final, inputs, rows).cpu())
                    if self.with_head:
                        logits.append(output.logits.float().cpu())
                    order.append(inputs.first_pieces(rows)[0] if isinstance(inputs, WordInputs) else rows)
                    if on_batch is not None:
                        on_batch()
        except FAILURES as error:
            hint = ": use a smaller batch_size" if isinstance(error, torch.OutOfMemoryError) else ""
            raise TrainingError(
                f"the features of model {self.model} cannot be computed ({first_line(error)}){hint}"
            ) from error
        finally:
            hook.remove()
        back = torch.from_numpy(np.argsort(np.concatenate(order)))
        return (
            torch.cat(features)[back],
            torch.cat(logits)[back] if self.with_head else None,
            [torch.cat(layer)[back] for layer in zip(*by_layer, strict=True)],
        )

    def pool(self, output: Any, inputs: Inputs, rows: NDArray) -> torch.Tensor:
        """Pools the base model's output for a batch to one vector for each row, or for each word, (n, d)."""
        if isinstance(inputs, WordInputs):
            return _at_first_pieces(output.last_hidden_state, inputs, rows)
        if isinstance(inputs, TextInputs):
            return pool_tokens(output.last_hidden_state, torch.from_numpy(inputs.mask(rows)), self.pooling)
        return _pool_image(output, self.trained_pooler)

    def _pool_layer(self, inputs: Inputs, rows: NDArray, hidden: torch.Tensor) -> torch.Tensor:
        """Pools a layer's output for a batch to one vector for each row, or for each word, (n, d).

        Raises ValueError for an output of another shape.
        """
        if not isinstance(inputs, TextInputs):
            return _over_positions(hidden)
        mask = torch.from_numpy(inputs.mask(rows))
        if hidden.ndim != 3 or len(hidden) != len(mask) or hidden.shape[1] < mask.shape[1]:
            raise ValueError(
                f"a layer's output is of shape {tuple(hidden.shape)}, and the batch of {tuple(mask.shape)}: "
                "use layers = 'last'"
            )
        if isinstance(inputs, WordInputs):
            return _at_first_pieces(hidden, inputs, rows)
        # Some models pad what they are given further, on the right.
        return pool_tokens(hidden[:, : mask.shape[1]], mask, self.pooling)


def _at_first_pieces(hidden: torch.Tensor, inputs: WordInputs, rows: NDArray) -> torch.Tensor:
    """The hidden states (rows, pieces, d) of a batch at the first pieces of its words, (words, d)."""
    _, *where = (torch.from_numpy(one).to(hidden.device) for one in inputs.first_pieces(rows))
    return hidden.float()[tuple(where)]


def _draw_tokens(inputs: WordInputs, labels: NDArray, count: int, seed: int) -> NDArray:
    """Draws at most ``count`` of the tokens that have a piece, in proportion to the tags; their places, ascending."""
    with_piece = np.sort(inputs.places[inputs.places >= 0])
    return with_piece[draw(labels[with_piece], count, seed)]


def draw(strata: NDArray, rows: int, seed: int) -> NDArray:
    """Draws at most ``rows`` row numbers, ascending, in proportion to the strata: the classes.

    Each class gets at least one row where ``rows`` allows it.
    """
    shuffled = np.random.default_rng(seed).permutation(len(strata))
    # Each row gets its rank among the shuffled rows of its class, divided by the size of the class. Taking the rows
    # with the smallest values keeps the classes in proportion, and takes the first row of each class first.
    share = np.empty(len(strata))
    for stratum in np.unique(strata):
        members = shuffled[strata[shuffled] == stratum]
        share[members] = np.arange(len(members)) / len(members)
    return np.sort(shuffled[np.argsort(share[shuffled], kind="stable")[:rows]])


def _pool_image(output: Any, trained_pooler: bool) -> torch.Tensor:
    """Returns the pooler's output, (rows, d), if it is trained; else the mean over all positions.

    The last hidden state is (rows, patches, d), or (rows, d, height, width). A tensor is pooled already.
    """
    if isinstance(output, torch.Tensor):
        return output.float().flatten(start_dim=1)
    pooled = getattr(output, "pooler_output", None)
    if pooled is not None and trained_pooler:
        return pooled.float().flatten(start_dim=1)
    return _over_positions(output.last_hidden_state)


def _over_positions(hidden: torch.Tensor) -> torch.Tensor:
    """The mean of an image's features over all positions, (rows, d)."""
    hidden = hidden.float()
    return hidden.flatten(start_dim=2).mean(dim=2) if hidden.ndim == 4 else hidden.mean(dim=1)
