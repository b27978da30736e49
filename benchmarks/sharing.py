"""Several models on one device: one after another, on streams, in processes, under MPS, and as one batched model.

    python benchmarks/sharing.py [--models 4] [--steps 50]

Training steps alone, without the engine: BERT of random weights, a batch of random words of one length, AdamW, in
bfloat16 and without captured graphs, so that ways of sharing are all that differs. Rates are rows a second of all
models together. "Processes" have a model each and take turns on a GPU; under MPS, NVIDIA's server runs their kernels
side by side. "Batched" stacks the models' weights and trains them by `torch.func.vmap`. What the device lacks is
named. A part of gpu.py too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn.functional import cross_entropy
from trainer import bert, clock
from transformers import BertConfig, BertForSequenceClassification

WARM_UP = 3


@dataclass(frozen=True)
class Size:
    """A model, and the batches that it trains on."""

    config: BertConfig
    rows: int
    words: int
    steps: int


def sizes(steps: int) -> dict[str, Size]:
    return {
        "BERT-base, 32 rows of 64 words": Size(bert(768, 12), 32, 64, steps),
        "a million parameters beside the words', 32 rows of 64 words": Size(bert(128, 5), 32, 64, steps),
    }


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def batch(size: Size, *models: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Words (*models, rows, words) and labels (*models, rows)."""
    words = torch.randint(size.config.vocab_size, (*models, size.rows, size.words), device=device())
    return words, torch.randint(2, (*models, size.rows), device=device())


def network(size: Size, seed: int, **settings: Any) -> torch.nn.Module:
    torch.manual_seed(seed)
    made: torch.nn.Module = BertForSequenceClassification._from_config(size.config, **settings)
    return made.to(device()).train()


def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return cross_entropy(logits.float(), labels)


class Training:
    """A model that trains by itself."""

    def __init__(self, size: Size, seed: int):
        self.network = network(size, seed)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-5, fused=True)
        self.words, self.labels = batch(size)
        for _ in range(WARM_UP):
            self.step()

    def step(self) -> None:
        with torch.autocast(device().type, torch.bfloat16):
            logits = self.network(input_ids=self.words).logits
        loss(logits, self.labels).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def one_after_another(size: Size, models: int) -> float:
    trained = [Training(size, seed) for seed in range(models)]
    began = clock()
    for one in trained:
        for _ in range(size.steps):
            one.step()
    return models * size.steps * size.rows / (clock() - began)


def on_streams(size: Size, models: int) -> float:
    """Steps of the models in turn, each on its stream; a CPU has no streams."""
    trained = [Training(size, seed) for seed in range(models)]
    streams: list[Callable[[], AbstractContextManager[Any]]] = [nullcontext] * models
    if device().type == "cuda":
        of_models = [torch.cuda.Stream() for _ in trained]
        streams = [lambda stream=stream: torch.cuda.stream(stream) for stream in of_models]
    began = clock()
    for _ in range(size.steps):
        for one, stream in zip(trained, streams, strict=True):
            with stream():
                one.step()
    return models * size.steps * size.rows / (clock() - began)


def _train_in_process(size: Size, seed: int, threads: int, begin: Any, seconds: Any) -> None:
    torch.set_num_threads(threads)
    training = Training(size, seed)
    begin.wait()
    began = clock()
    for _ in range(size.steps):
        training.step()
    seconds.put(clock() - began)


def in_processes(size: Size, models: int) -> float:
    """A process for each model; on a CPU, each has its share of the threads."""
    spawn = multiprocessing.get_context("spawn")
    begin, seconds = spawn.Barrier(models), spawn.Queue()
    threads = max(1, torch.get_num_threads() // models)
    processes = [
        spawn.Process(target=_train_in_process, args=(size, seed, threads, begin, seconds))
        for seed in range(models)
    ]
    for process in processes:
        process.start()
    taken = [seconds.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    return models * size.steps * size.rows / max(taken)


@contextmanager
def mps() -> Iterator[None]:
    """Within the context, processes that begin share the GPU through a server of their own."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        with mock.patch.dict(os.environ, places):
            subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True)
            try:
                yield
            finally:
                subprocess.run(["nvidia-cuda-mps-control"], input=b"quit\n", check=False)


def in_processes_under_mps(size: Size, models: int) -> float:
    with mps():
        return in_processes(size, models)


def batched(size: Size, models: int) -> float:
    """One model whose weights are those of all, stacked; attention by plain products, as vmap asks."""
    networks = [network(size, seed, attn_implementation="eager") for seed in range(models)]
    weights, buffers = stack_module_state(networks)
    del networks[1:]
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-5, fused=True)
    words, labels = batch(size, models)

    def loss_of(weights: Any, buffers: Any, words: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        # autocast's copies of weights are not valid within vmap
        with torch.autocast(device().type, torch.bfloat16, cache_enabled=False):
            logits = functional_call(networks[0], (weights, buffers), (), {"input_ids": words}).logits
        return loss(logits, labels)

    gradients_of = vmap(grad(loss_of), randomness="different")

    def step() -> None:
        for name, gradient in gradients_of(weights, buffers, words, labels).items():
            weights[name].grad = gradient
        optimizer.step()

    for _ in range(WARM_UP):
        step()
    began = clock()
    for _ in range(size.steps):
        step()
    return models * size.steps * size.rows / (clock() - began)


WAYS: dict[str, Callable[[Size, int], float]] = {
    "one after another": one_after_another,
    "streams": on_streams,
    "processes": in_processes,
    "processes under MPS": in_processes_under_mps,
    "batched": batched,
}


def rates(size: Size, models: int) -> dict[str, float | str]:
    """Rows a second of all models together, way by way; or why there are none."""
    found: dict[str, float | str] = {}
    for name, way in WAYS.items():
        if way is in_processes_under_mps and shutil.which("nvidia-cuda-mps-control") is None:
            found[name] = "not on this machine"
            continue
        try:
            found[name] = way(size, models)
        except Exception as error:  # such as memory that is full: the other ways go on
            found[name] = f"{type(error).__name__}: {str(error)[:200]}"
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    print("| model | " + " | ".join(WAYS) + " |\n| --- " + "| --: " * len(WAYS) + "|")
    for name, size in sizes(arguments.steps).items():
        found = rates(size, arguments.models).values()
        cells = (one if isinstance(one, str) else f"{one:.0f}" for one in found)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
