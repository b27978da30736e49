"""`RECALL` that computes its proxies, on models of a few thousand weights saved to disk."""

import os
import shutil
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import rankdata
from tiny_models import text_rows

import modelstore
from modelstore.planner.recall import computing, scoring
from modelstore.training import features

Store = modelstore.Connection
KINDS = ("bert", "bert_classifier", "distilbert")


@pytest.fixture
def zoo(three_models: Path, opened_copy: Callable[[Path], Store]) -> Store:
    """Three text models, of which one has a classification head, and two datasets."""
    return opened_copy(three_models)


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models whose features are computed, as they are."""
    models: list[str] = []
    extract = features.extract

    def counted(model: str, *arguments: Any, **options: Any) -> features.Features:
        models.append(model)
        return extract(model, *arguments, **options)

    monkeypatch.setattr(features, "extract", counted)
    return models


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages that a terminal shows."""
    messages: list[str] = []
    monkeypatch.setattr(scoring, "notify", messages.append)
    return messages


@pytest.fixture
def passes() -> Iterator[list[str]]:
    """The transformers whose forward pass runs, once for each batch."""
    ran: list[str] = []

    def hook(module: Any, _arguments: Any, _output: Any) -> None:
        if type(module).__name__ in ("BertModel", "DistilBertModel"):
            ran.append(type(module).__name__)

    handle = torch.nn.modules.module.register_module_forward_hook(hook)
    yield ran
    handle.remove()


def scores(store: Store, dataset: str = "texts") -> dict[tuple[str, str], float]:
    rows = store.execute(
        "SELECT model, proxy, score FROM proxy_scores WHERE dataset = ?", [dataset]
    ).fetchall()
    found = {(model, proxy): score for model, proxy, score in rows}
    assert len(found) == len(rows)  # none is computed twice
    return found


@pytest.mark.parametrize("proxies", ["logme", "leep, nleep, logme, hscore, knn"])
def test_features_and_probabilities_come_from_one_pass_whatever_the_proxies(
    zoo: Store, passes: list[str], extracted: list[str], proxies: str
) -> None:
    zoo.execute(f"RECALL 3 MODELS FOR texts USING {proxies} WITH (batch_size = 16)")
    [(rows,)] = zoo.execute("SELECT DISTINCT rows FROM proxy_scores").fetchall()
    assert sorted(extracted) == sorted(KINDS)
    assert len(passes) == len(KINDS) * ceil(rows / 16)


@pytest.mark.parametrize("proxies", ["hscore", "hscore, logme, knn"])
@pytest.mark.parametrize(("rows", "epochs"), [(2000, 1.0), (40, 40 / 96)])
def test_a_score_costs_a_third_of_training_on_its_rows_however_many_proxies_it_serves(
    zoo: Store, proxies: str, rows: int, epochs: float
) -> None:
    assert zoo.execute("SELECT train_rows FROM datasets WHERE name = 'texts'").fetchone() == (96,)
    recall = f"EXPLAIN ANALYZE RECALL 3 MODELS FOR texts USING {proxies} WITH (proxy_rows = {rows})"
    [_, (_, expected, actual), *_] = zoo.execute(recall).fetchall()
    for cost in (expected, actual):
        assert cost.startswith(f"3 scored, {round(epochs, 2):g} epoch")


def test_the_papers_two_phases_count_half_an_epoch_a_score(zoo: Store) -> None:
    select = "SELECT BEST MODEL FOR texts USING two_phase WITH (recall = 2, epochs = 2, proxy_rows = 40)"
    plan = zoo.execute(f"EXPLAIN {select}").fetchall()
    assert [cost.split(" epoch")[0] for step, cost in plan if "coarse recall" in step] == ["3 scored, 1.5"]


def test_leep_is_nleep_for_all_where_one_lacks_a_head_and_the_result_says_so(
    zoo: Store, said: list[str]
) -> None:
    explain = "EXPLAIN RECALL 3 MODELS FOR texts"
    step = "└─ coarse recall · top 3 of 3, proxy leep (nleep in place of leep for 3)"
    assert zoo.execute(explain).fetchall()[1][0] == step
    assert said == []
    of_all = "nleep is used in place of leep for bert, bert_classifier, distilbert: "
    for _ in range(2):  # computed, then on record
        zoo.execute("RECALL 3 MODELS FOR texts")
        assert said == [of_all + "not all have a classification head"]
        assert set(scores(zoo)) == {(kind, "nleep") for kind in KINDS}
        assert zoo.execute(explain).fetchall()[1][0] == step
        said.clear()
    zoo.execute("RECALL 3 MODELS FOR texts USING nleep, logme")
    assert said == []


