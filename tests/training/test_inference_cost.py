"""Measuring what models cost to use: every kind of model, leaving nothing changed, and bytes as counted by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import BertForSequenceClassification

from modelstore.errors import ModelError, TrainingError
from modelstore.training.inference_cost import _peak_outputs, _weights, measure_model
from modelstore.training.loading import load_for_training

KINDS = ("bert", "albert", "gpt2", "t5", "bart", "roberta", "vit", "resnet", "convnext")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_measured(kind: str, model_path: Callable[[str], Path]) -> None:
    modality = "image" if kind in ("vit", "resnet", "convnext") else "text"
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    found = measure_model(kind, model_path(kind), modality, 16, "cpu")
    assert (found.device, found.max_length) == ("cpu", 16 if modality == "text" else None)
    assert min(found.latency_ms, found.rows_per_second) > 0
    with torch.random.fork_rng():
        network, _ = load_for_training(kind, model_path(kind), modality, ("a", "b"))
    assert found.memory > sum(one.nbytes for one in network.parameters())
    assert torch.equal(before, torch.random.get_rng_state())


def test_longer_texts_take_more_memory(model_path: Callable[[str], Path]) -> None:
    short, long = (measure_model("bert", model_path("bert"), "text", length, "cpu") for length in (4, 32))
    assert short.memory < long.memory
    # The model takes no more tokens than these: what it costs for longer texts is that.
    most, more = (measure_model("bert", model_path("bert"), "text", length, "cpu") for length in (512, 1024))
    assert most.memory == more.memory


def test_the_most_bytes_in_use_are_those_of_tensors_that_live_at_once() -> None:
    def run() -> None:
        one = torch.zeros(1000)  # 4 kB
        two = one + 1  # 8 kB
        view = two.view(10, 100)
        del one, two  # 4 kB
        view.add_(1)
        three = view * 2  # 8 kB
        del view, three
        torch.zeros(500)

    with torch.inference_mode():
        assert _peak_outputs(run) == 8000


def test_weights_that_are_shared_count_once() -> None:
    first = nn.Linear(10, 10, bias=False)
    second = nn.Linear(10, 10, bias=False)
    second.weight = first.weight
    assert _weights(nn.Sequential(first, second, nn.BatchNorm1d(10))) == 4 * 100 + 4 * 4 * 10 + 8


def test_a_model_that_cannot_be_measured_says_why(
    model_path: Callable[[str], Path],
    model_copy: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = model_copy("bert")
    (broken / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="no complete safetensors file"):
        measure_model("broken", broken, "text", 16, "cpu")
    with pytest.raises(TrainingError, match="device 'cuda:99' is not on this machine"):
        measure_model("bert", model_path("bert"), "text", 16, "cuda:99")
    monkeypatch.setattr(BertForSequenceClassification, "forward", lambda *_, **__: [][0])
    with pytest.raises(TrainingError, match="model bert costs to use cannot be measured"):
        measure_model("bert", model_path("bert"), "text", 16, "cpu")
