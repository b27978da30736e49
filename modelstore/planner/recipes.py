"""Recipes: names for sets of training options.

A statement reads the records of the recipe that it names. What it trains is recorded under that name
too, or, where its options are not the recipe's, under a name derived from it (`default+epochs=3`). The
first statement that trains under a new name defines it by the options it gives.
"""

from dataclasses import dataclass
from typing import Any

from modelstore.errors import NotFoundError, did_you_mean
from modelstore.language.options import RECIPE_OPTIONS, defaults
from modelstore.store.recipes import Recipes
from modelstore.training import lora


@dataclass(frozen=True)
class Recipe:
    """``name`` is read from, ``recorded_as`` written to; ``options`` has every training option."""

    name: str
    recorded_as: str
    options: dict[str, Any]
    is_new: bool = False

    def check_possible(self) -> None:
        """Raises ``TrainingError`` where what its tuning needs is not installed."""
        if self.options["tuning"] == "lora":
            lora.check_installed()

    def define(self, recipes: Recipes) -> None:
        """Stores a new recipe's options, before its first run."""
        if self.is_new:
            recipes.define(self.name, self.options)


def known_recipe(recipes: Recipes, name: str) -> str:
    """The recipe's name, if it is defined or has records. Raises ``NotFoundError``."""
    known = recipes.names()
    if name not in known and name != "default":
        raise NotFoundError(_unknown(name, known))
    return name


def training_recipe(recipes: Recipes, name: str, options: dict[str, Any]) -> Recipe:
    """The recipe a statement with these options trains under. Raises ``NotFoundError``."""
    given = {key: options[key] for key in RECIPE_OPTIONS if key in options}
    stored = {} if name == "default" else recipes.options(name)
    if stored is None:
        known = recipes.names()
        if not given and name not in known:
            raise NotFoundError(
                _unknown(name, known) + "; to define it, give its options (epochs, learning_rate, …) with it"
            )
        return Recipe(name, name, defaults(RECIPE_OPTIONS) | given, is_new=True)
    stored = defaults(RECIPE_OPTIONS) | stored  # options that came later are not in older recipes
    changed = {key: value for key, value in given.items() if value != stored[key]}
    suffix = "".join(f"+{key}={_shown(value)}" for key, value in sorted(changed.items()))
    return Recipe(name, name + suffix, stored | changed)


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _unknown(name: str, known: list[str]) -> str:
    listed = f"; the recipes on record are {', '.join(known)}" if known else ""
    return f'there is no recipe "{name}"{did_you_mean(name, known)}{listed}'