def test_leep_is_leep_where_all_have_a_head(zoo: Store, said: list[str]) -> None:
    zoo.execute("RECALL 1 MODELS FOR texts WHERE name = 'bert_classifier'")
    assert said == []
    assert set(scores(zoo)) == {("bert_classifier", "leep")}


def test_on_a_regression_target_leep_is_logme_and_the_result_says_so(zoo: Store, said: list[str]) -> None:
    zoo.execute("RECALL 3 MODELS FOR numbers")
    assert said == [
        "logme is used in place of leep for bert, bert_classifier, distilbert: the target is a regression"
    ]
    assert set(scores(zoo, "numbers")) == {(kind, "logme") for kind in KINDS}


def test_only_what_is_not_on_record_is_computed(zoo: Store, extracted: list[str]) -> None:
    zoo.execute("RECALL 3 MODELS FOR texts")
    first = scores(zoo)
    zoo.execute("RECALL 3 MODELS FOR texts")
    assert len(extracted) == 3
    zoo.execute("RECALL 3 MODELS FOR texts USING leep, hscore")
    assert len(extracted) == 6
    both = scores(zoo)
    assert both == first | {key: score for key, score in both.items() if key[1] == "hscore"}
    assert len(both) == 6
    zoo.execute("RECALL 3 MODELS FOR texts USING hscore, leep")
    assert len(extracted) == 6


def test_scores_of_another_number_of_rows_are_computed_again(zoo: Store, extracted: list[str]) -> None:
    recall = "RECALL 3 MODELS FOR texts USING hscore WITH (proxy_rows = {})"
    zoo.execute(recall.format(24))
    of_few = scores(zoo)
    zoo.execute(recall.format(48))
    assert len(extracted) == 6
    assert scores(zoo).keys() == of_few.keys()
    assert scores(zoo) != of_few
    assert zoo.execute("SELECT DISTINCT rows FROM proxy_scores").fetchall() == [(48,)]
    zoo.execute(recall.format(48))
    assert len(extracted) == 6
    # More than there are come to the same, and a loaded score holds whatever it was computed from.
    for rows in (5000, 9000):
        zoo.execute(recall.format(rows))
        assert len(extracted) == 9
    zoo.execute("UPDATE proxy_scores SET source = NULL")
    zoo.execute(recall.format(24))
    assert len(extracted) == 9


def test_scores_of_few_and_of_many_rows_are_not_mixed(zoo: Store) -> None:
    zoo.execute("RECALL 2 MODELS FOR texts WHERE name LIKE 'bert%' USING hscore WITH (proxy_rows = 24)")
    assert "3 scored, " in str(zoo.execute("EXPLAIN RECALL 3 MODELS FOR texts USING hscore").fetchall())
    zoo.execute("RECALL 3 MODELS FOR texts USING hscore")
    [(rows,)] = zoo.execute("SELECT DISTINCT rows FROM proxy_scores").fetchall()
    assert rows > 24


@pytest.mark.parametrize("again", ["CREATE OR REPLACE {0}", "DROP {0}; CREATE {0}"])
def test_scores_of_a_replaced_model_or_dataset_are_computed_again(
    again: str, zoo: Store, extracted: list[str], model_path: Callable[[str], Path]
) -> None:
    recall = "RECALL 3 MODELS FOR texts USING hscore"
    zoo.execute(recall)
    before = scores(zoo)
    extracted.clear()
    zoo.execute(f"{again.format('MODEL bert')} FROM '{model_path('albert')}'")
    assert "3 scored (2 on record)" in str(zoo.execute(f"EXPLAIN {recall}").fetchall())
    zoo.execute(recall)
    assert extracted == ["bert"]
    after = scores(zoo)
    assert {key for key in before if before[key] != after[key]} == {("bert", "hscore")}
    extracted.clear()
    zoo.register("rows", text_rows(90, np.random.default_rng(1)))
    zoo.execute(f"{again.format('DATASET texts')} AS SELECT * FROM rows")
    zoo.execute(recall)
    assert sorted(extracted) == sorted(KINDS)


