"""Recipes: names for sets of training options.

A statement reads the records of the recipe that it names. What it trains is recorded under the same name or, where
its options differ from the recipe's, under a name derived from it (`default+epochs=3`). The first statement that
trains under a new name defines the recipe by the options that it gives.

`recipes = […]` names several, and a list of values of a training option varies each of them: the statement has the
product of all lists. The recipes of public records among them are read, and nothing is trained by them.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from math import prod
from typing import Any

from modelstore.errors import NotFoundError, OptionError, did_you_mean
from modelstore.options import CompetingRecipes, RecipeOptions, TrainingOptions
from modelstore.planner.costs import BYTES
from modelstore.public import NAMES as PUBLIC
from modelstore.sql_text import spelled
from modelstore.store.recipes import Recipes
from modelstore.store.registered import Dataset
from modelstore.tasks import CLASS, target_of
from modelstore.training import lora

MOST_RECIPES = 16
EXPLAINED = ("class_weights", "label_smoothing", "gradient_accumulation", "gradient_checkpointing")
_DERIVED = re.compile(r"\+([a-z_]+)=")  # before each option of a derived name


@dataclass(frozen=True)
class Recipe:
    """The recipe of one statement, or one of several.

    Parameters
    ----------
    name
        The recipe that the statement names, whose records are read.
    variant
        Its name with the options that the statement gives as lists; ``name`` where there is none. It tells the
        recipes of a statement apart, and its records are those of the variant itself.
    recorded_as
        The recipe under which runs are recorded.
    options
        The training options by which models are trained.
    is_new
        Whether the store does not know the recipe yet.
    """

    name: str
    variant: str
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


def training_details(recipes: Sequence[Recipe]) -> str:
    """What EXPLAIN adds of how models are trained, as far as all recipes do so; nothing of what is usual."""
    all_options = [recipe.options for recipe in recipes]
    alike = {name: {getattr(one, name) for one in all_options} for name in EXPLAINED}
    shared = {name: values.pop() for name, values in alike.items() if len(values) == 1}
    details = []
    if any(one.learning_rate is None for one in all_options):
        details.append("learning rate found in the first stage among three by width and steps")
    if shared.get("class_weights", "none") != "none":
        details.append("balanced class weights")
    if shared.get("label_smoothing"):
        details.append(f"label smoothing {shared['label_smoothing']:g}")
    if shared.get("gradient_accumulation", 1) > 1:
        details.append(f"gradients of {shared['gradient_accumulation']} batches a step")
    if shared.get("gradient_checkpointing"):
        details.append("gradient checkpointing")
    return "".join(f", {detail}" for detail in details)


def check_task(recipes: Sequence[Recipe], dataset: Dataset) -> None:
    """Raises ``OptionError`` where a recipe has an option that the dataset's task cannot be trained with."""
    if target_of(dataset.task) is CLASS:
        return
    for recipe in recipes:
        options = recipe.options
        if options.class_weights != "none" or options.label_smoothing:
            name = "class_weights" if options.class_weights != "none" else "label_smoothing"
            raise OptionError(
                f'Binder Error: {name} needs one class a row, and dataset "{dataset.name}" is a '
                f"{dataset.task}: leave the option out, or the dataset"
            )


def costliest(recipes: Sequence[Recipe]) -> Recipe:
    """The recipe by which a model takes the most memory."""
    return max(recipes, key=lambda one: (BYTES[one.options.tuning], one.options.tokens_per_batch))


def known_recipe(recipes: Recipes, name: str) -> str:
    """The recipe's name as it is written in the store, if it is defined or has records. Raises ``NotFoundError``."""
    if name == "default":
        return name
    known = recipes.names()
    name = spelled(name, ["default", *known])
    if name not in ("default", *known):
        raise NotFoundError(_unknown(name, known))
    return name


def recorded_recipes(
    recipes: Recipes, one: str, several: Sequence[str] | None, given: Mapping[str, Any]
) -> tuple[str, ...]:
    """The recipes whose records a statement reads, as they are written in the store.

    Parameters
    ----------
    recipes
        The store's.
    one, several
        The options ``recipe`` and ``recipes``.
    given
        The options that were written.

    Raises
    ------
    OptionError
        If both were written.
    NotFoundError
        For a recipe that is neither defined nor has records.
    """
    if several is not None and "recipe" in given:
        raise OptionError(
            "Binder Error: both recipe and recipes say whose records are read: give one of them"
        )
    return tuple(dict.fromkeys(known_recipe(recipes, name) for name in several or (one,)))


