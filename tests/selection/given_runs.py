"""Runs whose curves are given, and selections among them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from modelstore.errors import ModelError, TrainingError
from modelstore.events import Decision
from modelstore.execution.workers import FixedWorkers
from modelstore.planner.select.fetching import Fetching
from modelstore.planner.select.trainers import ReplayTrainer, WorkerTrainer
from modelstore.records import CurvePoint
from modelstore.selection.budget import Ledger
from modelstore.selection.judge import Judge
from modelstore.selection.loop import Selection
from modelstore.selection.replay import ReplayExecutor
from modelstore.selection.stage_ends import StageEnds
from modelstore.selection.strategy import Strategy
from modelstore.store import Store


class GivenRun:
    def __init__(self, validations: Sequence[float]):
        self.curve: list[CurvePoint] = []
        self.released = False
        self.tests = 0
        self._validations = validations

    @property
    def next_batches(self) -> int:
        return 1

    @property
    def next_seconds(self) -> float:
        return 2.0

    def advance(self, test: bool = False, on_batch: Callable[[], None] | None = None) -> CurvePoint:
        stage = len(self.curve) + 1
        value = self._validations[stage - 1]
        if value < 0:
            raise TrainingError("the loss is not finite")
        self.curve.append(CurvePoint(stage, float(stage), value, None, 0.0, 2.0))
        return self.curve[-1]

    def test(self) -> float:
        self.tests += 1
        return self.curve[-1].validation - 0.01

    def save_state(self, path: Path) -> None:
        raise AssertionError("the loop itself saves nothing")

    def release(self) -> None:
        self.released = True


class GivenExecutor:
    def __init__(self, curves: dict[str, Sequence[float]]):
        self.runs: dict[str, GivenRun] = {}
        self._curves = curves

    def start(self, model: str) -> GivenRun:
        if not self._curves[model]:
            raise ModelError(f"{model} has no weights")
        self.runs[model] = GivenRun(self._curves[model])
        return self.runs[model]


THREE_STAGES = StageEnds.uniform(3)
CURVES = {"a": [0.5, 0.6, 0.7], "b": [0.4, 0.9, 0.95], "c": [0.3, 0.3, 0.3], "d": [0.6, 0.7, 0.8]}


def selection_of(
    recall_scores: dict[str, float],
    executors: dict[Any, GivenExecutor],
    strategy: Strategy,
    keep: int,
    on_stage: Callable[[Sequence[Decision]], None],
    ledger: Ledger | None = None,
    recorded: ReplayExecutor | None = None,
    on_record: tuple[str, ...] = (),
) -> Selection:
    """A selection of three stages, without predictions."""
    arms = {name: name for name in recall_scores}
    nothing_to_fetch = Fetching(cast(Store, None), {}, {}, [], [], "text", arms)
    replay = ReplayTrainer(recorded or ReplayExecutor("d", {}, {}, THREE_STAGES))
    return Selection(
        recall_scores=recall_scores,
        trainer=WorkerTrainer(
            FixedWorkers(list(executors)), executors.__getitem__, replay, on_record, 3, nothing_to_fetch
        ),
        judge=Judge(strategy, keep, recall_scores, predict=lambda curves: {}),
        ledger=ledger or Ledger(THREE_STAGES, free=on_record),
        on_stage=on_stage,
    )
