"""A selection under way: recall, stages, winners, each logged as it ends, so that RESUME can continue from there."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

import duckdb
import pyarrow as pa

from modelstore.data.remote import AnyPath
from modelstore.errors import MissingRecordError, StoreError, TrainingError, reason_of
from modelstore.events import Decision, SelectionBegan, SelectionEnded
from modelstore.execution.worker import WorkerLost
from modelstore.execution.workers import Workers
from modelstore.interruption import saying_how_to_go_on
from modelstore.language.statements import SELECT_BEST
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost
from modelstore.planner.recall.step import RecallStep, recall_contenders
from modelstore.planner.result_schema import schema_of
from modelstore.planner.select.checkpoints import SelectionCheckpoints
from modelstore.planner.select.ensemble import Ensemble, ensemble_of
from modelstore.planner.select.request import SelectRequest
from modelstore.planner.select.saving import WinnerArchive
from modelstore.planner.select.stages import ReplayedStages, Stages
from modelstore.planner.select.trained_stages import TrainedStages
from modelstore.planner.select.winners import Chosen
from modelstore.progress import emit
from modelstore.selection.loop import Finalist
from modelstore.store.selections import Contender, Logged, LoggedRow
from modelstore.training.run import TrainingRun

SCHEMA = schema_of(SELECT_BEST)
ATTEMPTS = 5  # to record winners beside other connections

_keys: set[str] = set()
_lock = threading.Lock()


@contextmanager
def under_way(key: str) -> Iterator[None]:
    """Within the block a selection is this thread's. Raises ``StoreError`` where another thread has it."""
    with _lock:
        if key in _keys:
            raise StoreError(
                "this selection is running now, in another thread of this program: wait for its end"
            )
        _keys.add(key)
    try:
        yield
    finally:
        with _lock:
            _keys.discard(key)


def is_under_way(key: str) -> bool:
    """Whether a thread of this process runs the selection whose key begins like this."""
    with _lock:
        return any(one.startswith(key) for one in _keys)


StagesT = TypeVar("StagesT", bound=Stages)


