"""Jobs that several workers do at the same time, while everything else stays on the thread that called."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from modelstore.errors import INTERRUPTIONS
from modelstore.execution.client import POLL_SECONDS
from modelstore.execution.worker import NoWorker, Worker, WorkerLost
from modelstore.execution.workers import Workers
from modelstore.interruption import PATIENCE, Interruption, check

logger = logging.getLogger(__name__)

MOST_LOSSES = 3  # of workers over one job, which then fails: it may be what ends them

Result = TypeVar("Result")
OnBatch = Callable[..., None]  # given how many batches, one where nothing is given
Job = Callable[[Worker, OnBatch], Result]
Take = Callable[[Worker, bool], Job[Result] | None]


def run_jobs(
    workers: Workers,
    jobs: int,
    take: Take[Result],
    on_result: Callable[[Result], None],
    on_batch: OnBatch,
) -> None:
    """Has workers do jobs until there is none left that they could begin.

    A worker that is lost gets no more jobs, and another does the one that it had. One that comes late takes part. An
    error in a job or in one of the functions stops every job and is raised.

    Parameters
    ----------
    workers
        What may work; a worker that is not ready is not waited for while another is.
    jobs
        How many jobs there are at most.
    take
        Gives a worker that is free its next job, or None. It is called with False first: a job that is best done by
        this worker; then with True: any job.
    on_result
        Called with each job's result, as it comes.
    on_batch
        Called with a number of training batches that are done.
    """
    _wait_for_left_behind()
    at_once = min(workers.at_once, jobs)
    if at_once > 1 or workers.here is None:
        _Scheduler(workers, max(1, at_once), take, on_result, on_batch).run()
        return
    while job := take(workers.here, True):
        on_result(job(workers.here, on_batch))


@dataclass(frozen=True)
class _BatchesDone:
    count: int


@dataclass(frozen=True)
class _JobDone(Generic[Result]):
    worker: Worker
    result: Result


@dataclass(frozen=True)
class _JobFailed(Generic[Result]):
    worker: Worker
    job: Job[Result]
    error: BaseException


class _Scheduler(Generic[Result]):
    """Jobs of one call of `run_jobs`: each worker works on a thread, and reports to the thread that called."""

    def __init__(
        self,
        workers: Workers,
        at_once: int,
        take: Take[Result],
        on_result: Callable[[Result], None],
        on_batch: OnBatch,
    ):
        self._take, self._on_result, self._on_batch = take, on_result, on_batch
        self._workers = workers
        self._at_once = at_once
        self._threads_each = workers.threads_each(at_once)
        self._busy: set[Worker] = set()
        self._lost: set[Worker] = set()
        self._idle: list[Worker] = []  # those that were ready last, and had no job
        self._left_behind: list[Job[Result]] = []  # by workers that were lost
        self._losses: Counter[Job[Result]] = Counter()  # of workers, by job
        self._begun: list[Future[None]] = []
        self._events: SimpleQueue[Any] = SimpleQueue()
        self._stop = Interruption()

    def run(self) -> None:
        threads = ThreadPoolExecutor(self._at_once, "modelstore-worker")
        try:
            while self._begin_jobs(threads):
                self._handle(self._next_event())
        except BaseException as error:
            self._stop.is_urgent = isinstance(error, INTERRUPTIONS)
            self._stop.set()
            _wait_for(self._begun, self._stop)
            raise
        finally:
            threads.shutdown(wait=False)

    def _begin_jobs(self, threads: ThreadPoolExecutor) -> bool:
        """Gives jobs to free workers, those that suit them best first; whether any worker is busy then."""
        while not (free := self._free()) and not self._busy:
            check()
            self._workers.wait()
        for any_job in (False, True):
            for worker in free:
                if worker in self._busy or len(self._busy) == self._at_once:
                    continue
                if job := self._job_for(worker, any_job):
                    self._busy.add(worker)
                    self._begun.append(threads.submit(copy_context().run, self._work, worker, job))
        self._idle = [worker for worker in free if worker not in self._busy]
        return bool(self._busy)

    def _free(self) -> list[Worker]:
        """The workers that could begin a job now."""
        taken = self._busy | self._lost
        return [worker for worker in self._workers.present() if worker not in taken and worker.ready]

    def _job_for(self, worker: Worker, any_job: bool) -> Job[Result] | None:
        return self._left_behind.pop() if self._left_behind else self._take(worker, any_job)

    def _work(self, worker: Worker, job: Job[Result]) -> None:
        """Does a job, on a thread of its own."""
        try:
            with self._stop.working(), worker.using(self._threads_each):
                result = job(worker, lambda count=1: self._events.put(_BatchesDone(count)))
                self._events.put(_JobDone(worker, result))
        except BaseException as error:
            self._events.put(_JobFailed(worker, job, error))

    def _next_event(self) -> Any:
        """Waits for the next event, or for a worker that comes late, and gives None; raises where interrupted."""
        while True:
            check()
            try:
                return self._events.get(timeout=POLL_SECONDS)
            except Empty:
                if not set(self._free()) <= set(self._idle):
                    return None

    def _handle(self, event: Any) -> None:
        match event:
            case _BatchesDone(count):
                self._on_batch(count)
            case _JobDone(worker, result):
                self._busy.remove(worker)
                self._on_result(result)
            case _JobFailed(worker, job, WorkerLost() as error):
                logger.info("a worker on %s is lost, and another does its job: %s", worker.device, error)
                self._busy.remove(worker)
                self._lost.add(worker)
                self._losses[job] += 1
                if self._losses[job] < MOST_LOSSES:
                    self._left_behind.append(job)
                else:
                    why = f"{MOST_LOSSES} workers were lost over it, the last because {error}"
                    self._on_result(job(NoWorker(why), self._on_batch))
            case _JobFailed(_, _, error):
                raise error


_left_behind: list[Future[None]] = []  # jobs in native code that an interruption did not wait for


def _wait_for_left_behind() -> None:
    """Waits for the end of jobs that an earlier interruption did not wait for: nothing may begin before."""
    while left := [job for job in _left_behind if not job.done()]:
        check()
        wait(left, POLL_SECONDS)
    _left_behind.clear()


def _wait_for(begun: Sequence[Future[None]], stop: Interruption) -> None:
    """Waits until every job has stopped, however often Ctrl-C is pressed: nothing may begin while one still runs.

    Once the statement is interrupted, jobs that do not stop by themselves are ended, and what is in native code then
    is left behind.
    """
    interrupt: BaseException | None = None
    deadline, forced = None, False
    while left := [job for job in begun if not job.done()]:
        try:
            wait(left, POLL_SECONDS)
            if interrupt is None:
                check()
        except INTERRUPTIONS as error:
            interrupt, stop.is_urgent = error, True
        now = time.monotonic()
        if stop.is_urgent and deadline is None:
            deadline = now + PATIENCE
        if deadline is None or now < deadline:
            continue
        if forced:
            _left_behind.extend(left)
            break
        stop.force()
        deadline, forced = now + PATIENCE, True
    if interrupt is not None:
        raise interrupt
