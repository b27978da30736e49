"""Where the stages of a run end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from modelstore.data.task_data import TaskData
from modelstore.errors import TrainingError
from modelstore.options import TrainingOptions


@dataclass(frozen=True)
class StagePlan:
    """The stages of a run, each of which ends at a validation point.

    Parameters
    ----------
    epochs
        The epochs trained at the end of each stage.
    ends
        The training batches done at the end of each stage.
    """

    epochs: tuple[float, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, data: TaskData, options: TrainingOptions) -> StagePlan:
        """The stages of ``options`` on ``data``.

        Raises
        ------
        TrainingError
            An epoch would have more stages than batches.
        """
        epoch_batches = math.ceil(data.train.num_rows / options.batch_size)
        if options.stages_per_epoch > epoch_batches:
            raise TrainingError(
                f"stages_per_epoch = {options.stages_per_epoch} is more than the batches in an epoch of dataset "
                f"{data.name} ({epoch_batches} of {options.batch_size} rows): use {epoch_batches} at most"
            )
        # 2.5 epochs are three stages of one, the last of them half as long.
        count = math.ceil(options.epochs * options.stages_per_epoch - 1e-9)
        epochs = [min(k / options.stages_per_epoch, options.epochs) for k in range(1, count + 1)]
        ends: list[int] = []
        for epoch in epochs:
            end = int(epoch) * epoch_batches + round(epoch % 1 * epoch_batches)
            ends.append(max(end, (ends[-1] if ends else 0) + 1))
        return cls(tuple(epochs), tuple(ends))

    @property
    def count(self) -> int:
        """The number of stages."""
        return len(self.ends)

    @property
    def batches(self) -> int:
        """The training batches of the whole run."""
        return self.ends[-1]

    @property
    def batches_per_stage(self) -> list[int]:
        """The training batches of each stage."""
        return [end - start for start, end in zip((0, *self.ends), self.ends, strict=False)]
