"""What runs on a node: a `WorkerServer`, the other end of an `ActorTransport`."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import ray

from modelstore.data.fingerprint import fingerprint
from modelstore.data.moved_models import MovedModels
from modelstore.data.remote import path_at
from modelstore.errors import ModelError
from modelstore.execution.messages import (
    Ask,
    Done,
    EmbedTexts,
    ExtractFeatures,
    Failed,
    MeasureCost,
    Prepare,
    Ready,
    Request,
    Save,
    SaveState,
    StartRun,
)
from modelstore.execution.ray_cluster.freight import Files, bytes_of, files_in, write_files
from modelstore.execution.ray_cluster.places import GIVEN
from modelstore.execution.ray_cluster.session import lacking
from modelstore.execution.server import WorkerServer

IMPORTED = (
    "torch",
    "transformers",
    "duckdb",
    "safetensors",
    "PIL",
    "psutil",
    "modelstore.execution.torch_executor",
)


class WorkerActor:
    """A worker on a node. Methods of the group ``control`` are answered while a request is being carried out.

    Parameters
    ----------
    gpus
        The share of a GPU that it has: it takes no more of its memory.
    """

    def __init__(self, gpus: float = 0) -> None:
        self._gpus = gpus
        self._lock = threading.Lock()
        self._batches = 0
        self._stopped = 0  # the last request that is to be stopped
        self._server = WorkerServer(self._count)

    def start(self) -> Ready | Failed:
        """Loads what trains, which takes seconds."""
        for name in IMPORTED:
            try:
                import_module(name)
            except ImportError as error:
                return Failed(lacking(f"the node {address()}", error.name or name))
        if 0 < self._gpus < 1:
            import torch

            if torch.cuda.is_available():
                torch.cuda.set_per_process_memory_fraction(self._gpus * GIVEN)
        return Ready()

    def prepare(self, number: int, threads: int, data: Any, environment: Mapping[str, str]) -> Done | Failed:
        """Prepares for runs on a dataset, as the request `Prepare` does, in this node's own surroundings."""
        return self._answer(number, Ask(Prepare(os.getcwd(), {**os.environ, **environment}, data), threads))

    def with_model(
        self, number: int, ask: Ask, digest: str, model: Files | None, state: Files | None
    ) -> Done | Failed:
        """Carries out a request with a model that is here, or comes with it; ``state`` is what a run goes on from."""
        request = ask.request
        assert isinstance(request, StartRun | ExtractFeatures | EmbedTexts | MeasureCost)
        try:
            models = MovedModels()
            found = models.find(digest) or (_moved_here(models, digest, model) if model is not None else None)
        except ModelError as error:  # this node's disk is full, or its cache is not to be trusted
            return Failed(ModelError(f"on the node {address()}, {error}"))
        request = replace(request, model=replace(request.model, path=found or request.model.path))
        if state is None:
            return self._answer(number, replace(ask, request=request))
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder), state)
            [name] = state
            assert isinstance(request, StartRun)
            return self._answer(number, replace(ask, request=replace(request, checkpoint=Path(folder, name))))

    def answer(self, number: int, ask: Ask) -> Done | Failed:
        """Carries out a request that moves nothing."""
        return self._answer(number, ask)

    def hand_over(self, number: int, ask: Ask) -> Done | Failed:
        """Carries out a request that writes files, and gives these in the place of its result."""
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder, "written")
            answer = self._answer(number, replace(ask, request=_writing_to(written, ask.request)))
            if isinstance(answer, Failed):
                return _on_this_node(answer)
            return Done(files_in(written) if written.is_dir() else {written.name: bytes_of(written)})

    def release_run(self, run: int) -> None:
        self._server.release_run(run)

    def release_all(self) -> None:
        self._server.release_all()

    @ray.method(concurrency_group="control")
    def stop(self, number: int) -> None:
        """Interrupts the request of a number, also where it has not begun."""
        with self._lock:
            self._stopped = number
            self._server.stop()

    @ray.method(concurrency_group="control")
    def batches(self) -> int:
        """How many training batches were done since this was asked last."""
        with self._lock:
            count, self._batches = self._batches, 0
            return count

    @ray.method(concurrency_group="control")
    def sees(self, path: str) -> bool:
        """Whether a file is on this node too, or reached from it."""
        with suppress(Exception):  # what reads such an url may not be installed here
            return path_at(path).exists()
        return False

    @ray.method(concurrency_group="control")
    def has_model(self, path: str, states: str | None, digest: str) -> bool:
        """Whether a model is on this node: in the same directory with the same files, or moved here."""
        return MovedModels().find(digest) is not None or (
            states is not None and Path(path).is_dir() and fingerprint(path, "model") == states
        )

    def _answer(self, number: int, ask: Ask) -> Done | Failed:
        with self._lock:
            self._server.expect_request()
            if self._stopped >= number:
                self._server.stop()
        return self._server.answer(ask)

    def _count(self, batches: int) -> None:
        with self._lock:
            self._batches += batches


def address() -> str:
    """The address of this node."""
    found: str = ray.util.get_node_ip_address()
    return found


def _moved_here(models: MovedModels, digest: str, files: Files) -> Path:
    size = sum(content.nbytes for content in files.values())
    return models.add(digest, size, lambda folder: write_files(folder, files))


def _writing_to(path: Path, request: Request[Any]) -> Request[Any]:
    """The request, but with another path to write to."""
    if isinstance(request, SaveState):
        return replace(request, path=path)
    assert isinstance(request, Save)
    return replace(request, directory=path)


def _on_this_node(failed: Failed) -> Failed:
    """An error of this node's disk says so."""
    error = failed.error
    if isinstance(error, OSError) and error.strerror:
        return Failed(OSError(error.errno, f"{error.strerror} on the node {address()}"))
    return failed
