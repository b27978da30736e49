"""`CLUSTER`, `RECALL`, `SELECT BEST` by replay and `EXPLAIN` on recorded results alone."""

import itertools

import pytest

import modelstore

Store = modelstore.Connection
REPLAY = "WITH (executor = 'replay', epochs = 4, recall = 4, prior = 'mean')"


def names(store: Store, sql: str) -> list[str]:
    return [row[0] for row in store.execute(sql).fetchall()]


def test_cluster_finds_the_kinds_and_names_their_best_model(recorded: Store) -> None:
    row = recorded.execute("CLUSTER MODELS").fetchone()
    assert row is not None
    assert row[:3] == (4, 8, 2)
    assert row[3] > 0.5
    clusters = recorded.execute(
        "SELECT list(model ORDER BY model), any_value(representative) FROM model_clusters GROUP BY cluster ORDER BY 1"
    ).fetchall()
    assert [members for members, _ in clusters] == [["a1", "a2", "a3"], ["b1", "b2", "b3"], ["c1"], ["c2"]]
    best = "SELECT model FROM performance_matrix WHERE model LIKE 'a%' GROUP BY 1 ORDER BY avg(score) DESC LIMIT 1"
    assert clusters[0][1] == names(recorded, best)[0]


def test_cluster_replaces_the_clustering_and_takes_predicates(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    recorded.execute("CLUSTER MODELS WHERE name LIKE 'a%' OR name LIKE 'b%' USING kmeans WITH (clusters = 2)")
    assert recorded.execute("SELECT count(*), count(DISTINCT cluster) FROM model_clusters").fetchone() == (
        6,
        2,
    )


def test_recall_needs_only_the_stored_scores_of_the_representatives(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    recorded.execute(
        "DELETE FROM proxy_scores WHERE model NOT IN (SELECT representative FROM model_clusters)"
    )
    rows = recorded.execute(
        "SELECT model, recall_score, prior * proxy_score FROM (RECALL 8 MODELS FOR d0 WITH (prior = 'mean'))"
    ).fetchall()
    assert len(rows) == 8
    assert all(score == pytest.approx(product) for _, score, product in rows)
    recorded.execute("DELETE FROM proxy_scores WHERE model LIKE 'a%'")
    with pytest.raises(modelstore.MissingRecordError, match=r'no leep score of "a\d" on "d0"'):
        recorded.execute("RECALL 3 MODELS FOR d0 WITH (prior = 'mean')")


def test_recall_leaves_the_targets_own_records_out_of_the_prior(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    before = recorded.execute("RECALL 8 MODELS FOR d0 WITH (prior = 'mean')").fetchall()
    recorded.execute("UPDATE benchmark_results SET score = random() WHERE dataset = 'd0'")
    after = recorded.execute("RECALL 8 MODELS FOR d0 WITH (prior = 'mean')").fetchall()
    assert [row[:4] for row in after] == [row[:4] for row in before]
    # DuckDB adds up in any order.
    assert [row[4:7] for row in after] == [pytest.approx(row[4:7], rel=1e-12) for row in before]


def test_a_representative_may_stand_outside_the_candidates(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    [representative] = names(
        recorded, "SELECT DISTINCT representative FROM model_clusters WHERE model = 'a1'"
    )
    rows = recorded.execute(
        "SELECT model, representative "
        f"FROM (RECALL 5 MODELS FOR d0 WHERE name LIKE 'a%' AND name <> '{representative}' WITH (prior = 'mean'))"
    )
    found = rows.fetchall()
    assert len(found) == 2
    assert {row[1] for row in found} == {representative}


@pytest.mark.parametrize("strategy", ["two_phase", "fine_selection", "successive_halving", "brute_force"])
def test_a_replay_selects_and_logs_every_decision(recorded: Store, strategy: str) -> None:
    recorded.execute("CLUSTER MODELS")
    [row] = recorded.execute(f"SELECT BEST MODEL FOR d0 USING {strategy} {REPLAY}").fetchall()
    rank, model, validation, test, epochs, seconds, checkpoint, selection = row
    assert (rank, epochs, seconds, checkpoint) == (1, 4.0, 8.0, None)
    best = "SELECT model FROM training_curves WHERE dataset = 'd0' AND stage = 4 ORDER BY validation DESC LIMIT 1"
    if strategy != "two_phase":
        assert model == names(recorded, best)[0]
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
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)


def test_explain_shows_the_plan_and_trains_nothing(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    rows = recorded.execute(f"EXPLAIN SELECT BEST MODEL FOR d0 {REPLAY}").fetchall()
    assert rows == [
        ("SELECT BEST MODEL FOR d0", "9 epochs"),
        ("└─ fine selection · 4 stages of 1 epoch, threshold 0, replayed", "4 models, 8 epochs"),
        ("   └─ coarse recall · top 4 of 8, proxy leep", "2 scored (2 on record), 1 epoch"),
        ("      └─ models on record", "8"),
    ]
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (0,)


def test_explain_analyze_adds_what_it_did_cost(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    rows = recorded.execute(f"EXPLAIN ANALYZE SELECT BEST MODEL FOR d0 {REPLAY}").fetchall()
    spent = recorded.execute("SELECT count(*), 2 * count(*) FROM selection_stages").fetchone()
    assert rows[1][2] == "4 models, {} epochs, {} s".format(*spent)
    assert recorded.execute("SELECT status FROM selections").fetchall() == [("done",)]


def test_a_budget_is_planned_for_shown_and_kept(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    sql = (
        "SELECT BEST MODEL FOR d0 "
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
        assert row[4] == 4.0
        [(epochs,)] = recorded.execute("SELECT epochs FROM selections WHERE id = ?", [row[7]]).fetchall()
        assert epochs <= budget
    [short] = recorded.execute(sql.format(2)).fetchall()
    assert short[4] == 2.0
    for budget in ("0", "'many'"):
        with pytest.raises(modelstore.OptionError, match='the option "budget_epochs" takes a number above 0'):
            recorded.execute(sql.format(budget))


def test_a_race_predicts_and_says_why_it_drops(recorded: Store) -> None:
    [row] = recorded.execute(f"SELECT BEST MODEL FOR d0 USING probability_of_improvement {REPLAY}").fetchall()
    stages = recorded.execute(
        "SELECT action, predicted, reason FROM selection_stages WHERE stage = 1 ORDER BY rowid"
    ).fetchall()
    assert all(predicted is not None for _, predicted, _ in stages)
    reasons = [reason for action, _, reason in stages if action == "dropped"]
    assert reasons
    assert all(" ± " in reason and "a chance of" in reason for reason in reasons)
    best = "SELECT max(test) FROM training_curves WHERE dataset = 'd0' AND stage = 4"
    assert recorded.execute(best).fetchone() == (row[3],)


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        (
            "SELECT BEST MODEL FOR d9 WITH (executor = 'replay')",
            modelstore.NotFoundError,
            "training_curves has nothing",
        ),
        ("SELECT BEST MODEL FOR d0", modelstore.NotFoundError, 'no dataset "d0"'),
        (
            "SELECT BEST MODEL FOR d0 USING brute WITH (executor = 'replay')",
            modelstore.OptionError,
            "brute_force",
        ),
        ("SELECT BEST 0 MODELS FOR d0 WITH (executor = 'replay')", modelstore.OptionError, "1 or more"),
        ("RECALL 3 MODELS FOR d0 USING lep", modelstore.OptionError, "the proxies are"),
        ("RECALL 3 MODELS FOR d0 WITH (recipe = 'lora')", modelstore.NotFoundError, 'no recipe "lora"'),
        ("CLUSTER MODELS WHERE name = 'nobody'", modelstore.NotFoundError, "no model meets FROM and WHERE"),
        ("CLUSTER MODELS FROM (SELECT 1 AS x)", modelstore.ProgrammingError, "a column name or model"),
        ("CLUSTER MODELS WHERE nam = 'a'", modelstore.ProgrammingError, 'Candidate bindings: "name"'),
        ("CLUSTER MODELS USING kmeans", modelstore.OptionError, "clusters = n"),
        ("BENCHMARK MODELS ON ALL DATASETS", modelstore.NotFoundError, "no models|no datasets"),
        ("DROP MODEL a1", modelstore.NotFoundError, 'no model "a1"'),
        ("EXPLAIN DROP MODEL a1", modelstore.OptionError, "has no plan"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    recorded: Store, sql: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        recorded.execute(sql)
    assert recorded.execute("SELECT 1").fetchone() == (1,)


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