def test_scores_are_computed_again_once_weights_or_rows_change_in_place(
    zoo: Store, extracted: list[str], model_copy: Callable[[str], Path], tmp_path: Path
) -> None:
    path = model_copy("albert")
    zoo.execute(f"CREATE MODEL albert FROM '{path}'")
    rows = tmp_path / "rows.parquet"
    zoo.execute(f"COPY dataset_rows.texts TO '{rows}'; CREATE DATASET kept FROM '{rows}'")
    recall = "RECALL 4 MODELS FOR kept USING logme"
    zoo.execute(recall)
    extracted.clear()
    os.utime(path / "model.safetensors", (0, 0))
    zoo.execute(recall)
    assert extracted == ["albert"]
    extracted.clear()
    zoo.execute(f"COPY (SELECT * FROM dataset_rows.texts ORDER BY text) TO '{rows}'")
    zoo.execute(recall)
    assert sorted(extracted) == ["albert", *sorted(KINDS)]
    extracted.clear()
    shutil.rmtree(path)  # it may be as it was, for all that can be seen
    rows.unlink()
    zoo.execute(recall)
    assert extracted == []


def test_loaded_scores_hold_even_when_the_model_is_replaced(
    zoo: Store, extracted: list[str], model_path: Callable[[str], Path]
) -> None:
    zoo.execute("RECALL 3 MODELS FOR texts USING hscore")
    zoo.execute(f"DROP MODEL bert; CREATE MODEL bert FROM '{model_path('albert')}'")
    extracted.clear()
    zoo.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) VALUES ('bert', 'texts', 'HScore', 7)"
    )
    found = zoo.execute("SELECT model FROM (RECALL 1 MODELS FOR texts USING hscore)").fetchall()
    assert found == [("bert",)]
    assert extracted == []


def test_a_proxy_is_computed_from_at_most_proxy_rows_of_every_class(
    zoo: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    compute = computing.compute

    def watched(names: Any, measured: Any) -> Any:
        assert len(measured.features) == len(measured.labels)
        seen.append(measured.labels)
        return compute(names, measured)

    monkeypatch.setattr(computing, "compute", watched)
    zoo.register("rows", text_rows(120, np.random.default_rng(0)))
    zoo.execute(
        "CREATE DATASET skewed AS SELECT text, if(row_number() OVER () <= 20, 1, 0) AS label FROM rows"
    )
    zoo.execute("RECALL 3 MODELS FOR skewed USING hscore, knn WITH (proxy_rows = 24)")
    assert [np.bincount(labels).tolist() for labels in seen] == [[20, 4]] * 3
    assert zoo.execute("SELECT DISTINCT rows FROM proxy_scores").fetchall() == [(24,)]


def test_several_proxies_are_combined_by_their_mean_rank(zoo: Store) -> None:
    found = dict(
        zoo.execute(
            "SELECT model, proxy_score FROM (RECALL 3 MODELS FOR texts USING nleep, logme, knn)"
        ).fetchall()
    )
    raw = scores(zoo)
    ranks = [rankdata([raw[kind, proxy] for kind in KINDS]) / 3 for proxy in ("nleep", "logme", "knn")]
    assert found == pytest.approx(dict(zip(KINDS, np.mean(ranks, axis=0), strict=True)))


def test_a_model_whose_features_are_not_finite_does_not_end_a_recall(
    zoo: Store, model_copy: Callable[[str], Path]
) -> None:
    weights = model_copy("albert") / "model.safetensors"
    broken = {name: tensor * float("nan") for name, tensor in load_file(weights).items()}
    save_file(broken, weights, metadata={"format": "pt"})
    zoo.execute(f"CREATE MODEL broken FROM '{weights.parent}'")
    rows = zoo.execute("RECALL 5 MODELS FOR texts WHERE name IN ('bert', 'broken')").fetchall()
    assert [row[1] for row in rows] == ["bert"]
    with pytest.raises(modelstore.TrainingError, match="the proxies of broken cannot be computed"):
        zoo.execute("RECALL 5 MODELS FOR texts WHERE name = 'broken'")