class SelectionRunner(ABC, Generic[StagesT]):
    """Carries out a selection from where its log says that it is: `TrainingRunner` or `ReplayRunner`.

    ``stayed`` are the arms that the last completed stage kept, where an interrupted selection goes on after one.
    """

    def __init__(
        self,
        context: StatementContext,
        request: SelectRequest,
        models: Models,
        recall: RecallStep | None,
        stages: StagesT,
        logged: Logged,
        stayed: Sequence[str],
    ):
        self._store = context.store
        self._request = request
        self._arms = request.arms
        self._stayed = stayed
        self._models = models
        self._recall = recall
        self._stages = stages
        self._logged = logged
        self._last: Sequence[Decision] = ()  # those that chose the winners

    def run(self) -> pa.Table:
        """Runs the selection to its end.

        An error or an interruption is logged, and its message tells how to go on.
        """
        go_on = f"RESUME SELECTION {self._logged.id} goes on from the last stage that it completed"
        emit(self._began_event())
        try:
            with saying_how_to_go_on(go_on):
                rows = self._ranked(self._select())
            emit(SelectionEnded("done", winners=rows))
            return pa.Table.from_pylist(rows, schema=SCHEMA)
        except (KeyboardInterrupt, duckdb.InterruptException):
            self._log_end("stopped", "interrupted")
            raise
        except WorkerLost as error:
            self._log_end("failed", str(error))
            raise TrainingError(f"{error}; {go_on}") from error
        except Exception as error:
            self._log_end("failed", reason_of(error))
            if isinstance(error, duckdb.Error) and self._can_go_on(error):
                error.args = (f"{error}; {go_on}",)
            raise

    def _can_go_on(self, error: duckdb.Error) -> bool:
        """Whether RESUME could get further after an error, once what it speaks of is mended."""
        return True

    @abstractmethod
    def spent(self) -> tuple[float, float]:
        """The epochs and seconds that the selection has taken, those before an interruption included."""

    @abstractmethod
    def _select(self) -> list[dict[str, Any]]:
        """Recalls, goes through the stages and stores the winners; their rows, the best first."""

    @abstractmethod
    def _cost_of_failure(self) -> tuple[float, float]:
        """What is logged as spent where the selection does not reach its end."""

    def _recall_cost(self) -> Cost:
        return (self._recall.actual if self._recall else None) or Cost()

    def _began_event(self) -> SelectionBegan:
        logged, arms = self._logged, self._arms
        names = arms.names(self._models.candidates.names)
        return SelectionBegan(
            logged.id,
            logged.key,
            logged.dataset,
            None if self._request.dataset is None else self._request.dataset.metric,
            logged.method,
            self._request.options.as_dict() | arms.option_lists,
            {name: (arms.model_of(name), arms.recipe_of(name)) for name in names},
        )

    def _log_end(self, status: str, reason: str) -> None:
        emit(SelectionEnded(status, reason))
        # The user's own transaction, where an error has ended it, takes the log along.
        with suppress(duckdb.TransactionException):
            self._store.selections.finish(self._logged.id, status, *self._cost_of_failure(), reason=reason)

    def _recall_contenders(self, workers: Workers | None = None) -> dict[str, float]:
        """Recalls the models to train, and logs them; where they are logged already, reads them.

        Parameters
        ----------
        workers
            Those that will train.

        Returns
        -------
        dict
            The recall score of each arm that trains.
        """
        names, request, arms = self._models.candidates.names, self._request, self._arms
        if self._logged.contenders:
            scores = {contender.model: contender.recall_score for contender in self._logged.contenders}
            return {arm: scores[arms.model_of(arm)] for arm in self._stayed or arms.names(names)}
        scores = recall_contenders(
            self._store, arms.record_recipes, request.target, names, self._recall, workers
        )
        registered = self._store.catalog.find_models(list(scores))
        on_hub = {} if request.replays else self._models.candidates.on_hub
        contenders = [
            Contender(model, score, registered[model].uri if model in registered else on_hub.get(model))
            for model, score in scores.items()
        ]
        self._store.selections.add_contenders(self._logged.id, contenders, *self.spent())
        return arms.scored(scores)

    def _log_stage(self, decisions: Sequence[Decision]) -> None:
        rows = [
            LoggedRow(
                one.stage,
                self._arms.model_of(one.model),
                one.validation,
                one.predicted,
                one.action,
                one.reason,
                self._arms.recipe_of(one.model),
                one.learning_rate,
                one.deviation,
            )
            for one in decisions
        ]
        with self._store.transaction():
            self._store.selections.add_stage(self._logged.id, rows, *self.spent())

    def _log_winner(self, arm: str) -> None:
        """Logs the last stage, and that the selection is done."""
        self._log_stage(self._last)
        self._store.selections.finish(
            self._logged.id,
            "done",
            *self.spent(),
            model=self._arms.model_of(arm),
            recipe=self._arms.recipe_of(arm),
        )

    def _row(self, finalist: Finalist, checkpoint: AnyPath | None = None) -> dict[str, Any]:
        return {
            "model": self._arms.model_of(finalist.model),
            "recipe": self._arms.recipe_of(finalist.model),
            "validation": finalist.validation,
            "test": finalist.test,
            "epochs": finalist.epochs,
            "seconds": finalist.seconds,
            "checkpoint": None if checkpoint is None else str(checkpoint),
        }

    def _ranked(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"rank": rank, "selection": self._logged.id, **row} for rank, row in enumerate(rows, 1)]


class ReplayRunner(SelectionRunner[ReplayedStages]):
    """Carries out a replay; its cost is what the recorded runs took."""

    def spent(self) -> tuple[float, float]:
        recall, (epochs, seconds) = self._recall_cost(), self._stages.spent
        return (
            self._logged.epochs + (recall.epochs or 0.0) + epochs,
            self._logged.seconds + (recall.seconds or 0.0) + seconds,
        )

    def _can_go_on(self, error: duckdb.Error) -> bool:
        return isinstance(error, MissingRecordError)  # the same records would end in any other error again

    def _cost_of_failure(self) -> tuple[float, float]:
        # What it walked of a stage that did not end is walked, and counted, again.
        logged = self._store.selections.read(self._logged.id)
        return logged.epochs, logged.seconds

    def _select(self) -> list[dict[str, Any]]:
        contenders = self._recall_contenders()
        finalists = self._stages.run(contenders, self._on_stage, self.spent())
        with self._store.transaction():
            self._log_winner(finalists[0].model)
        return [self._row(finalist) for finalist in finalists]

    def _on_stage(self, decisions: Sequence[Decision]) -> None:
        if any(decision.action == "won" for decision in decisions):
            self._last = decisions
        else:
            self._log_stage(decisions)


