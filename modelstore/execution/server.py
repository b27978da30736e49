"""The other end of a `WorkerClient`: carries out its requests, whatever transport brings them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from modelstore.data.hub import ModelRef
from modelstore.data.task_data import TaskData
from modelstore.execution import messages
from modelstore.execution.messages import Ask, Done, Failed, Request, RunStarted
from modelstore.interruption import stopped_by
from modelstore.records import CurvePoint, InferenceCost
from modelstore.training.memory import PeakMemory
from modelstore.training.run import TrainingRun

REPORT_SECONDS = 0.1  # between two reports of the batches that are done


class WorkerServer:
    """Has the runs of one client, and carries out its requests one at a time.

    Parameters
    ----------
    on_batches
        Called with the number of training batches done since the last call.
    clock
        Tells the time in seconds.
    """

    def __init__(self, on_batches: Callable[[int], None], clock: Callable[[], float] = time.monotonic):
        self._on_batches = on_batches
        self._clock = clock
        self._runs: dict[int, TrainingRun] = {}
        self._data: TaskData | None = None
        self._memory: PeakMemory | None = None
        self._stop = threading.Event()

    def expect_request(self) -> None:
        """To be called when a request comes in, before a `stop` that is meant for it can."""
        self._stop.clear()

    def stop(self) -> None:
        """Interrupts the request that is being carried out; any thread may call this."""
        self._stop.set()

    def answer(self, ask: Ask) -> Done | Failed:
        """Carries out a request."""
        import torch

        torch.set_num_threads(ask.threads)
        with stopped_by(self._stop):
            try:
                return Done(self._carry_out(ask.request))
            except BaseException as error:  # libraries in native code raise what is no Exception
                return Failed.because_of(error)

    def release_run(self, number: int) -> None:
        """Frees a run; one that was never started, having failed, is no error."""
        if (run := self._runs.pop(number, None)) is not None:
            run.release()

    def release_all(self) -> None:
        """Frees all runs and the data."""
        for number in list(self._runs):
            self.release_run(number)
        self._data = None
        if self._memory is not None:
            self._report_memory()

    def _carry_out(self, request: Request[Any]) -> Any:
        match request:
            case messages.Prepare():
                return self._prepare(request)
            case messages.StartRun():
                return self._start_run(request)
            case messages.Advance():
                return self._advance(request)
            case messages.ExtractFeatures():
                return self._extract(request)
            case messages.EmbedTexts(model, texts, device):
                return self._embed(model, texts, device)
            case messages.MeasureCost(model, modality, max_length, device):
                return self._measure_cost(model, modality, max_length, device)
            case messages.Test(run):
                return self._runs[run].test()
            case messages.PredictScores(run, split):
                return self._runs[run].predict_scores(split)
            case messages.Save(run, directory):
                return self._runs[run].save(directory)
            case messages.SaveState(run, path):
                return self._runs[run].save_state(path)
            case messages.WatchMemory(device):
                return self._watch_memory(device)
            case messages.ReportMemory():
                return self._report_memory()
        raise TypeError(f"a worker cannot carry out {type(request).__name__}")

    def _prepare(self, request: messages.Prepare) -> None:
        os.chdir(request.folder)
        os.environ.clear()
        os.environ.update(request.environment)
        self._data = request.data

    def _start_run(self, request: messages.StartRun) -> RunStarted:
        from modelstore.execution.torch_executor import TorchExecutor

        assert self._data is not None, "Prepare comes first"
        model = request.model
        checkpoints = {} if request.checkpoint is None else {model.name: request.checkpoint}
        run = TorchExecutor({model.name: model}, self._data, request.options, checkpoints).start(model.name)
        self._runs[request.run] = run
        return RunStarted(run.curve, run.batches_per_stage)

    def _advance(self, request: messages.Advance) -> CurvePoint:
        with self._counted() as on_batch:
            return self._runs[request.run].advance(request.test, on_batch)

    def _extract(self, request: messages.ExtractFeatures) -> Any:
        from modelstore.execution.torch_executor import features_of

        assert self._data is not None, "Prepare comes first"
        with self._counted() as on_batch:
            return features_of(request.model, self._data, request.options, on_batch)

    def _embed(self, model: ModelRef, texts: Sequence[str], device: str) -> NDArray:
        from modelstore.training.features import embed_texts

        return embed_texts(model.name, model.path, texts, device=device)

    def _measure_cost(self, model: ModelRef, modality: str, max_length: int, device: str) -> InferenceCost:
        from modelstore.training.inference_cost import measure_model

        return measure_model(model.name, model.path, modality, max_length, device)

    @contextmanager
    def _counted(self) -> Iterator[Callable[[], None]]:
        """Gives what is called for each batch in the block; their number is reported now and then, and at the end."""
        count, reported = 0, self._clock()

        def on_batch() -> None:
            nonlocal count, reported
            count += 1
            if self._clock() - reported >= REPORT_SECONDS:
                self._on_batches(count)
                count, reported = 0, self._clock()

        yield on_batch
        self._on_batches(count)

    def _watch_memory(self, device: str) -> None:
        from modelstore.training.hardware import pick_device

        if self._memory is not None:  # the client's block ended by an error, and asked for no report
            self._report_memory()
        self._memory = PeakMemory(pick_device(device))
        self._memory.start()

    def _report_memory(self) -> int | None:
        assert self._memory is not None, "WatchMemory comes first"
        memory, self._memory = self._memory, None
        memory.stop()
        return memory.bytes
