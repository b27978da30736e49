"""Logs to MLflow: an experiment for a dataset, a run for a selection, each of its models, and each benchmarked pair.

MLflow's client is given the store's address, so that the program's own MLflow settings and runs are left alone.
"""

import math
import time
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from modelstore.data.model_card import NAME
from modelstore.data.remote import path_at
from modelstore.events import Decided, Decision, ModelTrained, PairBenchmarked, SelectionBegan, SelectionEnded
from modelstore.records import CurvePoint

_STATUS = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_MOST = 10_000  # models of a selection that are found again
_LONGEST = 500  # characters of a parameter, in MLflow's oldest stores


class MlflowLog:
    """The log of one statement.

    Parameters
    ----------
    uri
        The tracking uri; None: MLflow's own settings.
    """

    def __init__(self, uri: str | None):
        self._client = MlflowClient(tracking_uri=uri)
        self._selection: SelectionBegan | None = None
        self._experiment = ""
        self._run = ""  # of the selection
        self._models: dict[str, str] = {}  # their runs that have not ended
        self._earlier: dict[str, str] = {}  # those of a selection that is resumed

    def __call__(self, event: object) -> None:
        """Logs an event; those that nothing is logged of are left out."""
        if isinstance(event, PairBenchmarked):
            self._log_pair(event)
        elif isinstance(event, SelectionBegan):
            self._begin(event)
        elif self._selection is None:
            return
        elif isinstance(event, ModelTrained):
            self._log(self._run_of(event.model), event.point.stage, _scores(event.point))
        elif isinstance(event, Decided):
            for decision in event.decisions:
                self._decide(decision)
            self._log(self._run, event.decisions[0].stage, {"models": len(self._models)})
        elif isinstance(event, SelectionEnded):
            self._end(event)

    # --- a selection

    def _begin(self, event: SelectionBegan) -> None:
        """Begins the selection's run, or finds it where the selection is resumed."""
        self._selection = event
        self._experiment = self._experiment_of(event.dataset)
        runs = self._client.search_runs([self._experiment], f"tags.`modelstore.selection` = '{event.key}'")
        if runs:
            self._run = runs[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
            for run in self._client.search_runs(
                [self._experiment], f"tags.`mlflow.parentRunId` = '{self._run}'", max_results=_MOST
            ):
                self._earlier[run.data.tags["modelstore.arm"]] = run.info.run_id
            return
        tags = {"modelstore.selection": event.key}
        self._run = self._new_run(f"selection {event.id}", tags)
        asked = {"dataset": event.dataset, "metric": event.metric, "method": event.method}
        self._describe(self._run, {**event.options, **asked})

    def _run_of(self, name: str) -> str:
        """The run of a model, which begins when there is first something to log of it."""
        if name in self._models:
            return self._models[name]
        assert self._selection is not None
        if name in self._earlier:
            self._models[name] = self._earlier.pop(name)
            self._client.update_run(self._models[name], status="RUNNING")
        else:
            self._models[name] = self._new_run(
                name, {"mlflow.parentRunId": self._run, "modelstore.arm": name}
            )
            model, recipe = self._selection.arms.get(name, (name, None))
            described = {"model": model, "recipe": recipe, "dataset": self._selection.dataset}
            self._describe(self._models[name], described)
        return self._models[name]

    def _decide(self, decision: Decision) -> None:
        run = self._run_of(decision.model)
        self._log(
            run,
            decision.stage,
            {"predicted": decision.predicted, "learning_rate": decision.learning_rate},
            {"modelstore.action": decision.action, "modelstore.reason": decision.reason},
        )
        if decision.action != "kept":
            self._client.set_terminated(run, "FAILED" if decision.action == "failed" else "FINISHED")
            del self._models[decision.model]

    def _end(self, event: SelectionEnded) -> None:
        for run in self._models.values():
            self._client.set_terminated(run, _STATUS[event.status])
        winner = event.winners[0] if event.winners else {}
        scores = {name: winner.get(name) for name in ("validation", "test")}
        tags = {name: winner.get(name) for name in ("model", "recipe", "checkpoint")}
        tags = {f"modelstore.{name}": value for name, value in {**tags, "reason": event.reason}.items()}
        self._log(self._run, 0, scores, tags)
        self._client.set_terminated(self._run, _STATUS[event.status])
        for rank, one in enumerate(event.winners, 1):
            self._keep_card(rank, one.get("checkpoint"))

    def _keep_card(self, rank: int, checkpoint: str | None) -> None:
        """Keeps a winner's card as an artifact of the selection's run, where it has one: a replay's has none."""
        card = None if checkpoint is None else path_at(checkpoint) / NAME
        if card is not None and card.is_file():
            text = card.read_text(encoding="utf-8")
            self._client.log_text(self._run, text, f"winner-{rank}/{NAME}")

    # --- a benchmarked pair

    def _log_pair(self, event: PairBenchmarked) -> None:
        self._experiment = self._experiment_of(event.dataset)
        run = self._new_run(event.model, {"modelstore.reason": event.reason})
        named = {name: getattr(event, name) for name in ("model", "dataset", "recipe", "seed", "metric")}
        self._describe(run, {**event.options, **named})
        for point in event.curve:
            self._log(run, point.stage, _scores(point))
        self._log(run, len(event.curve), {"score": event.score})
        self._client.set_terminated(run, "FINISHED" if event.reason is None else "FAILED")

    # --- MLflow

    def _experiment_of(self, dataset: str) -> str:
        name = f"modelstore/{dataset}"
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found is not None else self._client.create_experiment(name))

    def _new_run(self, name: str, tags: Mapping[str, Any]) -> str:
        named = {tag: str(value) for tag, value in tags.items() if value is not None}
        return str(self._client.create_run(self._experiment, run_name=name, tags=named).info.run_id)

    def _describe(self, run: str, values: Mapping[str, Any]) -> None:
        given = [Param(name, str(value)[:_LONGEST]) for name, value in values.items() if value is not None]
        self._client.log_batch(run, params=given)

    def _log(
        self, run: str, step: int, values: Mapping[str, float | None], tags: Mapping[str, Any] | None = None
    ) -> None:
        """Logs what is a number; MLflow's stores do not agree on NaN."""
        now = int(1000 * time.time())
        metrics = [
            Metric(name, float(value), now, step)
            for name, value in values.items()
            if value is not None and math.isfinite(value)
        ]
        named = [RunTag(name, str(value)) for name, value in (tags or {}).items() if value is not None]
        self._client.log_batch(run, metrics=metrics, tags=named)


def _scores(point: CurvePoint) -> dict[str, float | None]:
    """What is logged of a stage."""
    return {
        "epoch": point.epoch,
        "validation": point.validation,
        "test": point.test,
        "train_loss": point.train_loss,
        "seconds": point.seconds,
        "learning_rate": point.learning_rate,
    }
