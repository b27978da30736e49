"""One forward pass of an untrained candidate over some of a dataset: what the proxies score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from modelstore.data.model_config import has_classification_head, read_config
from modelstore.data.task_data import TaskData
from modelstore.errors import TrainingError
from modelstore.interruption import check
from modelstore.libraries import first_line
from modelstore.training.hardware import computing, forward_precision, pick_device
from modelstore.training.inputs.batches import evaluation_batches
from modelstore.training.inputs.interface import Inputs
from modelstore.training.inputs.loading import load_preprocessor
from modelstore.training.inputs.text import TextInputs, TextPreprocessor
from modelstore.training.loading import load_for_features


@dataclass(frozen=True)
class Features:
    """What a model makes of n rows of a dataset's train split, before any fine-tuning."""

    features: NDArray[np.float32]  # (n, d): the pooled last hidden state
    probabilities: (
        NDArray[np.float32] | None
    )  # (n, z) over the classes of the model's own head, if it has one
    labels: NDArray  # (n,): the dataset's class ids, or its numbers


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
) -> Features:
    """Features of at most `rows` train rows, drawn by `seed`, in proportion to their classes.

    A text's are the mean over its tokens of the last hidden state; an image's are the pooler's output, or
    the mean over its patches where there is no trained pooler.

    Raises ModelError for a model that cannot be loaded, DatasetError for an image that cannot be decoded,
    TrainingError for a device that is not there, or memory that runs out.
    """
    on = pick_device(device)
    sample = _sample(data, rows, seed)
    source = _Source(model, path, data.modality, has_classification_head(read_config(path)), max_length, seed)
    inputs = source.preprocessor.split(data, "train", sample)
    features, logits = source.forward(inputs, batch_size, on, on_batch)
    return Features(
        features=features.numpy(),
        probabilities=None if logits is None else logits.softmax(dim=1).numpy(),
        labels=data.train.column("label").to_numpy()[sample],
    )


def embed_texts(
    model: str,
    path: Path,
    texts: Sequence[str],
    batch_size: int = 32,
    max_length: int = 512,
    device: str = "auto",
) -> NDArray[np.float32]:
    """(n, d): the mean over each text's tokens of the last hidden state of the text model in `path`.

    Raises as `extract` does.
    """
    source = _Source(model, path, "text", with_head=False, max_length=max_length, seed=0)
    assert isinstance(source.preprocessor, TextPreprocessor)
    inputs = source.preprocessor.encode(pa.table({"text": pa.array(texts, pa.string())}))
    return source.forward(inputs, batch_size, pick_device(device), None)[0].numpy()


class _Source:
    """A model as it was before fine-tuning, with its classification head or without any."""

    def __init__(self, model: str, path: Path, modality: str, with_head: bool, max_length: int, seed: int):
        self.model, self.with_head = model, with_head
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)  # what the weights do not hold is drawn at random
            self.network, self.trained_pooler = load_for_features(model, path, modality, with_head)
        self.preprocessor = load_preprocessor(model, path, modality, self.network, max_length)

    def forward(
        self, inputs: Inputs, batch_size: int, device: torch.device, on_batch: Callable[[], None] | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The pooled features (n, d) and the head's logits (n, z), in the order of the inputs' rows."""
        # A classifier's forward pass goes through its base model, whose output is what is pooled.
        base = self.network.base_model
        if getattr(base.config, "is_encoder_decoder", False):
            base = base.get_encoder()
        network = self.network if self.with_head else base
        passed: list[Any] = []
        hook = base.register_forward_hook(lambda _module, _arguments, output: passed.append(output))

        order: list[NDArray] = []
        features: list[torch.Tensor] = []
        logits: list[torch.Tensor] = []
        try:
            network.to(device)
            bfloat16 = forward_precision(device) == torch.bfloat16
            with (
                computing(self.network, device),
                torch.inference_mode(),
                torch.autocast(device.type, torch.bfloat16, bfloat16),
            ):
                for rows in evaluation_batches(inputs, batch_size):
                    check()
                    batch = {name: values.to(device) for name, values in inputs.batch(rows).items()}
                    output = network(**batch)
                    features.append(self._pool(passed.pop(), inputs, rows).cpu())
                    if self.with_head:
                        logits.append(output.logits.float().cpu())
                    order.append(rows)
                    if on_batch is not None:
                        on_batch()
        except (RuntimeError, ValueError, IndexError, TypeError, AttributeError) as error:
            hint = ": use a smaller batch_size" if isinstance(error, torch.OutOfMemoryError) else ""
            raise TrainingError(
                f"the features that model {self.model} gives cannot be computed ({first_line(error)}){hint}"
            ) from error
        finally:
            hook.remove()
        back = torch.from_numpy(np.argsort(np.concatenate(order)))
        return torch.cat(features)[back], torch.cat(logits)[back] if self.with_head else None

    def _pool(self, output: Any, inputs: Inputs, rows: NDArray) -> torch.Tensor:
        if isinstance(inputs, TextInputs):
            return _mean_of_tokens(output.last_hidden_state, torch.from_numpy(inputs.mask(rows)))
        return _pool_image(output, self.trained_pooler)


def _sample(data: TaskData, rows: int, seed: int) -> NDArray:
    """The numbers of at most `rows` train rows, ascending; of each class its share, and one at least."""
    labels = data.train.column("label").to_numpy()
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    if not data.labels:
        return np.sort(shuffled[:rows])
    # A row's place among the shuffled rows of its class, as a share of them: the smallest shares of all
    # classes together hold the classes in proportion. First come the first rows of each.
    share = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        share[members] = np.arange(len(members)) / len(members)
    return np.sort(shuffled[np.argsort(share[shuffled], kind="stable")[:rows]])


def _mean_of_tokens(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(rows, d) from (rows, tokens, d), over the tokens that are not padding."""
    weights = mask.to(hidden.device, torch.float32)[:, :, None]
    return (hidden.float() * weights).sum(dim=1) / weights.sum(dim=1)


def _pool_image(output: Any, trained_pooler: bool) -> torch.Tensor:
    """(rows, d): the pooler's output, else the mean over patches (rows, patches, d) or places (rows, d, h, w)."""
    pooled = getattr(output, "pooler_output", None)
    if pooled is not None and trained_pooler:
        return pooled.float().flatten(start_dim=1)
    hidden = output.last_hidden_state.float()
    return hidden.flatten(start_dim=2).mean(dim=2) if hidden.ndim == 4 else hidden.mean(dim=1)
