"""What a model takes, row by row, and what makes it: the interfaces of inputs and preprocessors."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import PIL
import tokenizers
import torch
import transformers
from numpy.typing import NDArray

from modelstore.data.task_data import TaskData

# What these libraries make of the same data may change from version to version.
VERSIONS = [transformers.__version__, tokenizers.__version__, PIL.__version__]


class Inputs(Protocol):
    """The rows of one split as a model takes them."""

    @property
    def lengths(self) -> NDArray | None:
        """Tokens in each row; None where all rows are of one size."""
        ...

    @property
    def nbytes(self) -> int:
        """The bytes that all rows take."""
        ...

    def __len__(self) -> int: ...

    def batch(self, rows: NDArray) -> dict[str, torch.Tensor]:
        """The arguments of the model's forward for these rows, on the CPU."""
        ...


class Preprocessor(Protocol):
    """A model's tokenizer or image processor."""

    @property
    def max_length(self) -> int:
        """The tokens at which a text is cut; 0 of images."""
        ...

    def split(self, data: TaskData, split: str, rows: NDArray | None = None) -> Inputs:
        """The inputs of a split of `data`, or of some of its rows; DatasetError for a row it cannot read."""
        ...

    def save(self, directory: Path) -> None:
        """Writes it into a model directory."""
        ...
