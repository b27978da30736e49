"""Model directories loaded into memory."""

from __future__ import annotations

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
from modelstore.errors import ModelError
from modelstore.libraries import first_line, quiet

CLASSIFIERS = {"text": AutoModelForSequenceClassification, "image": AutoModelForImageClassification}


def load_for_training(
    model: str, path: Path, modality: str, labels: tuple[str, ...]
) -> tuple[nn.Module, set[str]]:
    """The model in `path` as a classifier of `labels`, or as a regressor where there are none.

    A head that was trained for the same labels in the same order is kept; any other is replaced by one
    drawn from torch's random state, of whatever size it was. Weights are float32, on the CPU. Second, the
    names of the parameters that the weights do not hold, which are random: a new head, perhaps a pooler.

    Raises ModelError if it cannot be loaded.
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
    network, missing = _load(model, path, CLASSIFIERS[modality], **changes)
    if not (has_classification_head(stored) and _same_names(label_names(stored), labels)):
        for parameter in head_outputs(network):
            nn.init.normal_(parameter, std=0.02) if parameter.ndim > 1 else nn.init.zeros_(parameter)
    return network, missing


def load_for_features(model: str, path: Path, modality: str, with_head: bool) -> tuple[nn.Module, bool]:
    """The model in `path` as it is, with its classification head or without any; in evaluation mode.

    Second, whether its pooler can be used: one that the weights do not hold (that of a model trained by
    masking, often) is random. Raises ModelError if it cannot be loaded.
    """
    _check_modality(model, path, read_config(path), modality)
    network, missing = _load(model, path, CLASSIFIERS[modality] if with_head else AutoModel)
    return network.eval(), not any("pooler" in name for name in missing)


def head_outputs(network: nn.Module) -> list[nn.Parameter]:
    """The parameters of a classifier's last layer: those beyond its base model with a row per label."""
    base = network.base_model_prefix + "."
    return [
        parameter
        for name, parameter in network.named_parameters()
        if not name.startswith(base) and parameter.shape[:1] == (network.config.num_labels,)
    ]


def _same_names(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return [name.casefold() for name in some] == [name.casefold() for name in others]


def _check_modality(model: str, path: Path, config: dict[str, Any], modality: str) -> None:
    if (found := modality_of(path, config)) != modality:
        kind, wanted = (
            {"text": "a text", "image": "an image"}[found],
            {"text": "text", "image": "images"}[modality],
        )
        raise ModelError(
            f"model {model} ({config['model_type']}) is {kind} model, and the dataset is of {wanted}"
        )


def _load(model: str, path: Path, auto: Any, **changes: Any) -> tuple[nn.Module, set[str]]:
    """The network of class `auto`, its config changed, and the names that its weights file did not hold."""
    try:
        with quiet():
            local = {"local_files_only": True, "trust_remote_code": False}
            config = AutoConfig.from_pretrained(path, **local, **changes)
            network, report = auto.from_pretrained(
                path,
                config=config,
                use_safetensors=True,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **local,
            )
    except Exception as error:  # a config or a weights file can be wrong in any way
        raise ModelError(f"model {model} cannot be loaded from {path}: {first_line(error)}") from error
    if hasattr(config, "use_cache"):
        network.config.use_cache = False  # nothing is generated
    _check_weights_fit(model, path, network, report)
    return network, set(report["missing_keys"])


def _check_weights_fit(model: str, path: Path, network: nn.Module, report: dict[str, Any]) -> None:
    """Only a head may be new: transformers would fill any other gap with random numbers in silence."""
    base = network.base_model_prefix + "." if network.base_model is not network else ""
    for name, stored, expected in report["mismatched_keys"]:
        if name.startswith(base):
            raise ModelError(
                f"model {model} has weights in {path} that do not fit its config.json: {name} is of shape "
                f"{tuple(stored)} and the config asks for {tuple(expected)}"
            )
    sizes = {name: p.numel() for name, p in network.named_parameters() if name.startswith(base)}
    absent = sum(size for name, size in sizes.items() if name in report["missing_keys"])
    if absent > sum(sizes.values()) / 2:
        raise ModelError(
            f"model {model} has weights in {path} of another architecture than its config.json says: "
            f"{absent} of {sum(sizes.values())} parameters are not in them"
        )
