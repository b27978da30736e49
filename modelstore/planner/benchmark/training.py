"""The training of a benchmark's pairs by all workers, with each pair put on record as it ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from modelstore.data.task_data import TaskData
from modelstore.errors import INTERRUPTIONS, ModelError, reason_of
from modelstore.events import PairBenchmarked
from modelstore.execution.jobs import Job, run_jobs
from modelstore.execution.worker import Worker
from modelstore.execution.workers import Workers
from modelstore.interruption import check, ctrl_c
from modelstore.options import BenchmarkOptions
from modelstore.planner.benchmark.checkpoint import PairCheckpoint
from modelstore.planner.benchmark.pairs import FailedPair, Pair, PairOutcome, PairTraining, TrainedPair
from modelstore.planner.candidates import Candidates
from modelstore.planner.contents import fault_of_model, origin_of
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import dataset_fingerprint, load_dataset
from modelstore.planner.reusable_records import ReusableRecords
from modelstore.progress import emit, notify, progress
from modelstore.records import CurvePoint, kept_point, trained_epochs
from modelstore.store.registered import Dataset


@dataclass(frozen=True)
class BenchmarkRow:
    """A row of the statement's result; ``status`` is done, skipped or failed."""

    model: str
    dataset: str
    recipe: str
    score: float | None
    epochs: float | None
    seconds: float | None
    status: str


