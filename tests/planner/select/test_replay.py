"""`SELECT BEST` by replay of recorded runs, and its `EXPLAIN`."""

import itertools

import pytest

import modelstore

Store = modelstore.Connection
REPLAY = "WITH (executor = 'replay', epochs = 4, recall = 4, prior = 'mean')"


@pytest.mark.parametrize("strategy", ["two_phase", "fine_selection", "successive_halving", "brute_force"])
def test_a_replay_selects_and_logs_every_decision(recorded: Store, strategy: str) -> None:
    recorded.execute("CLUSTER MODELS")
    [row] = recorded.execute(f"SELECT BEST MODEL FOR d0 USING {strategy} {REPLAY}").fetchall()
    rank, model, recipe, validation, test, epochs, seconds, checkpoint, selection = row
    assert (rank, recipe, epochs, seconds, checkpoint) == (1, "default", 4.0, 8.0, None)
    best = "SELECT model FROM training_curves WHERE dataset = 'd0' AND stage = 4 ORDER BY validation DESC LIMIT 1"
    if strategy != "two_phase":
        assert (model,) == recorded.execute(best).fetchone()
    stages = recorded.execute(
        "SELECT stage, count(*), count(*) FILTER (action IN ('kept', 'won')) FROM selection_stages "
        "WHERE selection = ? GROUP BY stage ORDER BY stage",
        [selection],
    ).fetchall()
    counts = [count for _, count, _ in stages]
    assert counts[0] == (4 if strategy == "two_phase" else 8)
    for before, after in itertools.pairwise(counts):
        assert after == before if strategy == "brute_force" else after <= max(1, before // 2)
    # Fine selection may end sooner than halving, whose cost is known; scoring two models counts one epoch.
    scoring = 1 if strategy == "two_phase" else 0
    assert sum(counts) == {"brute_force": 32, "successive_halving": 15}.get(strategy, sum(counts))
    logged = recorded.execute(
        "SELECT status, model, epochs, method FROM selections WHERE id = ?", [selection]
    )
    assert logged.fetchone() == ("done", model, sum(counts) + scoring, strategy)
    assert stages[-1][2] == 1
    assert (validation, test) == recorded.execute(
        "SELECT validation, test FROM training_curves WHERE dataset = 'd0' AND stage = 4 AND model = ?",
        [model],
    ).fetchone()


def test_a_replay_does_not_look_at_the_targets_other_curves(recorded: Store) -> None:
    sql = f"SELECT BEST MODEL FOR d0 USING fine_selection {REPLAY}"
    recorded.execute(sql)
    stages = "SELECT model, predicted FROM selection_stages WHERE selection = {} AND stage = 1 ORDER BY model"
    before = recorded.execute(stages.format(1)).fetchall()
    recorded.execute("UPDATE training_curves SET test = 0.123 WHERE dataset = 'd0'")
    recorded.execute(sql)
    assert recorded.execute(stages.format(2)).fetchall() == before


def test_a_replay_names_the_pair_whose_curve_is_missing(recorded: Store) -> None:
    with pytest.raises(modelstore.MissingRecordError, match='no curve of "c2" on "d6"'):
        recorded.execute("SELECT BEST MODEL FOR d6 USING brute_force WITH (executor = 'replay', epochs = 4)")
    [row] = recorded.execute(
        "SELECT BEST MODEL FOR d6 WHERE name <> 'c2' USING brute_force WITH (executor = 'replay', epochs = 4)"
    ).fetchall()
    assert row[1] != "c2"


def test_a_replay_names_the_epoch_that_is_not_on_the_curve(recorded: Store) -> None:
    with pytest.raises(modelstore.MissingRecordError, match="no point at epoch 5"):
        recorded.execute("SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay')")
    failed = recorded.execute("SELECT status, reason FROM selections").fetchone()
    assert failed is not None
    assert failed[0] == "failed"
    assert "no point at epoch 5" in failed[1]


def test_several_winners_are_ranked(recorded: Store) -> None:
    rows = recorded.execute(f"SELECT BEST 3 MODELS FOR d0 USING successive_halving {REPLAY}").fetchall()
    assert [row[0] for row in rows] == [1, 2, 3]
    assert [row[3] for row in rows] == sorted((row[3] for row in rows), reverse=True)


def test_explain_shows_the_plan_and_trains_nothing(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    rows = recorded.execute(f"EXPLAIN SELECT BEST MODEL FOR d0 USING two_phase {REPLAY}").fetchall()
    assert rows == [
        ("SELECT BEST MODEL FOR d0", "9 epochs"),
        ("└─ fine selection · 4 stages of 1 epoch, threshold 0, replayed", "4 models, 8 epochs"),
        ("   └─ coarse recall · top 4 of 8, proxy leep", "2 scored (2 on record), 1 epoch"),
        ("      └─ models on record", "8"),
    ]
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (0,)


def test_explain_analyze_adds_what_it_did_cost(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    rows = recorded.execute(f"EXPLAIN ANALYZE SELECT BEST MODEL FOR d0 USING two_phase {REPLAY}").fetchall()
    spent = recorded.execute("SELECT count(*), 2 * count(*) FROM selection_stages").fetchone()
    assert rows[1][2] == "4 models, {} epochs, {} s".format(*spent)
    assert recorded.execute("SELECT status FROM selections").fetchall() == [("done",)]


def test_a_budget_is_planned_for_shown_and_kept(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    sql = (
        "SELECT BEST MODEL FOR d0 USING two_phase "
        "WITH (executor = 'replay', epochs = 4, recall = 6, prior = 'mean', budget_epochs = {})"
    )
    for budget, recall in (
        (20, "coarse recall · top 6 of 8, proxy leep"),
        (9, "coarse recall · top 4 of 8, proxy leep"),
        (
            4.5,
            "coarse recall · top 1 of 8, mean prior of 6 datasets alone: the budget has no room for scoring",
        ),
    ):
        rows = recorded.execute("EXPLAIN " + sql.format(budget)).fetchall()
        assert rows[1][0].endswith(f"threshold 0, budget {budget:g} epochs, replayed")
        assert rows[2][0] == f"   └─ {recall}"
        [row] = recorded.execute(sql.format(budget)).fetchall()
        assert row[5] == 4.0
        [(epochs,)] = recorded.execute("SELECT epochs FROM selections WHERE id = ?", [row[8]]).fetchall()
        assert epochs <= budget
    [short] = recorded.execute(sql.format(2)).fetchall()
    assert short[5] == 2.0
    for budget in ("0", "'many'"):
        with pytest.raises(modelstore.OptionError, match='the option "budget_epochs" takes a number above 0'):
            recorded.execute(sql.format(budget))


def test_a_race_predicts_and_says_why_it_drops(recorded: Store) -> None:
    [row] = recorded.execute(f"SELECT BEST MODEL FOR d0 USING probability_of_improvement {REPLAY}").fetchall()
    stages = recorded.execute(
        "SELECT action, predicted, deviation, reason FROM selection_stages WHERE stage = 1 ORDER BY rowid"
    ).fetchall()
    dropped = [forecast for action, *forecast in stages if action == "dropped"]
    assert dropped
    for predicted, deviation, reason in dropped:
        assert reason.startswith(f"predicted {predicted:.4f} ± {deviation:.4f}: a chance of")
    # A single model that is left needs no forecast.
    last = recorded.execute("SELECT predicted, deviation FROM selection_stages WHERE action = 'won'")
    assert last.fetchall() == [(None, None)]
    best = "SELECT max(test) FROM training_curves WHERE dataset = 'd0' AND stage = 4"
    assert recorded.execute(best).fetchone() == (row[4],)


def test_candidates_come_from_a_relation_with_parameters(recorded: Store) -> None:
    rows = recorded.execute(
        "SELECT BEST $n MODELS FOR $target FROM (SELECT DISTINCT model FROM training_curves WHERE model LIKE $like) "
        "WHERE model <> $not USING brute_force WITH (executor = 'replay', epochs = $epochs)",
        {"n": 2, "target": "d0", "like": "b%", "not": "b1", "epochs": 4},
    ).fetchall()
    assert sorted(row[1] for row in rows) == ["b2", "b3"]


def test_question_marks_fill_in_order(recorded: Store) -> None:
    rows = recorded.execute(
        "SELECT BEST ? MODELS FOR ? FROM (SELECT ? AS model UNION SELECT ?) WHERE model <> ? "
        "USING brute_force WITH (executor = ?, epochs = 4)",
        [2, "d0", "a1", "a2", "zzz", "replay"],
    ).fetchall()
    assert sorted(row[1] for row in rows) == ["a1", "a2"]
