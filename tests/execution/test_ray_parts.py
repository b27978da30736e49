"""Parts of training on a Ray cluster that need no cluster: where workers are placed, and what is moved to nodes."""

import errno
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import modelstore
from modelstore.data.hub import ModelRef
from modelstore.errors import ModelError, TrainingError
from modelstore.execution.messages import Ask, EmbedTexts, Failed, Prepare, Ready
from modelstore.execution.ray_cluster import actor, freight, session
from modelstore.execution.ray_cluster.places import Needs, Places, places_on
from modelstore.execution.ray_cluster.session import Node, smallest_gpu
from modelstore.execution.ray_cluster.transport import ActorTransport, SharedData

CPUS = [Node("a", 8, 0), Node("b", 4, 0)]
GPUS = [Node("a", 32, 4), Node("b", 16, 4), Node("c", 64, 0)]


@pytest.mark.parametrize(
    ("nodes", "device", "jobs", "wanted", "places"),
    [
        (CPUS, "auto", 100, None, Places(12, "cpu", 1)),
        (CPUS, "auto", 3, None, Places(3, "cpu", 4)),
        (CPUS, "auto", 2, None, Places(2, "cpu", 4)),  # six each would leave one of them without a place
        (CPUS, "auto", 1, None, Places(1, "cpu", 8)),  # the most that a node has
        (CPUS, "auto", 5, None, Places(5, "cpu", 2)),
        (CPUS, "cpu", 100, 2, Places(2, "cpu", 4)),
        (CPUS, "cpu", 100, 50, Places(50, "cpu", 1)),  # the others wait for nodes to come
        (GPUS, "auto", 100, None, Places(8, "cuda", 4)),
        (GPUS, "auto", 3, None, Places(3, "cuda", 4)),
        (GPUS, "cpu", 100, None, Places(100, "cpu", 1)),
        (CPUS, "cuda", 100, 2, Places(2, "cuda", 1)),  # an autoscaler may add them
        ([], "auto", 100, 4, Places(4, "cpu", 1)),
    ],
)
def test_workers_are_placed_on_gpus_or_share_out_the_cpus(
    nodes: list[Node], device: str, jobs: int, wanted: int | None, places: Places
) -> None:
    assert places_on(nodes, device, jobs, wanted) == places


BIG_GPUS = [Node("a", 32, 4, 64e9, 80e9), Node("b", 16, 4, 32e9, 80e9), Node("c", 64, 0, 500e9)]


@pytest.mark.parametrize(
    ("nodes", "jobs", "wanted", "taken", "places"),
    [
        (BIG_GPUS, 100, None, 20e9, Places(24, "cuda", 1, 3)),
        (BIG_GPUS, 100, None, 1e9, Places(32, "cuda", 1, 4)),  # no more than four
        (BIG_GPUS, 12, None, 1e9, Places(12, "cuda", 2, 2)),  # as many as there are jobs for
        (BIG_GPUS, 8, None, 1e9, Places(8, "cuda", 4, 1)),
        (BIG_GPUS, 100, None, 60e9, Places(8, "cuda", 4, 1)),
        (BIG_GPUS, 100, None, 90e9, Places(8, "cuda", 4, 1)),  # it may do with smaller batches
        (BIG_GPUS, 100, 16, 1e9, Places(16, "cuda", 2, 2)),
        (BIG_GPUS, 100, 16, 60e9, Places(16, "cuda", 4, 1)),  # half of them wait
        (BIG_GPUS, 100, None, None, Places(8, "cuda", 4, 1)),
        (GPUS, 100, None, 1e9, Places(8, "cuda", 4, 1)),  # unknown GPUs are not shared
        ([Node("a", 4, 2, 64e9, 80e9)], 100, None, 1e9, Places(4, "cuda", 1, 2)),  # a CPU for each
    ],
)
def test_workers_share_gpus_by_what_models_were_seen_to_take(
    nodes: list[Node], jobs: int, wanted: int | None, taken: float | None, places: Places
) -> None:
    assert places_on(nodes, "auto", jobs, wanted, Needs(gpu_memory=taken)) == places


@pytest.mark.parametrize(
    ("each", "wanted", "places"),
    [
        (1e9, None, Places(12, "cpu", 1, memory=1_000_000_000)),
        (4e9, None, Places(6, "cpu", 2, memory=4_000_000_000)),
        (20e9, None, Places(1, "cpu", 8, memory=16_000_000_000)),  # the most that a node has
        (4e9, 10, Places(10, "cpu", 1, memory=4_000_000_000)),  # some wait for nodes to come
        (None, None, Places(12, "cpu", 1)),
    ],
)
def test_workers_are_no_more_than_memory_has_room_for(
    each: float | None, wanted: int | None, places: Places
) -> None:
    nodes = [Node("a", 8, 0, 16e9), Node("b", 4, 0, 8e9), Node("c", 0, 0)]
    assert places_on(nodes, "auto", 100, wanted, Needs(lambda workers: each)) == places


