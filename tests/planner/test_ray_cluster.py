"""Statements that train on a Ray cluster of two nodes: as in one process, whatever becomes of the workers."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
import torch
from tiny_models import TINY
from watched_training import before_each_request, without_seconds

import modelstore
from modelstore.execution.client import WorkerClient
from modelstore.execution.messages import Advance, Request
from modelstore.execution.ray_cluster.places import Places
from modelstore.execution.ray_cluster.session import connected
from modelstore.execution.ray_cluster.transport import ActorTransport
from modelstore.execution.ray_cluster.workers import ClusterWorkers, cluster_workers

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

Store = modelstore.Connection
BENCHMARK = f"BENCHMARK MODELS WHERE modality = 'text' ON texts, others WITH ({TINY}, device = 'cpu')"
SELECT = f"SELECT BEST 3 MODELS FOR texts USING brute_force WITH ({TINY}, device = 'cpu', ensemble = true)"
STAGES = "SELECT stage, model, validation, predicted, action, reason FROM selection_stages ORDER BY rowid"
LOOPBACK = "127.0.0.1"  # the host's name may stand for an address that is not in this network
SECONDS = 60  # after which a test that waits for another worker has failed
CURVES = "SELECT model, dataset, stage, epoch, validation, test, train_loss FROM training_curves ORDER BY ALL"


@contextmanager
def two_nodes(cache: Path) -> Iterator[Any]:
    """A cluster of two nodes with a CPU each, whose cache is a folder of the tests, and which asks for no token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        if not socket.gethostbyname(socket.gethostname()).startswith("127."):
            pytest.skip(
                "the name of this host stands for an address outside of its network, which Ray would use"
            )
        testing = pytest.importorskip("ray.cluster_utils")
        with pytest.MonkeyPatch.context() as of_nodes:
            of_nodes.setenv("MODELSTORE_CACHE", str(cache))
            head = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": LOOPBACK}
            cluster = testing.Cluster(initialize_head=True, head_node_args=head)
            cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK)
            cluster.wait_for_nodes()
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with two_nodes(tmp_path_factory.mktemp("node")) as cluster:
        yield cluster


@pytest.fixture
def zoo(zoo_file: Path, tmp_path: Path, ray_cluster: Any) -> Iterator[Store]:
    path = shutil.copy(zoo_file, tmp_path / "zoo.db")
    with modelstore.connect(path, cluster=ray_cluster.address) as store:
        yield store


