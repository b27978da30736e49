"""Fine-tuning of one model on one dataset, stage by stage.

Whatever the task, it is one loop: a forward pass, the loss, a backward pass, clipping, a step of AdamW at a
learning rate that warms up and then decays. A stage ends at a validation point; between its stages a
run rests on the CPU and keeps its own random state, so that many runs can take turns on one device and each
goes as it would alone.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import astuple
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from modelstore.data.task_data import TaskData
from modelstore.errors import StoreError, TrainingError
from modelstore.interruption import check
from modelstore.libraries import first_line, quiet
from modelstore.options import TrainingOptions
from modelstore.records import CurvePoint
from modelstore.training import checkpoint, lora, tuning
from modelstore.training.frozen_features import FrozenFeatures
from modelstore.training.hardware import computing, pick_device, precision
from modelstore.training.inputs.inputs import Inputs, evaluation_batches, load_preprocessor, training_batches
from modelstore.training.kernels.replacement import use_kernels
from modelstore.training.loading import load_for_training
from modelstore.training.metrics import score
from modelstore.training.micro_batches import MicroBatcher, is_out_of_memory
from modelstore.training.optimizer import Optimization
from modelstore.training.random_state import RandomState
from modelstore.training.run import Trained
from modelstore.training.targets import Targets

EVALUATION_BATCH = 2  # evaluation batches are this many times as large, having no gradients to keep


class FineTuning(Trained):
    """One model being fine-tuned on one dataset, stage by stage."""

    stages: int
    curve: list[CurvePoint]

    def __init__(self, model: str, path: Path, data: TaskData, options: TrainingOptions):
        """Loads the model and tokenises (or decodes) the train and validation splits.

        Raises ModelError for a model that cannot be loaded or is of the wrong modality, DatasetError for an
        image that cannot be decoded, TrainingError for a device that is not there, more stages in an epoch
        than batches, or a tuning that is not possible here or for this model.
        """
        self.model, self.data, self.options = model, data, options
        self.curve = []
        self.device = pick_device(options.device)
        self._random = RandomState(options.seed, self.device)
        with self._random.in_use():
            self.network, new = load_for_training(model, path, data.modality, data.labels)
            tuning.prepare(model, self.network, options.tuning, new)
        use_kernels(self.network)
        self.precision = precision(self.network, self.device)
        self.preprocessor = load_preprocessor(model, path, data.modality, self.network, options.max_length)
        self._inputs: dict[str, Inputs] = {}
        self._targets = Targets(data)
        self._plan_stages()
        self._step = 0
        self._batches = self._endless_batches(torch.Generator().manual_seed(options.seed))
        self.parts = MicroBatcher(EVALUATION_BATCH * options.batch_size)
        shares = tuning.learning_shares(self.network, options.tuning)
        self.optimization = Optimization(self.network, shares, options, self.batches)
        self._features: FrozenFeatures | None = None
        if options.tuning == "frozen" and tuning.is_frozen(self.network):
            self._features = FrozenFeatures(self.network, self._to_device)
        for split in ("train", "validation"):
            self._split(split)

    def _plan_stages(self) -> None:
        """The epochs and the steps at which the stages end."""
        options = self.options
        epoch_steps = math.ceil(self.data.train.num_rows / options.batch_size)
        if options.stages_per_epoch > epoch_steps:
            raise TrainingError(
                f"stages_per_epoch = {options.stages_per_epoch} is more than the batches in an epoch of dataset "
                f"{self.data.name} ({epoch_steps} of {options.batch_size} rows): use {epoch_steps} at most"
            )
        # Epochs may end in a part of a stage: 2.5 epochs are three stages of one, the last of them half.
        self.stages = math.ceil(options.epochs * options.stages_per_epoch - 1e-9)
        self._epochs = [min(k / options.stages_per_epoch, options.epochs) for k in range(self.stages + 1)]
        self._ends = [0]
        for epoch in self._epochs[1:]:
            end = int(epoch) * epoch_steps + round(epoch % 1 * epoch_steps)
            self._ends.append(max(end, self._ends[-1] + 1))

    @property
    def batches_per_stage(self) -> list[int]:
        """The training batches in each stage: as often does `advance` call its `on_batch`."""
        return [end - start for start, end in zip(self._ends, self._ends[1:], strict=False)]

    @property
    def batches(self) -> int:
        """The training batches in all."""
        return self._ends[-1]

    def advance(self, test: bool = False, on_batch: Callable[[], None] | None = None) -> CurvePoint:
        """Trains to the next validation point, validates, and with `test` tests; the point joins `curve`.

        Raises TrainingError if the loss is not finite, memory runs out or the network fails on its inputs;
        duckdb.InterruptException where its statement shall stop; ValueError when all stages are done.
        """
        stage = len(self.curve) + 1
        if stage > self.stages:
            raise ValueError(f"all {self.stages} stages of {self.model} on {self.data.name} are done")
        started = time.perf_counter()
        with self._awake():
            loss = self._train(self._ends[stage], on_batch)
            validation = self._evaluate("validation")
            seconds = time.perf_counter() - started
            tested = self._evaluate("test") if test else None
        point = CurvePoint(stage, self._epochs[stage], validation, tested, loss, seconds)
        self.curve.append(point)
        return point

    def test(self) -> float:
        """The score on the test split as the model is now; raises as `advance` does."""
        with self._awake():
            return self._evaluate("test")

    def predict(self, split: str) -> NDArray:
        """The class id, or the number in the labels' own units, predicted for each row of a split, in order."""
        with self._awake():
            return self._targets.predictions(self._outputs(split))

    def predict_scores(self, split: str) -> NDArray:
        """Each class's probability, (rows, classes), or `predict`'s numbers for a regression, (rows,)."""
        with self._awake():
            return self._targets.scores(self._outputs(split))

    def save(self, directory: Path) -> None:
        """Writes the model as it is now to a new `directory`: safetensors, config, tokenizer or image processor.

        It appears there whole or not at all. A regressor predicts in the labels' own units once loaded; one
        whose head has no bias to hold their mean has `target_mean` and `target_deviation` in its config
        instead, to be applied to what it predicts. Raises OSError if it cannot be written.
        """
        partial = directory.with_name(f".{directory.name}.{os.getpid()}.partial")
        try:
            partial.mkdir(parents=True)
            with quiet(), self._targets.in_units_of_labels(self.network):
                self.network.save_pretrained(partial, state_dict=self._whole_weights())
                self.preprocessor.save(partial)
            partial.rename(directory)
        except SafetensorError as error:
            raise OSError(first_line(error)) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def save_state(self, path: Path) -> None:
        """Writes to the file `path` all that `restore` needs to go on from the last stage's end.

        It appears there whole or not at all. Raises OSError if it cannot be written.
        """
        random_state, cuda_random_state = self._random.values
        state = {
            "network": self._changing_weights(),
            "optimizer": self.optimization.optimizer.state_dict(),
            "curve": [astuple(point) for point in self.curve],
            "step": self._step,
            "fitting": self.parts.fitting,
            "random_state": random_state,
            "cuda_random_state": cuda_random_state,
        }
        checkpoint.write(state, path)

    def restore(self, path: Path) -> None:
        """Puts a run that has not begun where the run saved in `path` was: it goes on bit for bit as that one would.

        The model, data and options must be that run's. Raises StoreError for a file that cannot be read, or
        is of another model.
        """
        try:
            state = checkpoint.read(path)
            if state["network"].keys() != self._changing_weights().keys():
                raise ValueError("its weights are those of another model, or another tuning")
            self.network.load_state_dict(state["network"], strict=False)
            self.optimization.optimizer.load_state_dict(state["optimizer"])
        except checkpoint.UNREADABLE as error:
            raise StoreError(
                f'the state of {self.model} in "{path}" cannot be restored: {first_line(error)}'
            ) from error
        self.curve = [CurvePoint(*point) for point in state["curve"]]
        self.parts.fitting = state["fitting"]
        self._random.values = state["random_state"], state["cuda_random_state"]
        while self._step < state["step"]:  # the batches that it has seen
            next(self._batches)
            self._step += 1

    def release(self) -> None:
        """Frees the model, its optimizer and its inputs; only `curve` is left to read."""
        self._inputs.clear()
        del self.network, self.optimization, self.preprocessor, self._batches, self._features
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _whole_weights(self) -> dict[str, torch.Tensor]:
        """The weights as the model's own class has them, what adapters change included."""
        return (
            lora.merged_weights(self.network) if self.options.tuning == "lora" else self.network.state_dict()
        )

    def _changing_weights(self) -> dict[str, torch.Tensor]:
        """The weights and statistics that training changes."""
        parameters = self.network.named_parameters(remove_duplicate=False)
        fixed = {name for name, parameter in parameters if not parameter.requires_grad}
        return {name: value for name, value in self.network.state_dict().items() if name not in fixed}

    def _train(self, until: int, on_batch: Callable[[], None] | None) -> float:
        """Steps up to step `until` of the run; the mean loss of their rows."""
        if self._lacks_features("train"):
            self._outputs("train")
        tuning.set_training(self.network, self.options.tuning)
        total, rows_seen = torch.zeros((), device=self.device), 0
        for rows in islice(self._batches, until - self._step):
            check()
            total += self._gradients(rows) * len(rows)
            self.optimization.step(self._step)
            rows_seen += len(rows)
            self._step += 1
            if on_batch is not None:
                on_batch()
        mean = float(total) / rows_seen
        if not math.isfinite(mean):
            raise self._diverged()
        return mean

    def _gradients(self, rows: NDArray) -> torch.Tensor:
        """The gradients of a batch's mean loss, and that loss, not looked at: reading it would wait for the device.

        A batch too large for the memory is taken in parts, whose gradients add up to the same.
        """
        before = self._random.now()
        while True:
            try:
                total = torch.zeros((), device=self.device)
                for part in self.parts.of(rows):
                    target = self._to_device(self._targets.train[torch.from_numpy(part)])
                    loss = self._targets.loss(self._logits("train", part), target)
                    loss = loss * (len(part) / len(rows))
                    loss.backward()
                    total += loss.detach()
                return total
            except RuntimeError as error:
                self.parts.shrink(error, len(rows))
            self.optimization.forget_gradients()
            self._random.set(before)

    def _evaluate(self, split: str) -> float:
        labels = self.data.split(split).column("label").to_numpy()
        return score(self.data.metric, self._targets.predictions(self._outputs(split)), labels)

    def _outputs(self, split: str) -> NDArray:
        """(rows, classes) of logits, or (rows, 1) for a regression."""
        self._lacks_features(split)  # if so, they are kept as they come by
        self.network.eval()
        order, outputs = [], []
        with torch.inference_mode():
            for rows in evaluation_batches(self._split(split), EVALUATION_BATCH * self.options.batch_size):
                check()
                order.append(rows)
                outputs.append(self._logits_in_parts(split, rows))
        logits = torch.cat(outputs).cpu().numpy()
        if not np.isfinite(logits).all():
            raise self._diverged()
        in_order = np.empty_like(logits)
        in_order[np.concatenate(order)] = logits
        return in_order

    def _logits_in_parts(self, split: str, rows: NDArray) -> torch.Tensor:
        while True:
            try:
                return torch.cat([self._logits(split, part) for part in self.parts.of(rows)])
            except RuntimeError as error:
                self.parts.shrink(error, len(rows))

    def _logits(self, split: str, rows: NDArray) -> torch.Tensor:
        """(rows, classes) of float32, or (rows, 1) for a regression."""
        batch = {name: self._to_device(values) for name, values in self._split(split).batch(rows).items()}
        bfloat16 = self.precision == torch.bfloat16
        with (
            torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16),
            self._features.of(split, rows) if self._features else nullcontext(),
        ):
            return self.network(**batch).logits.float()

    def _lacks_features(self, split: str) -> bool:
        """Whether what a frozen base gives for the rows of a split is to be computed, and kept."""
        if self._features is None:
            return False
        self.network.eval()
        return self._features.lack(split, self._split(split), lambda rows: self._logits(split, rows))

    def _endless_batches(self, generator: torch.Generator) -> Iterator[NDArray]:
        while True:
            yield from training_batches(self._split("train"), self.options.batch_size, generator)

    def _split(self, split: str) -> Inputs:
        if split not in self._inputs:
            self._inputs[split] = self.preprocessor.split(self.data, split)
        return self._inputs[split]

    def _to_device(self, values: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cuda":
            return values.pin_memory().to(self.device, non_blocking=True)
        return values

    @contextmanager
    def _awake(self) -> Iterator[None]:
        """Within, network and optimizer are on the device, torch's random state is the run's, errors are ours."""
        with self._random.in_use():
            try:
                self._move(self.device)
                with computing(self.network, self.device):
                    yield
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                raise self._failure(error) from error
            finally:
                self.optimization.forget_gradients()
                self._move(torch.device("cpu"))

    def _move(self, device: torch.device) -> None:
        self.network.to(device)
        self.optimization.move(device)

    def _failure(self, error: Exception) -> TrainingError:
        run = f"training {self.model} on {self.data.name}"
        if is_out_of_memory(error):
            return TrainingError(
                f"{run} ran out of memory on device {self.device}, even row by row: use a smaller max_length, or "
                "leave the model out with WHERE"
            )
        return TrainingError(f"{run} failed: {first_line(error)}")

    def _diverged(self) -> TrainingError:
        return TrainingError(
            f"training {self.model} on {self.data.name} diverged, its loss is not finite: use a smaller "
            f"learning_rate than {self.options.learning_rate:g}"
        )