def test_fewer_workers_with_more_models_at_rest_in_each_may_be_fewer_still() -> None:
    needs = Needs(lambda workers: 1e9 + 12e9 / workers)
    places = places_on([Node("a", 8, 0, 8e9)], "cpu", 100, None, needs)
    assert places == Places(1, "cpu", 8, memory=8_000_000_000)


@pytest.mark.parametrize(
    ("places", "text"),
    [
        (Places(8, "cuda", 4), "a GPU and 4 CPUs"),
        (Places(8, "cuda", 1, 3, 2_500_000_000), "1/3 GPU, 1 CPU and 2.5 GB"),
        (Places(8, "cpu", 1), "1 CPU"),
    ],
)
def test_what_a_worker_takes_is_said(places: Places, text: str) -> None:
    assert str(places) == text


def test_a_driver_tells_its_smallest_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert smallest_gpu() is None
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 81559\necho 40960\n")
    driver.chmod(0o755)
    assert smallest_gpu() == 40960 * 2**20
    driver.write_text("#!/bin/sh\necho '[N/A]'\n")
    assert smallest_gpu() is None


@pytest.mark.parametrize(("device", "why"), [("cuda", "no node of the cluster"), ("cuda:1", "say 'cuda'")])
def test_gpus_that_no_node_has_are_refused(device: str, why: str) -> None:
    with pytest.raises(TrainingError, match=why):
        places_on(CPUS, device, 1, None)


def test_without_ray_a_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_path: Callable[[str], Path]
) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("ray", "modelstore.execution.ray_cluster"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    with modelstore.connect(tmp_path / "zoo.db", cluster="auto") as store:
        store.execute(f"CREATE MODEL bert FROM '{model_path('bert')}'")
        store.execute(
            "CREATE DATASET d AS SELECT 'text ' || i AS text, i % 2 AS label FROM range(40) AS r(i)"
        )
        for statement in ("EXPLAIN BENCHMARK MODELS ON d", "SELECT BEST MODEL FOR d"):
            with pytest.raises(TrainingError, match=r"needs Ray.*pip install 'modelstore\[ray\]'"):
                store.execute(statement)


class Recorder:
    """Stands for an actor, or for Ray: keeps what its methods are called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name == "remote":
            return lambda *arguments: self.calls.append(arguments)
        return self

    def put(self, value: Any) -> Any:
        self.calls.append(("put", value))
        return value


def test_a_node_gets_the_variables_of_the_hub_and_no_others() -> None:
    ray_module, worker = Recorder(), Recorder()
    session: Any = SimpleNamespace(ray=ray_module)
    transport = ActorTransport(session, worker, SharedData(session))
    environment = {"HF_TOKEN": "t", "HF_HUB_OFFLINE": "1", "HF_HOME": "/here", "AWS_SECRET_ACCESS_KEY": "s"}
    data: Any = object()
    for _ in range(2):
        transport._begin(Ask(Prepare("/here", environment, data), 3))
    assert worker.calls[1:] == [(0, 3, data, {"HF_TOKEN": "t", "HF_HUB_OFFLINE": "1"})] * 2
    assert ray_module.calls == [("put", data)]  # once


def test_a_package_that_a_node_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor, "address", lambda: "10.0.0.7")
    worker = actor.WorkerActor()
    assert worker.start() == Ready()
    monkeypatch.setattr(actor, "IMPORTED", ("json", "no_such_package"))
    failed = worker.start()
    assert isinstance(failed, Failed)
    assert str(failed.error).startswith("the node 10.0.0.7 cannot train, as no_such_package is not installed")


def test_a_full_disk_of_a_node_fails_the_model_and_names_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(folder: Path, files: freight.Files) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(actor, "address", lambda: "10.0.0.7")
    monkeypatch.setattr(actor, "write_files", fill)
    model = ModelRef("bert", tmp_path / "elsewhere")
    failed = actor.WorkerActor().with_model(
        1, Ask(EmbedTexts(model, ["a"], "cpu"), 1), "digest", {"config.json": np.zeros(2, np.uint8)}, None
    )
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ModelError)
    assert re.match(
        r"on the node 10\.0\.0\.7, the model cannot be written to .*the disk is full", str(failed.error)
    )


def test_other_versions_on_a_cluster_are_said() -> None:
    class Ray:
        _private = SimpleNamespace(worker=SimpleNamespace(print_to_stdstream=None))

        def init(self, **options: Any) -> None:
            raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.50.0\n")

    with pytest.raises(TrainingError, match=r"host:1 has other versions .*Ray: 2\.50\.0.*the same Python"):
        session._connect(Ray(), "host:1", "host:1")


def test_a_model_is_moved_with_the_files_that_it_is_loaded_from(tmp_path: Path) -> None:
    source, target = tmp_path / "model", tmp_path / "moved"
    content = {"model.safetensors": np.zeros(9, np.uint8), "1_Pooling/config.json": np.empty(0, np.uint8)}
    freight.write_files(source, content)
    (source / "notes.md").write_text("not loaded")
    freight.write_files(target, freight.model_files(source))
    assert {
        str(file.relative_to(target)): file.stat().st_size for file in target.rglob("*") if file.is_file()
    } == {"model.safetensors": 9, "1_Pooling/config.json": 0}
