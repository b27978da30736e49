"""How much a model computes, read from configs alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelstore.data.model_shape import shape_of

BERT_BASE = {
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "intermediate_size": 3072,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
}
BERT_PARAMETERS = 109_482_240
LAYERS = 85_054_464  # of BERT base: 12 layers with biases and norms


def directory(folder: Path, config: dict[str, Any], **processor: Any) -> str:
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return str(folder)


def test_embeddings_are_not_passed_through(tmp_path: Path) -> None:
    shape = shape_of(directory(tmp_path, BERT_BASE), BERT_PARAMETERS, "text")
    assert shape.layer_parameters == pytest.approx(LAYERS, rel=0.01)
    assert (shape.layers, shape.width, shape.tokens) == (12, 768, None)


def test_an_output_for_each_token_is_not_passed_through_either(tmp_path: Path) -> None:
    uri = directory(tmp_path, BERT_BASE)
    shape = shape_of(uri, BERT_PARAMETERS + 768 * 30522, "text")
    assert shape.layer_parameters == pytest.approx(LAYERS, rel=0.01)


def test_shared_layers_count_as_often_as_they_are_passed(tmp_path: Path) -> None:
    config = BERT_BASE | {"model_type": "albert", "embedding_size": 128, "vocab_size": 30000}
    shape = shape_of(directory(tmp_path, config), 11_683_584, "text")
    assert shape.layer_parameters == pytest.approx(LAYERS, rel=0.01)


def test_other_names_for_the_same_sizes(tmp_path: Path) -> None:
    config = {"model_type": "distilbert", "dim": 768, "n_layers": 6, "hidden_dim": 3072, "vocab_size": 30522}
    shape = shape_of(directory(tmp_path, config), 66_362_880, "text")
    assert shape.layer_parameters == pytest.approx(LAYERS / 2, rel=0.02)


def test_a_vision_transformer_has_a_token_for_each_patch_of_the_processed_image(tmp_path: Path) -> None:
    config = BERT_BASE | {"model_type": "vit", "image_size": 224, "patch_size": 16}
    assert shape_of(directory(tmp_path, config), 86e6, "image").tokens == 197
    small = directory(tmp_path, config, size={"height": 32, "width": 32})
    assert shape_of(small, 86e6, "image").tokens == 5
    assert shape_of(directory(tmp_path, config, crop_size=64), 86e6, "image").tokens == 17


# Published operations (multiply-adds × 2) of an image of 224 × 224 pixels.
@pytest.mark.parametrize(
    ("config", "parameters", "flops"),
    [
        ({"model_type": "resnet", "depths": [3, 4, 6, 3]}, 25.6e6, 8.2e9),
        ({"model_type": "resnet", "depths": [2, 2, 2, 2]}, 11.7e6, 3.6e9),
        ({"model_type": "convnext", "depths": [3, 3, 9, 3], "patch_size": 4}, 28.6e6, 9.0e9),
        ({"model_type": "swin", "depths": [2, 2, 6, 2], "patch_size": 4}, 28.3e6, 9.0e9),
        ({"model_type": "mobilenet_v2"}, 3.5e6, 0.6e9),
    ],
)
def test_networks_of_several_resolutions_compute_what_is_published(
    tmp_path: Path, config: dict[str, Any], parameters: float, flops: float
) -> None:
    shape = shape_of(directory(tmp_path, config), parameters, "image")
    assert shape.tokens is not None
    assert shape.forward_flops(shape.tokens) == pytest.approx(flops, rel=0.4)


@pytest.mark.parametrize("uri", [None, "/no/such/directory"])
def test_without_a_config_a_model_counts_as_a_common_one_of_its_size(uri: str | None) -> None:
    shape = shape_of(uri, BERT_PARAMETERS, "text")
    assert shape.layer_parameters == pytest.approx(LAYERS, rel=0.1)
    assert shape_of(uri, 86e6, "image").tokens == 197


def test_a_config_of_nonsense_is_no_error(tmp_path: Path) -> None:
    config = {"model_type": "bert", "hidden_size": "wide", "num_hidden_layers": -1, "vocab_size": None}
    shape = shape_of(directory(tmp_path, config), BERT_PARAMETERS, "text")
    assert shape.layers > 0
    assert shape.layer_parameters > 0
