"""The protocol of client and server, over a transport without a pipe and without a process."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

import duckdb
import pytest

from modelstore.data.hub import ModelRef
from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.execution.client import WorkerClient
from modelstore.execution.local import LocalWorker
from modelstore.execution.messages import (
    Advance,
    Answer,
    Ask,
    BatchesDone,
    Done,
    Failed,
    Message,
    Prepare,
    Ready,
    ReleaseAll,
    ReleaseRun,
    StartRun,
    Stop,
    WatchMemory,
)
from modelstore.execution.server import REPORT_SECONDS, WorkerServer
from modelstore.execution.torch_executor import TorchExecutor
from modelstore.execution.worker import WorkerLost
from modelstore.options import TrainingOptions

OPTIONS = TrainingOptions(epochs=1, batch_size=8, learning_rate=5e-3, max_length=32, device="cpu")
Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


class ThreadTransport:
    """Carries messages to a server on another thread of this process."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.alive = True
        self.sent: list[Message] = []
        self.answers: SimpleQueue[Answer] = SimpleQueue()
        self.answers.put(Ready())
        self._inbox: SimpleQueue[Message | None] = SimpleQueue()
        self._server = WorkerServer(lambda count: self.answers.put(BatchesDone(count)), clock)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def send(self, message: Message) -> None:
        if not self.alive:
            raise WorkerLost("gone")
        self.sent.append(message)
        if isinstance(message, Stop):
            self._server.stop()
            return
        if isinstance(message, Ask):
            self._server.expect_request()
        self._inbox.put(message)

    def receive(self, timeout: float) -> Answer | None:
        try:
            return self.answers.get(timeout=timeout or None, block=timeout > 0)
        except Empty:
            return None

    def reaches(self, folder: AnyPath) -> bool:
        return True

    def kill(self) -> None:
        self.alive = False

    def close(self) -> None:
        self.alive = False
        self._inbox.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (message := self._inbox.get()) is not None:
            if isinstance(message, Ask):
                self.answers.put(self._server.answer(message))
            elif isinstance(message, ReleaseRun):
                self._server.release_run(message.run)
            else:
                self._server.release_all()


@pytest.fixture
def transport() -> Iterator[ThreadTransport]:
    transport = ThreadTransport()
    yield transport
    transport.close()


@pytest.fixture
def client(transport: ThreadTransport) -> WorkerClient:
    client = WorkerClient("cpu", transport)
    assert client.ready
    return client


def requests_of(transport: ThreadTransport) -> list[type]:
    return [
        type(message.request) if isinstance(message, Ask) else type(message) for message in transport.sent
    ]


def test_a_worker_that_was_asked_before_it_was_ready_is_ready_after_it(transport: ThreadTransport) -> None:
    client = WorkerClient("cpu", transport)
    client.ask(WatchMemory("cpu"))
    assert client.ready


def test_a_run_elsewhere_is_the_run_that_it_would_be_here(
    client: WorkerClient,
    transport: ThreadTransport,
    model_path: Paths,
    dataset: Datasets,
    tmp_path: Path,
) -> None:
    models = {"bert": ModelRef("bert", model_path("bert"))}
    data = dataset("text", rows=64)
    batches: list[int] = []
    runs: list[Any] = [
        worker.executor(models, data, OPTIONS, {}).start("bert") for worker in (LocalWorker("cpu"), client)
    ]
    points = [run.advance(test=True, on_batch=lambda: batches.append(1)) for run in runs]
    assert [point.validation for point in points] == [points[0].validation] * 2
    assert [point.train_loss for point in points] == [points[0].train_loss] * 2
    assert len(batches) == 2 * runs[0].batches_per_stage[0] == 2 * runs[1].batches_per_stage[0]
    assert runs[0].test() == runs[1].test() == points[1].test
    assert (runs[0].predict_scores("test") == runs[1].predict_scores("test")).all()
    runs[1].save(tmp_path / "saved")
    runs[1].save_state(tmp_path / "state")
    assert (tmp_path / "saved" / "config.json").exists()
    assert (tmp_path / "state").exists()
    runs[1].release()
    client.executor(models, data, OPTIONS, {}).start("bert")
    client.release_all()
    assert requests_of(transport).count(Prepare) == 1  # the dataset is sent once
    assert requests_of(transport)[-3:] == [ReleaseRun, StartRun, ReleaseAll]


