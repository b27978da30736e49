"""Records that would be taken for what they are not are said by the statements that read them."""

import pytest

import modelstore
from modelstore.planner import doubts

Store = modelstore.Connection
SUGGEST = "SUGGEST BENCHMARKS"
REPLAY = "SELECT BEST MODEL FOR d5 WITH (executor = 'replay', epochs = 4)"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(doubts, "notify", messages.append)
    return messages


@pytest.mark.parametrize(
    "statement",
    [
        "CLUSTER MODELS",
        "RECALL 2 MODELS FOR d0",
        REPLAY,
        "COMPARE STRATEGIES brute_force ON d5 WITH (epochs = 4)",
        SUGGEST,
    ],
)
def test_each_statement_says_once_that_settings_of_a_model_are_averaged(
    recorded: Store, said: list[str], statement: str
) -> None:
    recorded.execute("CLUSTER MODELS")
    recorded.execute(statement)
    assert said == []
    recorded.execute("INSERT INTO benchmark_results (model, dataset, score) SELECT 'a1', 'd0', 0.125")
    recorded.execute(statement)
    [message] = said
    assert message.startswith(
        "1 pair has several results in benchmark_results that no seed tells apart (a1 on d0: 0.125 to"
    )
    assert "give each setting a recipe of its own" in message


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0.5, "accuracy", "default", 1), (0.6, "accuracy", "default", 2)], 0),  # repeated with other seeds
        ([(0.5, "accuracy", "default", None)] * 2, 0),  # loaded twice
        ([(0.5, "accuracy", "default", 1), (0.6, "accuracy", "other", 1)], 0),
        ([(0.5, "accuracy", "default", None), (float("nan"), "accuracy", "default", None)], 0),
        ([(0.5, "accuracy", "default", 1), (0.6, "accuracy", "default", 1)], 1),
        ([(0.5, "accuracy", "default", 1), (0.6, "Accuracy", "default", 2)], 0),
        ([(0.5, "accuracy", "default", 1), (0.6, "f1", "default", 2)], 1),  # two metrics
        ([(0.5, "accuracy", "default", None), (0.6, "f1", "default", None)], 2),
        ([(0.5, "eval_loss", "default", 1)], 1),
        ([(0.5, "mean_squared_error", "default", 1)], 1),
        ([(0.5, "WER", "default", 1)], 1),
        ([(-0.5, "eval_loss", "default", 1)], 0),  # with a minus, more is better
        ([(0.5, "balanced_accuracy", "default", 1)], 0),
        ([(0.5, "closest", "default", 1)], 0),
    ],
)
def test_only_what_would_go_wrong_is_said(
    recorded: Store,
    said: list[str],
    rows: list[tuple[float, str, str, int | None]],
    expected: int,
) -> None:
    recorded.executemany(
        "INSERT INTO benchmark_results (model, dataset, score, metric, recipe, seed) VALUES ('n', 'n', ?, ?, ?, ?)",
        rows,
    )
    recorded.execute(SUGGEST)
    assert len(said) == expected


def test_points_of_several_runs_at_one_epoch_are_said_where_curves_are_read(
    recorded: Store, said: list[str]
) -> None:
    recorded.execute(
        "INSERT INTO training_curves (model, dataset, stage, validation) VALUES ('a1', 'd0', 1, 0.125)"
    )
    recorded.execute(SUGGEST)
    assert said == []
    recorded.execute(REPLAY)
    [message] = said
    assert message.startswith("1 pair has several points at one epoch in training_curves")


def test_stages_that_count_from_0_are_said(recorded: Store, said: list[str]) -> None:
    recorded.execute("UPDATE training_curves SET stage = stage - 1 WHERE model = 'b2' AND dataset = 'd1'")
    recorded.execute(REPLAY)
    [message] = said
    assert message.startswith("the stages of 1 curve in training_curves begin at 0 (the first: b2 on d1)")
    said.clear()
    recorded.execute("UPDATE training_curves SET epoch = stage WHERE model = 'b2'")
    recorded.execute(REPLAY)
    assert said == []
