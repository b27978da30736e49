"""The measurement of peak memory."""

from pathlib import Path

import numpy as np
import pytest
import torch

from modelstore.training.memory import PeakMemory

MEGABYTE = 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell")
def test_the_growth_of_the_process_is_measured_at_its_peak() -> None:
    with PeakMemory(torch.device("cpu")) as memory:
        for _ in range(3):
            np.ones(200 * MEGABYTE, np.uint8)
            held = np.ones(100 * MEGABYTE, np.uint8)
        del held
    assert memory.bytes is not None
    assert 100 * MEGABYTE <= memory.bytes <= 350 * MEGABYTE


@pytest.mark.gpu
def test_the_peak_of_a_gpu_is_what_torch_allocated() -> None:
    with PeakMemory(torch.device("cuda")) as memory:
        tensor = torch.ones(10 * MEGABYTE, device="cuda")
        del tensor
    assert memory.bytes is not None
    assert 40 * MEGABYTE <= memory.bytes <= 50 * MEGABYTE
