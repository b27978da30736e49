"""The errors that report to the user why a run failed."""

from __future__ import annotations

import torch

from modelstore.errors import TrainingError
from modelstore.libraries import first_line
from modelstore.training.micro_batches import is_out_of_memory

# What torch and transformers raise where a model fails on its inputs, or memory runs out.
FAILURES = (RuntimeError, ValueError, IndexError, TypeError, AttributeError, KeyError)


class NotFinite(ArithmeticError):
    """A loss or logits that are not finite: training diverges."""


def diverged(model: str, dataset: str, rate: float) -> TrainingError:
    """Returns the error that reports a loss or logits that are not finite, at a learning rate."""
    return TrainingError(
        f"training {model} on {dataset} diverged (its loss is not finite): use a smaller learning_rate than {rate:g}"
    )


def failed(model: str, dataset: str, device: torch.device, error: Exception) -> TrainingError:
    """Returns the error that reports one of torch or transformers."""
    run = f"training {model} on {dataset}"
    if is_out_of_memory(error):
        return TrainingError(
            f"{run} ran out of memory on device {device}, even row by row: use a smaller max_length or "
            "gradient_checkpointing = true, or leave the model out with WHERE"
        )
    return TrainingError(f"{run} failed: {first_line(error)}")
