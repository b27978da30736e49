"""Chooses how a network runs: its device, precision, threads, CUDA stream and memory allocator."""

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

# The size of a network, in parameters without embeddings, below which it is small: bfloat16 then trains a tenth
# faster on text but a tenth slower on images, and a second thread helps but a third one does not.
SMALL = 2_000_000
FEW_THREADS = 2
# The numbers of mallopt's parameters, and their default values (glibc's malloc.h).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}


def pick_device(name: str) -> torch.device:
    """Returns the device of a name.

    Parameters
    ----------
    name
        "auto" (CUDA where this machine has it, else the CPU), "cpu", "cuda" (the current CUDA device), or a CUDA
        device by its number, such as "cuda:1".

    Raises
    ------
    TrainingError
        This machine does not have the device.
    """
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", torch.cuda.current_device()) if devices else torch.device("cpu")
    present = ["cpu", *(["cuda"] if devices else []), *(f"cuda:{i}" for i in range(devices))]
    if name not in present:
        raise TrainingError(f"device '{name}' is not on this machine: use one of auto, {', '.join(present)}")
    return torch.device("cuda", torch.cuda.current_device()) if name == "cuda" else torch.device(name)


def is_small(network: nn.Module) -> bool:
    """Whether a network is too small to gain from many threads, or from training in bfloat16 on a CPU."""
    embeddings = sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Embedding))
    return sum(p.numel() for p in network.parameters()) - embeddings < SMALL


def precision(network: nn.Module, device: torch.device) -> torch.dtype:
    """Returns the type of matrix products in training: float32 for a small network on a CPU, else as for inference.

    See `forward_precision` for inference.
    """
    return torch.float32 if device.type == "cpu" and is_small(network) else forward_precision(device)


def forward_precision(device: torch.device) -> torch.dtype:
    """Returns the type of matrix products in inference: bfloat16 where the hardware has units for it, else float32.

    A GPU has them, and so has a CPU with AMX or AVX512_BF16; there, networks of any size gain. Other CPUs gain
    little, or lose.
    """
    return torch.bfloat16 if device.type == "cuda" or has_bfloat16_units() else torch.float32


@contextmanager
def computing(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Within the context, torch is set up to run a network fast on a device.

    On a CPU, a small network gets `FEW_THREADS` threads, and freed memory stays with the process. On CUDA, work goes
    to a stream of its own.
    """
    threads = torch.get_num_threads()
    if device.type == "cpu" and is_small(network):
        torch.set_num_threads(min(threads, FEW_THREADS))
    try:
        with _retained_memory() if device.type == "cpu" else _training_stream(device):
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _training_stream(device: torch.device) -> Iterator[None]:
    """Within the context, work goes to a separate CUDA stream, on which steps can be captured as graphs.

    cuDNN's attention is off: it plans again for each batch shape, which halves the speed of the first epoch, and its
    kernels are no faster than those of torch.
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
    """Returns the one stream that all runs on a device share."""
    return torch.cuda.Stream(device)


class Pace:
    """Limits how many batches the host may queue on a GPU; does nothing on a CPU.

    Parameters
    ----------
    device
        The device that the batches run on.
    ahead
        The most batches that may be queued.
    """

    def __init__(self, device: torch.device, ahead: int):
        self._ahead = ahead if device.type == "cuda" else 0
        self._events: deque[torch.cuda.Event] = deque()

    def keep(self) -> None:
        """Records that a batch was queued, and waits until no more than ``ahead`` are unfinished."""
        if self._ahead:
            event = torch.cuda.Event()
            event.record()
            self._events.append(event)
            if len(self._events) > self._ahead:
                self._events.popleft().synchronize()


@contextmanager
def _retained_memory() -> Iterator[None]:
    """Within the context, glibc does not return freed memory to the system.

    Each training step frees its activations, and the next one allocates as much again. The system clears every page
    that it hands out, which would take a tenth of a step's time or more.
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
    """Returns the C library if it is glibc, whose `mallopt` has the parameters used here."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "gnu_get_libc_version") else None


def has_bfloat16_units() -> bool:
    """Whether the CPU has units for bfloat16 matrix products, and torch was built to use them."""
    capabilities = torch.cpu.get_capabilities() if torch.backends.mkldnn.is_available() else {}
    return any(capabilities.get(units) for units in ("amx_bf16", "avx512_bf16"))
