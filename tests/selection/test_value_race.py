"""`USING value_of_information` on recorded curves: who goes on, why, who wins, and what it costs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import modelstore
from modelstore.recall.normal_scores import normal_score_prior, priors_without_each
from modelstore.selection.forecast_learning import CurveRecords, learn_forecasts
from modelstore.selection.value_of_information import values_per_epoch

Store = modelstore.Connection
POINTS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
MODELS, DATASETS = 12, 13  # the last dataset is the target
RACE = "SELECT BEST MODEL FOR d12 USING value_of_information WITH (executor = 'replay', epochs = 4{})"
STAGES = (
    "SELECT stage, model, validation, predicted, action, reason FROM selection_stages "
    "WHERE selection = {} ORDER BY rowid"
)


def records() -> tuple[np.ndarray, np.ndarray]:
    """(models, datasets) final scores, and (models, datasets, points) validations."""
    random = np.random.default_rng(0)
    finals = 0.7 + random.normal(0, 0.05, (MODELS, 1)) + random.normal(0, 0.03, (MODELS, DATASETS))
    noise = random.normal(0, 0.01, (MODELS, DATASETS, len(POINTS)))
    return finals, finals[:, :, None] - 0.2 * (1 - POINTS / 4) + noise


@pytest.fixture
def curves(curves_file: Path, opened_copy: Callable[[Path], Store]) -> Store:
    """A store with the records of `curves_file`."""
    return opened_copy(curves_file)


@pytest.fixture(scope="module")
def curves_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records, of models m00 … and datasets d0 …, with the curves of the target in their own order."""
    finals, validations = records()
    points = [
        (
            f"m{m:02}",
            f"d{d}",
            stage,
            epoch,
            validations[m, d, stage - 1],
            finals[m, d] if epoch == 4 else validations[m, d, stage - 1],
            1.0,
        )
        for m in range(MODELS)
        for d in range(DATASETS)
        for stage, epoch in enumerate(POINTS.tolist(), 1)
    ]
    path = tmp_path_factory.mktemp("curves") / "zoo.db"
    with modelstore.connect(path) as store:
        store.executemany(
            "INSERT INTO training_curves (model, dataset, stage, epoch, validation, test, seconds) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            points,
        )
    return path


