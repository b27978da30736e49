"""The workers of a statement on a Ray cluster: as many actors as are wanted, those that are lost replaced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modelstore.errors import TrainingError
from modelstore.execution.client import POLL_SECONDS, WorkerClient
from modelstore.execution.ray_cluster.places import Places, counted_nodes
from modelstore.execution.ray_cluster.session import Session
from modelstore.execution.ray_cluster.transport import ActorTransport, SharedData
from modelstore.execution.worker import Worker
from modelstore.progress import notify

TELL_SECONDS = 30.0  # without a worker, after which it is said what is waited for
MOST_EARLY = 3  # workers for each place that end before any is ready, after which a statement ends
# Without a worker, after which a statement ends: a cluster may first have to start a machine.
WAIT_SECONDS = 300.0


class ClusterWorkers:
    """As many actors as `Places` says. `cluster_workers` makes them."""

    here = None

    def __init__(self, session: Session, places: Places):
        self._session = session
        self._places = places
        self._wanted = places.count
        self._shared = SharedData(session)
        self._class = _actor_class(session.ray, places)
        self._clients: list[WorkerClient] = []
        self._fault: TrainingError | None = None
        self._without_since = time.monotonic()
        self._told = False
        self._ended_early = 0  # workers that were lost since one was ready last
        self.present()

    @property
    def at_once(self) -> int:
        return self._places.count

    def threads_each(self, at_once: int) -> int:
        return self._places.threads

    def present(self) -> list[Worker]:
        """The actors, each from when it is asked for; one that was lost is replaced."""
        self._session.check_head()
        self._clients = [client for client in self._clients if self._is_usable(client)]
        while len(self._clients) < self._wanted:
            transport = ActorTransport(self._session, self._class.remote(self._places.gpus), self._shared)
            client = WorkerClient(self._places.device, transport)
            client.threads = self._places.threads
            self._clients.append(client)
        if any(client.ready for client in self._clients):
            self._without_since, self._told, self._ended_early = time.monotonic(), False, 0
        return list(self._clients)

    def wait(self) -> None:
        time.sleep(POLL_SECONDS)
        self.present()
        if not self._wanted and self._fault is not None:
            raise self._fault
        waited = time.monotonic() - self._without_since
        if waited > TELL_SECONDS and not self._told:
            self._told = True
            notify(f"waiting for a worker of the cluster at {self._session.address}, which {self._needs}")
        if waited > WAIT_SECONDS:
            raise TrainingError(
                f"no worker could begin within {WAIT_SECONDS:g} s on the cluster at {self._session.address}, which "
                f"{self._needs}: free some, add a node, or go on without a cluster"
            )

    @property
    def _needs(self) -> str:
        free = self._session.ray.available_resources()
        return (
            f"has {counted_nodes(self._session.nodes())}, of which {free.get('CPU', 0):g} CPUs and "
            f"{free.get('GPU', 0):g} GPUs are free; a worker takes {self._places}"
        )

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _is_usable(self, client: WorkerClient) -> bool:
        """Whether it is there. What is lost is said, and so is what a node lacks, which is not replaced."""
        try:
            if client.ready or client.alive:
                return True
        except TrainingError as error:
            if self._fault is None or str(self._fault) != str(error):
                notify(str(error))
            self._fault = error
            self._wanted -= 1
            return False
        assert isinstance(client.transport, ActorTransport)
        why = client.transport.why_lost or "it was ended"
        self._ended_early += 1
        if self._ended_early > MOST_EARLY * self._places.count:
            raise TrainingError(f"workers on the cluster at {self._session.address} end as they begin: {why}")
        notify(f"a worker of the cluster is lost ({why}), and is replaced")
        return False


def _actor_class(ray: Any, places: Places) -> Any:
    from modelstore.execution.ray_cluster.actor import WorkerActor

    return ray.remote(
        num_cpus=places.threads,
        num_gpus=places.gpus,
        memory=places.memory,
        max_restarts=0,  # what it had in memory would be gone
        max_task_retries=0,
        concurrency_groups={"control": 2},
    )(WorkerActor)


@contextmanager
def cluster_workers(session: Session, places: Places) -> Iterator[ClusterWorkers]:
    """Workers in a block of code, which end with it."""
    workers = ClusterWorkers(session, places)
    try:
        yield workers
    finally:
        workers.close()
