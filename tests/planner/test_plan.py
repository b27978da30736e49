"""Costs and counts as EXPLAIN shows them."""

import pytest

from modelstore.planner.plan import Cost, counted
from modelstore.sizes import size


@pytest.mark.parametrize(
    ("memory", "shown"),
    [
        (0, "0 kB"),
        (904_300, "904 kB"),
        (1_240_000, "1.2 MB"),
        (999_600_000, "1.0 GB"),
        (1_240_000_000, "1.2 GB"),
        (131_000_000_000, "131.0 GB"),
    ],
)
def test_memory_is_shown_in_its_unit(memory: float, shown: str) -> None:
    assert size(memory) == shown


def test_a_noun_is_singular_after_one_alone() -> None:
    assert [counted(number, "pair") for number in (0, 1, 1200)] == ["0 pairs", "1 pair", "1,200 pairs"]


def test_unknown_parts_of_a_cost_are_left_out() -> None:
    assert str(Cost("4 models", 1, 90, 1.2e9)) == "4 models, 1 epoch, 1 min 30, 1.2 GB"
    assert str(Cost("4 models", memory=2e6)) == "4 models, 2.0 MB"
    assert str(Cost()) == ""
