"""Fine-tuning of one model on one dataset, stage by stage.

Whatever the task, it is one loop: a forward pass, the loss, a backward pass, clipping, a step of AdamW at a
learning rate that warms up and then decays. A stage ends at a validation point; between its stages a
run rests on the CPU and keeps its own random state, so that many runs can take turns on one device and each
goes as it would alone.
"""

from __future__ import annotations

import math
import os
import pickle
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from scipy.special import softmax
from torch import nn
from torch.nn import functional as F

from modelstore.engine.hardware import computing, precision
from modelstore.engine.inputs import Inputs, evaluation_batches, load_preprocessor, training_batches
from modelstore.engine.libraries import first_line, quiet
from modelstore.engine.loading import head_outputs, load_for_training, pick_device
from modelstore.engine.metrics import score
from modelstore.engine.run import CurvePoint
from modelstore.engine.task_data import TaskData
from modelstore.errors import StoreError, TrainingError
from modelstore.interruption import check

WARM_UP = 0.06  # share of the steps
WEIGHT_DECAY = 0.01
MAX_GRADIENT_NORM = 1.0
EVALUATION_BATCH = 2  # evaluation batches are this many times as large, having no gradients to keep


@dataclass(frozen=True)
class TrainingOptions:
    """How a model is fine-tuned. Runs with equal options, model and dataset are equal on one machine's CPU."""

    epochs: float = 5
    batch_size: int = 32
    learning_rate: float = 3e-5  # at its peak
    max_length: int = 128  # tokens
    seed: int = 0
    stages_per_epoch: int = 1
    device: str = "auto"  # auto | cpu | cuda | cuda:1 …


