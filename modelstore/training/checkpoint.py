"""The file that a run is kept in between two processes."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from modelstore.libraries import first_line

# What reading a file that is cut, empty, no state or another run's state raises.
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError)


def write(state: dict[str, Any], path: Path) -> None:
    """Writes tensors, numbers and containers of them to ``path``, whole or not at all; OSError if it cannot."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        # By name: a Ctrl-C in the midst of writing a file of Python's ends all.
        torch.save(state, partial)
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


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote, on the CPU; one of `UNREADABLE` for another file."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    assert isinstance(state, dict)
    return state
