"""The interfaces of a model's inputs, and of the preprocessors that make them from a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import PIL
import pyarrow as pa
import tokenizers
import torch
import transformers
from numpy.typing import NDArray

from modelstore.data.task_data import TaskData

# Part of cache keys: other versions of these libraries may make other inputs from the same data.
VERSIONS = [transformers.__version__, tokenizers.__version__, PIL.__version__]


class Inputs(Protocol):
    """The inputs of a model for the rows of one split."""

    @property
    def lengths(self) -> NDArray | None:
        """The tokens of each row, (rows,); None where all rows have the same size."""
        ...

    @property
    def nbytes(self) -> int:
        """The size of all rows, in bytes."""
        ...

    def __len__(self) -> int:
        """The number of rows."""
        ...

    def batch(self, rows: NDArray) -> dict[str, torch.Tensor]:
        """Returns the arguments of the model's forward for these rows, (n,), on the CPU."""
        ...


class Preprocessor(Protocol):
    """A model's tokenizer or image processor."""

    @property
    def max_length(self) -> int:
        """The tokens at which a text is truncated; 0 for images."""
        ...

    def split(self, data: TaskData, split: str, rows: NDArray | None = None) -> Inputs:
        """Returns the inputs of a split, or of some of its rows; raises DatasetError for a row it cannot read."""
        ...

    def encode(self, table: pa.Table, cached: bool = True) -> Inputs:
        """Returns the inputs of a table's rows, ``cached`` on disk or not; raises as `split` does."""
        ...

    def save(self, directory: Path) -> None:
        """Writes the preprocessor's files to a model directory."""
        ...
