"""Models that train at the same time, each on its share of the CPU's threads, beside one after another on all.

    python benchmarks/at_once.py [--cases bert-base,vit-tiny] [--models 4] [--rounds 3]

The models and rows are those of trainer.py: each model is read and trained for an epoch, validation included, as a
stage of a selection does; the next begins where one ends. The two ways take turns; ratios are medians over the
rounds.
"""

import argparse
import logging
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from trainer import CASES, Case, data_of, save

from modelstore.data.hub import ModelRef
from modelstore.data.task_data import TaskData
from modelstore.execution.jobs import Job, OnBatch, run_jobs
from modelstore.execution.pool import worker_pool
from modelstore.execution.worker import Worker
from modelstore.execution.workers import FixedWorkers
from modelstore.options import TrainingOptions


def seconds(
    workers: FixedWorkers, path: Path, data: TaskData, case: Case, models: int, epochs: int = 1
) -> float:
    """What the training of so many models takes, each for so many stages of an epoch."""
    options, left = (
        TrainingOptions(epochs=epochs, batch_size=case.batch_size, learning_rate=3e-5),
        list(range(models)),
    )

    def take(worker: Worker, another: bool) -> Job[None] | None:
        if not left:
            return None
        seed = left.pop()

        def train(worker: Worker, on_batch: OnBatch) -> None:
            models = {"model": ModelRef("model", path)}
            run = worker.executor(models, data, replace(options, seed=seed), {}).start("model")
            for _ in range(epochs):
                run.advance(on_batch=on_batch)
            run.release()

        return train

    began = time.perf_counter()
    run_jobs(workers, models, take, lambda result: None, lambda count=1: None)
    return time.perf_counter() - began


def compare(name: str, models: int, rounds: int, workers: FixedWorkers) -> str:
    case = CASES[name]
    data = data_of(case)
    one = FixedWorkers(workers.present()[:1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        save(case.config, path)
        both = [
            (seconds(one, path, data, case, models), seconds(workers, path, data, case, models))
            for _ in range(rounds + 1)
        ][1:]  # the first is to warm up
    alone, together = (models * case.rows / statistics.median(one) for one in zip(*both, strict=True))
    ratio = statistics.median(one / other for one, other in both)
    return f"| {name} | {alone:.1f} | {together:.1f} | {ratio:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    threads = torch.get_num_threads()
    with worker_pool(["cpu"] * threads) as workers:
        while not all(worker.ready for worker in workers.present()):
            time.sleep(0.01)
        print(f"| model | one after another, rows/s | {threads} at once | ratio |\n| --- | --- | --- | --- |")
        for name in arguments.cases.split(","):
            print(compare(name, arguments.models, arguments.rounds, workers), flush=True)


if __name__ == "__main__":
    main()
