"""The file that holds a run between two of its stages, so that another process can go on with it."""

from __future__ import annotations

import os
import pickle
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch

from modelstore.libraries import first_line
from modelstore.training.run import CurvePoint

# What reading a file that is cut, empty, no checkpoint or another run's checkpoint raises.
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError)


@dataclass(frozen=True)
class Checkpoint:
    """A run after a stage: weights that training changes, optimizer, curve, batches done and random state."""

    network: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    curve: list[CurvePoint]
    step: int
    fitting: int  # rows that fit the memory at once
    random_state: torch.Tensor
    cuda_random_state: torch.Tensor | None

    def write(self, path: Path) -> None:
        """Writes the file ``path``, whole or not at all.

        Raises
        ------
        OSError
            It cannot be written.
        """
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        fields["curve"] = [astuple(point) for point in self.curve]
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            # By name: a Ctrl-C while torch writes into an open file of Python's ends the process.
            torch.save(fields, partial)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        except RuntimeError as error:
            # torch does not say why a write failed; another write to the same place does.
            with partial.open("ab") as file:
                file.write(bytes(2**20))
            raise OSError(first_line(error)) from error
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Reads a file that `write` wrote, onto the CPU; raises one of `UNREADABLE` for another file."""
        fields = torch.load(path, map_location="cpu", weights_only=True)
        fields["curve"] = [CurvePoint(*point) for point in fields["curve"]]
        return cls(**fields)
