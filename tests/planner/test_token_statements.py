"""Token classification in statements: benchmark, recall, selection, ensemble, resumption, replay."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_models import TINY_STAGES
from token_rows import TAGS, json_lines, tagged_sentences
from watched_training import interrupted_training

import modelstore
from modelstore.connection.best_model import BestModel
from modelstore.data.hub import ModelRef
from modelstore.data.task_data import TaskData
from modelstore.execution.client import WorkerClient
from modelstore.execution.pool import worker_pool
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning
from modelstore.udfs.entity_f1 import entity_f1

Store = modelstore.Connection
MODELS = ("bert", "gpt2", "bert_classifier")
SELECT = f"SELECT BEST 2 MODELS FOR ner USING brute_force WITH ({TINY_STAGES}, ensemble = true)"
STAGES = "SELECT stage, model, validation, action FROM selection_stages ORDER BY rowid"


@pytest.fixture(scope="module")
def ner_file(tmp_path_factory: pytest.TempPathFactory, model_path: Callable[[str], Path]) -> Path:
    """The file of `ner`. Not to be changed."""
    folder = tmp_path_factory.mktemp("ner")
    (folder / "ner.jsonl").write_text(json_lines(tagged_sentences(120), "words", "ner_tags"))
    with modelstore.connect(folder / "ner.db") as store:
        for kind in (*MODELS, "vit"):
            store.execute(f"CREATE MODEL {kind} FROM '{model_path(kind)}'")
        store.execute(
            f"CREATE DATASET ner FROM '{folder}/ner.jsonl' WITH (text = 'words', label = 'ner_tags')"
        )
    return folder / "ner.db"


@pytest.fixture
def ner(ner_file: Path, opened_copy: Callable[[Path], Store]) -> Store:
    """Three text models, an image model, and a dataset of tokens and tags."""
    return opened_copy(ner_file)


def test_the_catalog_has_task_metric_tags_and_columns(ner: Store) -> None:
    row = ner.execute("SELECT task, metric, labels, columns FROM datasets").fetchone()
    columns = {"text": "words", "label": "ner_tags"}
    assert row == ("token_classification", "f1_entity", list(TAGS), columns)


def test_text_models_are_benchmarked_and_replayed(ner: Store) -> None:
    rows = ner.execute(f"BENCHMARK MODELS ON ner WITH ({TINY_STAGES})").fetchall()
    assert [(row[0], row[-1]) for row in rows] == [(name, "done") for name in sorted(MODELS)]
    assert all(score > 0.5 for _, _, _, score, *_ in rows)
    assert ner.execute("SELECT DISTINCT metric FROM benchmark_results").fetchall() == [("f1_entity",)]
    plan = "recipe = 'tiny', epochs = 2, stages_per_epoch = 2"  # so that it looks where the benchmark did
    replay = f"SELECT BEST MODEL FOR ner WITH (executor = 'replay', {plan})"
    _, winner, _, _, test, *_ = ner.execute(replay).fetchone()
    assert test == {row[0]: row[3] for row in rows}[winner]
    compared = ner.execute("COMPARE STRATEGIES brute_force ON ner WITH (recipe = 'tiny')").fetchall()
    assert [row[:2] for row in compared] == [("brute_force", "ner")]


def test_what_has_no_token_classifier_fails_as_that_pair(
    ner: Store, model_path: Callable[[str], Path]
) -> None:
    ner.execute(f"CREATE MODEL bart FROM '{model_path('bart')}'")
    rows = ner.execute(
        f"BENCHMARK MODELS WHERE name IN ('bart', 'bert') ON ner WITH ({TINY_STAGES})"
    ).fetchall()
    assert [(row[0], row[-1]) for row in rows] == [("bart", "failed"), ("bert", "done")]
    [(reason,)] = ner.execute("SELECT reason FROM benchmark_failures").fetchall()
    assert "transformers makes no token classifier of" in reason


def test_models_are_recalled_by_their_tokens_in_place_of_heads(ner: Store) -> None:
    sql = "RECALL 3 MODELS FOR ner USING leep, logme, knn, hscore WITH (device = 'cpu')"
    rows = ner.execute(sql).fetchall()
    assert sorted(row[1] for row in rows) == sorted(MODELS)
    stored = ner.execute(
        "SELECT proxy, count(*), min(rows) FROM proxy_scores GROUP BY ALL ORDER BY 1"
    ).fetchall()
    train = ner.execute("SELECT train_rows FROM datasets").fetchone()[0]
    assert stored == [(name, 3, train) for name in ("hscore", "knn", "logme", "nleep")]
    assert [row[:5] for row in ner.execute(sql).fetchall()] == [row[:5] for row in rows]
    assert ner.execute("SELECT count(*) FROM proxy_scores").fetchone() == (12,)  # not computed again


def test_explain_expects_seconds_and_memory(ner: Store) -> None:
    lines = ner.execute(f"EXPLAIN SELECT BEST MODEL FOR ner WITH ({TINY_STAGES})").fetchall()
    assert " s" in lines[0][1]
    assert "3 models" in lines[1][1]


def test_the_winner_loads_and_is_registered(ner: Store) -> None:
    rows = ner.execute(SELECT).fetchall()
    best = next(row for row in rows if not row[1].startswith("ensemble"))
    network, tokenizer = BestModel(*best[1:]).load()
    assert type(network).__name__.endswith("ForTokenClassification")
    assert tuple(network.config.id2label.values()) == TAGS
    assert tokenizer(["the", "film"], is_split_into_words=True).word_ids()
    finetuned = f"{best[1]}-finetuned-ner"
    assert ner.execute("SELECT modality FROM models WHERE name = ?", [finetuned]).fetchone() == ("text",)
    # It serves other targets of tokens.
    ner.execute(
        "CREATE DATASET other AS SELECT ['the', 'good', 'film' || i] AS tokens, ['O', 'B-X', 'O'] AS tags "
        "FROM range(60) t(i)"
    )
    done = ner.execute(
        f"BENCHMARK MODELS WHERE name = '{finetuned}' ON other WITH ({TINY_STAGES})"
    ).fetchall()
    assert [row[-1] for row in done] == ["done"]


def test_an_ensemble_averages_words_across_tokenizers(ner: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each model is sure of every second word, and reads no other."""

    def given(self: FineTuning, split: str) -> np.ndarray:
        tags = self.data.targets(split)
        scores = np.zeros((len(tags), len(TAGS)))
        mine = np.arange(len(tags)) % 2 == (self.model == "bert")
        scores[mine, tags[mine]] = 1.0
        return scores

    monkeypatch.setattr(FineTuning, "predict_scores", given)
    monkeypatch.setattr(
        FineTuning, "_evaluate", lambda self, split: {"bert": 0.9, "gpt2": 0.8}.get(self.model, 0.1)
    )
    vote, *members = ner.execute(SELECT).fetchall()
    assert [row[1] for row in members] == ["bert", "gpt2"]
    assert vote[3:5] == (1.0, 1.0)
    stored = json.loads(Path(vote[7]).read_text())["ensemble"]
    assert {one["model"] for one in stored} == {"bert", "gpt2"}


