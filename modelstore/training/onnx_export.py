"""Exports a model with a trained head as an ONNX graph, and checks that the graph computes what the model does."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from modelstore.data.model_config import head_problem_type, modality_of, read_config
from modelstore.errors import INTERRUPTIONS, ModelError
from modelstore.interruption import check
from modelstore.libraries import quiet
from modelstore.training.inputs.loading import load_processor
from modelstore.training.loading import load_for_features

FILE = "model.onnx"
MOST_DIFFERENCE = 1e-4  # of outputs, beside the largest of them where that is above 1
_TEXTS = ["A text of some words", "text", "and another one that has a few more words than the others have"]

_Tensors = dict[str, torch.Tensor]


def check_installed() -> None:
    """Raises ``ModelError`` where the packages of `modelstore[onnx]` are not installed."""
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise ModelError(
            "ONNX needs onnxscript and onnxruntime, which are not installed: pip install 'modelstore[onnx]'"
        ) from None


def export_onnx(name: str, path: Path, folder: Path) -> None:
    """Writes the graph of a model to `FILE` in a folder that is there; large weights go to files beside it.

    The graph takes batches of any size, and texts of any length; its output ``logits`` is that of the model.

    Parameters
    ----------
    name, path
        The model's name, for messages, and its directory.
    folder
        Where the graph is written.

    Raises
    ------
    ModelError
        The model has no trained head, torch cannot export it, or the graph computes something else.
    """
    config = read_config(path)
    if head_problem_type(config) is None:
        raise ModelError(
            f'the model "{name}" has no head that was fine-tuned, so there is nothing to export: give the winner '
            "that a SELECT BEST has registered, or another model with a head"
        )
    modality = modality_of(path, config)
    samples = _samples(load_processor(name, path, modality), modality)
    loaded = load_for_features(name, path, modality, with_head=True)
    network = _Logits(loaded.network, list(samples[0])).eval()
    try:
        with quiet(), _quiet_exporter(), torch.no_grad():
            _export(network, samples[0], folder / FILE)
    except INTERRUPTIONS:
        raise
    except Exception as error:  # whatever its operators make of a network
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ModelError(f'the model "{name}" cannot be exported by torch ({reason})') from error
    difference = _difference(network, samples, folder / FILE)
    if not difference <= MOST_DIFFERENCE:
        raise ModelError(
            f'the model "{name}" cannot be exported: its outputs and those of its graph differ by {difference:.2g}'
        )


class _Logits(nn.Module):
    """A network that takes its inputs by their places, as the exporter gives them, and returns its logits alone."""

    def __init__(self, network: nn.Module, names: Sequence[str]):
        super().__init__()
        self._network = network
        self._names = names

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        return self._network(**dict(zip(self._names, values, strict=True))).logits


def _samples(processor: Any, modality: str) -> list[_Tensors]:
    """Inputs to export by, and others of more and of fewer rows, and longer and shorter ones, to compare."""
    if modality == "image":
        drawn = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
        images = [Image.fromarray(pixels) for pixels in drawn]
        given: list[Any] = [images[:2], images[:1], images]
    else:
        given = [_TEXTS[:2], _TEXTS[:1], _TEXTS]
    options = {} if modality == "image" else {"padding": True}
    return [dict(processor(some, return_tensors="pt", **options)) for some in given]


def _export(network: _Logits, sample: _Tensors, file: Path) -> None:
    free = torch.export.Dim.DYNAMIC
    shapes = tuple({0: free} if name == "pixel_values" else {0: free, 1: free} for name in sample)
    torch.onnx.export(
        network,
        tuple(sample.values()),
        str(file),
        dynamo=True,
        input_names=list(sample),
        output_names=["logits"],
        dynamic_shapes=(shapes,),
        verbose=False,
    )


def _difference(network: _Logits, samples: Sequence[_Tensors], file: Path) -> float:
    """The largest difference of an output of the graph from the network's, in units of the largest output above 1."""
    import onnxruntime

    session, most = onnxruntime.InferenceSession(str(file)), 0.0
    for sample in samples:
        check()
        with torch.inference_mode():
            expected = network(*sample.values()).numpy()
        [found] = session.run(None, {name: value.numpy() for name, value in sample.items()})
        most = max(most, float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max())))
    return most


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """A block in which torch logs nothing of packages that it would like to have beside."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
