"""The examples in the docstrings of the formulas and algorithms give what they say."""

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import modelstore.recall
import modelstore.selection
import modelstore.udfs

NO_FORMULAS = ("arrays", "arrow_functions", "register")


def modules(*packages: ModuleType) -> list[ModuleType]:
    return [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for package in packages
        for module in pkgutil.iter_modules(package.__path__)
    ]


def name_of(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


@pytest.mark.parametrize("module", modules(modelstore.udfs), ids=name_of)
def test_each_formula_has_an_example_that_runs(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.failed == 0
    assert results.attempted > 0 or name_of(module) in NO_FORMULAS


@pytest.mark.parametrize("module", modules(modelstore.recall, modelstore.selection), ids=name_of)
def test_the_examples_of_the_algorithms_run(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
