"""`SELECT BEST`: binds a selection to its steps, runs them, and stores what they decide."""

import time
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from modelstore.engine.run import Executor
from modelstore.errors import ModelError, OptionError, StoreError, did_you_mean
from modelstore.interruption import ctrl_c
from modelstore.language import expressions as ours
from modelstore.language.options import SELECT_OPTIONS, STRATEGIES, defaults
from modelstore.planner import data
from modelstore.planner.benchmarking import training_options
from modelstore.planner.candidates import find_candidates
from modelstore.planner.costs import Costs
from modelstore.planner.definitions import model_from
from modelstore.planner.models_step import Models
from modelstore.planner.plan import Cost, Plan, Step
from modelstore.planner.recalling import CoarseRecall, check_target
from modelstore.planner.recipes import Recipe, known_recipe, training_recipe
from modelstore.planner.session import Session
from modelstore.recall import coarse_recall
from modelstore.selection.brute_force import BruteForce
from modelstore.selection.fine_selection import FineSelection
from modelstore.selection.replay import ReplayExecutor
from modelstore.selection.selector import Decision, Finalist, Selection
from modelstore.selection.strategy import Strategy
from modelstore.selection.successive_halving import SuccessiveHalving
from modelstore.selection.trends import predict
from modelstore.store.catalog import Dataset

SCHEMA = pa.schema(
    [
        ("rank", pa.int64()),
        ("model", pa.string()),
        ("validation", pa.float64()),
        ("test", pa.float64()),
        ("epochs", pa.float64()),
        ("seconds", pa.float64()),
        ("checkpoint", pa.string()),
        ("selection", pa.int64()),
    ]
)


class Training(Step):
    """The stages of a selection: who is trained on the target, and who goes after each stage."""

    def __init__(
        self,
        session: Session,
        source: Step,
        models: Models,
        strategy: Strategy,
        target: str,
        dataset: Dataset | None,
        recipe: Recipe,
        count: int,
        contenders: int,
        options: dict[str, Any],
    ):
        self._session = session
        self._source = source
        self._models = models
        self._strategy = strategy
        self._target = target
        self._dataset = dataset
        self._recipe = recipe
        self._count = count
        self._contenders = contenders
        self._options = options
        self._stages = recipe.options["epochs"] * options["stages_per_epoch"]
        self._curves: dict[str, tuple[dict[str, Any], dict[str, float]]] = {}

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._source,)

    def describe(self) -> str:
        per_epoch = self._options["stages_per_epoch"]
        length = "1 epoch" if per_epoch == 1 else f"1/{per_epoch} epoch"
        name = self._strategy.name.replace("_", " ")
        details = f", threshold {self._options['threshold']:g}" if self._strategy.predicts else ""
        replay = ", replayed" if self._options["executor"] == "replay" else ""
        return f"{name} · {self._stages} stages of {length}{details}{replay}"

    def expected(self) -> Cost:
        left, stages = self._contenders, 0
        for _ in range(self._stages):
            stages += left
            left = self._strategy.survivors(left, self._count)
        epochs = stages / self._options["stages_per_epoch"]
        candidates = self._models.candidates
        costs = Costs(self._session.store.records, self._recipe.name)
        epoch = costs.mean_epoch(list(candidates.registered.values()), self._target, self._dataset)
        return Cost(f"{self._contenders} models", epochs, None if epoch is None else epoch * epochs)

    def run(self, recall_scores: dict[str, float], selection: int) -> list[Finalist]:
        """Trains, and writes each stage's decisions as soon as they are made."""
        log = self._session.store.selections

        def on_stage(decisions: Sequence[Decision]) -> None:
            with self._session.store.transaction():
                log.add_stage(selection, [astuple(decision) for decision in decisions])

        training = Selection(
            recall_scores=recall_scores,
            executor=self._executor(list(recall_scores)),
            strategy=self._strategy,
            stages=self._stages,
            keep=self._count,
            predict=self._predict,
            on_stage=on_stage,
        )
        try:
            return training.run()
        finally:
            self.actual = Cost(f"{len(recall_scores)} models", training.epochs, training.seconds)

    def _executor(self, models: list[str]) -> Executor:
        records = self._session.store.records
        if self._options["executor"] == "replay":
            return ReplayExecutor(
                self._target,
                records.curves_on(self._target, models, self._recipe.name, self._options["seed"]),
                records.results_on(self._target, self._recipe.name),
                self._options["stages_per_epoch"],
            )
        from modelstore.engine.torch_executor import TorchExecutor

        assert self._dataset is not None
        registered = self._models.candidates.registered
        uris = {name: registered[name].uri for name in models if name in registered}
        without = [name for name in models if not uris.get(name)]
        if without:
            raise ModelError(
                f'the model "{without[0]}" has no weights to train: register it with '
                "CREATE MODEL name FROM 'directory', or leave it out with WHERE"
            )
        return TorchExecutor(
            {name: str(uri) for name, uri in uris.items()},
            data.load(self._session.store, self._dataset),
            training_options(self._recipe, self._options),
        )

    def _predict(self, model: str, validation: float, epoch: float) -> float | None:
        records = self._session.store.records
        if model not in self._curves:
            self._curves[model] = (
                records.curves_of(model, self._recipe.name, excluding=self._target),
                records.results_of(model, self._recipe.name),
            )
        curves, results = self._curves[model]
        return predict(validation, epoch, curves, results, self._options["trends"])


