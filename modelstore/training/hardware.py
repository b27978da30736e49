"""Where and how a network is computed: the device, the precision, the threads, memory kept for its next step."""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import nn

from modelstore.errors import TrainingError

# Below it, training in bfloat16 is faster by a tenth on text and slower by as much on images, and of threads a second
# one is known to help, but no third.
SMALL = 2_000_000  # parameters, embeddings left out
FEW_THREADS = 2
# What mallopt calls them, and their values by default (glibc's malloc.h).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}


def pick_device(name: str) -> torch.device:
    """The device called `name`: auto (CUDA where there is one), cpu, cuda, or cuda:1 and so on.

    Raises TrainingError if this machine has no such device.
    """
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", torch.cuda.current_device()) if devices else torch.device("cpu")
    present = ["cpu", *(["cuda"] if devices else []), *(f"cuda:{i}" for i in range(devices))]
    if name not in present:
        raise TrainingError(f"device '{name}' is not on this machine: use one of auto, {', '.join(present)}")
    return torch.device("cuda", torch.cuda.current_device()) if name == "cuda" else torch.device(name)


def is_small(network: nn.Module) -> bool:
    """Whether a network is too small for many threads, or for training in bfloat16 on a CPU, to be of use."""
    embeddings = sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Embedding))
    return sum(p.numel() for p in network.parameters()) - embeddings < SMALL


def precision(network: nn.Module, device: torch.device) -> torch.dtype:
    """What matrix products are computed in while training: as `forward_precision`, but float32 of a small network
    on a CPU."""
    return torch.float32 if device.type == "cpu" and is_small(network) else forward_precision(device)


def forward_precision(device: torch.device) -> torch.dtype:
    """What matrix products of a pass that learns nothing are computed in: bfloat16 where there are units for it.

    Those are a GPU's, and AMX on a CPU, where networks of any size gain; other CPUs gain little, or lose.
    """
    return torch.bfloat16 if device.type == "cuda" or _has_amx() else torch.float32


@contextmanager
def computing(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Within, torch has as many threads as the network has use for, and a CPU's memory is kept for its next step."""
    threads = torch.get_num_threads()
    if device.type == "cpu" and is_small(network):
        torch.set_num_threads(min(threads, FEW_THREADS))
    try:
        with _memory_kept() if device.type == "cpu" else _own_stream(device):
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _own_stream(device: torch.device) -> Iterator[None]:
    """Within, work for the device goes to a stream of training's own, where steps can be captured as graphs.

    cuDNN's attention is off: it plans anew for each shape of batch, which halves the speed of a first epoch, and its
    kernels are no faster than torch's own.
    """
    stream, caller = _stream(device), torch.cuda.current_stream(device)
    stream.wait_stream(caller)
    cudnn_attention = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        with torch.cuda.device(device), torch.cuda.stream(stream):
            yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(cudnn_attention)
        caller.wait_stream(stream)


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


class Pace:
    """Keeps the host at most so many batches ``ahead`` of a GPU; on a CPU there is nothing to wait for."""

    def __init__(self, device: torch.device, ahead: int):
        self._ahead = ahead if device.type == "cuda" else 0
        self._events: deque[torch.cuda.Event] = deque()

    def keep(self) -> None:
        """Notes that a batch has been handed over, and waits for the one so many before it."""
        if self._ahead:
            event = torch.cuda.Event()
            event.record()
            self._events.append(event)
            if len(self._events) > self._ahead:
                self._events.popleft().synchronize()


@contextmanager
def _memory_kept() -> Iterator[None]:
    """Within, glibc keeps what is freed for the next allocation of the process.

    Each step frees its activations and asks for as many in the next: taken from the system every time, their
    pages are all cleared again, which is a tenth of the time of a step and more.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        for parameter, value in _DEFAULTS.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "gnu_get_libc_version") else None


def _has_amx() -> bool:
    return torch.backends.mkldnn.is_available() and bool(torch.cpu.get_capabilities().get("amx_bf16"))
