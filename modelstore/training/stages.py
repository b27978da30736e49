"""Divides a run into stages."""

from __future__ import annotations

import math
from dataclasses import dataclass

from modelstore.data.task_data import TaskData
from modelstore.errors import TrainingError
from modelstore.options import TrainingOptions


@dataclass(frozen=True)
class StagePlan:
    """The stages of a run; each of them ends at a validation point.

    Parameters
    ----------
    epochs
        The epochs trained at the end of each stage.
    ends
        The training batches done at the end of each stage. The batches of one step (`gradient_accumulation`) count
        as one: stages end between steps, and the schedule counts steps.
    """

    epochs: tuple[float, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, data: TaskData, options: TrainingOptions) -> StagePlan:
        """Divides a training on a dataset into the stages that its options ask for.

        Raises
        ------
        TrainingError
            There would be more stages than batches.
        """
        rows = options.rows_per_step
        epoch_batches = math.ceil(data.train.num_rows / rows)
        if (options.stages_per_epoch or 1) > epoch_batches:
            raise TrainingError(
                f"stages_per_epoch = {options.stages_per_epoch} is more than the batches in an epoch of dataset "
                f"{data.name} ({epoch_batches} of {rows} rows): use at most {epoch_batches}"
            )
        epochs = options.stage_ends()
        ends: list[int] = []
        for epoch in epochs:
            end = int(epoch) * epoch_batches + round(epoch % 1 * epoch_batches)
            ends.append(max(end, (ends[-1] if ends else 0) + 1))
        if options.stages is not None and ends[-1] > math.ceil(epochs[-1] * epoch_batches - 1e-9):
            raise TrainingError(
                f"the {len(epochs)} stages are more than the batches of dataset {data.name} "
                f"({epoch_batches} of {rows} rows in an epoch): use fewer"
            )
        return cls(epochs, tuple(ends))

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
