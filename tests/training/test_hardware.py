"""The precision and the number of threads with which a network runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from whole_runs import finished

from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training import hardware
from modelstore.training.finetune import FineTuning

CPU = torch.device("cpu")
LARGE = nn.Linear(2000, 2000)
SMALL = nn.Sequential(nn.Embedding(30_000, 128), nn.Linear(128, 128))


@pytest.fixture
def three_threads() -> object:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(threads)


def test_a_small_network_gets_two_threads_and_others_get_all(three_threads: None) -> None:
    for network, expected in ((SMALL, 2), (LARGE, 3)):
        with hardware.computing(network, CPU):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 3
    with pytest.raises(KeyError), hardware.computing(SMALL, CPU):
        raise KeyError
    assert torch.get_num_threads() == 3


def test_bfloat16_is_used_on_devices_with_units_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for units, of_large in (
        ({"amx_bf16": True, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False}, torch.float32),
        ({}, torch.float32),  # such as those of another architecture
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda units=units: units)
        assert hardware.precision(LARGE, CPU) == of_large
        assert hardware.precision(SMALL, CPU) == torch.float32
        assert hardware.precision(SMALL, torch.device("cuda")) == torch.bfloat16
        assert hardware.forward_precision(CPU) == of_large  # of a network of any size


@pytest.mark.parametrize(("model", "kind"), [("bert", "text"), ("convnext", "image")])
def test_fine_tuning_in_bfloat16_learns_and_can_be_restored(
    model: str,
    kind: str,
    model_path: Callable[[str], Path],
    dataset: Callable[..., TaskData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("modelstore.training.finetune.precision", lambda *_: torch.bfloat16)
    options = TrainingOptions(epochs=6, batch_size=16, learning_rate=3e-3, device="cpu")
    run = FineTuning(model, model_path(model), dataset(kind), options)
    for stage in range(run.stages):
        run.advance()
        if stage == 2:
            run.save_state(tmp_path / "state")
    assert run.test() > 0.7
    assert {p.dtype for p in run.network.parameters()} == {torch.float32}
    restored = FineTuning(model, model_path(model), dataset(kind), options)
    restored.restore(tmp_path / "state")
    finished(restored)
    assert [p.validation for p in restored.curve] == [p.validation for p in run.curve]
    assert [p.train_loss for p in restored.curve] == [p.train_loss for p in run.curve]