class TrainingRunner(SelectionRunner[TrainedStages]):
    """Carries out a selection that trains: runs are saved after each stage, and the winners at the end."""

    def __init__(
        self,
        context: StatementContext,
        request: SelectRequest,
        models: Models,
        recall: RecallStep | None,
        stages: TrainedStages,
        logged: Logged,
        stayed: Sequence[str],
    ):
        super().__init__(context, request, models, recall, stages, logged, stayed)
        self._checkpoints = SelectionCheckpoints(context.checkpoints, logged)
        self._archive = WinnerArchive(context, request, models, logged)
        self._began = time.perf_counter()

    def spent(self) -> tuple[float, float]:
        epochs = self._logged.epochs + (self._recall_cost().epochs or 0.0) + self._stages.spent[0]
        return epochs, self._logged.seconds + time.perf_counter() - self._began

    def _cost_of_failure(self) -> tuple[float, float]:
        return self.spent()

    def _select(self) -> list[dict[str, Any]]:
        if self._recall is None:  # before workers start, which would disturb it
            self._stages.measure_costs(self._models.candidates.names)
        with self._stages.workers() as workers:
            contenders = self._recall_contenders(workers)
            chosen = self._stages.run(workers, contenders, self._on_stage, self.spent())
            ensemble = ensemble_of(chosen.members) if chosen.members[1:] else None
            return self._store_winners(chosen, ensemble)

    def _on_stage(self, decisions: Sequence[Decision], runs: Mapping[str, TrainingRun]) -> None:
        """Saves the runs that stay, and then logs the stage: it counts once it can be resumed from."""
        if any(decision.action == "won" for decision in decisions):
            self._last = decisions
            return
        stage = decisions[0].stage
        self._checkpoints.save(stage, runs)
        self._log_stage(decisions)
        self._stages.resume_from(self._checkpoints.files(stage, list(runs)))
        self._checkpoints.keep_only(stage)

    def _store_winners(self, chosen: Chosen, ensemble: Ensemble | None) -> list[dict[str, Any]]:
        """Saves and records the winners together with the last stage, which is done once they are saved."""
        try:
            with self._archive.saving(chosen, ensemble, self._last, self.spent) as (directories, vote):
                self._record(chosen, directories, vote)
            self._checkpoints.remove()
        finally:
            for winner in chosen.winners:
                winner.release()
        rows = [self._row(one, path) for one, path in zip(chosen.finalists, directories, strict=True)]
        if ensemble is not None and vote is not None:
            rows.insert(0, _ensemble_row(ensemble, chosen.finalists, vote))
        return rows

    def _record(self, chosen: Chosen, directories: list[AnyPath], vote: AnyPath | None) -> None:
        """Records the winners. Where another connection writes to the same rows, it is tried again."""
        for attempt in range(ATTEMPTS):
            try:
                with self._store.registration():
                    self._archive.record(chosen, directories, vote)
                    self._log_winner(chosen.finalists[0].model)
                return
            except (duckdb.TransactionException, duckdb.ConstraintException):
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.1 * attempt)


def _ensemble_row(ensemble: Ensemble, finalists: Sequence[Finalist], path: AnyPath) -> dict[str, Any]:
    members = [finalist for finalist in finalists if finalist.model in ensemble.weights]
    return {
        "model": ensemble.name,
        "recipe": None,
        "validation": ensemble.validation,
        "test": ensemble.test,
        "epochs": sum(one.epochs for one in members),
        "seconds": sum(one.seconds for one in members),
        "checkpoint": str(path),
    }
