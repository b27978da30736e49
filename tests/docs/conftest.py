"""The folder in which examples run: the files that they name, a hub cache, and a store with records."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from tiny_models import image_rows, text_rows
from token_rows import conll_lines, json_lines, tagged_sentences

import modelstore

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODELS = {"bert-tiny": "bert", "roberta-tiny": "roberta", "distilbert-tiny": "distilbert", "vit-tiny": "vit"}
# The demo's zoo, as far as the tutorial goes.
ZOO = {"bert-code": "bert", "bert-learning": "bert_classifier", "gpt2-standard": "gpt2"}
ZOO |= {"roberta-learning-kind": "roberta", "electra-prose-topic": "distilbert"}
HUB = {
    "distilbert/distilbert-base-uncased": "distilbert",
    "FacebookAI/roberta-base": "roberta",
    "google-bert/bert-base-uncased": "bert",
    "sentence-transformers/paraphrase-MiniLM-L3-v2": "distilbert",
    "sentence-transformers/all-MiniLM-L6-v2": "bert",
}
HUB_DATASET = "datasets--ucirvine--sms_spam"
RECORDS = """
CREATE MODEL 'bert-tiny' FROM 'models/bert-tiny';
CREATE MODEL 'roberta-tiny' FROM 'models/roberta-tiny';
CREATE MODEL 'distilbert-tiny' FROM 'models/distilbert-tiny';
CREATE DATASET reviews FROM 'reviews.parquet' WITH (text = 'review', label = 'stars');
CREATE DATASET tickets AS SELECT body AS text, queue AS label FROM 'tickets.csv';

INSERT INTO benchmark_results (model, dataset, score, metric, recipe, epochs, seconds, seed)
SELECT model, dataset, 0.6 + 0.1 * m + 0.02 * d - 0.03 * ((m * d) % 3), 'accuracy', recipe, 2, 4, 0
FROM (VALUES ('bert-tiny', 1), ('roberta-tiny', 2), ('distilbert-tiny', 3)) AS models(model, m),
     (VALUES ('tickets', 1), ('news', 2), ('mails', 3), ('posts', 4)) AS datasets(dataset, d),
     (VALUES ('default'), ('mine')) AS recipes(recipe);
INSERT INTO training_curves (model, dataset, stage, epoch, validation, test, seconds, recipe, seed)
SELECT model, dataset, stage, stage, score * (0.8 + 0.1 * stage), score * (0.8 + 0.1 * stage), 2, recipe, 0
FROM benchmark_results, range(1, 3) AS stages(stage);
INSERT INTO recipes (name, options) VALUES ('mine', '{"epochs": 2, "learning_rate": 5e-5}');
"""


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, model_path: Callable[[str], Path]) -> Path:
    """Models, data, results and the hub's cache. Not to be changed: see `folder`."""
    root = tmp_path_factory.mktemp("files")
    for folder, kinds in (("models", MODELS | ZOO), ("hub", HUB)):
        for name, kind in kinds.items():
            path = root / "models" / name
            if folder == "hub":
                repository = root / "hub" / f"models--{name.replace('/', '--')}"
                (repository / "refs").mkdir(parents=True)
                (repository / "refs" / "main").write_text(COMMIT)
                path = repository / "snapshots" / COMMIT
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(model_path(kind))
    pickled = root / "models" / "bert-pickled"
    shutil.copytree(model_path("bert"), pickled)
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    rows, images = text_rows(80, np.random.default_rng(3)), image_rows(40, np.random.default_rng(3))
    (root / "tasks").mkdir()
    with modelstore.connect() as writer:
        writer.register("drawn", rows)
        writer.register("pictures", images)
        writer.execute(
            f"COPY (SELECT text AS review, label AS stars FROM drawn) TO '{root}/reviews.parquet';"
            f"COPY (SELECT text AS body, label AS queue FROM drawn) TO '{root}/tickets.csv';"
            f"COPY (SELECT image AS photo, label AS kind FROM pictures) TO '{root}/photos.parquet'"
        )
        for task in ("topic", "package", "register", "area"):
            writer.execute(
                f"COPY (SELECT text, label, CASE row_number() OVER () % 4 WHEN 0 THEN 'test' WHEN 1 THEN "
                f"'validation' ELSE 'train' END AS split FROM drawn) TO '{root}/tasks/{task}.parquet'"
            )
    messages = [f"{['ham', 'spam'][i % 2]}\tThis is the message of number {i}\n" for i in range(40)]
    repository = root / "hub" / HUB_DATASET
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    pq.write_table(rows.rename_columns(["sms", "label"]), repository / "snapshots" / COMMIT / "train.parquet")
    tagged = tagged_sentences(60)
    (root / "sentences.jsonl").write_text(json_lines(tagged, "words", "ner_tags"))
    (root / "entities.conll").write_text(conll_lines(tagged))
    (root / "messages.tsv").write_text("".join(messages))
    (root / "matrix.csv").write_text("dataset,bert,roberta\nsst2,0.91,0.94\ncola,0.52,0.6\n")
    (root / "results.csv").write_text(
        "model,dataset,accuracy,seed,epochs,minutes\nbert,mnli,0.9,0,3,2\nroberta,mnli,0.8,1,3,2.5\n"
    )
    (root / "curves.csv").write_text("model,dataset,stage,validation\nbert,sst2,1,0.8\nbert,sst2,2,0.9\n")
    return root


@pytest.fixture(scope="session")
def records(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with models, datasets, and results and curves that no training has made."""
    path = tmp_path_factory.mktemp("records") / "zoo.db"
    with pytest.MonkeyPatch.context() as patch, modelstore.connect(path) as store:
        patch.chdir(files)
        store.execute(RECORDS)
    return path


@pytest.fixture
def folder(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the examples' files, and no network: the hub is what its cache holds."""
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(files / "hub"))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    path = tmp_path / "work"
    shutil.copytree(files, path, symlinks=True, ignore=lambda *_: ["hub"])
    monkeypatch.chdir(path)
    return path
