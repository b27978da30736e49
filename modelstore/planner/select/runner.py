"""A selection under way: recall, training, winners, each step logged as it ends, so that it can go on from there."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from modelstore.errors import StoreError
from modelstore.events import Decision
from modelstore.interruption import ctrl_c
from modelstore.language.statements import SELECT_BEST
from modelstore.planner.context import StatementContext
from modelstore.planner.models_step import Models
from modelstore.planner.recall.step import RecallStep, recall_contenders
from modelstore.planner.result_schema import schema_of
from modelstore.planner.select.checkpoints import SelectionCheckpoints
from modelstore.planner.select.ensemble import ensemble_of
from modelstore.planner.select.request import Request
from modelstore.planner.select.training import Training
from modelstore.planner.select.winners import Winners
from modelstore.selection.selector import Finalist
from modelstore.store.selections import Contender, Logged
from modelstore.training.run import Run

SCHEMA = schema_of(SELECT_BEST)


_keys: set[str] = set()
_lock = threading.Lock()


@contextmanager
def under_way(key: str) -> Iterator[None]:
    """Within, a selection is this thread's. Raises ``StoreError`` where another one of this process has it."""
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


class SelectionRunner:
    """Carries out a selection from where its log says that it is."""

    def __init__(
        self,
        context: StatementContext,
        request: Request,
        models: Models,
        recall: RecallStep | None,
        training: Training,
        logged: Logged,
    ):
        self._store = context.store
        self._request = request
        self._models = models
        self._recall = recall
        self._training = training
        self._logged = logged
        self._states = SelectionCheckpoints(context.checkpoints, logged)
        self._winners = Winners(context, request, models, logged.id)
        self._began = time.perf_counter()
        self._logged_cost = (logged.epochs, logged.seconds)
        self._last: Sequence[Decision] = ()

    def run(self) -> pa.Table:
        """To the end; where that is not reached, the log says why, and the error how to go on."""
        go_on = f"RESUME SELECTION {self._logged.id} goes on from the last stage that it completed"
        try:
            with ctrl_c():
                return pa.Table.from_pylist(self._select(), schema=SCHEMA)
        except (KeyboardInterrupt, duckdb.InterruptException) as error:
            self._end("stopped", "interrupted")
            error.args = (f"{error} {go_on}".strip(),)
            raise
        except Exception as error:
            self._end("failed", str(error))
            if isinstance(error, duckdb.Error):
                error.args = (f"{error}; {go_on}",)
            raise

    def spent(self) -> tuple[float, float]:
        """Epochs and seconds, with those before it was stopped; a replay's are those that it stands for."""
        epochs, seconds = self._logged.epochs, self._logged.seconds
        recall = self._recall.actual if self._recall else None
        epochs += (recall.epochs or 0.0 if recall else 0.0) + self._training.spent[0]
        if self._request.trains:
            return epochs, seconds + time.perf_counter() - self._began
        return epochs, seconds + (recall.seconds or 0.0 if recall else 0.0) + self._training.spent[1]

    def _end(self, status: str, reason: str) -> None:
        # A replay costs nothing: what it walked of a stage without end is walked, and counted, again.
        cost = self.spent() if self._request.trains else self._logged_cost
        # The user's own transaction, where an error has ended it, takes the log along.
        with suppress(duckdb.TransactionException):
            self._store.selections.finish(self._logged.id, status, *cost, reason=reason)

    def _select(self) -> list[dict[str, Any]]:
        with self._training.worker_pool() as workers:
            contenders = self._contenders()
            finalists = self._training.run(workers, contenders, self._on_stage, self.spent())
            return self._kept(finalists)

    def _kept(self, finalists: Sequence[Finalist]) -> list[dict[str, Any]]:
        """The winners, best first, saved and stored."""
        trained = finalists if self._request.trains else []
        ensemble = ensemble_of(trained) if self._request.options["ensemble"] and trained[1:] else None
        with self._winners.saved(trained, ensemble) as (directories, vote):
            self._store_end(finalists, directories)
        self._states.remove()
        for finalist in finalists:
            finalist.run.release()
        rows: list[dict[str, Any]] = [
            {
                "model": finalist.model,
                "validation": finalist.validation,
                "test": finalist.test,
                "epochs": finalist.epochs,
                "seconds": finalist.seconds,
                "checkpoint": str(directories[place]) if directories else None,
            }
            for place, finalist in enumerate(finalists)
        ]
        if ensemble is not None:
            members = [row for row in rows if row["model"] in ensemble.weights]
            costs = {cost: sum(row[cost] for row in members) for cost in ("epochs", "seconds")}
            scores = {"validation": ensemble.validation, "test": ensemble.test}
            rows.insert(0, {"model": ensemble.name, **scores, **costs, "checkpoint": str(vote)})
        return [{"rank": rank, "selection": self._logged.id, **row} for rank, row in enumerate(rows, 1)]

    def _store_end(self, finalists: Sequence[Finalist], directories: Sequence[Path]) -> None:
        """The last stage is done once its winners are kept, so that all of it is stored together."""
        log = self._store.selections
        with self._store.transaction():
            log.add_stage(self._logged.id, [astuple(decision) for decision in self._last], *self.spent())
            if self._request.trains:
                self._winners.record(finalists, directories)
            log.finish(self._logged.id, "done", *self.spent(), model=finalists[0].model)

    def _contenders(self) -> dict[str, float]:
        """The recall scores of those who are trained next; of a selection's beginning, they are logged."""
        if self._logged.contenders:
            scores = {contender.model: contender.recall_score for contender in self._logged.contenders}
            return {model: scores[model] for model in self._models.candidates.names}
        names, request = self._models.candidates.names, self._request
        scores = recall_contenders(self._store, request.recipe.name, request.target, names, self._recall)
        registered = self._store.catalog.find_models(list(scores))
        contenders = [
            Contender(model, score, registered[model].uri if model in registered else None)
            for model, score in scores.items()
        ]
        self._store.selections.add_contenders(self._logged.id, contenders, *self.spent())
        self._logged_cost = self.spent()
        return scores

    def _on_stage(self, decisions: Sequence[Decision], runs: Mapping[str, Run]) -> None:
        """What a stage decides counts once the runs that stay are saved."""
        stage = decisions[0].stage
        if any(decision.action == "won" for decision in decisions):
            self._last = decisions
            return
        if self._request.trains:
            trained = {model: run for model, run in runs.items() if model not in self._training.recorded}
            self._states.save(stage, trained)
        cost = self.spent()
        with self._store.transaction():
            self._store.selections.add_stage(
                self._logged.id, [astuple(decision) for decision in decisions], *cost
            )
        self._logged_cost = cost
        if self._request.trains:
            self._training.kept(self._states.files(stage, list(trained)))
            self._states.keep_only(stage)