class SelectBest(Plan):
    """The statement: recall, if its method has that phase, then training; then the winner is kept."""

    def __init__(
        self,
        session: Session,
        method: str,
        target: str,
        count: int,
        recipe: Recipe,
        models: Models,
        recall: CoarseRecall | None,
        training: Training,
        options: dict[str, Any],
    ):
        self._session = session
        self._method = method
        self._target = target
        self._count = count
        self._recipe = recipe
        self._models = models
        self._recall = recall
        self._training = training
        self._options = options

    @property
    def inputs(self) -> tuple[Step, ...]:
        return (self._training,)

    @property
    def _trains(self) -> bool:
        return bool(self._options["executor"] == "torch")

    def describe(self) -> str:
        best = "MODEL" if self._count == 1 else f"{self._count} MODELS"
        return f"SELECT BEST {best} FOR {self._target}"

    def expected(self) -> Cost:
        training = self._training.expected()
        recall = self._recall.expected() if self._recall else Cost()
        return Cost(None, (training.epochs or 0.0) + (recall.epochs or 0.0), training.seconds)

    def run(self) -> pa.Table:
        if self._trains:
            self._session.refuse_in_transaction("SELECT BEST")
            self._recipe.define(self._session.store.records)
        log = self._session.store.selections
        selection = log.begin(self._target, self._method, self._options)
        began = time.perf_counter()
        try:
            with ctrl_c():
                rows = self._select(selection)
        except (KeyboardInterrupt, duckdb.InterruptException):
            log.finish(selection, "stopped", None, *self._spent(began), reason="interrupted")
            raise
        except Exception as error:
            log.finish(selection, "failed", None, *self._spent(began), reason=str(error))
            raise
        epochs, seconds = self._spent(began)
        self.actual = Cost(None, epochs, seconds)
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def _spent(self, began: float) -> tuple[float, float]:
        """Epochs and seconds so far: a replay's are those that it stands for."""
        steps = [step.actual for step in (self._recall, self._training) if step is not None and step.actual]
        epochs = sum(cost.epochs or 0.0 for cost in steps)
        if self._trains:
            return epochs, time.perf_counter() - began
        return epochs, sum(cost.seconds or 0.0 for cost in steps)

    def _select(self, selection: int) -> list[dict[str, Any]]:
        began = time.perf_counter()
        finalists = self._training.run(self._contenders(), selection)
        rows = []
        for rank, finalist in enumerate(finalists, 1):
            checkpoint = self._save(finalist, selection) if self._trains else None
            rows.append(
                {
                    "rank": rank,
                    "model": finalist.model,
                    "validation": finalist.validation,
                    "test": finalist.test,
                    "epochs": finalist.epochs,
                    "seconds": finalist.seconds,
                    "checkpoint": str(checkpoint) if checkpoint else None,
                    "selection": selection,
                }
            )
        store = self._session.store
        with store.transaction():
            if self._trains:
                for finalist in finalists:
                    self._store_curve(finalist)
                if self._options["register"]:
                    self._register(str(rows[0]["model"]), str(rows[0]["checkpoint"]), selection)
            store.selections.finish(selection, "done", str(rows[0]["model"]), *self._spent(began))
        for finalist in finalists:
            finalist.run.release()
        return rows

    def _contenders(self) -> dict[str, float]:
        """Recall scores by model: of the recalled, or, without that phase, acc(m) of every candidate."""
        if self._recall is not None:
            return {recalled.model: recalled.recall_score for recalled in self._recall.recall()}
        names = self._models.candidates.names
        matrix = self._session.store.records.matrix(self._recipe.name, excluding=self._target, models=names)
        return dict(zip(names, coarse_recall.priors(matrix.rows(names)).tolist(), strict=True))

    def _save(self, finalist: Finalist, selection: int) -> Path:
        from modelstore.engine.finetune import FineTuning

        assert isinstance(finalist.run, FineTuning)
        wanted = self._session.checkpoints / f"{selection}-{finalist.model.replace('/', '--')}"
        directory, number = wanted, 1
        # A folder may be there from an earlier file of the same name: what is on disk is never overwritten.
        while directory.exists():
            number += 1
            directory = wanted.with_name(f"{wanted.name}-{number}")
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            finalist.run.save(directory)
        except OSError as error:
            raise StoreError(
                f'the winner "{finalist.model}" cannot be saved in "{directory}": {error.strerror or error}'
            ) from None
        return directory

    def _store_curve(self, finalist: Finalist) -> None:
        records, seed = self._session.store.records, self._options["seed"]
        if records.has_curve(finalist.model, self._target, self._recipe.recorded_as, seed):
            return
        *earlier, last = finalist.run.curve
        points = [astuple(point) for point in (*earlier, replace(last, test=finalist.test))]
        records.add_curve(finalist.model, self._target, self._recipe.recorded_as, seed, points)

    def _register(self, model: str, checkpoint: str, selection: int) -> None:
        catalog = self._session.store.catalog
        earlier = self._models.candidates.registered[model].fine_tuned_on
        name = f"{model}-finetuned-{self._target}"
        if catalog.find_models([name]):
            name = f"{name}-{selection}"
        catalog.add_model(model_from(name, checkpoint, base=model, fine_tuned_on=(*earlier, self._target)))


