"""Builds models side by side, each in a process with one thread; those that exist already are skipped."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from modelstore.demo.pretrain import Examples, Outcome, Spec, complete, pretrain_image, pretrain_text


@dataclass(frozen=True)
class Job:
    """A model to build from ``source``: passages of text, or labelled images."""

    spec: Spec
    source: tuple[str, ...] | Examples
    task: Examples | None = None


@dataclass(frozen=True)
class Built:
    """A model that was built, how well its pretraining went, and how long it took."""

    name: str
    outcome: Outcome
    seconds: float


def run(job: Job, folder: Path) -> Built | None:
    """Builds one model in ``folder``; None where it exists already."""
    start = time.perf_counter()
    if isinstance(job.source, Examples):
        outcome = pretrain_image(job.spec, job.source, folder / job.spec.name, job.task)
    else:
        outcome = pretrain_text(job.spec, job.source, folder / job.spec.name, job.task)
    return None if outcome is None else Built(job.spec.name, outcome, time.perf_counter() - start)


def _worker() -> None:
    # Models as small as these lose more by synchronising threads than they gain from them.
    torch.set_num_threads(1)


def build_all(specs: Iterable[Spec], job: Callable[[Spec], Job], folder: Path, processes: int) -> list[Built]:
    """Builds the models that ``folder`` lacks; ``job`` finds the data of a model, and is called for those alone."""
    missing = [spec for spec in specs if not complete(folder / spec.name)]
    if not missing:
        return []
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    built = []
    context = multiprocessing.get_context("spawn")  # a fork would inherit the locks of other threads
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_worker) as pool:
        futures = [pool.submit(run, job(spec), folder) for spec in missing]
        for future in tqdm(as_completed(futures), total=len(futures), desc="models", disable=None):
            result = future.result()
            if result is not None:
                built.append(result)
    return built
