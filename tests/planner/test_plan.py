"""Costs as people say them."""

import pytest

from modelstore.planner.plan import Cost, size


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        (0, "0 kB"),
        (904_300, "904 kB"),
        (1_240_000, "1.2 MB"),
        (999_600_000, "1.0 GB"),
        (1_240_000_000, "1.2 GB"),
        (131_000_000_000, "131.0 GB"),
    ],
)
def test_memory_is_said_in_its_unit(memory: float, said: str) -> None:
    assert size(memory) == said


def test_what_is_unknown_of_a_cost_is_left_out() -> None:
    assert str(Cost("4 models", 1, 90, 1.2e9)) == "4 models, 1 epoch, 1 min 30, 1.2 GB"
    assert str(Cost("4 models", memory=2e6)) == "4 models, 2.0 MB"
    assert str(Cost()) == ""
