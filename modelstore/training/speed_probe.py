"""Measures how fast a device trains, in a second or two: a few training steps of small networks.

Three transformers of different sizes tell the seconds that a layer takes however small it is, those for each number
that passes through it, and those for each operation of matrix products. A step on a large matrix tells those of
the optimizer. A real model of another architecture is compared with what these rates say of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from modelstore.data.model_shape import ModelShape
from modelstore.interruption import check
from modelstore.libraries import quiet
from modelstore.options import TrainingOptions
from modelstore.training.cuda_graphs import WARM_UP, StepGraphs
from modelstore.training.hardware import computing, precision
from modelstore.training.kernels.replacement import use_kernels
from modelstore.training.loading import load_for_training
from modelstore.training.optimizer import Optimizer
from modelstore.training.speed import Speed
from modelstore.training.used_rows import train_rows

LABELS = ("a", "b")
REPEATS = 3
MANY_STEPS = 1_000  # for the steps of a run of usual length, whose shapes are worth capturing
RATE = 1e-5  # any; its size does not matter
OPTIMIZED = 20_000, 256  # the shape of a matrix
# layers, width, rows, tokens
TINY, SMALL = (2, 64, 1, 8), (2, 128, 32, 32)
LARGE = {"cpu": (1, 768, 16, 32), "cuda": (4, 768, 32, 128)}
# Of an architecture: rows, and tokens of a text.
FAMILY_ROWS, FAMILY_TOKENS = 8, 32


def measure(device: torch.device, threads: int) -> Speed:
    """Measures a device with so many threads."""
    with _threads(threads), torch.random.fork_rng(_cuda_devices(device)):
        per_parameter = _optimizer_seconds(device) / math.prod(OPTIMIZED)
        rates = []
        for size in (TINY, SMALL, LARGE[device.type]):
            check()
            rates.append(_transformer_seconds(device, *size, per_parameter))
    overhead = rates[0][0] / rates[0][1]
    # What is left of the other two: a · numbers + b · operations.
    seconds = np.array([max(taken - overhead * calls, 0.1 * taken) for taken, calls, _, _ in rates[1:]])
    work = np.array([(numbers, flops) for _, _, numbers, flops in rates[1:]])
    elementwise, per_flop = _solve(work, seconds)
    return Speed(overhead, elementwise, per_flop, per_parameter)


def measure_family(
    model: str, path: Path, modality: str, shape: ModelShape, speed: Speed, device: torch.device, threads: int
) -> float:
    """By how much longer a model's training step takes than ``speed`` says of its shape.

    Raises
    ------
    ModelError
        The model cannot be loaded.
    """
    with _threads(threads), torch.random.fork_rng(_cuda_devices(device)), quiet():
        network, _ = load_for_training(model, path, modality, LABELS)
        rows, tokens = FAMILY_ROWS, FAMILY_TOKENS
        if modality == "image":
            sides = _input_sides(path, network)
            batch = {"pixel_values": torch.rand(rows, getattr(network.config, "num_channels", 3), *sides)}
        else:
            vocabulary = int(getattr(network.config, "vocab_size", None) or shape.vocabulary)
            if getattr(network.config, "pad_token_id", None) is None:
                network.config.pad_token_id = 0
            batch = _token_batch(rows, tokens, vocabulary)
            train_rows(network, batch["input_ids"].numpy())
        seconds = _step_seconds(network, batch, device)
        beside = speed.per_parameter * sum(one.numel() for one in network.parameters())
    known = Speed(speed.overhead, speed.elementwise, speed.per_flop, speed.per_parameter)
    said = known.compute(shape, rows, shape.tokens or tokens)
    return max(seconds - beside, 0.1 * seconds) / said


def _solve(work: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """Two rates that are not negative: those that solve the two equations, or the one that is left of them."""
    rates = np.linalg.solve(work, seconds)
    if rates[0] < 0:
        return 0.0, float(np.exp(np.mean(np.log(seconds / work[:, 1]))))
    if rates[1] < 0:
        return float(np.exp(np.mean(np.log(seconds / work[:, 0])))), 0.0
    return float(rates[0]), float(rates[1])


def _transformer_seconds(
    device: torch.device, layers: int, width: int, rows: int, tokens: int, per_parameter: float
) -> tuple[float, float, float, float]:
    """The seconds of a step without the optimizer's, and the work: calls, numbers and operations."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=1000,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        intermediate_size=4 * width,
    )
    with quiet():
        network = BertForSequenceClassification(config)
    parameters = sum(one.numel() for one in network.parameters())
    shape = ModelShape("", parameters, 12 * layers * width**2, layers, width, None)
    seconds = _step_seconds(network, _token_batch(rows, tokens, config.vocab_size), device)
    unit = Speed(1.0, 0.0, 0.0, 0.0)
    calls = unit.compute(shape, rows, tokens)
    numbers = Speed(0.0, 1.0, 0.0, 0.0).compute(shape, rows, tokens)
    flops = Speed(0.0, 0.0, 1.0, 0.0).compute(shape, rows, tokens)
    return max(seconds - per_parameter * parameters, 0.1 * seconds), calls, numbers, flops


