"""How far from the limit training is: its matrix products a second, over those that the device does at most.

    python benchmarks/flops.py [--cases bert-base,vit-base]

The limit is measured, as the best rate of a product of two large square matrices in the run's precision, on as many
threads. What a run does is counted by torch's own counter of floating-point operations while it trains a stage,
padding included, and divided by the seconds that an equal stage takes without it. The second table tells where a
stage's time goes, by torch's profiler: the operations' own time, not that of what they call.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from trainer import CASES, Case, data_of, save

from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning
from modelstore.training.hardware import computing

SIDE, ROUNDS = 4096, 10
# What the operations of torch are for, by the words in their names; the first that fits.
KINDS = {
    "matrix products": ("mm", "linear", "convolution"),
    "attention": ("attention",),
    "optimizer": ("adam", "clip", "_foreach", "norm_"),
    "layer norm, softmax, activations": ("layer_norm", "softmax", "gelu", "tanh", "dropout", "bernoulli"),
    "moving and converting": ("copy", "_to_copy", "cat", "index", "embedding", "transpose", "clone"),
}


def synchronised(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def limit(device: torch.device, precision: torch.dtype) -> float:
    """Floating-point operations a second of a square matrix product, the best of some."""
    left, right = (torch.randn(SIDE, SIDE, device=device, dtype=precision) for _ in range(2))
    taken = []
    for _ in range(ROUNDS):
        started = synchronised(device)
        left @ right
        taken.append(synchronised(device) - started)
    return 2 * SIDE**3 / min(taken)


def run_of(case: Case, folder: Path) -> FineTuning:
    options = TrainingOptions(epochs=3, batch_size=case.batch_size, learning_rate=3e-5)
    return FineTuning("model", folder / "model", data_of(case), options)


def kind_of(operation: str) -> str:
    return next((kind for kind, words in KINDS.items() if any(word in operation for word in words)), "other")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", default="bert-base,vit-base")
    arguments = parser.parse_args()
    shares: dict[str, Counter[str]] = {}
    print("| model | precision | GFLOP a stage | training, GFLOP/s | limit, GFLOP/s | of the limit |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for name in arguments.cases.split(","):
        case = CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            save(case.config, Path(folder) / "model")
            run = run_of(case, Path(folder))
            with FlopCounterMode(display=False) as counter:
                run.advance()
            seconds = run.advance().seconds
            on_gpu = [ProfilerActivity.CUDA] if run.device.type == "cuda" else []
            with profile(activities=[ProfilerActivity.CPU, *on_gpu]) as profiled:
                run.advance()
        with computing(run.network, run.device):
            most = limit(run.device, run.precision)
        flops = counter.get_total_flops()
        print(
            f"| {name} | {str(run.precision).removeprefix('torch.')} | {flops / 1e9:.0f} "
            f"| {flops / seconds / 1e9:.0f} | {most / 1e9:.0f} | {flops / seconds / most:.0%} |",
            flush=True,
        )
        shares[name] = Counter()
        for event in profiled.key_averages():
            own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
            shares[name][kind_of(event.key.lower())] += own
    print("\n| of a stage's time |", " | ".join(shares), "|\n| --- |", " --- |" * len(shares))
    for kind in [*KINDS, "other"]:
        cells = (f"{share[kind] / share.total():.0%}" for share in shares.values())
        print(f"| {kind} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
