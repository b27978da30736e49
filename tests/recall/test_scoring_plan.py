"""When models are scored, how many, and what it costs."""

import pytest

from modelstore.recall.scoring_plan import models_to_score, recalls_everybody, scoring_epochs


def test_a_few_models_are_trained_and_many_are_scored() -> None:
    assert recalls_everybody(20, first_stage=0.25, expected=10.0)
    assert not recalls_everybody(21, first_stage=0.25, expected=10.0)
    # Of a large target the first stage is short.
    assert recalls_everybody(1_000, first_stage=0.002, expected=10.0)


def test_more_are_scored_where_little_is_on_record() -> None:
    assert [models_to_score(datasets) for datasets in (0, 4, 5, 100)] == [20, 20, 10, 10]


def test_a_score_costs_a_third_of_training_on_its_rows() -> None:
    assert scoring_epochs(6, 500, 1_000) == pytest.approx(1.0)
    assert scoring_epochs(0, 500, 1_000) == 0.0
