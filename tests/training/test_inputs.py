"""Batches: every row once, texts of similar length together, padded as the model's tokenizer pads."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.training.inputs.batches import evaluation_batches, training_batches
from modelstore.training.inputs.interface import Inputs
from modelstore.training.inputs.loading import load_preprocessor
from modelstore.training.loading import load_for_training

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


class Lengths:
    """Inputs that have lengths but no content."""

    def __init__(self, lengths: np.ndarray | None, rows: int):
        self.lengths, self.rows = lengths, rows

    def __len__(self) -> int:
        return self.rows

    def batch(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        raise NotImplementedError


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 200), st.integers(1, 40), st.booleans(), st.integers(0, 5))
def test_every_row_is_in_one_batch(rows: int, size: int, text: bool, seed: int) -> None:
    inputs: Inputs = Lengths(np.random.default_rng(seed).integers(1, 50, rows) if text else None, rows)
    for batches in (
        list(training_batches(inputs, size, seeded(seed))),
        list(evaluation_batches(inputs, size)),
    ):
        assert sorted(np.concatenate(batches).tolist()) == list(range(rows))
        assert sorted(len(batch) for batch in batches)[1:] == [size] * (len(batches) - 1)


def test_training_batches_are_shuffled_by_the_generator_alone() -> None:
    inputs: Inputs = Lengths(np.random.default_rng(0).integers(1, 50, 500), 500)
    one, again, other = (
        [batch.tolist() for batch in training_batches(inputs, 8, seeded(seed))] for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other
    generator = seeded(1)
    epochs = [[b.tolist() for b in training_batches(inputs, 8, generator)] for _ in range(2)]
    assert epochs[0] == one
    assert epochs[1] != one


def test_batches_hold_texts_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 129, 32 * 64)
    inputs: Inputs = Lengths(lengths, len(lengths))
    batches = list(training_batches(inputs, 32, seeded(0)))
    computed = sum(lengths[batch].max() * len(batch) for batch in batches)
    assert computed < 1.1 * lengths.sum()  # 1.9 times as much in a random order
    firsts = [lengths[batch].max() for batch in batches]
    assert firsts != sorted(firsts)
    assert firsts != sorted(firsts, reverse=True)
    falling = [lengths[batch].max() for batch in evaluation_batches(inputs, 32)]
    assert falling == sorted(falling, reverse=True)


def text_inputs(model: str, path: Path, data: TaskData, max_length: int = 128) -> Inputs:
    network, _ = load_for_training(model, path, "text", data.labels)
    return load_preprocessor(model, path, "text", network, max_length).split(data, "validation")


@pytest.mark.parametrize(("model", "kind"), [("bert", "text"), ("bert", "pair"), ("roberta", "pair")])
def test_a_batch_of_texts_equals_the_output_of_the_tokenizer(
    model: str, kind: str, model_path: Paths, dataset: Datasets
) -> None:
    data = dataset(kind, rows=8)
    batch = text_inputs(model, model_path(model), data, max_length=14).batch(np.array([5, 0, 3]))
    names = [name for name in ("text", "text_pair") if name in data.validation.column_names]
    texts = [[data.validation[name][row].as_py() for row in (5, 0, 3)] for name in names]
    tokenizer = AutoTokenizer.from_pretrained(model_path(model))
    expected = tokenizer(*texts, padding=True, truncation=True, max_length=14, return_tensors="pt")
    if model == "roberta":  # it has one type of token only
        del expected["token_type_ids"]
    assert batch.keys() == expected.keys()
    assert all(torch.equal(values, expected[name]) for name, values in batch.items())


def test_texts_are_padded_on_the_right_whatever_the_tokenizer_says(
    model_copy: Paths, dataset: Datasets
) -> None:
    """On the left, a decoder's positions would depend on the batch."""
    path = model_copy("gpt2")
    file = path / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"padding_side": "left"}))
    tokenizer = AutoTokenizer.from_pretrained(path)
    data = dataset("text", rows=8)
    batch = text_inputs("gpt2", path, data).batch(np.arange(4))
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    expected = tokenizer(data.validation["text"].to_pylist()[:4], padding=True, return_tensors="pt")
    assert (expected["attention_mask"][:, -1] == 0).any()
    assert torch.equal(batch["input_ids"], expected["input_ids"])
    assert torch.equal(batch["attention_mask"], expected["attention_mask"])


def test_gpt2_is_padded_with_its_end_of_text(model_path: Paths, dataset: Datasets) -> None:
    data = dataset("text", rows=8)
    network, _ = load_for_training("gpt2", model_path("gpt2"), "text", data.labels)
    inputs = load_preprocessor("gpt2", model_path("gpt2"), "text", network, 128).split(data, "train")
    assert network.config.pad_token_id == 0
    batch = inputs.batch(np.arange(8))
    assert batch.keys() == {"input_ids", "attention_mask"}  # GPT-2 would take token types for word ids
    assert (batch["input_ids"][batch["attention_mask"] == 0] == 0).all()


def test_a_tokenizer_without_padding_token_raises_model_error(model_copy: Paths, dataset: Datasets) -> None:
    path = model_copy("gpt2")
    file = path / "tokenizer_config.json"
    file.write_text(file.read_text().replace("eos_token", "other_token"))
    with pytest.raises(ModelError, match="the tokenizer of model gpt2 has no padding token"):
        text_inputs("gpt2", path, dataset("text", rows=8))


def test_images_are_converted_to_rgb_and_keep_their_order(model_path: Paths, dataset: Datasets) -> None:
    from tiny_models import png

    grey, colour = np.full((20, 30), 255, np.uint8), np.zeros((16, 16, 3), np.uint8)
    clear = np.dstack([colour, np.full((16, 16), 9, np.uint8)])
    data = dataset("image", rows=8)
    images = [png(pixels) for pixels in (grey, colour, clear)] + data.validation["image"].to_pylist()[3:]
    data = replace(data, validation=data.validation.set_column(0, "image", pa.array(images, pa.binary())))
    network, _ = load_for_training("vit", model_path("vit"), "image", data.labels)
    processor = load_preprocessor("vit", model_path("vit"), "image", network, 128)
    inputs = processor.split(data, "validation")
    assert len(inputs) == 70  # more than are processed at once
    pixels = inputs.batch(np.array([1, 0, 2]))["pixel_values"]
    assert pixels.shape == (3, 3, 16, 16)
    assert pixels.dtype == torch.float32
    assert [float(p.mean()) for p in pixels] == [-1.0, 1.0, -1.0]
    some = processor.split(data, "validation", np.array([40, 2]))
    whole = inputs.batch(np.array([40, 2]))["pixel_values"]
    assert torch.equal(some.batch(np.arange(2))["pixel_values"], whole)


def test_images_of_different_sizes_raise_model_error(model_copy: Paths, dataset: Datasets) -> None:
    path = model_copy("convnext")
    file = path / "preprocessor_config.json"
    file.write_text(file.read_text().replace('"do_resize": true', '"do_resize": false'))
    from tiny_models import png

    data = dataset("image", rows=8)
    images = [png(np.zeros((16, 16 + i, 3), np.uint8)) for i in range(70)]
    data = replace(data, validation=data.validation.set_column(0, "image", pa.array(images, pa.binary())))
    network, _ = load_for_training("m", path, "image", data.labels)
    with pytest.raises(ModelError, match="the image processor of model m returns no batch of images"):
        load_preprocessor("m", path, "image", network, 128).split(data, "validation")
