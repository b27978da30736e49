"""`COMPARE STRATEGIES`: each dataset as if it were new, from records alone."""

import pytest

import modelstore
from modelstore.options import STRATEGIES
from modelstore.planner.compare import plan as comparing

Store = modelstore.Connection
WITH = "WITH (epochs = 4, recall = 3, prior = 'normal')"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(comparing, "notify", messages.append)
    return messages


def test_every_strategy_is_replayed_on_every_dataset_with_its_regret(recorded: Store) -> None:
    rows = recorded.execute(f"COMPARE STRATEGIES ON d0, 'd1' {WITH}").fetchall()
    assert [column[0] for column in recorded.description or []] == comparing.SCHEMA.names
    assert [(row[1], row[0]) for row in rows] == [(d, s) for d in ("d0", "d1") for s in STRATEGIES]
    finals = {
        (model, dataset): test
        for model, dataset, test in recorded.execute(
            "SELECT model, dataset, test FROM training_curves WHERE stage = 4"
        ).fetchall()
    }
    for strategy, dataset, model, score, regret, epochs, seconds in rows:
        best = max(test for (_, of), test in finals.items() if of == dataset)
        assert score == finals[model, dataset]
        assert regret == pytest.approx(best - score)
        assert 0 < epochs <= 32
        if strategy == "brute_force":
            assert (regret, epochs, seconds) == (0.0, 32.0, 64.0)
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (0,)
    assert recorded.execute("SELECT count(*) FROM model_clusters").fetchone() == (0,)


@pytest.mark.parametrize("prior", ["mean", "normal"])
def test_the_datasets_own_records_are_left_out_everywhere(recorded: Store, prior: str) -> None:
    sql = (
        f"COMPARE STRATEGIES two_phase, fine_selection ON d0 WITH (epochs = 4, recall = 3, prior = '{prior}')"
    )
    recorded.execute("CLUSTER MODELS")
    before = recorded.execute(sql).fetchall()
    # What is known of the target decides nothing but the curves that are walked, and the proxies.
    recorded.execute("UPDATE benchmark_results SET score = random() WHERE dataset = 'd0'")
    recorded.execute("CLUSTER MODELS")
    assert recorded.execute(sql).fetchall() == before


def test_a_comparison_chooses_what_a_selection_without_the_datasets_records_chooses(recorded: Store) -> None:
    [row] = recorded.execute(f"COMPARE STRATEGIES two_phase ON d0 {WITH}").fetchall()
    recorded.execute("DELETE FROM benchmark_results WHERE dataset = 'd0'")
    recorded.execute("CLUSTER MODELS")
    options = WITH.replace("(", "(executor = 'replay', ")
    [best] = recorded.execute(f"SELECT BEST MODEL FOR d0 USING two_phase {options}").fetchall()
    assert (best[1], best[3]) == row[2:4]
    assert recorded.execute("SELECT epochs FROM selections").fetchone() == (row[5],)


def test_regret_within_a_budget_is_against_the_best_that_there_is(recorded: Store) -> None:
    sql = "COMPARE STRATEGIES brute_force, fine_selection ON d0 WITH (epochs = 4, budget_epochs = 3)"
    [(best,)] = recorded.execute("SELECT max(test) FROM training_curves WHERE dataset = 'd0'").fetchall()
    rows = recorded.execute(sql).fetchall()
    assert len(rows) == 2
    for *_, score, regret, epochs, _ in rows:
        assert score < best
        assert regret == pytest.approx(best - score)
        assert epochs <= 3


def test_compare_stands_wherever_a_query_may(recorded: Store, tmp_path: object) -> None:
    compare = f"COMPARE STRATEGIES brute_force, fine_selection ON ALL DATASETS {WITH}"
    assert recorded.execute(f"SELECT count(*) FROM ({compare})").fetchone() == (14,)
    recorded.execute(f"CREATE TABLE kept AS {compare}")
    means = recorded.execute(
        f"WITH all_of AS ({compare}) SELECT strategy, avg(epochs) FROM all_of GROUP BY 1 ORDER BY 2 LIMIT 1"
    ).fetchone()
    assert means is not None
    assert means[0] == "fine_selection"
    recorded.execute(f"COPY ({compare}) TO '{tmp_path}/rows.csv'")
    assert recorded.execute(f"SELECT count(*) FROM '{tmp_path}/rows.csv'").fetchone() == (14,)


def test_explain_and_describe_replay_nothing(recorded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing.ReplayedSelection, "replay", None)
    rows = recorded.execute(f"EXPLAIN COMPARE STRATEGIES brute_force, two_phase ON d0, d1 {WITH}").fetchall()
    assert rows == [("COMPARE STRATEGIES brute_force, two_phase · 2 datasets, normal prior", "4 replays")]
    described = recorded.execute(f"DESCRIBE COMPARE STRATEGIES ON d0 {WITH}").fetchall()
    assert [row[0] for row in described] == comparing.SCHEMA.names


