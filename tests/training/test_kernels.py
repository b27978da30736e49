"""The kernels that replace a network's own dropout, attention and activations."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import AutoConfig, AutoModel

from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning
from modelstore.training.kernels.attention import LONG, attention
from modelstore.training.kernels.dropout import Dropout, dropout
from modelstore.training.kernels.replacement import use_kernels
from modelstore.training.loading import load_for_training

BIDIRECTIONAL, CAUSAL = SimpleNamespace(is_causal=False), SimpleNamespace(is_causal=True)


@given(st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_dropout_has_its_probability_and_keeps_the_mean(probability: float, seed: int) -> None:
    torch.manual_seed(seed)
    values = torch.ones(40_001)  # no multiple of four
    after = dropout(values, probability)
    of_mean = (probability * (1 - probability) / len(values)) ** 0.5
    assert abs(float((after == 0).float().mean()) - probability) < 6 * of_mean
    kept = after[after != 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / (1 - probability)), rtol=2e-3)


def test_the_four_elements_of_a_draw_are_dropped_equally_often_and_independently() -> None:
    torch.manual_seed(0)
    out = (dropout(torch.ones(400_000), 0.3) == 0).double().view(-1, 4)
    assert torch.allclose(out.mean(0), torch.full((4,), 0.3, dtype=torch.double), atol=0.01)
    correlations = np.corrcoef(out.numpy(), rowvar=False)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 0.02


def test_dropout_of_probability_0_keeps_all_and_of_probability_1_none() -> None:
    values = torch.randn(7, 3)
    assert torch.equal(dropout(values, 0.0), values)
    assert torch.equal(dropout(values, 1.0), torch.zeros(7, 3))


def test_gradients_are_dropped_and_scaled_as_the_values_are() -> None:
    torch.manual_seed(0)
    values = torch.randn(50, 4, requires_grad=True)
    after = dropout(values, 0.5)
    after.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, torch.where(after == 0, 0.0, 2.0))


def test_dropout_is_off_in_evaluation_mode() -> None:
    values = torch.randn(5)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert not torch.equal(Dropout(0.5).train()(values), values)


def _heads(tokens: int, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 3, tokens, 8, dtype=dtype, requires_grad=True) for _ in range(3)]


def _plain(heads: list[torch.Tensor], seen: torch.Tensor | None) -> torch.Tensor:
    query, key, value = (one.double() for one in heads)
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    if seen is not None:
        scores = scores.masked_fill(~seen, -torch.inf)
    return (scores.softmax(-1) @ value).transpose(1, 2)


def _padded(tokens: int) -> torch.Tensor:
    seen = torch.ones(2, 1, tokens, tokens, dtype=torch.bool)
    seen[1, :, :, tokens // 2 :] = False
    return seen


@pytest.mark.parametrize("tokens", [1, 9, LONG + 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mask", ["none", "causal", "padding", "added"])
def test_attention_equals_its_definition(tokens: int, dtype: torch.dtype, mask: str) -> None:
    heads, module, given = _heads(tokens, dtype), BIDIRECTIONAL, None
    seen: torch.Tensor | None = None
    if mask == "causal":
        module, seen = CAUSAL, torch.ones(tokens, tokens, dtype=torch.bool).tril()
    elif mask in ("padding", "added") and tokens > 1:
        seen = _padded(tokens)
        given = seen if mask == "padding" else torch.where(seen, 0.0, torch.finfo(dtype).min).to(dtype)
    found, _ = attention(module, *heads, given)
    assert torch.allclose(found.double(), _plain(heads, seen), atol=1e-5 if dtype == torch.float32 else 0.05)


@pytest.mark.parametrize("mask", ["none", "causal", "padding"])
def test_attention_with_dropout_has_the_mean_of_attention_without(mask: str) -> None:
    heads = _heads(6)
    module = CAUSAL if mask == "causal" else BIDIRECTIONAL
    given = _padded(6) if mask == "padding" else None
    with torch.no_grad():
        without, _ = attention(module, *heads, given)
        draws = torch.stack([attention(module, *heads, given, dropout=0.2)[0] for _ in range(3000)])
    assert not torch.equal(draws[0], without)
    assert torch.allclose(draws.mean(0), without, atol=0.1)


def test_attention_with_dropout_ignores_padding() -> None:
    query, key, value = _heads(6)
    other = value.detach().clone()
    other[1, :, 3:] = 100.0
    torch.manual_seed(1)
    some, _ = attention(BIDIRECTIONAL, query, key, value, _padded(6), dropout=0.5)
    torch.manual_seed(1)
    others, _ = attention(BIDIRECTIONAL, query, key, other, _padded(6), dropout=0.5)
    assert torch.equal(some[1], others[1])


@pytest.mark.parametrize(
    ("model", "modality"),
    [
        ("bert", "text"),
        ("distilbert", "text"),
        ("roberta", "text"),
        ("gpt2", "text"),
        ("albert", "text"),
        ("t5", "text"),
        ("vit", "image"),
        ("convnext", "image"),
    ],
)
def test_a_network_with_kernels_computes_the_same_and_keeps_its_weight_names(
    model: str, modality: str, model_path: Callable[[str], Path]
) -> None:
    network, _ = load_for_training(model, model_path(model), modality, ("0", "1"))
    given: dict[str, Any] = {"pixel_values": torch.randn(3, 3, 16, 16)}
    if modality == "text":
        words, mask = torch.randint(5, 20, (3, 7)), torch.ones(3, 7, dtype=torch.int64)
        mask[1, 4:] = 0
        if model == "t5":  # T5 classifies by the end-of-text token
            words[:, 3] = network.config.eos_token_id
        network.config.pad_token_id = 0
        given = {"input_ids": words, "attention_mask": mask}
    with torch.no_grad():
        before, names = network.eval()(**given).logits, list(network.state_dict())
        use_kernels(network)
        assert torch.allclose(network(**given).logits, before, atol=1e-5)
    assert list(network.state_dict()) == names
    assert not any(type(module) is nn.Dropout for module in network.modules())


def test_a_network_with_kernels_is_saved_as_an_ordinary_model(
    model_path: Callable[[str], Path], dataset: Callable[..., TaskData], tmp_path: Path
) -> None:
    run = FineTuning("gpt2", model_path("gpt2"), dataset("text", 32), TrainingOptions(epochs=1, device="cpu"))
    run.advance()
    run.save(tmp_path / "winner")
    stored = json.loads((tmp_path / "winner" / "config.json").read_text())
    assert "modelstore" not in json.dumps(stored)
    assert stored["activation_function"] == AutoConfig.from_pretrained(model_path("gpt2")).activation_function
    assert AutoModel.from_pretrained(tmp_path / "winner").config._attn_implementation == "sdpa"
