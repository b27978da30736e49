"""A Ray cluster beside one process with the same cores: wall time, what a stage costs beside training, bytes moved.

    python tests/in_own_network.py benchmarks/cluster.py [--address HOST:PORT] [--far]

Without an address, two nodes with a CPU each are started on this machine, in a network of their own. `--far`: as if
no file of this machine could be seen there, so that models, states and winners are moved. Six models are benchmarked
on four tasks, and one is selected; both sides must come to the same curves and winner.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from transformers import BertConfig, BertForMaskedLM

import modelstore
from modelstore.execution.client import WorkerClient
from modelstore.execution.messages import Advance
from modelstore.execution.ray_cluster.transport import ActorTransport
from modelstore.libraries import quiet

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import tiny_models

MODELS, TASKS, ROWS = 6, 4, 800
OPTIONS = (
    "epochs = 2, learning_rate = 3e-4, batch_size = 16, max_length = 32, device = 'cpu', recipe = 'small'"
)
BENCHMARK = f"BENCHMARK MODELS ON {', '.join(f't{number}' for number in range(TASKS))} WITH ({OPTIONS})"
SELECT = f"SELECT BEST MODEL FOR target USING successive_halving WITH ({OPTIONS}, reuse = false)"
CURVES = "SELECT model, dataset, stage, validation, test, train_loss FROM training_curves ORDER BY ALL"


def build(folder: Path) -> Path:
    """A store with models of four layers of 256, and tasks of short texts."""
    with modelstore.connect(folder / "zoo.db") as store:
        for number in range(MODELS):
            torch.manual_seed(number)
            tokenizer = tiny_models._wordpiece()
            config = BertConfig(
                vocab_size=len(tokenizer), hidden_size=256, num_hidden_layers=4, num_attention_heads=4,
                intermediate_size=1024, max_position_embeddings=64,
            )  # fmt: skip
            with quiet():
                for part in (BertForMaskedLM(config), tokenizer):
                    part.save_pretrained(folder / f"m{number}")
            store.execute(f"CREATE MODEL m{number} FROM '{folder}/m{number}'")
        for seed, name in enumerate([*(f"t{number}" for number in range(TASKS)), "target"]):
            tiny_models.create_text_dataset(store, name, ROWS, seed)
    return folder / "zoo.db"


@contextmanager
def cluster_of(address: str | None) -> Iterator[str]:
    if address is not None:
        yield address
        return
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster.address
    cluster.shutdown()


@contextmanager
def measured(far: bool) -> Iterator[dict[str, list[float]]]:
    """Seconds of requests by kind beside training, and bytes put into the object store."""
    import ray

    ask, put, found = WorkerClient.ask, ray.put, defaultdict[str, list[float]](list)

    def timed(self: WorkerClient, request: Any, *arguments: Any) -> Any:
        began = time.perf_counter()
        result = ask(self, request, *arguments)
        trained = result.seconds if isinstance(request, Advance) else 0.0
        found[type(request).__name__].append(time.perf_counter() - began - trained)
        return result

    def weighed(value: Any) -> Any:
        files = value.values() if isinstance(value, dict) else [value.train, value.validation, value.test]
        found["bytes"].append(sum(one.nbytes for one in files))
        return put(value)

    with mock.patch.object(WorkerClient, "ask", timed), mock.patch.object(ray, "put", weighed):
        if not far:
            yield found
            return
        unseen = mock.patch.object(ActorTransport, "_shares", return_value=False)
        has = ActorTransport._has
        moved = mock.patch.object(
            ActorTransport, "_has", lambda self, path, digest: has(self, Path("/nowhere"), digest)
        )
        with unseen, moved:
            yield found


def run(path: Path, cluster: str | None) -> tuple[dict[str, float], list[Any]]:
    """The seconds of each statement, and what came of them."""
    seconds, outcome = {}, []
    with modelstore.connect(path, cluster=cluster) as store:
        for name, sql in (("benchmark", BENCHMARK), ("selection", SELECT)):
            began = time.perf_counter()
            rows = store.execute(sql).fetchall()
            seconds[name] = time.perf_counter() - began
            outcome += [row[:5] for row in rows]
        outcome += store.execute(CURVES).fetchall()
    return seconds, outcome


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--address", help="a cluster that runs; its CPUs are to be as many as this process has"
    )
    parser.add_argument("--far", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # those of tests train on one
    with tempfile.TemporaryDirectory() as folder:
        original = build(Path(folder))
        here, there = (Path(shutil.copy(original, Path(folder, f"{name}.db"))) for name in ("here", "there"))
        with cluster_of(arguments.address) as address, measured(arguments.far) as found:
            on_cluster, outcome = run(there, address)
        alone, expected = run(here, None)
    print("| statement | one process, s | cluster, s | ratio |\n| --- | --: | --: | --: |")
    for name, seconds in alone.items():
        print(f"| {name} | {seconds:.1f} | {on_cluster[name]:.1f} | {on_cluster[name] / seconds:.2f} |")
    print(f"\nthe same curves and winner: {outcome == expected}")
    for kind in ("Advance", "StartRun", "SaveState", "Save", "Prepare"):
        if values := found[kind]:
            print(
                f"{kind}, ms beside training: median {1e3 * statistics.median(values):.1f}, of {len(values)}"
            )
    stage = statistics.median(found["Advance"]) + statistics.median(found["SaveState"] or [0.0])
    print(f"a stage of 10 s costs {stage / 10:.2%} more; {sum(found['bytes']) / 1e6:.1f} MB went to nodes")


if __name__ == "__main__":
    main()
