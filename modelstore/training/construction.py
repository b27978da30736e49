"""Bounds what a network may have while it is built, before its weights are allocated: its config is another's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.modules import module as registration

from modelstore.data.model_config import read_config
from modelstore.data.model_limits import check_layers
from modelstore.data.model_weights import measure_weights
from modelstore.errors import ModelError

TIMES = 4  # what a network may have of what its weights have: tied weights count twice
FEW_VALUES = 64_000_000  # beside that: a new head, a pooler
FEW_TENSORS = 2_000


@contextmanager
def within_weights(model: str, path: Path, labels: int) -> Iterator[None]:
    """Within the block, this thread builds no network that is far larger than the weights in ``path``.

    Raises
    ------
    ModelError
        If its config asks for one.
    """
    values, tensors = measure_weights(path)
    check_layers(path, read_config(path), tensors)
    most_values = TIMES * values + FEW_VALUES + labels * 16_384
    most_tensors = TIMES * tensors + FEW_TENSORS
    thread, seen = threading.get_ident(), [0, 0]

    def count(_: nn.Module, name: str, value: Any) -> None:
        if value is None or threading.get_ident() != thread:
            return
        seen[0] += value.numel()
        seen[1] += 1
        if seen[0] > most_values or seen[1] > most_tensors:
            raise ModelError(
                f"model {model} has a config.json in {path} that asks for a network far larger than its weights, "
                f"which have {values:,} values in {tensors:,} tensors: the two do not belong together"
            )

    with ExitStack() as hooks:
        for register in (
            registration.register_module_parameter_registration_hook,
            registration.register_module_buffer_registration_hook,
        ):
            hooks.callback(register(count).remove)
        yield
