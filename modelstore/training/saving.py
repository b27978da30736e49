"""Writes a trained model as an ordinary model directory."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from modelstore.data.remote import AnyPath
from modelstore.data.whole_files import whole_directory
from modelstore.libraries import first_line, quiet
from modelstore.training.inputs.interface import Preprocessor
from modelstore.training.targets import Targets


def save_model(
    directory: AnyPath,
    network: nn.Module,
    weights: dict[str, torch.Tensor],
    preprocessor: Preprocessor,
    targets: Targets,
) -> None:
    """Writes a model directory: safetensors weights, config, and tokenizer or image processor.

    The directory appears complete or not at all. A regressor loaded from it predicts in the labels' own units. If its
    head has no bias, its config has ``target_mean`` and ``target_deviation`` instead: multiply its predictions by the
    deviation, then add the mean.

    Parameters
    ----------
    directory
        The new directory.
    network
        The network, whose config is written.
    weights
        The weights to write, by name; they may differ from the network's own (merged adapters).
    preprocessor
        Its tokenizer or image processor.
    targets
        The targets that it was trained on.

    Raises
    ------
    OSError
        The directory exists, or cannot be written.
    """
    try:
        with whole_directory(directory) as partial:
            with quiet(), targets.in_units_of_labels(network):
                network.save_pretrained(partial, state_dict=weights)
                preprocessor.save(partial)
            _let_others_read(partial)
    except SafetensorError as error:
        raise OSError(first_line(error)) from error


def _let_others_read(directory: Path) -> None:
    """Gives all files the mode that the config has by the process's umask: safetensors lets the owner alone read."""
    mode = (directory / "config.json").stat().st_mode & 0o777
    for file in directory.iterdir():
        if file.is_file():
            file.chmod(mode)
