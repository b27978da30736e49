"""Predicts for rows that are in no dataset: with a stored model that has a head, or an ensemble of such models."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn

from modelstore.data.bounded_files import read_bounded
from modelstore.data.model_config import head_problem_type, label_names, modality_of, read_config
from modelstore.data.model_limits import MOST_SETTINGS
from modelstore.errors import ModelError, reason_of
from modelstore.interruption import check
from modelstore.libraries import first_line
from modelstore.tasks import CLASS, LABELS, NUMBER, TAGS, Target
from modelstore.training import residency
from modelstore.training.evaluation import in_order
from modelstore.training.failures import FAILURES
from modelstore.training.features import Extractor
from modelstore.training.hardware import computing, pick_device, precision
from modelstore.training.inputs.batches import evaluation_batches
from modelstore.training.inputs.interface import Inputs, Preprocessor
from modelstore.training.inputs.loading import load_preprocessor
from modelstore.training.inputs.tokens import WordInputs
from modelstore.training.loading import load_for_features
from modelstore.training.micro_batches import MicroBatcher, is_out_of_memory
from modelstore.training.targets import class_probabilities, label_probabilities
from modelstore.training.token_targets import outputs_of_words, tag_probabilities

BATCH = {"cpu": 32, "cuda": 256}  # rows that pass through a network at once
IMAGES = 256  # that are decoded at once
_TARGETS = {target.problem_type: target for target in (CLASS, NUMBER, LABELS, TAGS)}
_PROBABILITIES = {CLASS: class_probabilities, LABELS: label_probabilities, TAGS: tag_probabilities}
# What torch and transformers raise of inputs that a network cannot take.


class Predictor(ABC):
    """What predicts for rows of texts or images.

    The rows are a table of the columns ``text`` (string) and perhaps ``text_pair``, or ``image`` (binary: an encoded
    image), without NULL and with at least one row; for token classification, ``text`` is a list of strings.

    Attributes
    ----------
    name
        The model's name, for messages.
    """

    name: str

    @property
    @abstractmethod
    def modality(self) -> str:
        """``text`` or ``image``."""

    @property
    @abstractmethod
    def target(self) -> Target:
        """What it predicts for a row: `CLASS`, `NUMBER`, `LABELS` or `TAGS`. Raises as `scores` does."""

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """The names of its classes, labels or tags by id; empty for a regression. Raises as `scores` does."""

    @abstractmethod
    def scores(self, rows: pa.Table) -> NDArray:
        """Predicts.

        Returns
        -------
        NDArray
            The probability of each class or label, (rows, labels); of each tag for each word, (words, tags), sentence
            by sentence, 0 for a word that is cut off; the numbers of a regression, (rows,).

        Raises
        ------
        ModelError
            The model has no head that was fine-tuned, cannot be loaded, or fails on the rows.
        DatasetError
            An image cannot be decoded.
        TrainingError
            This machine does not have the device.
        duckdb.InterruptException
            The statement was interrupted.
        """

    @abstractmethod
    def embed(self, rows: pa.Table) -> NDArray[np.float32]:
        """Embeds rows, (rows, d), as `features.extract` computes the features of a model; raises as `scores` does.

        A model without a head embeds too.
        """

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """The size of the weights that are loaded, in bytes."""


def load_predictor(name: str, path: Path, device: str = "auto") -> Predictor:
    """Makes a predictor of a model, whose weights are loaded when they are first needed.

    Parameters
    ----------
    name
        The model's name, for messages.
    path
        Its directory, or the JSON file of an ensemble.
    device
        As `pick_device` takes it.

    Raises
    ------
    ModelError
        There is no readable config, or no readable ensemble whose members predict the same labels.
    TrainingError
        This machine does not have the device.
    """
    if path.suffix == ".json":
        return EnsemblePredictor(name, _members(name, path, device))
    return ModelPredictor(name, path, device)


class ModelPredictor(Predictor):
    """Predicts with one model.

    Parameters
    ----------
    name, path, device
        As for `load_predictor`.
    """

    def __init__(self, name: str, path: Path, device: str = "auto"):
        self.name, self._path = name, path
        self._device = pick_device(device)
        self._config = read_config(path)
        self._micro_batches = MicroBatcher(
            BATCH[self._device.type], partial(residency.make_room, self._device)
        )

    @property
    def modality(self) -> str:
        return modality_of(self._path, self._config)

    @property
    def target(self) -> Target:
        target = _TARGETS.get(head_problem_type(self._config) or "")
        if target is None:
            raise self._without_head()
        # A cross-encoder has one output, and often nothing that says what it is.
        return NUMBER if target is CLASS and len(label_names(self._config)) == 1 else target

    @property
    def labels(self) -> tuple[str, ...]:
        return () if self.target is NUMBER else label_names(self._config)

    def scores(self, rows: pa.Table) -> NDArray:
        target = self.target
        with self._computing():
            logits = np.concatenate(
                [self._headed.logits(some, self._device, self._micro_batches) for some in self._parts(rows)]
            )
        if target is not NUMBER:
            return _PROBABILITIES[target](logits)
        config = self._headed.network.config  # of a head without a bias, which `save_model` describes
        deviation, mean = getattr(config, "target_deviation", 1.0), getattr(config, "target_mean", 0.0)
        return logits[:, 0].astype(np.float64) * deviation + mean

    def embed(self, rows: pa.Table) -> NDArray[np.float32]:
        with self._computing():
            return np.concatenate([self._features(some) for some in self._parts(rows)])

    def _features(self, rows: pa.Table) -> NDArray[np.float32]:
        inputs = self._extractor.preprocessor.encode(rows, cached=False)
        features, _, _ = self._extractor.forward(inputs, BATCH[self._device.type], self._device, None)
        return features.numpy()

    def _parts(self, rows: pa.Table) -> Iterator[pa.Table]:
        """The rows that are made inputs of at once: all texts, but few images, which take much more memory."""
        size = IMAGES if self.modality == "image" else rows.num_rows
        for start in range(0, rows.num_rows, size):
            yield rows.slice(start, size)

    @property
    def nbytes(self) -> int:
        return sum(p.nbytes for network in self._networks() for p in network.parameters())

    def leave_device(self) -> None:
        """Moves the weights to the CPU's memory: the device is short of its own."""
        for network in self._networks():
            network.to("cpu")

    @cached_property
    def _headed(self) -> _HeadedNetwork:
        return _load_headed(self)

    @cached_property
    def _extractor(self) -> Extractor:
        return Extractor(self.name, self._path, self.modality, with_head=False, max_length=None, seed=0)

    def _networks(self) -> Iterator[nn.Module]:
        """The networks that are loaded."""
        for part in ("_headed", "_extractor"):
            if part in self.__dict__:
                yield self.__dict__[part].network

    def _without_head(self) -> ModelError:
        return ModelError(
            f'model "{self.name}" has no head that was fine-tuned, so it cannot predict: give the winner that a '
            "SELECT BEST has registered, or another model with a head; embed needs none"
        )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Within the block, the weights may be on the device, and errors of torch become a ``ModelError``."""
        residency.wake(self, self._device)
        try:
            yield
        except FAILURES as error:
            if is_out_of_memory(error):
                raise ModelError(
                    f'model "{self.name}" ran out of memory on device {self._device}, even row by row: '
                    "SET VARIABLE modelstore_device = 'cpu', or give shorter texts"
                ) from error
            raise ModelError(
                f'model "{self.name}" fails on what it was given: {first_line(error)}'
            ) from error
        finally:
            residency.rest(self, self._device)


@dataclass
class _HeadedNetwork:
    """A network with its head, in evaluation mode, and what makes its inputs."""

    network: nn.Module
    preprocessor: Preprocessor

    def logits(self, rows: pa.Table, device: torch.device, micro_batches: MicroBatcher) -> NDArray:
        """The outputs for rows, in order, (rows, outputs); for words, (words, tags), NaN for those cut off."""
        inputs = self.preprocessor.encode(rows, cached=False)
        bfloat16 = precision(self.network, device) == torch.bfloat16
        order, outputs = [], []
        self._move(device)
        with (
            computing(self.network, device),
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, bfloat16),
        ):
            for some in evaluation_batches(inputs, BATCH[device.type]):
                check()
                order.append(inputs.first_pieces(some)[0] if isinstance(inputs, WordInputs) else some)
                outputs.append(self._outputs(inputs, some, device, micro_batches))
            logits = torch.cat(outputs).cpu().numpy()
        if not np.isfinite(logits).all():
            raise ValueError("its outputs are not finite, as of weights that are damaged")
        count = int(inputs.words.sum()) if isinstance(inputs, WordInputs) else len(inputs)
        return in_order(logits, order, count)

    def _outputs(
        self, inputs: Inputs, rows: NDArray, device: torch.device, micro_batches: MicroBatcher
    ) -> torch.Tensor:
        """The outputs for one batch, in smaller parts where memory is too short for it."""

        def outputs(part: NDArray) -> torch.Tensor:
            batch = {name: values.to(device) for name, values in inputs.batch(part).items()}
            logits = self.network(**batch).logits.float()
            return outputs_of_words(inputs, part, logits) if isinstance(inputs, WordInputs) else logits

        return micro_batches.compute(rows, outputs)

    def _move(self, device: torch.device) -> None:
        try:
            self.network.to(device)
        except torch.OutOfMemoryError:
            if not residency.make_room(device):
                raise
            self.network.to(device)


def _load_headed(predictor: ModelPredictor) -> _HeadedNetwork:
    name, path = predictor.name, predictor._path
    words = predictor.target is TAGS
    with torch.random.fork_rng([]):  # weights that the directory lacks are drawn
        loaded = load_for_features(name, path, predictor.modality, with_head=True)
    if not loaded.trained_head:
        raise predictor._without_head()
    preprocessor = load_preprocessor(name, path, predictor.modality, loaded.network, None, words)
    return _HeadedNetwork(loaded.network, preprocessor)


class EnsemblePredictor(Predictor):
    """Predicts the weighted mean of what the members of an ensemble do.

    Parameters
    ----------
    name
        The ensemble's name, for messages.
    members
        The members and their weights, which are divided by their sum.

    Raises
    ------
    ModelError
        The members do not predict the same labels.
    """

    def __init__(self, name: str, members: Sequence[tuple[Predictor, float]]):
        self.name, self._members = name, members
        first = members[0][0]
        for other, _ in members:
            if (other.target, other.labels, other.modality) != (first.target, first.labels, first.modality):
                raise ModelError(
                    f'the members {first.name} and {other.name} of the ensemble "{name}" predict different labels'
                )

    @property
    def modality(self) -> str:
        return self._members[0][0].modality

    @property
    def target(self) -> Target:
        return self._members[0][0].target

    @property
    def labels(self) -> tuple[str, ...]:
        return self._members[0][0].labels

    def scores(self, rows: pa.Table) -> NDArray:
        total = sum(weight for _, weight in self._members)
        return np.sum([member.scores(rows) * (weight / total) for member, weight in self._members], axis=0)

    def embed(self, rows: pa.Table) -> NDArray[np.float32]:
        """Raises ``ModelError``: the members' features have no mean that means anything."""
        names = ", ".join(member.name for member, _ in self._members)
        raise ModelError(
            f'"{self.name}" is an ensemble, which has no embedding of its own: embed with one of {names}'
        )

    @property
    def nbytes(self) -> int:
        return sum(member.nbytes for member, _ in self._members)


def _members(name: str, file: Path, device: str) -> list[tuple[Predictor, float]]:
    """The members of the ensemble in a JSON file, and their weights."""
    members: list[tuple[Predictor, float]] = []
    for model, checkpoint, weight in _read_ensemble(name, file):
        directory = file.parent / checkpoint
        if not directory.is_dir():
            raise ModelError(
                f'the ensemble "{name}" needs {directory}, the folder of its member {model}, which is not there'
            )
        members.append((ModelPredictor(model, directory, device), weight))
    return members


def _read_ensemble(name: str, file: Path) -> list[tuple[str, str, float]]:
    """(model, folder, weight) of the members that a file names."""
    try:
        members: Any = json.loads(read_bounded(file, MOST_SETTINGS))["ensemble"]
        read = [(str(one["model"]), str(one["checkpoint"]), float(one["weight"])) for one in members]
        if not read or min(weight for _, _, weight in read) <= 0:
            raise ValueError("it has no members with weights above 0")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f'the ensemble "{name}" cannot be read from {file}: {reason_of(error)}') from error
    return read
