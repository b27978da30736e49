"""A trained model written as an ordinary model directory."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from modelstore.libraries import first_line, quiet
from modelstore.training.inputs.interface import Preprocessor
from modelstore.training.targets import Targets


def save_model(
    directory: Path,
    network: nn.Module,
    weights: dict[str, torch.Tensor],
    preprocessor: Preprocessor,
    targets: Targets,
) -> None:
    """Writes a new ``directory``: safetensors weights, config, and tokenizer or image processor.

    It appears there whole or not at all. A regressor predicts in the labels' own units once loaded; one without a
    bias in its head has `target_mean` and `target_deviation` in its config instead, to be applied to its predictions.

    Raises
    ------
    OSError
        The directory cannot be written.
    """
    partial = directory.with_name(f".{directory.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        with quiet(), targets.in_units_of_labels(network):
            network.save_pretrained(partial, state_dict=weights)
            preprocessor.save(partial)
        partial.rename(directory)
    except SafetensorError as error:
        raise OSError(first_line(error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