class BenchmarkTraining:
    """Trains pairs, each by its recipe.

    Parameters
    ----------
    context
        The statement's context.
    candidates
        The models.
    options
        The statement's options.
    """

    def __init__(self, context: StatementContext, candidates: Candidates, options: BenchmarkOptions):
        self._context = context
        self._candidates = candidates
        self._options = options
        self._fingerprint: tuple[str, str | None] | None = None  # of the last dataset
        self._loaded: dict[str, TaskData | BaseException] = {}  # of the last dataset alone

    def train(
        self, workers: Workers, pairs: Sequence[Pair], share: int
    ) -> dict[tuple[str, str, str], BenchmarkRow]:
        """Trains the pairs and records each as it ends.

        Parameters
        ----------
        workers
            Who trains.
        pairs
            The pairs, in the order in which they begin.
        share
            Among how many pairs the CPU's threads are shared out. It counts the pairs on record too, so that a pair
            trains with equal threads whenever it does.

        Returns
        -------
        dict
            The row of each pair by `Pair.key`.
        """
        rows: dict[tuple[str, str, str], BenchmarkRow] = {}
        waiting, training = list(pairs), list[Pair]()
        finished_batches = 0

        def take(worker: Worker, another: bool) -> Job[PairOutcome] | None:
            check()
            if not waiting:
                return None
            pair = waiting.pop(0)
            training.append(pair)
            bar.set_postfix_str(", ".join(f"{one.model} on {one.dataset.name}" for one in training))
            return self._job(pair)

        def finish(outcome: PairOutcome) -> None:
            nonlocal finished_batches
            pair = outcome.pair
            training.remove(pair)
            rows[pair.key] = self._record(outcome)
            self.checkpoint_of(pair).remove()
            finished_batches += self._batches(pair)
            bar.update(max(0, finished_batches - bar.n))

        with progress(sum(map(self._batches, pairs)), "benchmark", "batch") as bar:
            run_jobs(workers, share, take, finish, bar.update)
        return rows

    def checkpoint_of(self, pair: Pair) -> PairCheckpoint:
        """Where the pair's run is saved between its stages."""
        return PairCheckpoint(self._context.checkpoints, self._run_key(pair))

    def _run_key(self, pair: Pair) -> tuple[str, str, str, int]:
        return (*pair.key, self._options.seed)

    def _batches(self, pair: Pair) -> int:
        """How many training batches the whole run of a pair has."""
        options = pair.training_options(self._options)
        epoch = math.ceil(pair.dataset.train_rows / options.rows_per_step)
        return round((options.epochs + options.trial_epochs) * epoch)

    def _job(self, pair: Pair) -> Job[PairOutcome]:
        """The training of a pair; this thread reads before what the training needs of the store."""
        data = self._load(pair)
        uri = self._candidates.registered[pair.model].uri
        if isinstance(data, BaseException):
            return _failing(pair, data)
        if uri is None:
            error = ModelError(f'the model "{pair.model}" has no uri, so there are no weights to train')
            return _failing(pair, error)
        fault = fault_of_model(self._context.store, self._candidates.registered[pair.model])
        if fault is not None:
            return _failing(pair, fault)
        options = pair.training_options(self._options)
        rows = self._rows_of(pair.dataset)
        return PairTraining(pair, uri, data, options, rows, self.checkpoint_of(pair)).run

    def _rows_of(self, dataset: Dataset) -> str | None:
        """The dataset's fingerprint, computed once while pairs of the same dataset follow."""
        if self._fingerprint is None or self._fingerprint[0] != dataset.name:
            self._fingerprint = dataset.name, dataset_fingerprint(self._context.store, dataset)
        return self._fingerprint[1]

    def _load(self, pair: Pair) -> TaskData | BaseException:
        """The rows of the pair's dataset, read once while pairs of the same dataset follow; or why they cannot be."""
        name = pair.dataset.name
        if name not in self._loaded:
            self._loaded.clear()
            try:
                with ctrl_c():
                    self._loaded[name] = load_dataset(self._context.store, pair.dataset)
            except INTERRUPTIONS:
                raise
            except BaseException as error:  # whatever its rows hold
                self._loaded[name] = error
        return self._loaded[name]

    def _record(self, outcome: PairOutcome) -> BenchmarkRow:
        """Puts the run of a pair, or its failure, on record."""
        if isinstance(outcome, FailedPair):
            return self._record_failure(outcome)
        return self._record_run(outcome)

    def _record_failure(self, failed: FailedPair) -> BenchmarkRow:
        # The other pairs go on; the record says why this one did not.
        reason = reason_of(failed.error)
        self._context.store.results.add_failure(*self._run_key(failed.pair), reason)
        emit(self._event(failed.pair, reason=reason))
        notify(f"{failed.pair.model} on {failed.pair.dataset.name} failed: {reason}")
        return BenchmarkRow(*failed.pair.key, score=None, epochs=None, seconds=None, status="failed")

    def _record_run(self, trained: TrainedPair) -> BenchmarkRow:
        store, key = self._context.store, self._run_key(trained.pair)
        epochs = trained_epochs(trained.curve)
        seconds = sum(point.seconds for point in trained.curve)
        score = kept_point(trained.curve, trained.pair.recipe.options.keep).test
        assert score is not None  # each stage of a pair is tested
        model, dataset, recipe, seed = key
        with store.transaction():
            if not ReusableRecords(store, seed, [model]).holds(model, dataset, recipe):
                store.results.remove(*key)  # a mean of both would be of no data
            store.fingerprints.set_origin(*key, origin_of(store, model, dataset))
            store.curves.add(*key, trained.curve)
            store.results.add(model, dataset, score, trained.metric, recipe, seed, epochs, seconds)
            rows_per_second = epochs * trained.train_rows / seconds
            store.telemetry.add(*key, trained.device, rows_per_second, trained.memory)
        emit(self._event(trained.pair, trained.curve, score))
        return BenchmarkRow(*trained.pair.key, score, epochs, seconds, "done")

    def _event(
        self,
        pair: Pair,
        curve: Sequence[CurvePoint] = (),
        score: float | None = None,
        reason: str | None = None,
    ) -> PairBenchmarked:
        options = pair.training_options(self._options).as_dict()
        return PairBenchmarked(*self._run_key(pair), pair.dataset.metric, options, curve, score, reason)


def _failing(pair: Pair, error: BaseException) -> Job[PairOutcome]:
    return lambda worker, on_batch: FailedPair(pair, error)