def bind_select_best(session: Session, statement: ours.SelectBest) -> SelectBest:
    """Plans a SELECT BEST: two_phase is coarse recall, then fine selection; the others take all candidates."""
    given = session.options_of(statement, SELECT_OPTIONS)
    options = defaults(SELECT_OPTIONS) | given
    replay = options["executor"] == "replay"
    if replay:
        known_recipe(session.store.records, options["recipe"])
    recipe = training_recipe(session.store.records, options["recipe"], given)
    options |= recipe.options
    target = session.name_of(statement.args["target"])
    dataset = session.store.catalog.find_dataset(target)
    if dataset is None:
        if not replay:
            session.store.catalog.dataset(target)
        check_target(session, target, "training_curves")
    method = _method_of(session, statement.args.get("strategy"))
    count = session.count_of(statement.args["count"]) if statement.args.get("count") else 1
    models = Models(
        find_candidates(session, statement, target, dataset, on_record=recipe.name if replay else None)
    )
    contenders = len(models.candidates.names)
    source: Step = models
    recall = None
    if method == "two_phase" and contenders > max(options["recall"], count):
        contenders = max(options["recall"], count)
        recall = CoarseRecall(
            session,
            models,
            target,
            dataset,
            contenders,
            [options["proxy"]],
            recipe.name,
            options
            | {"batch_size": recipe.options["batch_size"], "max_length": recipe.options["max_length"]},
            replays=replay,
        )
        source = recall
    strategy = _strategy_of(method, options)
    training = Training(
        session, source, models, strategy, target, dataset, recipe, count, contenders, options
    )
    return SelectBest(session, method, target, count, recipe, models, recall, training, options)


def _method_of(session: Session, node: Any) -> str:
    if node is None:
        return "two_phase"
    name = session.name_of(node).lower()
    if name not in STRATEGIES:
        hint = did_you_mean(name, STRATEGIES)
        message = f'Binder Error: unknown strategy "{name}"{hint}: the strategies are {", ".join(STRATEGIES)}'
        raise OptionError(session.at(message, node))
    return name


def _strategy_of(method: str, options: dict[str, Any]) -> Strategy:
    if method == "brute_force":
        return BruteForce()
    if method == "successive_halving":
        return SuccessiveHalving()
    return FineSelection(options["threshold"])
