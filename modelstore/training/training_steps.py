"""Takes the training steps of a run: forward pass, loss, backward pass, gradient clipping, and a step of AdamW."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from itertools import islice

import torch
from numpy.typing import NDArray

from modelstore.interruption import check
from modelstore.options import TrainingOptions
from modelstore.training import tuning
from modelstore.training.cuda_graphs import StepGraphs, skips_layers_at_random
from modelstore.training.failures import NotFinite
from modelstore.training.hardware import Pace
from modelstore.training.inputs.batches import training_batches
from modelstore.training.loss import TrainingLoss
from modelstore.training.micro_batches import MicroBatcher
from modelstore.training.optimizer import Optimizer
from modelstore.training.placed_network import PlacedNetwork
from modelstore.training.random_state import RandomState
from modelstore.training.targets import Targets

AHEAD = 8  # batches that the host may queue on a GPU; few, so that an interruption stops the run soon


class TrainingSteps:
    """Trains a network on batch after batch, at a learning rate that warms up and then decays.

    Parameters
    ----------
    placed
        The network, on the device while it trains.
    targets
        The targets of the train split.
    loss
        What is minimised.
    options
        The recipe and the seed, which draws the batches.
    count
        The steps of the whole run.
    rate
        The learning rate at its peak.
    random
        What dropout draws from.
    micro_batches
        What fits in memory at once.

    Attributes
    ----------
    optimizer
        AdamW, its moments, and the learning rate.
    done
        The steps that are taken.
    loss_sum
        The sum of the losses of a call of `take`, a scalar on the device.
    graphs
        The steps that are captured as CUDA graphs; None where none can be.
    """

    def __init__(
        self,
        placed: PlacedNetwork,
        targets: Targets,
        loss: TrainingLoss,
        options: TrainingOptions,
        count: int,
        rate: float,
        random: RandomState,
        micro_batches: MicroBatcher,
    ):
        self._placed, self._targets, self._loss = placed, targets, loss
        self._options, self._count = options, count
        self._random, self._micro_batches = random, micro_batches
        # It stays at one address: captured steps add to it.
        self.loss_sum = torch.zeros((), device=placed.device)
        self.optimizer = self.new_optimizer(rate)
        self.graphs = self._new_graphs() if self._can_be_captured() else None
        self.rewind()

    def new_optimizer(self, rate: float) -> Optimizer:
        """An optimizer of the network that has taken no step."""
        network, tuned = self._placed.network, self._options.tuning
        shares = tuning.learning_rate_shares(network, tuned)
        return Optimizer(network, shares, rate, self._options, self._count, self._placed.device)

    def use(self, optimizer: Optimizer) -> None:
        """Goes on with another optimizer: captured steps are of one."""
        self.optimizer = optimizer
        if self.graphs is not None:
            self.graphs = self._new_graphs()

    def clear_graphs(self) -> None:
        """Frees captured steps, and their memory."""
        if self.graphs is not None:
            self.graphs.clear()

    def rewind(self) -> None:
        """Goes back to the first batch."""
        self.done = 0
        self._batches = self._endless_batches(torch.Generator().manual_seed(self._options.seed))

    def release(self) -> None:
        """Lets go of what refers back to it, so that its memory is free now, and not when garbage is collected."""
        self._batches.close()
        self.graphs = None

    def skip(self, until: int) -> None:
        """Passes over the batches that another run has trained on, until ``until`` are done."""
        while self.done < until:
            next(self._batches)
            self.done += 1

    def take(self, until: int, on_batch: Callable[[], None] | None) -> float:
        """Trains until ``until`` steps are done; returns the mean loss over the targets of this call.

        Raises
        ------
        NotFinite
            The loss is not a finite number.
        """
        tuning.set_training(self._placed.network, self._options.tuning)
        self.loss_sum.zero_()
        pace, seen = Pace(self._placed.device, AHEAD), 0
        for rows in islice(self._batches, until - self.done):
            check()
            self.optimizer.set_learning_rate(self.done)
            if not self._replay(rows):
                self.loss_sum += self.backward(rows) * self._targets.weight(rows)
                self.optimizer.step()
            seen += self._targets.weight(rows)
            self.done += 1
            pace.keep()
            if on_batch is not None:
                on_batch()
        mean = float(self.loss_sum) / max(seen, 1)
        if not math.isfinite(mean):
            raise NotFinite
        return mean

    def backward(self, rows: NDArray) -> torch.Tensor:
        """Computes the gradients of a batch's mean loss, and returns that loss, a scalar on the device.

        The rows of several batches (`gradient_accumulation`), or of one that is too large for the memory, are split
        into micro-batches, whose gradients add up to the same.
        """
        before, most = self._random.current(), self._options.batch_size
        whole = max(self._targets.weight(rows), 1)
        while True:
            try:
                total = torch.zeros((), device=self._placed.device)
                for part in self._micro_batches.split(rows, most):
                    check()
                    places = torch.from_numpy(part).to(self._placed.device, non_blocking=True)
                    logits, targets = self._targets.aligned(self._placed.logits("train", part), places)
                    loss = self._loss.of(logits, targets)
                    loss = loss * (self._targets.weight(part) / whole)
                    loss.backward()
                    total += loss.detach()
                return total
            except RuntimeError as error:
                self._micro_batches.make_room(error, min(len(rows), most))
            self.optimizer.clear_gradients()
            self._random.set_current(before)

    def take_captured(self, rows: torch.Tensor, length: int) -> None:
        """Takes a whole step on ``rows``, (n,) on the device, without reading any value on the host."""
        inputs = self._placed.device_inputs("train")
        assert inputs is not None
        try:
            logits = self._placed.forward(inputs.batch(rows, length))
            loss = self._loss.of(*self._targets.aligned(logits, rows))
            loss.backward()
            self.optimizer.step()
            self.loss_sum += loss.detach() * self._targets.weight_on_device(rows)
        except BaseException:
            self.optimizer.clear_gradients()  # those of a broken capture are memory that was never written
            raise

    def _replay(self, rows: NDArray) -> bool:
        """Takes a step by a captured graph; returns False where there is none for this batch.

        A step of several batches is not captured: its graph would hold the activations of all of them.
        """
        inputs = self._placed.device_inputs("train")
        most = min(self._micro_batches.fitting, self._options.batch_size)
        if self.graphs is None or inputs is None or len(rows) > most:
            return False
        self._targets.copy_to(self._placed.device)
        return self.graphs.replay(rows, inputs.length_of(rows), self._count - self.done)

    def _can_be_captured(self) -> bool:
        """Whether steps can be captured: a checkpointed layer reads the random state on the host."""
        if self._placed.device.type != "cuda" or self._placed.features is not None:
            return False
        at_random = skips_layers_at_random(self._placed.network.config)
        return not (at_random or self._options.gradient_checkpointing)

    def _new_graphs(self) -> StepGraphs:
        """No graphs yet: captured steps are of one optimizer, whose first step must not be captured."""
        return StepGraphs(self.take_captured, self._placed.device)

    def _endless_batches(self, generator: torch.Generator) -> Generator[NDArray]:
        """Yields the rows of each step, epoch after epoch."""
        while True:
            yield from training_batches(self._placed.inputs("train"), self._options.rows_per_step, generator)
