"""How much a model computes for a row, from its config alone: no weights are read and no network is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelstore.data.hub import local_path
from modelstore.data.model_config import read_config, read_json
from modelstore.errors import ModelError

# The names that transformers' configs have for the same thing.
_WIDTH = ("hidden_size", "d_model", "dim", "n_embd", "embed_dim", "encoder_hidden_dim")
_LAYERS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers")
_INNER = ("intermediate_size", "d_ff", "hidden_dim", "n_inner", "encoder_ffn_dim")
_POSITIONS = ("max_position_embeddings", "n_positions")
VOCABULARY = 30_000  # of a model whose config says nothing
IMAGE_SIDE, PATCH = 224, 16
PIXELS_A_WEIGHT = (
    2e-3  # the share of pixels that a weight of a thin convolutional network passes over, on average
)
# Only the rows of used tokens are trained (`training.used_rows`) up to this share of a vocabulary. Of n tokens of
# text n^HEAPS are distinct, by Heaps' law: .67 to .87 in 400 and in 5,000 rows of eleven public tasks.
MOST_USED, HEAPS = 0.5, 0.8
STEM = 4  # by what a network of several resolutions shrinks an image first


@dataclass(frozen=True)
class ModelShape:
    """What decides how long a model computes.

    Parameters
    ----------
    family
        The config's ``model_type``; empty where there is no config.
    parameters
        All of its parameters.
    layer_parameters
        Those that each token passes through, counted as often as it does.
    layers
        How many layers there are.
    width
        The numbers that a token has between layers.
    tokens
        The tokens of an image, which its pixels decide; None for a text.
    vocabulary, embedded
        How many tokens there are to embed, in how many numbers each; 0 for images.
    """

    family: str
    parameters: float
    layer_parameters: float
    layers: float
    width: float
    tokens: float | None
    vocabulary: int = 0
    embedded: float = 0.0

    def trained_parameters(self, tokens: float) -> float:
        """The parameters that the optimizer changes, where texts of so many tokens in all are trained on."""
        used = tokens**HEAPS
        unused = self.vocabulary - used if used <= MOST_USED * self.vocabulary else 0.0
        return self.parameters - unused * self.embedded

    def forward_flops(self, tokens: float) -> float:
        """Floating-point operations of a forward pass over a row of so many tokens, attention included."""
        return 2.0 * tokens * (self.layer_parameters + 2.0 * self.layers * self.width * tokens)


def shape_of(uri: str | None, parameters: float, modality: str | None) -> ModelShape:
    """The shape of a registered model; as of a common transformer of its size where no config can be read."""
    if uri is None:
        return _usual_shape(parameters, modality)
    try:
        path = local_path(uri, "model")
        config = read_config(path)
    except (OSError, ValueError, ModelError):  # ValueError: the hub's client takes it for no address
        return _usual_shape(parameters, modality)
    if modality == "image":
        return _image_shape(config, parameters, image_side(path, config))
    return _text_shape(config, parameters)


def _usual_shape(parameters: float, modality: str | None) -> ModelShape:
    """A transformer whose layers are 64 times fewer than it is wide, as those of common sizes are."""
    vocabulary = 0 if modality == "image" else VOCABULARY
    width = 16.0
    while 12 * width**3 / 64 + vocabulary * width < parameters:
        width *= 1.02
    tokens = (IMAGE_SIDE / PATCH) ** 2 + 1 if modality == "image" else None
    inner = max(parameters - vocabulary * width, parameters / 2)
    layers = max(2.0, width / 64)
    return ModelShape("", parameters, inner, layers, width, tokens, vocabulary, width if vocabulary else 0.0)


def _text_shape(config: Mapping[str, Any], parameters: float) -> ModelShape:
    usual = _usual_shape(parameters, "text")
    width = _number(config, _WIDTH) or usual.width
    layers = _number(config, _LAYERS) or usual.layers
    vocabulary = _number(config, ("vocab_size",)) or VOCABULARY
    embedded = _number(config, ("embedding_size",)) or width
    positions = _number(config, _POSITIONS) or 0.0
    inner = parameters - vocabulary * embedded - positions * embedded
    by_layers = layers * (4 * width**2 + 2 * width * (_number(config, _INNER) or 4 * width))
    if config.get("model_type") == "albert" or inner <= 0:  # ALBERT's layers all have the same weights
        inner = by_layers
    elif inner > by_layers + vocabulary * embedded / 2:  # the weights have an output for each token too
        inner -= vocabulary * embedded
    family = str(config["model_type"])
    return ModelShape(family, parameters, inner, layers, width, None, int(vocabulary), embedded)


def _image_shape(config: Mapping[str, Any], parameters: float, side: float) -> ModelShape:
    family, depths = str(config["model_type"]), config.get("depths")
    patch, width, layers = (_number(config, (name,)) for name in ("patch_size", "hidden_size", "num_layers"))
    layers = _number(config, _LAYERS) or layers
    if patch and width and layers and not isinstance(depths, list):
        tokens = (side / patch) ** 2 + 1
        return ModelShape(family, parameters, parameters, layers, width, tokens)
    pixels = side**2
    if isinstance(depths, list) and depths:
        # From one resolution to the next the width doubles and the side halves: layers cost alike, and the weights
        # of a layer grow fourfold.
        stem = patch or STEM
        weights = sum(depth * 4**stage for stage, depth in enumerate(depths))
        share = sum(depths) / stem**2 / weights
        layers = float(sum(depths))
    else:
        share, layers = PIXELS_A_WEIGHT, 20.0
    tokens = share * pixels
    # Attention over all pixels does not happen here: a width of 0 leaves it out.
    return ModelShape(family, parameters, parameters, layers, 0.0, tokens)


def image_side(path: Path, config: Mapping[str, Any]) -> float:
    """The side of the images that a model gets, in pixels."""
    try:
        processor = read_json(path / "preprocessor_config.json")
    except ModelError:
        processor = {}
    for size in (processor.get("crop_size"), processor.get("size"), config.get("image_size")):
        if isinstance(size, Mapping):
            size = size.get("height") or size.get("shortest_edge")
        if isinstance(size, list):
            size = size[0] if size else None
        if isinstance(size, int | float) and size > 0:
            return float(size)
    return IMAGE_SIDE


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    """The first of some entries that is a positive number."""
    found = (config.get(name) for name in names)
    return next(
        (
            float(one)
            for one in found
            if isinstance(one, int | float) and not isinstance(one, bool) and one > 0
        ),
        None,
    )
