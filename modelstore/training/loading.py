"""Loads networks from model directories."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
)

from modelstore.data.model_config import has_classification_head, label_names, modality_of, read_config
from modelstore.errors import INTERRUPTIONS, ModelError, reason_of
from modelstore.libraries import quiet
from modelstore.progress import notify
from modelstore.training.construction import within_weights
from modelstore.training.parts import is_in_base

# The arguments by which timm would take weights from elsewhere.
_OTHER_SOURCES = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "pretrained_strict")
CLASSIFIERS = {"text": AutoModelForSequenceClassification, "image": AutoModelForImageClassification}


def load_for_training(
    model: str, path: Path, modality: str, labels: tuple[str, ...]
) -> tuple[nn.Module, set[str]]:
    """Loads a model as a classifier of a dataset's labels, or as a regressor.

    A head that was trained for the same labels in the same order is kept. Any other head, even one of the same size,
    is replaced by a new one, drawn from torch's random state.

    Parameters
    ----------
    model, path
        The model's name, for messages, and its directory.
    modality
        The dataset's: "text" or "image".
    labels
        The dataset's class names; empty for a regression.

    Returns
    -------
    network : nn.Module
        With float32 weights, on the CPU.
    new : set of str
        The names of the parameters that the weights file lacks, which are random: a new head, perhaps a pooler.

    Raises
    ------
    ModelError
        The model cannot be loaded, or is of another modality.
    """
    stored = read_config(path)
    _check_modality(model, path, stored, modality)
    changes: dict[str, Any] = {"num_labels": 1, "problem_type": "regression"}
    if labels:
        changes = {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: i for i, label in enumerate(labels)},
            "problem_type": "single_label_classification",
        }
    network, missing, _ = _load(model, path, CLASSIFIERS[modality], **changes)
    _check_finite(model, path, network)
    if not (has_classification_head(stored) and _same_names(label_names(stored), labels)):
        for parameter in head_outputs(network):
            nn.init.normal_(parameter, std=0.02) if parameter.ndim > 1 else nn.init.zeros_(parameter)
    return network, missing


@dataclass(frozen=True)
class StoredNetwork:
    """A network as it is stored, before any fine-tuning.

    Parameters
    ----------
    network
        In evaluation mode, with float32 weights, on the CPU.
    trained_pooler
        Whether the weights file has the pooler, random otherwise. Models pretrained by masking often lack it.
    trained_head
        Whether the network has a classification head, and the weights file has it whole.
    """

    network: nn.Module
    trained_pooler: bool
    trained_head: bool


def load_for_features(model: str, path: Path, modality: str, with_head: bool) -> StoredNetwork:
    """Loads a model as it is stored, in evaluation mode, with its classification head or without a head.

    Parameters
    ----------
    model, path
        The model's name, for messages, and its directory.
    modality
        The modality that is expected of it: "text" or "image".
    with_head
        Whether its classification head is loaded too.

    Raises
    ------
    ModelError
        The model cannot be loaded, or is of another modality.
    """
    _check_modality(model, path, read_config(path), modality)
    network, missing, misfits = _load(model, path, CLASSIFIERS[modality] if with_head else AutoModel)
    head = {name for name, _ in network.named_parameters() if not is_in_base(network, name)}
    return StoredNetwork(
        network.eval(),
        trained_pooler=not any("pooler" in name for name in missing),
        trained_head=with_head and not head & (missing | misfits),
    )


def head_outputs(network: nn.Module) -> list[nn.Parameter]:
    """Returns the parameters of a classifier's last layer: those outside its base with one row for each label."""
    return [
        parameter
        for name, parameter in network.named_parameters()
        if not is_in_base(network, name) and parameter.shape[:1] == (network.config.num_labels,)
    ]


def _same_names(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether two lists hold the same class names in the same order, in any case."""
    return [name.casefold() for name in some] == [name.casefold() for name in others]


def _check_modality(model: str, path: Path, config: dict[str, Any], modality: str) -> None:
    """Raises ModelError if a model is of another modality than the dataset."""
    if (found := modality_of(path, config)) != modality:
        kind, wanted = (
            {"text": "a text", "image": "an image"}[found],
            {"text": "text", "image": "images"}[modality],
        )
        raise ModelError(
            f"model {model} ({config['model_type']}) is {kind} model, and the dataset is of {wanted}"
        )


def _load(model: str, path: Path, auto: Any, **changes: Any) -> tuple[nn.Module, set[str], set[str]]:
    """Loads a network by an auto class, with changes to its config.

    Returns also the names of its parameters that the weights file lacks, and of those that have another shape there.
    """
    try:
        with quiet(), within_weights(model, path, int(changes.get("num_labels", 0))):
            local = {"local_files_only": True, "trust_remote_code": False}
            config = AutoConfig.from_pretrained(path, **local, **changes)
            if (getattr(config, "pad_token_id", None) or 0) < 0:  # Llama's first configs have -1 for none
                config.pad_token_id = None
            if config.model_type == "timm_wrapper" and config.model_args:
                # The labels say how many classes there are; the others would read files or the hub.
                for argument in ("num_classes", "pretrained", "checkpoint_path", *_OTHER_SOURCES):
                    config.model_args.pop(argument, None)
            network, report = auto.from_pretrained(
                path,
                config=config,
                attn_implementation=None,  # the default: one that a config names may be code on the hub
                experts_implementation=None,
                use_safetensors=True,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **local,
            )
    except (*INTERRUPTIONS, ModelError):
        raise
    except BaseException as error:  # a broken config or weights file can raise anything
        raise ModelError(f"model {model} cannot be loaded from {path}: {reason_of(error)}") from error
    if hasattr(config, "use_cache"):
        network.config.use_cache = False  # a cache of keys and values only serves generation
    _check_weights_fit(model, path, network, report)
    return network, set(report["missing_keys"]), {name for name, *_ in report["mismatched_keys"]}


def _check_finite(model: str, path: Path, network: nn.Module) -> None:
    """Raises ModelError for weights that are not numbers: no learning rate could train them."""
    for name, parameter in network.named_parameters():
        if parameter.is_floating_point() and not torch.isfinite(parameter.detach().sum()):
            if torch.isfinite(parameter.detach()).all():
                continue  # the sum alone overflows
            raise ModelError(
                f"model {model} has weights in {path} that are not finite ({name} holds NaN or infinity): it cannot "
                "be trained, get or save it again"
            )


def _check_weights_fit(model: str, path: Path, network: nn.Module, report: dict[str, Any]) -> None:
    """Raises ModelError if the weights file does not hold the base model.

    Only the head may be missing: transformers silently fills any other gap with random numbers.
    """
    no_classifier = network.base_model is network
    for name, stored, expected in report["mismatched_keys"]:
        if no_classifier or is_in_base(network, name):
            raise ModelError(
                f"model {model} has weights in {path} that do not fit its config.json: {name} is of shape "
                f"{tuple(stored)} and the config asks for {tuple(expected)}"
            )
    sizes = {
        name: p.numel()
        for name, p in network.named_parameters()
        if no_classifier or is_in_base(network, name)
    }
    absent = {name: size for name, size in sizes.items() if name in report["missing_keys"]}
    if sum(absent.values()) > sum(sizes.values()) / 2:
        raise ModelError(
            f"model {model} has weights in {path} of another architecture than its config.json says: "
            f"{sum(absent.values())} of {sum(sizes.values())} parameters are not in them"
        )
    if gaps := [name for name in absent if "pooler" not in name]:
        notify(
            f"the weights of model {model} lack {len(gaps)} of the {len(sizes)} parameters of its base ({gaps[0]}): "
            "they are random"
        )
