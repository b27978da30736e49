"""Batches put together on a device are those of the host, padded to one of a few lengths."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modelstore.data.task_data import TaskData
from modelstore.training.inputs.loading import load_preprocessor
from modelstore.training.inputs.on_device import DeviceText, on_device, padded_length
from modelstore.training.loading import load_for_training

CPU = torch.device("cpu")


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("model", ["bert", "gpt2", "roberta"])
def test_a_batch_of_texts_is_the_hosts_with_more_padding(
    model: str, side: str, model_path: Callable[[str], Path], dataset: Callable[..., TaskData]
) -> None:
    data = dataset("pair" if model == "bert" else "text")
    network, _ = load_for_training(model, model_path(model), "text", data.labels)
    preprocessor = load_preprocessor(model, model_path(model), "text", network, 18)
    preprocessor.tokenizer.padding_side = side  # type: ignore[attr-defined]
    inputs = preprocessor.split(data, "train")
    device = on_device(inputs, CPU, preprocessor.max_length)
    assert isinstance(device, DeviceText)
    for rows in np.array_split(np.random.default_rng(0).permutation(len(inputs)), 7):
        expected = inputs.batch(rows)
        tokens = expected["input_ids"].shape[1]
        batch = device.batch(torch.from_numpy(rows), device.length_of(rows))
        assert batch.keys() == expected.keys()
        extra = batch["input_ids"].shape[1] - tokens
        assert extra >= 0
        for name, values in batch.items():
            assert values.dtype == torch.int64
            real, padding = (
                (values[:, extra:], values[:, :extra])
                if side == "left"
                else (
                    values[:, :tokens],
                    values[:, tokens:],
                )
            )
            assert torch.equal(real, expected[name].long())
            assert len(padding.unique()) <= 1


def test_a_batch_of_images_is_the_hosts(
    model_path: Callable[[str], Path], dataset: Callable[..., TaskData]
) -> None:
    data = dataset("image")
    network, _ = load_for_training("vit", model_path("vit"), "image", data.labels)
    preprocessor = load_preprocessor("vit", model_path("vit"), "image", network, 128)
    inputs = preprocessor.split(data, "train")
    device = on_device(inputs, CPU, preprocessor.max_length)
    assert device is not None
    rows = np.array([3, 0, 5])
    batch = device.batch(torch.from_numpy(rows), device.length_of(rows))
    assert torch.equal(batch["pixel_values"], inputs.batch(rows)["pixel_values"])


@given(st.integers(1, 600), st.integers(1, 600))
def test_padded_lengths_are_few_and_never_longer_than_the_model_takes(tokens: int, longest: int) -> None:
    tokens = min(tokens, longest)
    padded = padded_length(tokens, longest)
    assert tokens <= padded <= longest
    assert padded % 16 == 0 or padded in (tokens, longest)


def test_there_are_at_most_sixteen_padded_lengths_up_to_512_tokens() -> None:
    assert len({padded_length(tokens, 512) for tokens in range(1, 513)}) <= 16
