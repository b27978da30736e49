"""How many models train at the same time, and on which devices."""

import pytest
import torch

from modelstore.errors import TrainingError
from modelstore.execution.placement import devices_for


def test_the_cpu_takes_as_many_as_it_has_threads_and_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)

    def with_memory(free: float | None, models: int = 10) -> list[str]:
        return devices_for("cpu", models, lambda at_once: at_once * 1e9, lambda: free)

    assert with_memory(100e9) == ["cpu"] * 4
    assert with_memory(100e9, models=3) == ["cpu"] * 3
    assert with_memory(100e9, models=1) == ["cpu"]
    assert with_memory(3.5e9) == ["cpu"] * 3
    assert with_memory(0.5e9) == ["cpu"]
    assert with_memory(None) == ["cpu"] * 4
    assert devices_for("cpu", 10, lambda at_once: None) == ["cpu"] * 4


def test_each_gpu_takes_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)

    def devices(device: str, models: int) -> list[str]:
        return devices_for(device, models, lambda at_once: 1e15)

    assert devices("auto", 10) == devices("cuda", 10) == ["cuda:1", "cuda:0", "cuda:2"]
    assert devices("auto", 2) == ["cuda:1", "cuda:0"]
    assert devices("cuda:2", 10) == ["cuda:2"]
    with pytest.raises(TrainingError, match="device 'cuda:3' is not on this machine"):
        devices("cuda:3", 10)