def _token_batch(rows: int, tokens: int, vocabulary: int) -> dict[str, torch.Tensor]:
    ids = torch.randint(1, max(2, vocabulary), (rows, tokens))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _step_seconds(network: nn.Module, batch: dict[str, torch.Tensor], device: torch.device) -> float:
    """The seconds of one training step as `FineTuning` takes it, the median of some."""
    use_kernels(network)
    network.train()
    product, on_cpu = precision(network, device), device.type == "cpu"
    rows = len(next(iter(batch.values())))
    labels = (torch.arange(rows) % len(LABELS)).to(device)
    network.to(device)
    batch = {name: values.to(device) for name, values in batch.items()}
    options = TrainingOptions()
    shares = {name: 1.0 for name, _ in network.named_parameters()}
    optimizer = Optimizer(network, shares, RATE, options, MANY_STEPS, device)

    def step(*_: Any) -> None:
        bfloat16 = product == torch.bfloat16
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16, cache_enabled=on_cpu):
            logits = network(**batch).logits.float()
        nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()

    with computing(network, device):
        graphs = None if on_cpu else StepGraphs(step, device)
        number = 0

        def take() -> None:
            nonlocal number
            optimizer.set_learning_rate(number)
            number += 1
            if graphs is None or not graphs.replay(np.arange(rows), 0, MANY_STEPS):
                step()

        seconds = median_seconds(take, device, 1 if on_cpu else WARM_UP + 2)
        if graphs is not None:
            graphs.clear()
    return seconds


def _optimizer_seconds(device: torch.device) -> float:
    """The seconds of a step on a matrix through which one row passes."""
    network = nn.Sequential(nn.Linear(*OPTIMIZED, bias=False)).to(device)
    shares = {name: 1.0 for name, _ in network.named_parameters()}
    optimizer = Optimizer(network, shares, RATE, TrainingOptions(), MANY_STEPS, device)
    row = torch.rand(1, OPTIMIZED[0], device=device)

    def step() -> None:
        optimizer.set_learning_rate(0)
        network(row).sum().backward()
        optimizer.step()

    return median_seconds(step, device, 2)


def median_seconds(
    step: Callable[[], None], device: torch.device, warm_up: int, repeats: int = REPEATS
) -> float:
    """The median seconds of some calls, after a few that do not count."""
    taken = []
    for number in range(warm_up + repeats):
        check()
        began = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if number >= warm_up:
            taken.append(time.perf_counter() - began)
    return median(taken)


def _input_sides(path: Path, network: nn.Module) -> tuple[int, int]:
    from modelstore.data.model_config import read_config
    from modelstore.data.model_shape import image_side

    side = round(image_side(path, read_config(path)))
    return side, side


def _cuda_devices(device: torch.device) -> list[int]:
    """The GPUs whose random state is put back afterwards."""
    return [device.index or 0] if device.type == "cuda" else []


@contextmanager
def _threads(count: int) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