def test_memory_is_measured_from_the_first_run_on(
    client: WorkerClient, model_path: Paths, dataset: Datasets
) -> None:
    with client.peak_memory() as nothing:
        pass
    with client.peak_memory() as memory:
        executor = client.executor(
            {"bert": ModelRef("bert", model_path("bert"))}, dataset("text", rows=64), OPTIONS, {}
        )
        executor.start("bert").advance()
    assert nothing.bytes is None
    assert memory.bytes is not None


def test_a_model_is_measured_elsewhere(client: WorkerClient, model_path: Paths) -> None:
    found = client.inference_cost(ModelRef("bert", model_path("bert")), "text", 16)
    here = LocalWorker("cpu").inference_cost(ModelRef("bert", model_path("bert")), "text", 16)
    assert (found.device, found.max_length, found.memory) == (here.device, here.max_length, here.memory)


def test_an_error_comes_back_as_it_was(client: WorkerClient, dataset: Datasets, tmp_path: Path) -> None:
    executor = client.executor({"m": ModelRef("m", tmp_path)}, dataset("text", rows=64), OPTIONS, {})
    with pytest.raises(ModelError, match=r"has no config\.json"):
        executor.start("m")


def test_an_error_during_the_wait_stops_the_request_and_leaves_the_worker_usable(
    client: WorkerClient, transport: ThreadTransport, model_path: Paths, dataset: Datasets
) -> None:
    data = dataset("text", rows=64)
    executor = client.executor({"bert": ModelRef("bert", model_path("bert"))}, data, OPTIONS, {})
    run = executor.start("bert")
    transport.answers.put(BatchesDone(1))

    def on_batch() -> None:
        raise duckdb.InterruptException("enough")

    with pytest.raises(duckdb.InterruptException, match="enough"):
        run.advance(on_batch=on_batch)
    assert requests_of(transport)[-2:] == [Advance, Stop]
    assert transport.alive
    assert executor.start("bert").advance().stage == 1


def test_ctrl_c_ends_the_worker_since_half_a_message_may_have_been_read(
    client: WorkerClient, transport: ThreadTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(timeout: float) -> Answer | None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transport, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.ask(Prepare(str(Path.cwd()), dict(os.environ), None))  # type: ignore[arg-type]
    assert not client.alive
    client.release_all()  # of one that is gone is no error


class Unspeakable(Exception):
    """Cannot be made again from what it was pickled to."""

    def __init__(self, one: str, two: str):
        super().__init__(f"{one} and {two}")


def test_an_error_that_cannot_be_sent_is_sent_as_its_text() -> None:
    failed = Failed.because_of(Unspeakable("this", "that"))
    assert type(failed.error) is RuntimeError
    assert str(failed.error) == "Unspeakable: this and that"
    assert isinstance(Failed.because_of(ModelError("m")).error, ModelError)


class CountedRun:
    """A run of seven batches, which come at times of their own."""

    curve: ClassVar[list[Any]] = []
    batches_per_stage: ClassVar[list[int]] = [7]

    def __init__(self, set_time: Callable[[float], None]):
        self._set_time = set_time

    def advance(self, test: bool, on_batch: Callable[[], None]) -> str:
        for batch in range(7):
            self._set_time(batch * REPORT_SECONDS / 2.5)
            on_batch()
        return "point"


def test_batches_are_reported_together_so_that_messages_are_few(
    dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, reports = [0.0], list[int]()
    server = WorkerServer(reports.append, clock=lambda: now[0])
    run = CountedRun(lambda time: now.__setitem__(0, time))
    monkeypatch.setattr(TorchExecutor, "start", lambda self, model: run)
    for request in (
        Prepare(str(Path.cwd()), dict(os.environ), dataset("text", rows=64)),
        StartRun(1, ModelRef("m", Path("m")), OPTIONS, None),
        Advance(1, test=False),
    ):
        assert isinstance(server.answer(Ask(request, threads=1)), Done)
    assert reports == [4, 3, 0]
