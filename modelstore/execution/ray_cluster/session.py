"""A connection to a Ray cluster, for as long as a statement needs it."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import modelstore
from modelstore.errors import TrainingError
from modelstore.execution.ray_address import check_address

logger = logging.getLogger(__name__)

HEAD_SECONDS = 5.0  # in which the head has to take a connection
TELL_SECONDS = 20.0  # in which nodes have to tell what their GPUs are
GONE_SECONDS = 30.0  # without the head, after which a statement ends
# Ray ends the whole program where its head is gone for so long, by default a minute; ours ends the statement before.
_RECONNECT = "RAY_gcs_rpc_server_reconnect_timeout_s"


@dataclass(frozen=True)
class Node:
    """A node of the cluster: its address, and what it has to train with.

    Parameters
    ----------
    address
        Its address.
    cpus, gpus
        How many it has.
    memory
        The bytes that Ray gives out there; None: unknown.
    gpu_memory
        The bytes of the smallest of its GPUs; None: unknown.
    id
        What Ray knows it by.
    """

    address: str
    cpus: int
    gpus: int
    memory: float | None = None
    gpu_memory: float | None = None
    id: str = ""


class Session:
    """An open connection. `connected` makes one.

    Parameters
    ----------
    ray
        Ray's module.
    address
        The head's ``host:port``.
    """

    def __init__(self, ray: Any, address: str):
        self.ray = ray
        self.address = address
        self._reached = time.monotonic()
        self._looked = self._reached

    def nodes(self) -> list[Node]:
        """What each node that is alive has."""
        return [
            Node(
                node["NodeManagerAddress"],
                int(has.get("CPU", 0)),
                int(has.get("GPU", 0)),
                has.get("memory"),
                id=node["NodeID"],
            )
            for node in self.ray.nodes()
            if node["Alive"]
            for has in [node["Resources"]]
        ]

    def with_gpu_memory(self, nodes: list[Node]) -> list[Node]:
        """The nodes with the memory of their GPUs, where they tell it within `TELL_SECONDS`."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ask = self.ray.remote(num_cpus=0, max_retries=0)(smallest_gpu)
        asked = {
            node.id: ask.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)
            ).remote()
            for node in nodes
            if node.gpus
        }
        self.ray.wait(list(asked.values()), num_returns=len(asked), timeout=TELL_SECONDS)
        return [replace(node, gpu_memory=self._told(asked.get(node.id))) for node in nodes]

    def _told(self, reference: Any) -> float | None:
        if reference is None:
            return None
        try:
            told: float | None = self.ray.get(reference, timeout=0)
        except self.ray.exceptions.RayError:
            self.ray.cancel(reference)
            return None
        return told

    def check_head(self) -> None:
        """Raises ``TrainingError`` where the head has not been reached for `GONE_SECONDS`; looks at times only."""
        now = time.monotonic()
        if now - self._looked < 1.0:
            return
        if takes_connections(self.address, seconds=1.0):  # an interruption is to be heard
            self._reached = time.monotonic()
        self._looked = time.monotonic()
        if self._looked - self._reached > GONE_SECONDS:
            raise TrainingError(
                f"the head of the Ray cluster at {self.address} cannot be reached any more: start it again, or go "
                "on without a cluster"
            )


def smallest_gpu() -> float | None:
    """The bytes of the smallest GPU of this machine, by its driver; None where it does not tell."""
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        told = subprocess.run(query, capture_output=True, text=True, check=True, timeout=TELL_SECONDS).stdout
        return min(float(line) for line in told.splitlines()) * 2**20
    return None


_lock = threading.Lock()
_users = 0  # statements that use the connection
_owned = False  # whether it is ours, and not the program's


@contextmanager
def connected(address: str) -> Iterator[Session]:
    """A connection in a block of code; one that the program itself has made is used, and stays.

    Parameters
    ----------
    address
        ``host:port`` of the head, or ``auto``: what ``RAY_ADDRESS`` says, or else the cluster of this machine.

    Raises
    ------
    TrainingError
        If Ray is not installed, or there is no such cluster.
    """
    global _users, _owned
    ray = _import_ray()
    with _lock:
        if not _users and not ray.is_initialized():
            _connect(ray, address, _head_of(address))
            _owned = True
        _users += 1
    try:
        yield Session(ray, ray.get_runtime_context().gcs_address)
    finally:
        with _lock:
            _users -= 1
            if _owned and not _users:
                ray.shutdown()
                _owned = False


def takes_connections(address: str, seconds: float = HEAD_SECONDS) -> bool:
    """Whether something at ``host:port`` takes a connection within so many seconds."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), seconds):
            return True
    except OSError:
        return False


def _import_ray() -> Any:
    os.environ.setdefault(_RECONNECT, "3600")  # Ray reads it as it is imported
    try:
        import ray
    except ImportError:
        raise TrainingError(
            "a cluster needs Ray, which is not installed here: pip install 'modelstore[ray]'"
        ) from None
    return ray


def _head_of(address: str) -> str:
    """``host:port`` of the head, which takes connections: Ray would try one that does not for minutes."""
    check_address(address)
    head = address
    if address == "auto":
        from ray._private.services import canonicalize_bootstrap_address

        with suppress(ConnectionError):
            head = canonicalize_bootstrap_address("auto") or "auto"
        if head == "auto":
            raise TrainingError(
                "no Ray cluster runs on this machine: start one by `ray start --head`, or give 'host:port' of a head"
            )
    if not takes_connections(head):
        raise TrainingError(
            f"the head of the Ray cluster at {head} takes no connections: start it by `ray start --head`, or give "
            "the address that it has"
        )
    return head


def _connect(ray: Any, address: str, head: str) -> None:
    # Ray would write what befalls nodes among a statement's rows.
    ray._private.worker.print_to_stdstream = lambda data, **_: logger.info("Ray says: %s", data.get("lines"))
    package = Path(modelstore.__file__).parent
    try:
        ray.init(
            address=address,  # as it was given: to `auto`, Ray shows a token of its own accord
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            # So nodes need none of our code, but what it imports.
            runtime_env={"py_modules": [str(package)]},
        )
    except Exception as error:
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        if "Version mismatch" in why:
            raise TrainingError(
                f"the Ray cluster at {head} has other versions than this program ({why}): install the same Ray and "
                "the same Python here and there"
            ) from error
        raise TrainingError(
            f"the Ray cluster at {head} cannot be used ({why}): this machine has to be one of its nodes, by "
            f"`ray start --address {head}`, and where the head asks for a token, to have RAY_AUTH_MODE=token set"
        ) from error


def lacking(node: str, package: str) -> TrainingError:
    """The error of a node that lacks a package."""
    return TrainingError(
        f"{node} cannot train, as {package} is not installed there: install on it what modelstore needs "
        "(pip install modelstore)"
    )
