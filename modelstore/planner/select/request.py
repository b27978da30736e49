"""What a SELECT BEST asks for, and what a RECALL does."""

from dataclasses import dataclass
from typing import Any

from modelstore.options import SelectOptions
from modelstore.planner.recipes import Recipe
from modelstore.selection.budget import Budget
from modelstore.selection.strategy import Strategy
from modelstore.store.catalog import Dataset


@dataclass(frozen=True)
class SelectRequest:
    """What a SELECT BEST asks for.

    Parameters
    ----------
    target, dataset
        The dataset to select for: its name, and what is registered of it, None where it is only on record.
    count
        How many models are wanted.
    strategy
        Which models are dropped after each stage.
    recipe
        Whose records are read and written.
    options
        Every option's value, those of the recipe included.
    """

    target: str
    dataset: Dataset | None
    count: int
    strategy: Strategy
    recipe: Recipe
    options: SelectOptions

    @property
    def replays(self) -> bool:
        """Whether it reads recorded runs, and trains nothing."""
        return self.options.executor == "replay"

    @property
    def stages(self) -> int:
        """How many stages a whole training has."""
        return self.options.epochs * self.options.stages_per_epoch

    @property
    def stage_epochs(self) -> float:
        """The epochs of a stage."""
        return 1 / self.options.stages_per_epoch

    @property
    def finishing(self) -> float:
        """The epochs that it takes to train as many models as are wanted to the end."""
        return self.count * self.stages * self.stage_epochs

    @property
    def budget(self) -> Budget:
        """What training may take."""
        return Budget(self.options.budget_epochs, self.options.budget_seconds)


@dataclass(frozen=True)
class RecallRequest:
    """What a RECALL, or a selection's first phase, asks for: the ``count`` best candidates for ``target``.

    ``to_train``: all models that are recalled are trained, whatever their order. ``replays``: a replay takes stored
    scores in place of scoring, and counts what scoring would cost. ``scores``: whether models may be scored at all.
    """

    target: str
    dataset: Dataset | None
    count: int
    proxies: tuple[str, ...]
    recipe: str
    options: dict[str, Any]
    to_train: bool = False
    replays: bool = False
    scores: bool = True
