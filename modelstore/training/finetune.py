"""Fine-tuning of one model on one dataset, stage by stage.

Each stage takes some training steps (`training_steps`) and ends at a validation point (`evaluation`). Between stages
a run rests and keeps its own random state, so that many runs can take turns on one device, and each trains as it
would alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from modelstore.data.remote import AnyPath
from modelstore.data.task_data import TaskData
from modelstore.errors import StoreError, TrainingError
from modelstore.libraries import first_line
from modelstore.options import TrainingOptions
from modelstore.records import CurvePoint, kept_point
from modelstore.tasks import TAGS
from modelstore.training import lora, residency, tuning
from modelstore.training.activations import checkpoint_activations
from modelstore.training.checkpoint import UNREADABLE, Checkpoint
from modelstore.training.evaluation import EVALUATION_BATCH, Evaluation
from modelstore.training.failures import FAILURES, NotFinite, diverged, failed
from modelstore.training.hardware import computing, pick_device, precision
from modelstore.training.inputs.loading import load_preprocessor
from modelstore.training.kept_weights import KeptWeights, changing_weights, copy_weights, load_weights
from modelstore.training.kernels.replacement import use_kernels
from modelstore.training.learning_rates import Trial, layers_of, rates_to_try, width_of
from modelstore.training.loading import load_for_training
from modelstore.training.loss import TrainingLoss
from modelstore.training.micro_batches import MicroBatcher
from modelstore.training.optimizer import Optimizer
from modelstore.training.placed_network import PlacedNetwork
from modelstore.training.random_state import RandomState
from modelstore.training.random_state import Values as RandomValues
from modelstore.training.run import TrainingRun
from modelstore.training.saving import save_model
from modelstore.training.stages import StagePlan
from modelstore.training.task_targets import targets_of
from modelstore.training.training_steps import TrainingSteps
from modelstore.training.used_rows import train_all_rows, train_used_rows, with_all_rows


class FineTuning(TrainingRun):
    """Fine-tunes one model on one dataset, stage by stage.

    With ``keep = 'best'``, what it saves, predicts and scores on the test split is its model at the best validation
    point so far; otherwise its model after the last stage.

    Parameters
    ----------
    model, path
        The model's name, for messages, and its directory.
    data
        The dataset; its train and validation splits are tokenised (or decoded) when the run is created.
    options
        The recipe, seed, stages and device.

    Attributes
    ----------
    curve
        The validation points so far.

    Raises
    ------
    ModelError
        The model cannot be loaded, or is of another modality than the dataset.
    DatasetError
        An image cannot be decoded.
    TrainingError
        This machine does not have the device, an epoch has more stages than batches, or the model does not support
        the tuning.
    """

    def __init__(self, model: str, path: Path, data: TaskData, options: TrainingOptions):
        self.model, self.data, self.options = model, data, options
        self.curve: list[CurvePoint] = []
        self.device = pick_device(options.device)
        self._random = RandomState(options.seed, self.device)
        with self._random.in_use():
            self.network, new = load_for_training(
                model, path, data.modality, data.labels, data.target.problem_type
            )
            tuning.prepare(model, self.network, options.tuning, new)
        use_kernels(self.network)
        self.precision = precision(self.network, self.device)
        self.preprocessor = load_preprocessor(
            model, path, data.modality, self.network, options.max_length, words=data.target is TAGS
        )
        frozen = options.tuning == "frozen" and tuning.is_frozen(self.network)
        if options.gradient_checkpointing and not frozen:  # a frozen base keeps no activations
            checkpoint_activations(model, self.network)
        self.placed = PlacedNetwork(
            self.network, self.preprocessor, data, self.device, self.precision, frozen
        )
        self.plan = StagePlan.of(data, options)
        self.targets = targets_of(data, self.placed.inputs)
        self.micro_batches = MicroBatcher(
            EVALUATION_BATCH[self.device.type] * options.batch_size, self._free_memory
        )
        width, layers = width_of(self.network), layers_of(self.network)
        rates = rates_to_try(width, layers, self.plan.batches, options.tuning)
        self._rates = rates if options.learning_rate is None else (options.learning_rate,)
        train, _ = self.placed.inputs("train"), self.placed.inputs("validation")
        train_used_rows(self.network, train)
        self.steps = TrainingSteps(
            self.placed,
            self.targets,
            TrainingLoss(self.targets, len(data.labels), options),
            options,
            self.plan.batches,
            self._rates[0],
            self._random,
            self.micro_batches,
        )
        self.evaluation = Evaluation(self.placed, self.targets, self.micro_batches, options.batch_size)
        self.kept = KeptWeights()

    @property
    def stages(self) -> int:
        """The number of stages of the whole run."""
        return self.plan.count

    @property
    def batches_per_stage(self) -> list[int]:
        """The training batches of each stage: `advance` calls its ``on_batch`` once for each.

        Where the first stage finds the learning rate, it has those of each rate that it tries.
        """
        first, *others = self.plan.batches_per_stage
        return [first * len(self._rates), *others]

    def advance(self, test: bool = False, on_batch: Callable[[], None] | None = None) -> CurvePoint:
        """Trains one stage, scores the validation split, and adds the new point to `curve`.

        Where no learning rate is given, the first stage is trained at several rates from the same weights, on the
        same batches and with the same random state, and the run goes on from the best: as if its rate was given.

        Parameters
        ----------
        test
            Whether the test split is scored too; its time is not part of the point's seconds.
        on_batch
            Called after each training batch.

        Returns
        -------
        CurvePoint
            The new validation point.

        Raises
        ------
        TrainingError
            The loss is not finite, memory runs out, or the network fails on its inputs.
        duckdb.InterruptException
            The statement was interrupted.
        ValueError
            All stages are done.
        """
        if len(self.curve) == self.stages:
            raise ValueError(f"all {self.stages} stages of {self.model} on {self.data.name} are done")
        number = len(self.curve)
        started = time.perf_counter()
        with self._awake():
            if self.options.keep == "best" and self.curve and self._has_best_point():
                self.kept.hold(changing_weights(self.network))
            if number == 0 and len(self._rates) > 1:
                found = self._find_learning_rate(on_batch)
                loss, validation = found.train_loss, found.score
            else:
                loss = self._train(self.plan.ends[number], on_batch)
                validation = self._evaluate("validation")
            seconds = time.perf_counter() - started
            tested = self._evaluate("test") if test else None
        epoch = self.plan.epochs[number]
        tried = epoch * (len(self._rates) - 1) if number == 0 else 0.0
        rate = self.steps.optimizer.rate
        point = CurvePoint(number + 1, epoch, validation, tested, loss, seconds, tried, rate)
        self.curve.append(point)
        if self._has_best_point():
            self.kept.drop()
        return point

    def test(self) -> float:
        """Returns the test score of the point that counts; raises as `advance` does."""
        tested = kept_point(self.curve, self.options.keep).test if self.curve else None
        if tested is not None:
            return tested
        with self._awake(), self._at_kept_point():
            return self._evaluate("test")

    def predict(self, split: str) -> NDArray:
        """Predicts each row of a split, in order, as `Targets.predictions` says."""
        with self._awake(), self._at_kept_point():
            return self.targets.predictions(self.evaluation.logits(split))

    def predict_scores(self, split: str) -> NDArray:
        """Predicts the probability of each class or label, (rows, n); for a regression, what `predict` does."""
        with self._awake(), self._at_kept_point():
            return self.targets.scores(self.evaluation.logits(split))

    def save(self, directory: AnyPath) -> None:
        """Writes the model to a new ``directory``, as `save_model` describes; raises OSError."""
        with self._at_kept_point():
            lora_tuned = self.options.tuning == "lora"
            weights = lora.merged_weights(self.network) if lora_tuned else with_all_rows(self.network)
            save_model(directory, self.network, weights, self.preprocessor, self.targets)

    def save_state(self, path: AnyPath) -> None:
        """Writes a checkpoint to the file ``path``, from which `restore` continues; raises OSError."""
        Checkpoint(
            changing_weights(self.network),
            self.steps.optimizer.adamw.state_dict(),
            self.curve,
            self.steps.done,
            self.micro_batches.fitting,
            *self._random.values,
            self.kept.values,
        ).write(path)

    def restore(self, path: AnyPath) -> None:
        """Loads the checkpoint in the file ``path`` into this run, which has not begun.

        The run then continues bit for bit as the saved run would have. Model, data and options must be those of the
        saved run.

        Raises
        ------
        StoreError
            The file cannot be read, or belongs to another model or tuning.
        """
        try:
            saved = Checkpoint.read(path)
            if saved.network.keys() != changing_weights(self.network).keys():
                # An earlier version trained all rows of the embedding.
                train_all_rows(self.network)
                self.steps.use(self.steps.new_optimizer(self._rates[0]))
            names = changing_weights(self.network).keys()
            if saved.network.keys() != names or (saved.kept or saved.network).keys() != names:
                raise ValueError("its weights belong to another model or another tuning")
            self.network.load_state_dict(saved.network, strict=False)
            if saved.curve and saved.curve[-1].learning_rate is not None:
                self.steps.use(self.steps.new_optimizer(saved.curve[-1].learning_rate))
            self.steps.optimizer.load_state_dict(saved.optimizer)
        except UNREADABLE as error:
            raise StoreError(
                f'the saved state of {self.model} in "{path}" cannot be restored: {first_line(error)}'
            ) from error
        self.curve, self.kept.values = saved.curve, saved.kept
        self.micro_batches.fitting = saved.fitting
        self._random.values = saved.random_state, saved.cuda_random_state
        self.steps.skip(saved.step)

    def leave_device(self) -> None:
        """Moves network and optimizer to the CPU's memory, and frees everything else of the run on the device."""
        self.steps.clear_graphs()
        self.placed.leave_device()
        self.targets.leave_device()
        self._move(torch.device("cpu"))

    def release(self) -> None:
        """Frees the model, its optimizer and its inputs; only `curve` can be read after that."""
        residency.wake(self, self.device)
        self.targets.leave_device()
        self.steps.release()
        del (
            self.network,
            self.placed,
            self.steps,
            self.evaluation,
            self.preprocessor,
            self.kept,
            self.targets,
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    # Training

    def _check_outputs(self) -> None:
        """Raises TrainingError where the outputs are not finite before any training."""
        if not self.evaluation.are_finite("validation", np.arange(min(2, self.data.validation.num_rows))):
            raise TrainingError(
                f"{self.model} cannot be trained on {self.data.name}: its outputs are not finite before any "
                "training, whatever the learning rate: its weights are damaged, or do not fit its config.json"
            )

    def _find_learning_rate(self, on_batch: Callable[[], None] | None) -> Trial:
        """Trains the first stage at each rate, and leaves the run where the best one ended.

        Raises
        ------
        NotFinite
            Training diverges at each of the rates.
        TrainingError
            The outputs are not finite before any training.
        """
        start = self._state()
        best: tuple[Trial, _State] | None = None
        for rate in self._rates:
            self.steps.rewind()
            self._set_state(replace(start, optimizer=self.steps.new_optimizer(rate)))
            with suppress(NotFinite):
                trial = self._try_first_stage(on_batch)
                if best is None or trial.loss < best[0].loss:
                    best = trial, self._state()
        if best is None:
            self._set_state(start)
            self._check_outputs()
            raise NotFinite
        self._set_state(best[1])
        return best[0]

    def _try_first_stage(self, on_batch: Callable[[], None] | None) -> Trial:
        train_loss = self._train(self.plan.ends[0], on_batch)
        logits = self.evaluation.logits("validation")
        loss = self.targets.evaluation_loss(logits, self.data.targets("validation"))
        return Trial(loss, self.targets.score("validation", logits), train_loss)

    def _state(self) -> _State:
        weights = copy_weights(changing_weights(self.network))
        return _State(weights, self.steps.optimizer, self._random.current())

    def _set_state(self, state: _State) -> None:
        load_weights(changing_weights(self.network), state.weights)
        self.steps.use(state.optimizer)
        self._random.set_current(state.random)

    def _train(self, until: int, on_batch: Callable[[], None] | None) -> float:
        """Trains until ``until`` batches of the run are done; returns the mean loss over the targets of this call."""
        self._complete_features()
        return self.steps.take(until, on_batch)

    def _complete_features(self) -> None:
        """Computes the features of a frozen base for the train split, where they are stored and some are missing."""
        self.placed.prepare_features("train")
        if self.placed.features is not None and self.placed.features.is_incomplete("train"):
            self.evaluation.logits("train")

    def _evaluate(self, split: str) -> float:
        """Returns the score of a split by the dataset's metric."""
        return self.targets.score(split, self.evaluation.logits(split))

    # Memory and errors

    @contextmanager
    def _awake(self) -> Iterator[None]:
        """Within the context, network and optimizer are on the device, and torch draws from the run's random state.

        Errors of torch and transformers become a TrainingError. After the context, the run rests on the device.
        """
        with self._random.in_use():
            try:
                with computing(self.network, self.device):
                    self._wake()
                    yield
            except NotFinite:
                rate = self.steps.optimizer.rate if self.curve else self._rates[0]
                raise diverged(self.model, self.data.name, rate) from None
            except FAILURES as error:
                raise failed(self.model, self.data.name, self.device, error) from error
            finally:
                self.steps.optimizer.clear_gradients()
                residency.rest(self, self.device)

    def _wake(self) -> None:
        """Moves network and optimizer to the device, if they are not there already."""
        residency.wake(self, self.device)
        try:
            self._move(self.device)
        except torch.OutOfMemoryError:
            if not residency.make_room(self.device):
                raise
            self._move(self.device)

    def _move(self, device: torch.device) -> None:
        """Moves network and optimizer to a device."""
        self.network.to(device)
        self.steps.optimizer.move(device)

    def _free_memory(self) -> bool:
        """Frees captured steps, and moves resting runs off the device; returns whether there were any of those."""
        self.steps.clear_graphs()
        return residency.make_room(self.device)

    def _has_best_point(self) -> bool:
        """Whether the last point is the one that counts, and its weights are the network's own."""
        return kept_point(self.curve, self.options.keep) is self.curve[-1]

    def _at_kept_point(self) -> AbstractContextManager[None]:
        """Within the context, the network has the weights of the point that counts."""
        return self.kept.in_use(changing_weights(self.network))


@dataclass(frozen=True)
class _State:
    """A run at the beginning or the end of its first stage."""

    weights: dict[str, torch.Tensor]
    optimizer: Optimizer
    random: RandomValues
