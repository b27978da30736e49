"""What EXPLAIN expects of a selection by replay on the store's own datasets."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_models import create_text_dataset

import modelstore
from modelstore.planner.compare.expectation import is_within_noise, summarise
from modelstore.selection.sample import Sample
from modelstore.store.registered import Dataset

Store = modelstore.Connection
SELECT = "SELECT BEST MODEL FOR texts USING {} WITH (epochs = 4, learning_rate = 3e-5)"
STRATEGIES = ("value_of_information", "successive_halving", "two_phase", "brute_force")


def dataset(name: str, test_rows: int, metric: str = "accuracy") -> Dataset:
    return Dataset(name, None, "text_classification", metric, (), 10, 10, test_rows, "text", {})


@pytest.fixture
def target(recorded: Store, model_path: Callable[[str], Path]) -> Store:
    """Records of eight models on seven datasets, a new dataset and a model with weights."""
    create_text_dataset(recorded, "texts", 120, 0)
    recorded.execute(f"CREATE MODEL a1 FROM '{model_path('bert')}'")
    return recorded


def explained(store: Store, strategy: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = store.execute(f"EXPLAIN {SELECT.format(strategy)}").fetchall()
    return rows


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_epochs_and_regret_are_those_of_compare(target: Store, strategy: str) -> None:
    rows = target.execute(f"COMPARE STRATEGIES {strategy} ON ALL DATASETS WITH (epochs = 4)").fetchall()
    regrets, epochs = [row[4] for row in rows], [row[5] for row in rows]
    error = np.std(regrets, ddof=1) / math.sqrt(7)
    said, expected = explained(target, strategy)[-1]
    assert said == f"└─ by replay on 7 datasets · regret {np.mean(regrets):.3f} ± {error:.3f}"
    assert expected == f"{round(np.mean(epochs), 1):.4g} epochs"


def test_training_is_expected_to_take_what_replays_did_for_as_many_models(target: Store) -> None:
    rows = explained(target, "successive_halving")
    target.execute(
        "INSERT INTO models (name, modality, parameters) SELECT 'x' || i, 'text', 1 FROM range(7) AS r(i)"
    )
    more = explained(target, "successive_halving")
    one, eight = (float(found[0][1].split(" epoch")[0]) for found in (rows, more))
    assert one == 4  # one model, to the end
    assert eight == pytest.approx(float(more[-1][1].split()[0]), rel=0.2)


def test_what_was_replayed_is_remembered_until_the_records_change(target: Store) -> None:
    first = explained(target, "value_of_information")
    assert target.execute("SELECT count(*), any_value(datasets) FROM replay_expectations").fetchone() == (
        1,
        7,
    )
    target.execute("UPDATE replay_expectations SET regret = 0.5")
    assert "regret 0.500" in explained(target, "value_of_information")[-1][0]
    target.execute("UPDATE training_curves SET validation = validation * 0.999")
    assert explained(target, "value_of_information")[-1] == first[-1]
    assert target.execute("SELECT count(*) FROM replay_expectations").fetchone() == (1,)


def test_other_options_are_another_selection(target: Store) -> None:
    explained(target, "value_of_information")
    sql = f"EXPLAIN {SELECT.format('value_of_information')}"
    target.execute(sql.replace(")", ", price = 0.1)"))
    assert target.execute("SELECT count(*) FROM replay_expectations").fetchone() == (2,)
    target.execute(sql.replace(")", ", register = false)"))
    assert target.execute("SELECT count(*) FROM replay_expectations").fetchone() == (2,)


def test_a_store_that_is_read_only_expects_the_same(target: Store, tmp_path: Path) -> None:
    target.close()
    with modelstore.connect(tmp_path / "zoo.db", read_only=True) as reader:
        seen = explained(reader, "two_phase")
        assert "by replay on 7 datasets" in seen[-1][0]
        assert explained(reader, "two_phase") == seen
        assert reader.execute("SELECT count(*) FROM replay_expectations").fetchone() == (0,)


def test_a_selection_itself_replays_nothing(target: Store) -> None:
    target.execute("SELECT BEST MODEL FOR texts WITH (epochs = 1)")
    assert target.execute("SELECT count(*) FROM replay_expectations").fetchone() == (0,)


@pytest.mark.parametrize("datasets", [0, 1, 2])
def test_with_fewer_than_three_datasets_nothing_can_be_expected(target: Store, datasets: int) -> None:
    target.execute(f"DELETE FROM training_curves WHERE dataset >= 'd{datasets}'")
    said, expected = explained(target, "value_of_information")[-1]
    assert said == f"└─ no regret to expect yet: that takes curves of 3 datasets, and there are {datasets}"
    assert expected == ""


def test_datasets_of_another_modality_are_not_replayed(target: Store) -> None:
    target.execute(
        "INSERT INTO datasets (name, task, metric, modality) "
        "SELECT 'd' || i, 'image_classification', 'accuracy', 'image' FROM range(3) AS r(i)"
    )
    assert "by replay on 4 datasets" in explained(target, "value_of_information")[-1][0]


def test_the_share_within_noise_counts_datasets_of_a_known_number_of_rows(target: Store) -> None:
    target.execute(
        "INSERT INTO datasets (name, task, metric, modality, test_rows) "
        "SELECT 'd' || i, 'text_classification', 'accuracy', 'text', 1000 FROM range(4) AS r(i)"
    )
    assert re.search(r", \d+% within noise of the best$", explained(target, "two_phase")[-1][0])


@pytest.mark.parametrize(
    ("best", "chosen", "rows", "is_within"),
    [
        (0.8, 0.8, 1, True),
        (1.0, 1.0, 50, True),
        (0.8, 0.8 - 1.41 * math.sqrt(0.16 / 400), 400, True),
        (0.8, 0.8 - 1.42 * math.sqrt(0.16 / 400), 400, False),
        (1.0, 0.99, 400, False),
    ],
)
def test_within_noise_is_root_two_binomial_deviations(
    best: float, chosen: float, rows: int, is_within: bool
) -> None:
    assert is_within_noise(best, chosen, Sample(rows)) is is_within


def test_a_summary_by_hand() -> None:
    rows = [
        {"dataset": "x", "score": 0.8, "regret": 0.0, "epochs": 4.0},
        {"dataset": "y", "score": 0.5, "regret": 0.3, "epochs": 6.0},
        {"dataset": "z", "score": 0.5, "regret": 0.0, "epochs": 8.0},
    ]
    datasets = {"x": dataset("x", 100), "y": dataset("y", 100), "z": dataset("z", 100, "matthews")}
    found = summarise(rows, {"x": 3, "y": 4, "z": 5}, datasets)
    assert (found.datasets, found.models, found.epochs, found.regret) == (3, 4, 6, pytest.approx(0.1))
    assert found.error == pytest.approx(0.1)
    assert (found.compared, found.within_noise) == (3, 2)