def expected_race(price: float) -> tuple[int, float]:
    """The winner of the target's curves and the epochs in all, by the definition of the race."""
    finals, validations = records()
    known = slice(0, DATASETS - 1)
    learned = learn_forecasts(
        CurveRecords(
            validations[:, known],
            finals[:, known],
            priors_without_each(finals[:, known]),
            [None] * (DATASETS - 1),
        ),
        POINTS,
        4.0,
    )
    prior, seen = normal_score_prior(finals[:, known]), np.full((MODELS, len(POINTS)), np.nan)
    racing, spent = np.arange(MODELS), 0.0
    for point, length in enumerate(np.diff(POINTS, prepend=0.0)):
        seen[racing, point] = validations[racing, -1, point]
        spent += length * len(racing)
        forecasts = learned.predict(seen, prior, np.arange(MODELS)).of(racing)
        order = np.argsort(-forecasts.mean)
        values = values_per_epoch(forecasts, POINTS, point)
        winner = racing[order[0]]
        # Of the better half the best two, and the others as long as they are worth the price.
        better = order[: max(2, len(racing) // 2)]
        racing = racing[[*better[:2], *(one for one in better[2:] if values[one] >= price)]]
    return int(winner), spent


@pytest.mark.parametrize("price", [0.0005, 0.0015, 0.01])
def test_a_selection_is_the_race_of_its_records(curves: Store, price: float) -> None:
    [row] = curves.execute(RACE.format(f", price = {price}")).fetchall()
    winner, spent = expected_race(price)
    assert (row[1], row[5]) == (f"m{winner:02}", 4.0)
    assert curves.execute("SELECT epochs FROM selections").fetchone() == (pytest.approx(spent),)


def test_reasons_say_what_an_epoch_more_is_worth(curves: Store) -> None:
    curves.execute(RACE.format(", price = 0.002"))
    rows = curves.execute(STAGES.format(1)).fetchall()
    dropped = [row for row in rows if row[4] == "dropped" and row[0] < 5]
    for _, _, _, predicted, _, reason in dropped:
        assert reason.startswith(f"predicted {predicted:.3f} ± 0.0")
        assert " behind m" in reason
    ends = {reason.rpartition(", ")[2] for *_, reason in dropped}
    assert ends == {"less than 0.002", "in the worse half"}
    [(_, _, _, best, action, reason)] = [row for row in rows if row[4] == "won"]
    assert (action, reason) == ("won", "best prediction at the end")
    assert best == max(row[3] for row in rows if row[0] == 5)


@pytest.mark.parametrize("datasets", [0, 9])
def test_with_few_datasets_the_better_half_by_validation_goes_on(curves: Store, datasets: int) -> None:
    curves.execute(
        "DELETE FROM training_curves WHERE dataset <> 'd12' AND substr(dataset, 2)::INT >= ?", [datasets]
    )
    [row] = curves.execute(RACE.format("")).fetchall()
    _, validations = records()
    racing = np.arange(MODELS)
    for point, count in enumerate((6, 3, 2)):
        best_so_far = validations[racing, -1, : point + 1].max(axis=1)
        racing = racing[np.argsort(-best_so_far)[:count]]
    assert row[1] == f"m{racing[np.argmax(validations[racing, -1, -1])]:02}"
    [(predicted,)] = curves.execute("SELECT count(predicted) FROM selection_stages").fetchall()
    assert (predicted == 0) == (datasets == 0)
    spent = 12 * 0.25 + 6 * 0.25 + 3 * 0.5 + 2 * 1 + 2 * 2
    assert curves.execute("SELECT epochs FROM selections").fetchone() == (spent,)
    reasons = curves.execute(
        "SELECT DISTINCT reason FROM selection_stages WHERE stage < 5 AND action = 'dropped'"
    ).fetchall()
    assert all(reason.endswith(" is in the worse half") for (reason,) in reasons)


@pytest.mark.parametrize("datasets", [12, 3])
@pytest.mark.parametrize("budget", [0.25, 1, 2.6, 5, 8, 20, 60])
def test_a_budget_is_never_exceeded(curves: Store, datasets: int, budget: float) -> None:
    curves.execute(
        "DELETE FROM training_curves WHERE dataset <> 'd12' AND substr(dataset, 2)::INT >= ?", [datasets]
    )
    [row] = curves.execute(RACE.format(f", budget_epochs = {budget}")).fetchall()
    [(spent,)] = curves.execute("SELECT epochs FROM selections").fetchall()
    assert spent <= budget + 1e-9
    assert (row[5] == 4) == (budget >= 4)
    if budget == 8:  # the first look takes at most half
        assert curves.execute(
            "SELECT count(*) FROM selection_stages WHERE stage = 1 AND validation > 0"
        ).fetchone() == (12,)


def test_a_budget_of_seconds_holds_too(curves: Store) -> None:
    curves.execute(RACE.format(", budget_seconds = 20"))
    [(seconds,)] = curves.execute("SELECT seconds FROM selections").fetchall()
    assert seconds <= 20


@pytest.mark.parametrize(
    ("keep", "options", "line"),
    [
        (
            13,
            "",
            "5 stages from 0.25 to 4 epochs, price 0.0015 per epoch, half at most go on, 12 datasets with curves",
        ),
        (
            13,
            ", price = 0.01, stages = [1, 2]",
            "3 stages from 1 to 4 epochs, price 0.01 per epoch, half at most go on, 12 datasets with",
        ),
        (13, ", stages_per_epoch = 1", "4 stages of 1 epoch, price 0.0015 per epoch"),
        (
            3,
            "",
            "the better half by validation and all level with it go on (3 datasets with curves, fewer than 10)",
        ),
        (13, ", budget_epochs = 5", "epochs, 12 datasets with curves, budget 5 epochs"),
    ],
)
def test_explain_says_stages_price_and_records(curves: Store, keep: int, options: str, line: str) -> None:
    curves.execute(
        "DELETE FROM training_curves WHERE dataset <> 'd12' AND substr(dataset, 2)::INT >= ?", [keep]
    )
    rows = curves.execute("EXPLAIN " + RACE.format(options)).fetchall()
    assert rows[1][0].startswith("└─ value of information · ")
    assert line in rows[1][0]


def test_a_race_goes_on_as_if_it_had_not_been_stopped(curves: Store) -> None:
    curves.execute(RACE.format(""))
    gone = "dataset = 'd12' AND epoch > 1"
    curves.execute(f"CREATE TABLE later AS FROM training_curves WHERE {gone}")
    curves.execute(f"DELETE FROM training_curves WHERE {gone}")
    with pytest.raises(modelstore.MissingRecordError, match=r"no point at epoch 2 .*; RESUME SELECTION 2"):
        curves.execute(RACE.format(""))
    curves.execute("INSERT INTO training_curves FROM later")
    curves.execute("RESUME SELECTION 2")
    assert curves.execute(STAGES.format(2)).fetchall() == curves.execute(STAGES.format(1)).fetchall()
    assert len(curves.execute("SELECT DISTINCT model, epochs, status FROM selections").fetchall()) == 1


def test_comparisons_race_too(curves: Store) -> None:
    rows = curves.execute(
        "COMPARE STRATEGIES value_of_information, brute_force ON d12 WITH (epochs = 4)"
    ).fetchall()
    assert rows[0][0] == "value_of_information"
    assert rows[0][5] < rows[1][5] == 48


def test_of_many_candidates_the_best_by_prior_race(store: Store) -> None:
    store.executemany(
        "INSERT INTO training_curves (model, dataset, stage, validation, test) VALUES (?, ?, ?, ?, ?)",
        [
            (f"m{m:03}", f"d{d}", stage, 0.5 + m / 1000, 0.5 + m / 1000)
            for m in range(120)
            for d in range(6)
            for stage in (1, 2)
        ],
    )
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score) "
        "SELECT model, dataset, test FROM training_curves WHERE stage = 2"
    )
    sql = "SELECT BEST MODEL FOR d0 {}USING value_of_information WITH (executor = 'replay', epochs = 2)"
    plan = [row[0] for row in store.execute("EXPLAIN " + sql.format("")).fetchall()]
    assert "coarse recall · top 10 of 120" in plan[2]
    [row] = store.execute(sql.format("")).fetchall()
    assert row[1] == "m119"
    plan = store.execute("EXPLAIN " + sql.format("WHERE name < 'm030' ")).fetchall()
    assert len(plan) == 3  # the selection, its stages and the models


def test_it_is_the_default_and_recall_says_how_many_race(curves: Store) -> None:
    curves.execute(RACE.format("").replace(" USING value_of_information", ""))
    curves.execute(RACE.format(", recall = 5"))
    counts = curves.execute(
        "SELECT method, (SELECT count(*) FROM selection_stages WHERE selection = id AND stage = 1) "
        "FROM selections ORDER BY id"
    ).fetchall()
    assert counts == [("value_of_information", MODELS), ("value_of_information", 5)]
