"""The measurement of peak memory, and of the memory that is available."""

from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from modelstore.training.memory import PeakMemory, available_memory

MEGABYTE = 2**20


def test_the_growth_of_the_process_is_measured_at_its_peak() -> None:
    with PeakMemory(torch.device("cpu")) as memory:
        for _ in range(3):
            np.ones(200 * MEGABYTE, np.uint8)
            held = np.ones(100 * MEGABYTE, np.uint8)
        del held
    assert memory.bytes is not None
    assert 100 * MEGABYTE <= memory.bytes <= 350 * MEGABYTE


@pytest.mark.gpu
def test_the_peak_of_a_gpu_is_what_torch_allocated_in_the_meantime() -> None:
    resting = torch.ones(20 * MEGABYTE, device="cuda")
    with PeakMemory(torch.device("cuda")) as memory:
        tensor = torch.ones(10 * MEGABYTE, device="cuda")
        del tensor
    del resting
    assert memory.bytes is not None
    assert 40 * MEGABYTE <= memory.bytes <= 50 * MEGABYTE


@pytest.mark.parametrize(
    ("limit", "expected"), [("700", 300), ("max", None), ("1" + "0" * 18, None), (None, None)]
)
def test_available_memory_is_what_the_limit_of_a_container_leaves(
    limit: str | None, expected: int | None, tmp_path: Path
) -> None:
    """Where there is no limit, or a larger one than the machine's memory, it is what the machine has."""
    (tmp_path / "memory.current").write_text("400\n")
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
    available = available_memory(tmp_path)
    if expected is not None:
        assert available == expected
    else:
        assert 0.5 * psutil.virtual_memory().available < available <= psutil.virtual_memory().total
