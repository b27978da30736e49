"""What a SELECT BEST asks for."""

from dataclasses import dataclass

from modelstore.options import SelectOptions
from modelstore.planner.recipes import Recipe, costliest
from modelstore.planner.select.arms import Arms
from modelstore.selection.budget import Budget
from modelstore.selection.stage_ends import StageEnds
from modelstore.selection.strategy import Strategy
from modelstore.store.registered import Dataset
from modelstore.udfs.pareto_front import expected_front_size


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
    arms
        The pairs of model and recipe that compete, by name.
    options
        Every option's value, those of the recipe included; of several recipes, the options that they share.
    trial_epochs
        The epochs that finding a learning rate takes of each model's first stage, beside those of the stage.
    """

    target: str
    dataset: Dataset | None
    count: int
    strategy: Strategy
    arms: Arms
    options: SelectOptions
    trial_epochs: float = 0.0

    @property
    def recipe(self) -> Recipe:
        """The recipe, or the first of several."""
        return self.arms.recipe

    @property
    def costliest_recipe(self) -> Recipe:
        """The recipe that takes the most memory."""
        return costliest(self.arms.recipes)

    @property
    def replays(self) -> bool:
        """Whether it reads recorded runs, and trains nothing."""
        return self.options.executor == "replay"

    @property
    def cost_column(self) -> str | None:
        """The column of `inference_costs` or `models` that counts in the choice beside the score, if there is one."""
        return "latency_ms" if self.options.latency_weight is not None else self.options.pareto

    def likely_kept(self, arms: int) -> int:
        """How many of so many arms are expected to stay at least."""
        return (
            self.count if self.options.pareto is None else max(self.count, round(expected_front_size(arms)))
        )

    @property
    def stages(self) -> StageEnds:
        """Where the stages of a whole training end."""
        return StageEnds(self.options.stage_ends(), self.trial_epochs)

    @property
    def finishing(self) -> float:
        """The epochs that it takes to train as many models as are wanted to the end."""
        return self.count * self.stages.left(1)

    @property
    def budget(self) -> Budget:
        """What training may take."""
        return Budget(self.options.budget_epochs, self.options.budget_seconds)