@pytest.fixture
def alone(zoo_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The same store, where this process trains, on one thread as each worker does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with modelstore.connect(shutil.copy(zoo_file, tmp_path_factory.mktemp("alone") / "zoo.db")) as store:
        yield store
    torch.set_num_threads(threads)


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nodes see no file of this machine."""
    monkeypatch.setattr(ActorTransport, "_shares", lambda self, folder: False)
    has = ActorTransport._has
    monkeypatch.setattr(ActorTransport, "_has", lambda self, model, digest: has(self, Path("/gone"), digest))


def at_stage(
    number: int, do: Callable[[WorkerClient], object]
) -> Callable[[WorkerClient, Request[Any]], None]:
    """What does something as a worker is about to be asked for so many stages in all."""
    asked: list[Request[Any]] = []

    def note(worker: WorkerClient, request: Request[Any]) -> None:
        if isinstance(request, Advance):
            asked.append(request)
            if len(asked) == number:
                do(worker)

    return note


def test_a_benchmark_has_the_curves_of_one_process(zoo: Store, alone: Store) -> None:
    rows, expected = (store.execute(BENCHMARK).fetchall() for store in (zoo, alone))
    assert [row[:5] for row in rows] == [row[:5] for row in expected]
    assert {row[-1] for row in rows} == {"done"}
    assert zoo.execute(CURVES).fetchall() == alone.execute(CURVES).fetchall()


@pytest.mark.usefixtures("far")
def test_models_are_recalled_by_the_scores_of_one_process(zoo: Store, alone: Store) -> None:
    select = f"SELECT BEST MODEL FOR others USING two_phase WITH ({TINY}, recall = 2, device = 'cpu')"
    rows, expected = (store.execute(select).fetchall() for store in (zoo, alone))
    assert without_seconds(rows) == without_seconds(expected)
    scores = "SELECT model, proxy, score, rows FROM proxy_scores ORDER BY ALL"
    assert zoo.execute(scores).fetchall() == alone.execute(scores).fetchall()


@pytest.mark.usefixtures("far")
def test_cards_are_embedded_as_in_one_process(zoo: Store, alone: Store) -> None:
    cluster = "CLUSTER MODELS WITH (similarity = 'text', encoder = 'bert', device = 'cpu')"
    for store in (zoo, alone):
        store.execute("UPDATE models SET card = 'the film ' || name")
    [(plan, _)] = zoo.execute(f"EXPLAIN {cluster}").fetchall()[:1]
    assert "1 worker on 1 CPU" in plan
    assert zoo.execute(cluster).fetchall() == alone.execute(cluster).fetchall()
    embeddings = "SELECT card, embedding FROM card_embeddings ORDER BY ALL"
    assert zoo.execute(embeddings).fetchall() == alone.execute(embeddings).fetchall()


@pytest.mark.usefixtures("far")
def test_a_selection_on_nodes_that_share_nothing_decides_as_one_process(zoo: Store, alone: Store) -> None:
    """Models, states and winners are moved."""
    rows, expected = (store.execute(SELECT).fetchall() for store in (zoo, alone))
    assert without_seconds(rows) == without_seconds(expected)
    for query in (STAGES, CURVES):
        assert zoo.execute(query).fetchall() == alone.execute(query).fetchall()
    assert all((Path(row[7]) / "model.safetensors").exists() for row in rows[1:])


def test_runs_go_through_this_machine_to_a_bucket_that_nodes_do_not_reach(
    zoo_file: Path, tmp_path: Path, ray_cluster: Any, alone: Store
) -> None:
    """A selection is interrupted and goes on, so that states are written and read."""
    bucket, path = "memory://cluster/kept", shutil.copy(zoo_file, tmp_path / "zoo.db")
    with modelstore.connect(path, cluster=ray_cluster.address, checkpoints=bucket) as zoo:
        with pytest.raises(KeyboardInterrupt), before_each_request(at_stage(5, interrupt)):
            zoo.execute(SELECT)
        rows = zoo.execute("RESUME SELECTION 1").fetchall()
        assert without_seconds(rows) == without_seconds(alone.execute(SELECT).fetchall())
        assert str(rows[-1][7]).startswith(bucket)


def interrupt(worker: WorkerClient) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("far")
def test_models_of_a_worker_that_is_killed_are_trained_elsewhere(zoo: Store, alone: Store) -> None:
    import ray

    with before_each_request(at_stage(4, lambda worker: ray.kill(worker.transport._actor))):
        rows = zoo.execute(SELECT).fetchall()
    assert without_seconds(rows) == without_seconds(alone.execute(SELECT).fetchall())
    assert zoo.execute(STAGES).fetchall() == alone.execute(STAGES).fetchall()


def test_a_selection_goes_on_after_a_kill_of_the_program(
    zoo_file: Path, tmp_path: Path, ray_cluster: Any, alone: Store
) -> None:
    path = shutil.copy(zoo_file, tmp_path / "zoo.db")
    program = f"""
import modelstore, os, signal
from modelstore.execution.client import WorkerClient
ask, asked = WorkerClient.ask, []
def watched(self, request, *arguments):
    if type(request).__name__ == "Advance":
        asked.append(request)
        if len(asked) == 6:
            os.kill(os.getpid(), signal.SIGKILL)
    return ask(self, request, *arguments)
WorkerClient.ask = watched
modelstore.connect({str(path)!r}, cluster={ray_cluster.address!r}).execute({SELECT!r})
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -signal.SIGKILL
    with modelstore.connect(path, cluster=ray_cluster.address) as store:
        rows = store.execute("RESUME SELECTION 1").fetchall()
        assert without_seconds(rows) == without_seconds(alone.execute(SELECT).fetchall())
        assert store.execute(STAGES).fetchall() == alone.execute(STAGES).fetchall()


def test_an_interruption_ends_the_statement_and_its_workers(zoo: Store) -> None:
    began = threading.Event()
    threading.Thread(target=lambda: began.wait() and zoo.interrupt()).start()
    note = at_stage(1, lambda worker: began.set())
    with before_each_request(note), pytest.raises(duckdb.InterruptException):
        zoo.execute(SELECT.replace("epochs = 2", "epochs = 5000"))
    with modelstore.connect(cluster="auto") as other:
        assert other.execute("SELECT 1").fetchall() == [(1,)]


def test_a_worker_that_comes_late_takes_part(
    zoo: Store, ray_cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three are asked for, and there is room for two."""
    trained: set[WorkerClient] = set()
    all_train = threading.Event()
    nodes: list[Any] = []
    present = ClusterWorkers.present

    def add_node(self: ClusterWorkers) -> Any:
        if trained and not nodes:
            nodes.append(ray_cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK))
        return present(self)

    def note(worker: WorkerClient, request: Request[Any]) -> None:
        if isinstance(request, Advance):
            trained.add(worker)
            if len(trained) == 3:
                all_train.set()
            assert all_train.wait(SECONDS)

    monkeypatch.setattr(ClusterWorkers, "present", add_node)
    three = SELECT.replace("ensemble = true", "workers = 3")
    with before_each_request(note):
        zoo.execute(three)
    ray_cluster.remove_node(nodes[0])
    assert len(trained) == 3


def test_without_a_place_for_a_worker_a_statement_ends(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelstore.execution.ray_cluster.workers.WAIT_SECONDS", 2.0)
    monkeypatch.setattr("modelstore.execution.ray_cluster.workers.TELL_SECONDS", 1.0)
    told: list[str] = []
    monkeypatch.setattr("modelstore.execution.ray_cluster.workers.notify", told.append)
    statement = BENCHMARK.replace("device = 'cpu'", "device = 'cuda', workers = 1")
    with pytest.raises(
        duckdb.OperationalError, match=r"no worker could begin within 2 s.* takes a GPU and 1 CPU"
    ):
        zoo.execute(statement)
    assert len(told) == 1
    assert "waiting for a worker" in told[0]


def test_explain_says_who_trains_and_what_is_moved(zoo: Store, zoo_file: Path, tmp_path: Path) -> None:
    plan = str(zoo.execute(f"EXPLAIN {BENCHMARK}").fetchall())
    assert re.search(
        r"on a Ray cluster of 2 nodes with 2 CPUs and 0 GPUs: 2 workers on 1 CPU and 0\.5 GB each", plan
    )
    assert "of models moved" in plan
    assert "2 at once" in plan
    [(recall, _)] = zoo.execute("EXPLAIN RECALL MODELS FOR texts WITH (device = 'cpu')").fetchall()[:1]
    assert "on a Ray cluster of 2 nodes" in recall
    with modelstore.connect(shutil.copy(zoo_file, tmp_path / "other.db"), cluster="auto") as other:
        assert str(other.execute(f"EXPLAIN {BENCHMARK}").fetchall()) == plan


def test_workers_share_gpus_by_the_memory_that_nodes_tell_of(
    zoo: Store, ray_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPUs of this node are not there, and neither is their driver."""
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 80000\necho 80000\n")
    driver.chmod(0o755)
    with monkeypatch.context() as of_node:
        of_node.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        node = ray_cluster.add_node(num_cpus=4, num_gpus=2, node_ip_address=LOOPBACK)
    benchmark = BENCHMARK.replace("'cpu'", "'cuda'")
    assert "2 workers on a GPU, 2 CPUs" in str(zoo.execute(f"EXPLAIN {benchmark}").fetchall())
    zoo.execute(
        "INSERT INTO training_telemetry (model, dataset, recipe, device, peak_memory) "
        "SELECT name, 'texts', 'tiny', 'cuda:0', 30e9 FROM models"
    )
    assert "4 workers on 1/2 GPU, 1 CPU" in str(zoo.execute(f"EXPLAIN {benchmark}").fetchall())
    with (
        connected(ray_cluster.address) as session,
        cluster_workers(session, Places(4, "cuda", 1, 2)) as workers,
    ):
        assert all(worker.wait_until_ready(SECONDS) for worker in workers.present())
        free = session.ray.available_resources()
        assert (free.get("GPU", 0), free["CPU"]) == (0, 2)
    ray_cluster.remove_node(node)


def test_a_cluster_that_is_not_there_is_said(zoo: Store) -> None:
    with pytest.raises(duckdb.OperationalError, match="has a GPU"):
        zoo.execute(BENCHMARK.replace("device = 'cpu'", "device = 'cuda'"))
    with pytest.raises(duckdb.OperationalError, match="is a GPU of this machine"):
        zoo.execute(BENCHMARK.replace("device = 'cpu'", "device = 'cuda:1'"))
    zoo._cluster = zoo._runner._cluster = "127.0.0.1:1"
    with pytest.raises(duckdb.OperationalError, match=r"at 127.0.0.1:1 takes no connections"):
        zoo.execute(BENCHMARK)
    assert os.environ.get("RAY_ADDRESS") is None


def test_a_node_that_is_lost_is_done_without(
    zoo: Store, alone: Store, ray_cluster: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing of what Ray says of it comes among the rows."""
    node = ray_cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK)
    capfd.readouterr()
    with before_each_request(at_stage(2, lambda worker: node.kill_raylet())):
        rows = zoo.execute(SELECT).fetchall()
    assert without_seconds(rows) == without_seconds(alone.execute(SELECT).fetchall())
    assert capfd.readouterr().out == ""
    ray_cluster.remove_node(node, allow_graceful=False)


def test_a_cluster_whose_head_is_gone_ends_the_statement(
    zoo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelstore.execution.ray_cluster.session.GONE_SECONDS", 2.0)
    with two_nodes(tmp_path / "cache") as other:
        path = shutil.copy(zoo_file, tmp_path / "zoo.db")
        lasting = SELECT.replace("epochs = 2", "epochs = 5000")
        with (
            modelstore.connect(path, cluster=other.address) as store,
            before_each_request(at_stage(2, lambda worker: other.head_node.kill_gcs_server())),
            pytest.raises(duckdb.OperationalError, match=r"head of the Ray cluster .* RESUME SELECTION 1"),
        ):
            store.execute(lasting)
