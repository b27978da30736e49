"""The demonstration's models learn, are complete, and are built once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from modelstore.demo import images, prose, tasks, zoo
from modelstore.demo.architectures import IMAGE, TEXT
from modelstore.demo.building import build_all
from modelstore.demo.cooccurrence import word_factors
from modelstore.demo.pretrain import Examples, Spec, complete, pretrain_image, pretrain_text, train_words

MICRO = Spec(
    "micro", "bert", "the language reference", hidden=32, heads=2, vocabulary=600, tokens=512, steps=3
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus():
    return [text for _, text in prose.reference()][:300]


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_pretraining_lowers_the_loss_of_a_text_model(architecture):
    # Ten topics without a word in common: who reads the context has a tenth of the words to choose from.
    random = np.random.default_rng(0)
    words = np.array([a + b + c for a in "bdfgklmnpr" for b in "aeiou" for c in "bdgk"]).reshape(10, 20)
    passages = [" ".join(random.choice(words[topic % 10], 40)) for topic in range(300)]
    spec = replace(MICRO, architecture=architecture, learning_rate=3e-3, hidden=64)
    before = train_words(replace(spec, steps=0), passages)[2]
    after = train_words(replace(spec, steps=120), passages)[2]
    assert after.loss < before.loss - 0.5
    assert after.loss < after.baseline - 0.5


@pytest.mark.parametrize("architecture", TEXT)
def test_a_text_model_reloads_with_its_words(tmp_path, corpus, architecture):
    directory = tmp_path / "model"
    assert pretrain_text(replace(MICRO, architecture=architecture, heads=2), corpus, directory)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    encoded = tokenizer(["The class statement defines a function"], return_tensors="pt")
    ids = encoded["input_ids"][0].tolist()
    assert tokenizer.unk_token_id not in ids
    assert {"class", "statement", "function"} <= set(
        tokenizer.decode(ids, skip_special_tokens=True).lower().split()
    )
    model = AutoModel.from_pretrained(directory)
    assert model.config.model_type == architecture
    assert model.config.num_labels == 2  # the default: it has no head whose labels these would be
    assert model(**encoded).last_hidden_state.shape == (1, len(ids), 32)
    assert architecture in (directory / "README.md").read_text()


@pytest.mark.parametrize("architecture", IMAGE)
def test_an_image_model_reloads_with_its_head(tmp_path, architecture):
    digits = images.coloured(images.digits()[0][:60], 0)
    source = Examples([str(label) for label in images.digits()[1][:60]], images=digits)
    spec = Spec("micro", architecture, "digits", hidden=32, layers=1, heads=2, steps=2, head="digits")
    assert pretrain_image(spec, source, tmp_path / "model")
    model = AutoModelForImageClassification.from_pretrained(tmp_path / "model")
    assert sorted(model.config.id2label.values()) == sorted(set(source.labels))
    inputs = AutoImageProcessor.from_pretrained(tmp_path / "model")(list(digits[:2]), return_tensors="pt")
    assert inputs["pixel_values"].min() >= -1
    assert model(**inputs).logits.shape == (2, 10)


def test_pretraining_lowers_the_loss_of_an_image_model(tmp_path):
    grey, labels = images.digits()
    source = Examples([str(label) for label in labels], images=images.coloured(grey, 0))
    spec = Spec("resnet", "resnet", "digits", hidden=32, layers=1, steps=250)
    outcome = pretrain_image(spec, source, tmp_path / "model")
    assert outcome.loss < outcome.baseline / 2


def test_a_model_is_fine_tuned_on_a_source_task(tmp_path, corpus):
    legal = list(prose.legal())[:60]
    task = Examples(["reference"] * 60 + ["legal"] * 60, texts=corpus[:60] + legal)
    spec = replace(MICRO, head="register", head_epochs=25)
    pretrain_text(spec, corpus, tmp_path / "model", task)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    inputs = tokenizer(list(task.texts), truncation=True, max_length=64, padding=True, return_tensors="pt")
    guesses = [model.config.id2label[int(i)] for i in model(**inputs).logits.argmax(1)]
    assert np.mean([guess == label for guess, label in zip(guesses, task.labels, strict=True)]) > 0.8


def test_word_factors_put_words_of_the_same_company_together():
    passages = [[5, 7, 6, 7], [6, 7, 5, 7], [8, 10, 9, 10], [9, 10, 8, 10]] * 5
    factors = word_factors(passages, 12, 3, 0.1)
    normed = factors / np.linalg.norm(factors, axis=1, keepdims=True)
    assert normed[5] @ normed[6] > 0.9 > normed[5] @ normed[8]
    assert factors[11].any()  # a word that is never seen has an embedding too


def test_a_complete_model_is_not_built_again(tmp_path, corpus):
    spec = replace(MICRO, name="done")
    directory = tmp_path / "done"
    pretrain_text(spec, corpus, directory)
    before = (directory / "model.safetensors").stat().st_mtime_ns
    assert pretrain_text(spec, corpus, directory) is None
    asked = []
    assert build_all([spec], asked.append, tmp_path, processes=1) == []
    assert not asked
    assert (directory / "model.safetensors").stat().st_mtime_ns == before


def test_a_failed_pretraining_leaves_no_files(tmp_path):
    with pytest.raises(ValueError, match="its source has none"):
        pretrain_image(Spec("x", "vit", "nothing"), Examples(["a"]), tmp_path / "x")
    assert not complete(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_task_has_its_columns_and_its_classes(tmp_path, name):
    file = tasks.write(tmp_path, name)
    rows = pq.read_table(file).to_pylist()
    content = {"image"} if name in tasks.IMAGE_TASKS else {"text"}
    assert set(rows[0]) == content | {"label", "split"}
    assert 500 <= len(rows) <= 1500
    labels = {
        part: {r["label"] for r in rows if r["split"] == part} for part in ("train", "validation", "test")
    }
    assert all(len(found) > 1 for found in labels.values())
    if isinstance(rows[0]["label"], str):
        assert labels["test"] | labels["validation"] <= labels["train"]
    if name in tasks.IMAGE_TASKS:
        assert images.from_png(rows[0]["image"]).shape == (32, 32, 3)


def test_no_corpus_has_a_test_text(tmp_path):
    rows = pq.read_table(tasks.write(tmp_path, tasks.TEXT_TARGET)).to_pylist()
    passages = "\n".join(prose.corpus("numeric"))
    tested = [row["text"] for row in rows if row["split"] != "train"]
    assert sum(text in passages for text in tested) <= len(tested) // 50  # inherited methods share docstrings


def test_the_zoo_never_learns_from_its_targets():
    assert len({spec.name for spec in zoo.SPECS}) == len(zoo.SPECS) >= 12
    assert not {tasks.TEXT_TARGET, tasks.IMAGE_TARGET} & {spec.head for spec in zoo.SPECS}


def test_an_unknown_corpus_is_named():
    with pytest.raises(ValueError, match="there is no corpus latin"):
        prose.corpus("latin")


def test_tasks_are_the_same_each_time(tmp_path: Path):
    first, second = (tasks.write(tmp_path / part, "kind").read_bytes() for part in "ab")
    assert first == second
