"""The file that saves a run between two stages, so that another process can continue it."""

from __future__ import annotations

import pickle
from dataclasses import astuple, dataclass
from typing import Any

import torch

from modelstore.data.remote import AnyPath, on_disk
from modelstore.data.whole_files import whole_file
from modelstore.libraries import first_line
from modelstore.records import CurvePoint

# The errors raised on reading a file that is truncated, empty, not a checkpoint, or another run's checkpoint.
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run at the end of a stage.

    Parameters
    ----------
    network
        The weights and statistics that training changes, by name.
    optimizer
        The optimizer's state dictionary.
    curve
        The validation points so far.
    step
        The training batches done.
    fitting
        The rows known to fit in memory at once.
    random_state, cuda_random_state
        The states of torch's generators; the second is None on a CPU.
    kept
        The weights and statistics of the best point so far, where that is not the last one.
    """

    network: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    curve: list[CurvePoint]
    step: int
    fitting: int
    random_state: torch.Tensor
    cuda_random_state: torch.Tensor | None
    kept: dict[str, torch.Tensor] | None = None

    def write(self, path: AnyPath) -> None:
        """Writes the checkpoint to the file ``path``, completely or not at all.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        fields["curve"] = [astuple(point) for point in self.curve]
        with whole_file(path) as partial:
            try:
                # torch opens the file itself: a Ctrl-C while it writes to an open Python file ends the process.
                torch.save(fields, partial)
            except RuntimeError as error:
                # torch does not say why a write failed; appending to the same file raises an OSError that does.
                with partial.open("ab") as file:
                    file.write(bytes(2**20))
                raise OSError(first_line(error)) from error

    @classmethod
    def read(cls, path: AnyPath) -> Checkpoint:
        """Reads a checkpoint into the CPU's memory; raises one of `UNREADABLE` if the file is not a checkpoint."""
        with on_disk(path) as file:
            fields = torch.load(file, map_location="cpu", weights_only=True)
        fields["curve"] = [CurvePoint(*point) for point in fields["curve"]]
        return cls(**fields)
