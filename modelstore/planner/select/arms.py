"""What competes in a selection: pairs of a model and a recipe."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from modelstore.errors import OptionError
from modelstore.planner.plan import counted
from modelstore.planner.recipes import Recipe


class Arm(NamedTuple):
    """A model that trains by a recipe."""

    model: str
    recipe: Recipe


class Arms:
    """The arms of a selection, by the names that its strategy, its log and its display have for them.

    Where one recipe competes, an arm's name is that of its model; where several do, its recipe's follows.

    Parameters
    ----------
    recipes
        The recipes that compete, each with every model.
    replays
        Whether recorded runs are read, and nothing is trained.
    public
        The recipes of public records that are read besides.
    """

    def __init__(self, recipes: Sequence[Recipe], replays: bool = False, public: Sequence[str] = ()):
        self.recipes = tuple(recipes)
        self.public = tuple(public)
        self._replays = replays
        self._by_variant = {recipe.variant: recipe for recipe in self.recipes}
        self._by_logged_name = {self.recipe_name(recipe): recipe for recipe in self.recipes}
        self._named: dict[str, Arm] = {}

    @property
    def recipe(self) -> Recipe:
        """The recipe, or the first of several."""
        return self.recipes[0]

    @property
    def several(self) -> bool:
        """Whether more than one recipe competes."""
        return len(self.recipes) > 1

    @property
    def option_lists(self) -> dict[str, list[Any]]:
        """The training options in which the recipes differ, each with its values."""
        values: dict[str, dict[Any, None]] = {}
        for recipe in self.recipes:
            for name, value in recipe.options.as_dict().items():
                values.setdefault(name, {})[value] = None
        return {name: list(different) for name, different in values.items() if len(different) > 1}

    @property
    def record_recipes(self) -> tuple[str, ...]:
        """The recipes whose records say something of the arms."""
        names = [recipe.name for recipe in self.recipes] + [recipe.variant for recipe in self.recipes]
        return tuple(dict.fromkeys(names))

    @property
    def prior_recipes(self) -> tuple[str, ...]:
        """The recipes whose records say something of the models, whatever they train by."""
        return (*self.record_recipes, *self.public)

    def recipe_name(self, recipe: Recipe) -> str:
        """What the log and the result call a recipe: what runs are recorded as, or in a replay were."""
        return recipe.variant if self._replays else recipe.recorded_as

    def name(self, model: str, recipe: Recipe) -> str:
        """The name of an arm. Raises ``OptionError`` where another arm has the same."""
        if not self.several:
            return model
        name = f"{model} · {self.recipe_name(recipe)}"
        if self._named.setdefault(name, Arm(model, recipe)) != (model, recipe):
            raise OptionError(
                f'two pairs of a model and a recipe are called "{name}": leave one of the models out with WHERE'
            )
        return name

    def names(self, models: Iterable[str]) -> list[str]:
        """The names of the arms of some models, in their order."""
        return [self.name(model, recipe) for model in models for recipe in self.recipes]

    def scored(self, scores: Mapping[str, float]) -> dict[str, float]:
        """The score of each model's arms, from the scores of the models."""
        return {self.name(model, recipe): scores[model] for model in scores for recipe in self.recipes}

    def record_name(self, model: str, recipe: str) -> str:
        """The name of the arm that a record of one of `record_recipes` is of; one of its own, where none is."""
        if not self.several or recipe in self._by_variant:
            return self.name(model, self._by_variant.get(recipe, self.recipe))
        return f"{model} · {recipe}"

    def logged_name(self, model: str, recipe: str | None) -> str:
        """The name of an arm that is logged with a recipe's name."""
        return self.name(model, self._by_logged_name[recipe or ""] if self.several else self.recipe)

    def __getitem__(self, name: str) -> Arm:
        """The arm of a name that `name` has given."""
        return self._named[name] if self.several else Arm(name, self.recipe)

    def recorded_pair(self, name: str) -> tuple[str, str]:
        """The model of an arm, and the recipe that its records have."""
        model, recipe = self[name]
        return model, recipe.variant

    def model_of(self, name: str) -> str:
        """The model of an arm."""
        return self[name].model

    def recipe_of(self, name: str) -> str:
        """What the log and the result call the recipe of an arm."""
        return self.recipe_name(self[name].recipe)

    def count(self, arms: int) -> str:
        """So many arms, in words: of all recipes with each model, where they are a multiple."""
        if not self.several:
            return counted(arms, "model")
        models, rest = divmod(arms, len(self.recipes))
        of = "model and recipe" if rest else f"{counted(models, 'model')} and {len(self.recipes)} recipes"
        return f"{counted(arms, 'pair')} of {of}"
