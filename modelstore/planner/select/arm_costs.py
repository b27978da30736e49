"""What the arms of a selection cost to use, where that counts in its choice."""

from collections.abc import Iterable, Sequence
from functools import cached_property

from modelstore.errors import MissingRecordError, TrainingError, first_of
from modelstore.planner.context import StatementContext
from modelstore.planner.inference_costs import NAMED, Measuring, ModelCosts
from modelstore.planner.recipes import Recipe
from modelstore.planner.select.request import SelectRequest
from modelstore.progress import notify
from modelstore.selection.preference import ParetoPreference, Preference, ScoreLessCost

HIGHER_IS_BETTER = ("rows_per_second",)


class ArmCosts:
    """Reads and measures what arms cost by the column that `pareto` or `latency_weight` asks for.

    An arm's texts are cut where its recipe says.
    """

    def __init__(self, context: StatementContext, request: SelectRequest):
        self._context = context
        self._request = request

    @cached_property
    def _by_length(self) -> dict[int, ModelCosts]:
        options = self._request.options
        lengths = sorted(set(map(self._length_of, self._request.arms.recipes)))
        return {length: ModelCosts(self._context, options, length) for length in lengths}

    def _length_of(self, recipe: Recipe) -> int:
        """Where the texts of a recipe are cut; images have one size, whatever the recipe."""
        dataset = self._request.dataset
        if dataset is not None and dataset.modality == "image":
            recipe = self._request.arms.recipes[0]
        return recipe.options.max_length

    def preference(self, arms: Iterable[str]) -> Preference:
        """What makes one of the arms, whose costs are all known, better than another."""
        request, column = self._request, self._request.cost_column
        if column is None:
            return Preference(request.strategy, request.count)
        costs = self.of(list(arms))
        weight = request.options.latency_weight
        if weight is not None:
            penalties = {arm: weight * cost for arm, cost in costs.items()}
            return ScoreLessCost(request.strategy, request.count, penalties, f"{weight:g} × latency_ms")
        sign = -1.0 if column in HIGHER_IS_BETTER else 1.0
        return ParetoPreference(
            request.strategy, request.count, {arm: sign * cost for arm, cost in costs.items()}, column
        )

    def of(self, arms: Sequence[str]) -> dict[str, float]:
        """The costs that are known, by arm."""
        arms_of = self._request.arms
        known: dict[tuple[str, int], float] = {}
        for length in self._by_length:
            for model, cost in self._known(list(dict.fromkeys(map(arms_of.model_of, arms))), length).items():
                known[model, length] = cost
        keys = {arm: (arms_of.model_of(arm), self._length_of(arms_of[arm].recipe)) for arm in arms}
        return {arm: known[key] for arm, key in keys.items() if key in known}

    def _known(self, models: list[str], length: int) -> dict[str, float]:
        column = self._request.cost_column
        if column is None:
            return {}
        if column == "parameters":
            found = self._context.store.catalog.find_models(models)
            return {name: float(one.parameters) for name, one in found.items() if one.parameters is not None}
        costs = {name: getattr(one, column) for name, one in self._by_length[length].of(models).items()}
        return {name: float(cost) for name, cost in costs.items() if cost is not None}

    def to_measure(self, models: Sequence[str], most: int) -> tuple[Measuring, ...]:
        """The measuring of those models, ``most`` at most, whose costs are unknown; a replay measures nothing."""
        if self._request.replays or self._request.cost_column in (None, "parameters"):
            return ()
        steps = []
        for length, costs in self._by_length.items():
            known = self._known(list(models), length)
            if unknown := [model for model in models if model not in known]:
                steps.append(Measuring(costs, unknown, most))
        return tuple(steps)

    def check_known(self, arms: Sequence[str]) -> None:
        """Raises ``MissingRecordError`` where what an arm costs is not on record, as a replay needs it."""
        column, known = self._request.cost_column, self.of(arms)
        missing = [arm for arm in arms if arm not in known]
        if column is None or not missing:
            return
        model = self._request.arms.model_of(missing[0])
        if column == "parameters":
            raise MissingRecordError(
                f'the number of parameters of "{model}" is not in models, and pareto compares by it: register the '
                "model, or leave it out with WHERE"
            )
        costs = self._by_length[self._length_of(self._request.arms[missing[0]].recipe)]
        raise MissingRecordError(
            f'there is no {column} of "{model}" on {costs.where} in inference_costs, and '
            f"{costs.why_not_measured}: INSERT it, or leave the model out with WHERE"
        )

    def only_known(self, arms: Sequence[str]) -> list[str]:
        """The arms whose costs are known. Raises ``TrainingError`` where none is."""
        column = self._request.cost_column
        if column is None:
            return list(arms)
        known = self.of(arms)
        left_out = [arm for arm in arms if arm not in known]
        if left_out and column == "parameters":  # of others, measuring has said why
            notify(f"{first_of(left_out, NAMED)}: left out, since the number of parameters is unknown")
        if not known:
            raise TrainingError(
                f"of none of the {len(arms)} models {column} is known, by which the selection compares them"
            )
        return [arm for arm in arms if arm in known]
