"""Recipes: names for sets of training options.

A statement reads the records of the recipe that it names. What it trains is recorded under the same name or, where
its options differ from the recipe's, under a name derived from it (`default+epochs=3`). The first statement that
trains under a new name defines the recipe by the options that it gives.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from modelstore.errors import NotFoundError, did_you_mean
from modelstore.options import RecipeOptions, TrainingOptions
from modelstore.store.recipes import Recipes
from modelstore.training import lora

_DERIVED = re.compile(r"\+([a-z_]+)=")  # before each option of a derived name


@dataclass(frozen=True)
class Recipe:
    """The recipe of one statement.

    Parameters
    ----------
    name
        The recipe whose records are read.
    recorded_as
        The recipe under which runs are recorded.
    options
        The training options by which models are trained.
    is_new
        Whether the store does not know the recipe yet.
    """

    name: str
    recorded_as: str
    options: RecipeOptions
    is_new: bool = False

    def training_options(self, statement: TrainingOptions) -> TrainingOptions:
        """How models are trained: by the recipe, with the statement's seed, stages and device."""
        return TrainingOptions(
            **self.options.as_dict(),
            seed=statement.seed,
            stages_per_epoch=statement.stages_per_epoch,
            stages=statement.stages,
            device=statement.device,
        )

    def check_possible(self) -> None:
        """Raises ``TrainingError`` where a package that the recipe's tuning needs is not installed."""
        if self.options.tuning == "lora":
            lora.check_installed()

    def define(self, recipes: Recipes) -> None:
        """Stores the options of a new recipe, before its first run."""
        if self.is_new:
            recipes.define(self.name, self.options.as_dict())


def how_rate_is_found(options: RecipeOptions) -> str:
    """What EXPLAIN adds where no learning rate is given; otherwise nothing."""
    if options.learning_rate is not None:
        return ""
    return ", learning rate found in the first stage among three by width and steps"


def known_recipe(recipes: Recipes, name: str) -> str:
    """The recipe's name, if it is defined or has records. Raises ``NotFoundError``."""
    if name != "default" and name not in (known := recipes.names()):
        raise NotFoundError(_unknown(name, known))
    return name


def training_recipe(recipes: Recipes, name: str, given: Mapping[str, Any]) -> Recipe:
    """The recipe by which a statement trains.

    Parameters
    ----------
    recipes
        The recipes on record.
    name
        The recipe that the statement names.
    given
        The options that were written in the statement, by name; those that are no training options do not matter.

    Raises
    ------
    NotFoundError
        For an unknown name where no training option is given that could define it.
    """
    chosen = {field.name: given[field.name] for field in fields(RecipeOptions) if field.name in given}
    options = _options_of(recipes, name)
    if options is None:
        known = recipes.names()
        if not chosen and name not in known:
            raise NotFoundError(
                _unknown(name, known) + "; to define it, give its options (epochs, learning_rate, …) with it"
            )
        return Recipe(name, name, RecipeOptions.of(chosen), is_new=True)
    changed = {key: value for key, value in chosen.items() if value != getattr(options, key)}
    suffix = "".join(f"+{key}={_shown(value)}" for key, value in sorted(changed.items()))
    return Recipe(name, name + suffix, replace(options, **changed))


def _options_of(recipes: Recipes, name: str) -> RecipeOptions | None:
    """The options of a recipe that is defined, or of one that is recorded under a name derived from it."""
    stored = recipes.options(name)
    if stored is not None:
        return RecipeOptions.of(stored)  # older recipes lack newer options, which are at their defaults
    if name == "default":
        return RecipeOptions()
    parts = _DERIVED.split(name)
    if len(parts) < 3 or name not in recipes.names():
        return None
    base, schema = _options_of(recipes, parts[0]), RecipeOptions.schema()
    changed = dict(zip(parts[1::2], map(_read, parts[2::2]), strict=True))
    if base is None or not all(key in schema and schema[key].accepts(changed[key]) for key in changed):
        return None
    return replace(base, **{key: schema[key].convert(value) for key, value in changed.items()})


def _read(shown: str) -> float | str:
    """The value that `_shown` wrote."""
    try:
        return float(shown)
    except ValueError:
        return shown


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _unknown(name: str, known: list[str]) -> str:
    listed = f"; the recipes on record are {', '.join(known)}" if known else ""
    return f'there is no recipe "{name}"{did_you_mean(name, known)}{listed}'