class FineTuning:
    """One model being fine-tuned on one dataset, stage by stage."""

    stages: int
    curve: list[CurvePoint]

    def __init__(self, model: str, path: Path, data: TaskData, options: TrainingOptions):
        """Loads the model and tokenises (or decodes) the train and validation splits.

        Raises ModelError for a model that cannot be loaded or is of the wrong modality, DatasetError for an
        image that cannot be decoded, TrainingError for a device that is not there or more stages in an epoch
        than batches.
        """
        self.model, self.data, self.options = model, data, options
        self.curve = []
        self.device = pick_device(options.device)
        with torch.random.fork_rng([]):
            torch.manual_seed(options.seed)
            self.network = load_for_training(model, path, data.modality, data.labels)
            self._random_state = torch.get_rng_state()
        self.precision = precision(self.network, self.device)
        self._cuda_random_state: torch.Tensor | None = None
        self.preprocessor = load_preprocessor(model, path, data.modality, self.network, options.max_length)
        self._inputs: dict[str, Inputs] = {}
        self._labels = {
            split: data.split(split).column("label").to_numpy() for split in ("train", "validation", "test")
        }
        self._mean, self._deviation = 0.0, 1.0  # of a regression's targets, which are trained on standardised
        if not data.labels:
            self._mean = float(self._labels["train"].mean())
            self._deviation = float(self._labels["train"].std()) or 1.0

        epoch_steps = math.ceil(data.train.num_rows / options.batch_size)
        if options.stages_per_epoch > epoch_steps:
            raise TrainingError(
                f"stages_per_epoch = {options.stages_per_epoch} is more than the batches in an epoch of dataset "
                f"{data.name} ({epoch_steps} of {options.batch_size} rows): use {epoch_steps} at most"
            )
        # Epochs may end in a part of a stage: 2.5 epochs are three stages of one, the last of them half.
        self.stages = math.ceil(options.epochs * options.stages_per_epoch - 1e-9)
        self._epochs = [min(k / options.stages_per_epoch, options.epochs) for k in range(self.stages + 1)]
        self._ends = [0]
        for epoch in self._epochs[1:]:
            end = int(epoch) * epoch_steps + round(epoch % 1 * epoch_steps)
            self._ends.append(max(end, self._ends[-1] + 1))
        self._step = 0
        self._batches = self._endless_batches(torch.Generator().manual_seed(options.seed))
        self._fitting = EVALUATION_BATCH * options.batch_size  # the rows that fit the memory at once
        self.optimizer = self._make_optimizer()
        for split in ("train", "validation"):
            self._split(split)

    @property
    def batches_per_stage(self) -> list[int]:
        """The training batches in each stage: as often does `advance` call its `on_batch`."""
        return [end - start for start, end in zip(self._ends, self._ends[1:], strict=False)]

    @property
    def next_batches(self) -> int:
        """The training batches in the stage that comes next."""
        return self.batches_per_stage[len(self.curve)]

    @property
    def next_seconds(self) -> float | None:
        """The seconds that the next stage is expected to take: as long as the last one."""
        return self.curve[-1].seconds if self.curve else None

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
        with self._on_device():
            loss = self._train(self._ends[stage], on_batch)
            validation = self._evaluate("validation")
            seconds = time.perf_counter() - started
            tested = self._evaluate("test") if test else None
        point = CurvePoint(stage, self._epochs[stage], validation, tested, loss, seconds)
        self.curve.append(point)
        return point

    def test(self) -> float:
        """The score on the test split as the model is now; raises as `advance` does."""
        with self._on_device():
            return self._evaluate("test")

    def predict(self, split: str) -> NDArray:
        """The class id, or the number in the labels' own units, predicted for each row of a split, in order."""
        with self._on_device():
            return self._predict(split)

    def predict_scores(self, split: str) -> NDArray:
        """Each class's probability, (rows, classes), or `predict`'s numbers for a regression, (rows,)."""
        with self._on_device():
            if not self.data.labels:
                return self._predict(split)
            return softmax(self._outputs(split), axis=1)

    def save(self, directory: Path) -> None:
        """Writes the model as it is now to a new `directory`: safetensors, config, tokenizer or image processor.

        It appears there whole or not at all. A regressor predicts in the labels' own units once loaded; one
        whose head has no bias to hold their mean has `target_mean` and `target_deviation` in its config
        instead, to be applied to what it predicts. Raises OSError if it cannot be written.
        """
        partial = directory.with_name(f".{directory.name}.{os.getpid()}.partial")
        try:
            partial.mkdir(parents=True)
            with quiet(), self._in_units_of_labels():
                self.network.save_pretrained(partial)
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
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curve": [astuple(point) for point in self.curve],
            "step": self._step,
            "fitting": self._fitting,
            "random_state": self._random_state,
            "cuda_random_state": self._cuda_random_state,
        }
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            torch.save(
                state, partial
            )  # by name: a Ctrl-C in the midst of writing a file of Python's ends all
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        except RuntimeError as error:
            # torch's own, which does not say why a write failed; another one to the same place does.
            with partial.open("ab") as file:
                file.write(bytes(2**20))
            raise OSError(first_line(error)) from error
        finally:
            partial.unlink(missing_ok=True)

    def restore(self, path: Path) -> None:
        """Puts a run that has not begun where the run saved in `path` was: it goes on bit for bit as that one would.

        The model, data and options must be that run's. Raises StoreError for a file that cannot be read, or
        is of another model.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
            raise StoreError(
                f'the state of {self.model} in "{path}" cannot be restored: {first_line(error)}'
            ) from error
        self.curve = [CurvePoint(*point) for point in state["curve"]]
        self._fitting = state["fitting"]
        self._random_state = state["random_state"]
        self._cuda_random_state = state["cuda_random_state"]
        while self._step < state["step"]:  # the batches that it has seen
            next(self._batches)
            self._step += 1

    def release(self) -> None:
        """Frees the model, its optimizer and its inputs; only `curve` is left to read."""
        self._inputs.clear()
        del self.network, self.optimizer, self.preprocessor, self._batches
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _train(self, until: int, on_batch: Callable[[], None] | None) -> float:
        """Steps up to step `until` of the run; the mean loss of their rows."""
        self.network.train()
        targets = self._targets()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        total, rows_seen = torch.zeros((), device=self.device), 0
        for rows in islice(self._batches, until - self._step):
            check()
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate(self._step)
            total += self._gradients(rows, targets) * len(rows)
            nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM, foreach=True)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            rows_seen += len(rows)
            self._step += 1
            if on_batch is not None:
                on_batch()
        mean = float(total) / rows_seen
        if not math.isfinite(mean):
            raise self._diverged()
        return mean

    def _gradients(self, rows: NDArray, targets: torch.Tensor) -> torch.Tensor:
        """The gradients of a batch's mean loss, and that loss, not looked at: reading it would wait for the device.

        A batch too large for the memory is taken in parts, whose gradients add up to the same.
        """
        before = self._get_random_state()
        while True:
            try:
                total = torch.zeros((), device=self.device)
                for part in self._parts(rows):
                    target = self._to_device(targets[torch.from_numpy(part)])
                    loss = self._loss(self._logits(self._inputs["train"].batch(part)), target)
                    loss = loss * (len(part) / len(rows))
                    loss.backward()
                    total += loss.detach()
                return total
            except RuntimeError as error:
                self._take_smaller_parts(error, len(rows))
            self.optimizer.zero_grad(set_to_none=True)
            self._set_random_state(before)

    def _parts(self, rows: NDArray) -> list[NDArray]:
        """A batch cut into parts that fit the memory, as far as is known."""
        return np.array_split(rows, math.ceil(len(rows) / self._fitting))

    def _take_smaller_parts(self, error: RuntimeError, rows: int) -> None:
        """Raises an error that smaller parts do not mend."""
        size = math.ceil(rows / math.ceil(rows / self._fitting))
        if not _out_of_memory(error) or size == 1:
            raise error
        error.__traceback__ = None  # whose frames hold what did not fit
        self._fitting = math.ceil(size / 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _evaluate(self, split: str) -> float:
        return score(self.data.metric, self._predict(split), self._labels[split])

    def _predict(self, split: str) -> NDArray:
        in_order = self._outputs(split)
        if self.data.labels:
            return in_order.argmax(axis=1)
        return in_order[:, 0].astype(np.float64) * self._deviation + self._mean

    def _outputs(self, split: str) -> NDArray:
        """(rows, classes) of logits, or (rows, 1) for a regression."""
        self.network.eval()
        inputs = self._split(split)
        order, outputs = [], []
        with torch.inference_mode():
            for rows in evaluation_batches(inputs, EVALUATION_BATCH * self.options.batch_size):
                check()
                order.append(rows)
                outputs.append(self._logits_in_parts(inputs, rows))
        logits = torch.cat(outputs).cpu().numpy()
        if not np.isfinite(logits).all():
            raise self._diverged()
        in_order = np.empty_like(logits)
        in_order[np.concatenate(order)] = logits
        return in_order

    def _logits_in_parts(self, inputs: Inputs, rows: NDArray) -> torch.Tensor:
        while True:
            try:
                return torch.cat([self._logits(inputs.batch(part)) for part in self._parts(rows)])
            except RuntimeError as error:
                self._take_smaller_parts(error, len(rows))

    def _logits(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """(rows, classes) of float32, or (rows, 1) for a regression."""
        batch = {name: self._to_device(values) for name, values in batch.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
            return self.network(**batch).logits.float()

    def _loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if self.data.labels:
            return F.cross_entropy(logits, target)
        return F.mse_loss(logits[:, 0], target)

    def _targets(self) -> torch.Tensor:
        """The train split's class ids, or its standardised numbers in float32."""
        labels = self._labels["train"]
        if self.data.labels:
            return torch.tensor(labels)
        return torch.tensor((labels - self._mean) / self._deviation, dtype=torch.float32)

    def _learning_rate(self, step: int) -> float:
        """Rises linearly to its peak in the warm-up, then falls linearly to 0 at the end of all epochs."""
        warm_up = max(1, round(WARM_UP * self.batches))
        if step < warm_up:
            return self.options.learning_rate * (step + 1) / warm_up
        return self.options.learning_rate * (self.batches - step) / (self.batches - warm_up)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},  # biases and norms
        ]
        return torch.optim.AdamW(groups, lr=self.options.learning_rate, fused=True)

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
    def _on_device(self) -> Iterator[None]:
        """The run awake: network and optimizer on its device, torch's random state its own, errors ours."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            if self.device.type == "cuda" and self._cuda_random_state is None:
                with torch.cuda.device(self.device):
                    torch.cuda.manual_seed(self.options.seed)
                    self._cuda_random_state = torch.cuda.get_rng_state(self.device)
            self._set_random_state((self._random_state, self._cuda_random_state))
            try:
                self._move(self.device)
                with computing(self.network, self.device):
                    yield
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                raise self._failure(error) from error
            finally:
                self.optimizer.zero_grad(set_to_none=True)
                self._move(torch.device("cpu"))
                self._random_state, self._cuda_random_state = self._get_random_state()

    def _get_random_state(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return torch.get_rng_state(), cuda

    def _set_random_state(self, state: tuple[torch.Tensor, torch.Tensor | None]) -> None:
        cpu, cuda = state
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, self.device)

    def _move(self, device: torch.device) -> None:
        self.network.to(device)
        for state in self.optimizer.state.values():
            for name, value in state.items():
                state[name] = value.to(device)

    def _failure(self, error: Exception) -> TrainingError:
        run = f"training {self.model} on {self.data.name}"
        if _out_of_memory(error):
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

    @contextmanager
    def _in_units_of_labels(self) -> Iterator[None]:
        """A regressor's last layer scaled to undo the standardisation of its targets, and then put back."""
        head = [] if self.data.labels else head_outputs(self.network)
        if head and all(p.ndim > 1 for p in head):
            self.network.config.target_mean, self.network.config.target_deviation = (
                self._mean,
                self._deviation,
            )
            head = []
        kept = [p.detach().clone() for p in head]
        with torch.no_grad():
            for p in head:
                p.mul_(self._deviation)
                if p.ndim == 1:
                    p.add_(self._mean)
            try:
                yield
            finally:
                for p, value in zip(head, kept, strict=True):
                    p.copy_(value)


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