def test_a_dataset_without_records_is_named_or_left_out_of_all_datasets(
    recorded: Store, said: list[str]
) -> None:
    sql = "COMPARE STRATEGIES two_phase ON {} WITH (epochs = 4, recall = 3, prior = 'mean')"
    with pytest.raises(
        modelstore.MissingRecordError, match="2 of 3 datasets cannot be replayed: d1: there is no leep"
    ):
        recorded.execute(sql.format("d0, d1, d2"))
    rows = recorded.execute(sql.format("ALL DATASETS")).fetchall()
    assert {row[1] for row in rows} == {"d0"}
    assert [message.split(" is left out: ")[0] for message in said] == [f"d{n}" for n in range(1, 7)]
    recorded.execute("DELETE FROM proxy_scores")
    with pytest.raises(modelstore.MissingRecordError, match="7 of 7 datasets cannot be replayed"):
        recorded.execute(sql.format("ALL DATASETS"))


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("COMPARE STRATEGIES brute ON d0", modelstore.OptionError, 'unknown strategy "brute"'),
        ("COMPARE STRATEGIES ON d9", modelstore.NotFoundError, 'did you mean "d0"|"d9" is no'),
        ("COMPARE STRATEGIES ON d0", modelstore.MissingRecordError, "no point at epoch 5"),
        ("COMPARE STRATEGIES ON d0 WITH (executor = 'torch')", modelstore.OptionError, "unknown option"),
        ("COMPARE STRATEGIES", modelstore.ProgrammingError, "expected"),
        ("COMPARE STRATEGIES brute_force d0", modelstore.ProgrammingError, "expected ON"),
        ("CREATE VIEW v AS COMPARE STRATEGIES ON d0", modelstore.ProgrammingError, "a view cannot hold"),
    ],
)
def test_an_impossible_comparison_raises_an_error_that_says_why(
    recorded: Store, sql: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        recorded.execute(sql)


def test_a_dataset_of_one_curve_leaves_nothing_to_choose(recorded: Store) -> None:
    recorded.execute("DELETE FROM training_curves WHERE dataset = 'd3' AND model <> 'a1'")
    with pytest.raises(modelstore.MissingRecordError, match="fewer than two models have a curve"):
        recorded.execute(f"COMPARE STRATEGIES brute_force ON d3 {WITH}")


def test_an_empty_store_has_nothing_to_compare(store: Store) -> None:
    with pytest.raises(modelstore.MissingRecordError, match="nothing of recipe default"):
        store.execute("COMPARE STRATEGIES ON ALL DATASETS")


def test_a_comparison_can_be_interrupted(recorded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = comparing.ReplayedSelection.replay

    def stopping(self: comparing.ReplayedSelection) -> object:
        recorded.interrupt()
        return replay(self)

    monkeypatch.setattr(comparing.ReplayedSelection, "replay", stopping)
    with pytest.raises(modelstore.Error, match="Interrupted"):
        recorded.execute(f"COMPARE STRATEGIES ON ALL DATASETS {WITH}")


def test_the_words_of_compare_stay_free_for_ordinary_sql(store: Store) -> None:
    assert store.execute("SELECT 1 AS compare, 2 AS strategies").fetchone() == (1, 2)
    store.execute("CREATE TABLE suggest (benchmarks INT)")
    assert store.execute("SELECT * FROM (FROM suggest benchmarks)").fetchall() == []


def test_no_regret_is_negative_where_strategies_stop_at_other_points(store: Store) -> None:
    # Each model is best on test where it validates best, within the first epoch, or between whole epochs.
    store.execute(
        "INSERT INTO training_curves (model, dataset, stage, epoch, validation, test, seconds) "
        "SELECT 'm' || m, 'd' || d, row_number() OVER (PARTITION BY m, d ORDER BY epoch), epoch, score, score, 1 "
        "FROM (SELECT *, 0.9 - 0.02 * m - 0.1 * abs(epoch - 0.5) - 0.01 * ((m * d) % 3) AS score FROM range(5) t(m), "
        "range(12) s(d), (VALUES (0.25), (0.5), (1), (2), (3), (4)) AS points(epoch))"
    )
    rows = store.execute("COMPARE STRATEGIES ON ALL DATASETS WITH (epochs = 4, prior = 'normal')").fetchall()
    assert min(row[4] for row in rows) >= 0
    assert {row[0] for row in rows} >= {"value_of_information", "brute_force"}
