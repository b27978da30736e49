"""How many models train at the same time, and on which devices."""

from types import SimpleNamespace

import pytest
import torch

from modelstore.errors import TrainingError
from modelstore.execution.placement import devices_for


def test_the_cpu_takes_as_many_as_it_has_threads_and_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)

    def with_memory(free: float | None, models: int = 10) -> list[str]:
        return devices_for("cpu", models, lambda at_once: at_once * 1e9, lambda: None, lambda: free)

    assert with_memory(100e9) == ["cpu"] * 4
    assert with_memory(100e9, models=3) == ["cpu"] * 3
    assert with_memory(100e9, models=1) == ["cpu"]
    assert with_memory(3.5e9) == ["cpu"] * 3
    assert with_memory(0.5e9) == ["cpu"]
    assert with_memory(None) == ["cpu"] * 4
    assert devices_for("cpu", 10, lambda at_once: None, lambda: None) == ["cpu"] * 4


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three GPUs of 24 GB, 16 threads, and a cache that knows nothing of them."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: ((20e9, 8e9, 20e9)[gpu.index], 24e9))
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: SimpleNamespace(total_memory=24e9)
    )


def on_gpus(device: str, models: int, each: float | None, free: float | None = 100e9) -> list[str]:
    return devices_for(device, models, lambda at_once: 1e15, lambda: each, lambda: free)


@pytest.mark.usefixtures("gpus")
def test_each_gpu_takes_a_model_before_any_takes_two() -> None:
    assert on_gpus("auto", 3, 1e9) == on_gpus("cuda", 3, 1e9) == ["cuda:1", "cuda:0", "cuda:2"]
    assert on_gpus("auto", 2, 1e9) == ["cuda:1", "cuda:0"]
    assert on_gpus("auto", 5, 1e9) == ["cuda:1", "cuda:0", "cuda:2", "cuda:1", "cuda:0"]
    assert on_gpus("auto", 100, 1e9) == ["cuda:1", "cuda:0", "cuda:2"] * 4
    assert on_gpus("cuda:2", 10, 1e9) == ["cuda:2"] * 4
    with pytest.raises(TrainingError, match="device 'cuda:3' is not on this machine"):
        on_gpus("cuda:3", 10, 1e9)


@pytest.mark.usefixtures("gpus")
def test_models_share_a_gpu_as_far_as_its_memory_and_this_machine_allow() -> None:
    assert on_gpus("cuda:1", 10, 3e9) == ["cuda:1"] * 2  # others leave 8 GB free there
    assert on_gpus("cuda:0", 10, 3e9) == ["cuda:0"] * 3  # resting runs leave 40 % of 24 GB
    assert on_gpus("cuda:0", 10, 23e9) == ["cuda:0"]
    assert on_gpus("cuda:0", 10, None) == ["cuda:0"]
    assert on_gpus("cuda:0", 10, 1e9, free=7e9) == ["cuda:0"] * 2
    assert on_gpus("auto", 10, 1e9, free=1e9) == ["cuda:1", "cuda:0", "cuda:2"]
    assert on_gpus("cuda:0", 10, 1e9, free=None) == ["cuda:0"] * 4


@pytest.mark.usefixtures("gpus")
def test_no_more_models_train_on_gpus_than_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    assert on_gpus("auto", 100, 1e9) == ["cuda:1", "cuda:0", "cuda:2"] * 2
    assert on_gpus("cuda:0", 100, 1e9) == ["cuda:0"] * 4