def lists_in(given: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The training options of which a statement gives several values, with these."""
    return {
        one.name: given[one.name] for one in fields(RecipeOptions) if isinstance(given.get(one.name), tuple)
    }


def without_lists(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were written, without those of which there are several values."""
    lists = lists_in(given)
    return {name: value for name, value in given.items() if name not in lists}


def training_recipes(
    recipes: Recipes, asked: CompetingRecipes, given: Mapping[str, Any]
) -> tuple[Recipe, ...]:
    """The recipes by which a statement trains: the product of `recipes` and of the training options given as lists.

    Those of public records are none of them: `public_recipes` has these.

    Parameters
    ----------
    recipes
        The recipes on record.
    asked
        The statement's options.
    given
        Those that were written, by name; a list is a tuple. A list of one value is that value.

    Raises
    ------
    NotFoundError
        For an unknown name; also of a recipe that is to be varied, since only one that is known can be.
    OptionError
        Where the lists make more than `MOST_RECIPES` recipes, or the same one twice, and where all that are named are
        those of public records.
    """
    lists = {name: values for name, values in lists_in(given).items() if len(values) > 1}
    given = {**given, **{name: values[0] for name, values in lists_in(given).items() if name not in lists}}
    if asked.recipes is not None and "recipe" in given:
        raise OptionError(
            "Binder Error: both recipe and recipes say how models are trained: give one of them"
        )
    named = _trained_by(recipes, asked.recipes or (asked.recipe,))
    if asked.recipes is None and not lists:
        return (training_recipe(recipes, asked.recipe, given),)
    names = [known_recipe(recipes, name) for name in named]
    _check_product(names, lists)
    made = [
        training_recipe(recipes, name, {**given, **dict(zip(lists, values, strict=True))}, varied=lists)
        for name in names
        for values in product(*lists.values())
    ]
    for place, recipe in enumerate(made):
        if any(recipe.recorded_as == earlier.recorded_as for earlier in made[:place]):
            raise OptionError(
                f'Binder Error: two of the recipes are both "{recipe.recorded_as}": give each value once'
            )
    return tuple(made)


def _trained_by(recipes: Recipes, names: Collection[str]) -> list[str]:
    """Those of some recipes that models may be trained by. Raises ``OptionError`` where there is none."""
    public = public_recipes(recipes, names)
    trained = [name for name in names if spelled(name, PUBLIC) not in public]
    if not trained:
        raise OptionError(
            f'Binder Error: the recipe "{public[0]}" is that of public records, and nothing is trained by it: name '
            f"another to train by; SELECT BEST reads both with recipes = ['default', '{public[0]}']"
        )
    return trained


def public_recipes(recipes: Recipes, names: Collection[str]) -> tuple[str, ...]:
    """Those of some recipes that are of public records, as they are written. Nothing is trained by them.

    A store that has trained by a recipe of such a name keeps it as its own.
    """
    written = dict.fromkeys(spelled(name, PUBLIC) for name in names)
    return tuple(name for name in written if name in PUBLIC and recipes.options(name) is None)


def _check_product(names: Collection[str], lists: Mapping[str, Collection[Any]]) -> None:
    """Raises ``OptionError`` where names and lists of values make too many recipes."""
    count = len(names) * prod(map(len, lists.values()))
    if count > MOST_RECIPES:
        sizes = [f"{len(names)} recipes"] if len(names) > 1 else []
        sizes += [f"{len(values)} values of {name}" for name, values in lists.items()]
        raise OptionError(
            f"Binder Error: {' × '.join(sizes)} make {count} recipes, and a statement takes at most {MOST_RECIPES}: "
            "shorten the lists"
        )


def training_recipe(
    recipes: Recipes, name: str, given: Mapping[str, Any], varied: Collection[str] = ()
) -> Recipe:
    """The recipe by which a statement trains.

    Parameters
    ----------
    recipes
        The recipes on record.
    name
        The recipe that the statement names.
    given
        The options that were written in the statement, by name; those that are no training options do not matter.
    varied
        Those of them of which the statement gives several values.

    Raises
    ------
    NotFoundError
        For an unknown name where no training option is given that could define it.
    OptionError
        Where options of a recipe are varied that the store only knows the records of.
    """
    if name != "default":
        name = spelled(name, ["default", *recipes.names()])
    chosen = {field.name: given[field.name] for field in fields(RecipeOptions) if field.name in given}
    options = _options_of(recipes, name)
    if options is None:
        known = recipes.names()
        if not chosen and name not in known:
            raise NotFoundError(
                _unknown(name, known) + "; to define it, give its options (epochs, learning_rate, …) with it"
            )
        if varied:
            raise OptionError(
                f'Binder Error: the recipe "{name}" has records, but its options are not in the store, so its '
                f"{' and '.join(varied)} cannot be varied: name the recipes of the records with recipes = […]"
            )
        return Recipe(name, name, name, RecipeOptions.of(chosen), is_new=True)
    changed = {key: value for key, value in chosen.items() if value != getattr(options, key)}
    variant = _derived(name, {key: value for key, value in changed.items() if key in varied})
    return Recipe(name, variant, _derived(name, changed), replace(options, **changed))


def _derived(name: str, changed: Mapping[str, Any]) -> str:
    return name + "".join(f"+{key}={_shown(value)}" for key, value in sorted(changed.items()))


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


def _read(shown: str) -> float | str | bool:
    """The value that `_shown` wrote."""
    if shown in ("true", "false"):
        return shown == "true"
    try:
        return float(shown)
    except ValueError:
        return shown


def _shown(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:g}"


def others_on_record(recipes: Recipes, named: Collection[str]) -> str:
    """What a message adds where nothing is on record of the recipes that are named."""
    known = [name for name in recipes.names() if name not in named]
    return f"; the recipes on record are {', '.join(known)}: name one WITH (recipe = …)" if known else ""


def _unknown(name: str, known: list[str]) -> str:
    if name in PUBLIC:
        return f'the public records "{name}" are not in this store: IMPORT RECORDS {name} adds them'
    listed = f"; the recipes on record are {', '.join(known)}" if known else ""
    return f'there is no recipe "{name}"{did_you_mean(name, known)}{listed}'
