"""`layers`: which features proxies score, what is on record of them, and what compares."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import modelstore
from modelstore.planner.recall import computing, scoring
from modelstore.training.layers import LayerPooling
from modelstore.udfs.hscore import hscore
from modelstore.udfs.logme import logme

Store = modelstore.Connection
KINDS = ["bert", "bert_classifier", "distilbert"]
RECALL = "RECALL 3 MODELS FOR texts USING {} WITH (layers = '{}')"


@pytest.fixture
def zoo(three_models: Path, opened_copy: Callable[[Path], Store]) -> Store:
    return opened_copy(three_models)


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """The model of each extraction, and what came of it."""
    found: list[tuple[str, Any]] = []
    compute = computing.compute

    def watched(names: Any, measured: Any) -> Any:
        found.append((names, measured))
        return compute(names, measured)

    monkeypatch.setattr(computing, "compute", watched)
    return found


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(scoring, "notify", messages.append)
    return messages


def scores(store: Store) -> dict[tuple[str, str], tuple[float, str | None]]:
    rows = store.execute("SELECT model, proxy, score, layers FROM proxy_scores").fetchall()
    return {(model, proxy): (score, layers) for model, proxy, score, layers in rows}


def test_the_best_layer_counts_and_is_never_below_the_last(zoo: Store, extracted: list[Any]) -> None:
    zoo.execute(RECALL.format("logme, hscore, knn", "last"))
    last = scores(zoo)
    zoo.execute(RECALL.format("logme, hscore, knn", "best"))
    best = scores(zoo)
    assert {layers for _, layers in last.values()} == {"last"}
    assert {layers for _, layers in best.values()} == {"best"}
    assert all(best[key][0] >= last[key][0] for key in last)
    measured = extracted[-1][1]
    model = next(
        name
        for name, _ in best
        if best[name, "hscore"][0] == max(hscore(x, measured.labels) for x in measured.by_layer)
    )
    assert best[model, "logme"][0] == max(logme(x, measured.labels) for x in measured.by_layer)


def test_scores_of_other_layers_are_computed_again(zoo: Store, extracted: list[Any]) -> None:
    for layers in ("last", "mean", "mean", "best", "last"):
        zoo.execute(RECALL.format("logme", layers))
        assert {found for _, found in scores(zoo).values()} == {layers}
    assert len(extracted) == 3 * 4


def test_scores_of_two_kinds_of_layers_are_not_mixed(zoo: Store) -> None:
    zoo.execute("RECALL 2 MODELS FOR texts WHERE name LIKE 'bert%' USING hscore WITH (layers = 'mean')")
    assert "3 scored, " in str(zoo.execute("EXPLAIN RECALL 3 MODELS FOR texts USING hscore").fetchall())
    zoo.execute("RECALL 3 MODELS FOR texts USING hscore")
    assert {layers for _, layers in scores(zoo).values()} == {"last"}


def test_leep_has_no_layers(zoo: Store, extracted: list[Any]) -> None:
    recall = "RECALL 1 MODELS FOR texts WHERE name = 'bert_classifier' WITH (layers = '{}')"
    for layers in ("last", "best"):
        zoo.execute(recall.format(layers))
        assert "layer" not in str(zoo.execute(f"EXPLAIN {recall.format(layers)}").fetchall())
    assert [layers for _, layers in scores(zoo).values()] == [None]
    assert len(extracted) == 1


@pytest.mark.parametrize(("layers", "words"), [("mean", "mean of layers"), ("best", "best layer")])
def test_explain_says_which_layers(zoo: Store, layers: str, words: str) -> None:
    plan = str(zoo.execute(f"EXPLAIN {RECALL.format('logme', layers)}").fetchall())
    assert f"proxy logme, {words}" in plan
    assert "layer" not in str(zoo.execute(f"EXPLAIN {RECALL.format('logme', 'last')}").fetchall())


def test_a_selection_takes_layers_and_resumes_with_them(zoo: Store) -> None:
    zoo.execute(
        "SELECT BEST MODEL FOR texts USING two_phase WITH (recall = 1, proxy = 'logme', layers = 'mean', "
        "epochs = 1, learning_rate = 1e-3, max_length = 32, register = false)"
    )
    assert {layers for _, layers in scores(zoo).values()} == {"mean"}
    [(options,)] = zoo.execute("SELECT options->>'$.layers' FROM selections").fetchall()
    assert options == "mean"


def test_loaded_scores_hold_unless_they_say_other_layers(zoo: Store, extracted: list[Any]) -> None:
    zoo.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) SELECT name, 'texts', 'knn', 0.5 FROM models"
    )
    zoo.execute(RECALL.format("knn", "best"))
    assert extracted == []
    zoo.execute("UPDATE proxy_scores SET layers = 'Mean' WHERE model = 'bert'")
    zoo.execute(RECALL.format("knn", "mean"))
    assert extracted == []
    zoo.execute(RECALL.format("knn", "best"))
    assert len(extracted) == 1


def test_a_model_with_features_that_are_no_numbers_fails_with_a_reason(
    zoo: Store, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    features = LayerPooling.features

    def broken(self: LayerPooling, final: torch.Tensor) -> list[torch.Tensor]:
        found = features(self, final)
        if self._model == "distilbert":
            found[0][0, 0] = np.nan
        return found

    monkeypatch.setattr(LayerPooling, "features", broken)
    found = zoo.execute(f"SELECT model FROM ({RECALL.format('logme', 'best')}) ORDER BY rank").fetchall()
    assert {model for model, _ in scores(zoo)} == {"bert", "bert_classifier"}
    assert any("distilbert could not be scored" in line and "must be finite" in line for line in said)
    assert ("distilbert",) not in found[:1]


# Numbers of rows


def load(store: Store, rows: dict[str, int | None], dataset: str = "elsewhere") -> None:
    for place, (model, number) in enumerate(rows.items()):
        store.execute(
            "INSERT INTO proxy_scores (model, dataset, proxy, score, rows) VALUES (?, ?, 'logme', ?, ?)",
            [model, dataset, 0.1 * place, number],
        )


def test_loaded_scores_of_different_numbers_of_rows_do_not_compare(zoo: Store, said: list[str]) -> None:
    load(zoo, {"bert": 50, "bert_classifier": 400, "distilbert": 400})
    recall = "SELECT model, proxy_score FROM (RECALL 3 MODELS FOR elsewhere USING logme {})"
    for model in KINDS:  # with results, so that the prior ranks those that have no score
        zoo.execute(f"INSERT INTO benchmark_results (model, dataset, score) VALUES ('{model}', 'other', 0.5)")
    found = dict(zoo.execute(recall.format("")).fetchall())
    assert found["bert"] is None
    assert found["distilbert"] > found["bert_classifier"]
    assert any(line.startswith("bert: left out, since scores of another number of rows") for line in said)
    found = dict(zoo.execute(recall.format("WITH (proxy_rows = 50)")).fetchall())
    assert found["bert"] is not None
    assert found["distilbert"] is None


def test_scores_of_an_unknown_number_of_rows_compare_with_all(zoo: Store, said: list[str]) -> None:
    load(zoo, {"bert": None, "bert_classifier": 400, "distilbert": 400})
    found = dict(
        zoo.execute(
            "SELECT model, proxy_score FROM (RECALL 3 MODELS FOR elsewhere FROM models USING logme)"
        ).fetchall()
    )
    assert None not in found.values()
    assert not any("left out" in line for line in said)