def test_scores_are_of_entities(ner: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    evaluate = FineTuning._evaluate

    def checked(self: FineTuning, split: str) -> float:
        found = evaluate(self, split)
        predicted = self.targets.predictions(self.evaluation.logits(split))
        expected = entity_f1(predicted, self.data.targets(split), self.data.tokens(split), TAGS)
        seen.append(abs(found - expected))
        return found

    monkeypatch.setattr(FineTuning, "_evaluate", checked)
    ner.execute(f"BENCHMARK MODELS WHERE name = 'bert' ON ner WITH ({TINY_STAGES})")
    assert max(seen) == 0


def test_an_interrupted_selection_ends_as_if_it_never_was(ner: Store, ner_file: Path, tmp_path: Path) -> None:
    with interrupted_training(lambda run: run.model == "gpt2" and len(run.curve) == 2):
        ner.execute(SELECT)
    resumed = ner.execute("RESUME SELECTION 1").fetchall()
    copy = tmp_path / "straight.db"
    copy.write_bytes(ner_file.read_bytes())
    with modelstore.connect(copy) as straight:
        rows = straight.execute(SELECT).fetchall()
        assert [row[:6] for row in rows] == [row[:6] for row in resumed]
        assert straight.execute(STAGES).fetchall() == ner.execute(STAGES).fetchall()


def test_a_worker_process_trains_tokens_alike(
    model_path: Callable[[str], Path], tagged: Callable[..., TaskData]
) -> None:
    data, options = tagged(40), TrainingOptions(epochs=1, batch_size=16, learning_rate=5e-3, device="cpu")
    here = FineTuning("bert", model_path("bert"), data, options)
    with worker_pool(["cpu", "cpu"]) as workers:
        _, worker = workers.present()
        assert isinstance(worker, WorkerClient)
        executor = worker.executor({"bert": ModelRef("bert", model_path("bert"))}, data, options, {})
        there = executor.start("bert")
        for run in (here, there):
            while len(run.curve) < len(run.batches_per_stage):
                run.advance(test=True)
        assert [replace(p, seconds=0) for p in there.curve] == [replace(p, seconds=0) for p in here.curve]
        np.testing.assert_array_equal(there.predict_scores("test"), here.predict_scores("test"))
        there.release()


def test_models_are_clustered_by_their_scores(ner: Store) -> None:
    ner.execute(f"BENCHMARK MODELS ON ner WITH ({TINY_STAGES})")
    assert ner.execute("CLUSTER MODELS WITH (recipe = 'tiny')").fetchone()[1] == 3
