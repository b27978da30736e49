"""Predicting with stored models: as the run that was saved predicts, and as the definitions say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny_models import FILLER, MOODS, sentence
from transformers import AutoModel, AutoTokenizer

from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, ModelError, TrainingError
from modelstore.libraries import quiet
from modelstore.options import TrainingOptions
from modelstore.tasks import CLASS, LABELS, NUMBER, TAGS
from modelstore.training import hardware
from modelstore.training import predictor as predictor_module
from modelstore.training.finetune import FineTuning
from modelstore.training.predictor import load_predictor

FAST = TrainingOptions(epochs=1, batch_size=16, learning_rate=5e-3, max_length=6, device="cpu")
MODELS = {"image": "vit", "multi_label_image": "vit"}

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


def trained(path: Path, data: TaskData) -> FineTuning:
    run = FineTuning("m", path, data, FAST)
    run.advance()
    return run


@pytest.fixture(scope="module")
def saved(
    model_path: Paths, dataset: Datasets, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Path, TaskData, np.ndarray]]:
    """The directory of a model fine-tuned on a kind of dataset, the dataset, and what its run predicts."""
    root, made = tmp_path_factory.mktemp("saved"), dict[tuple[str, str], Any]()

    def make(kind: str, model: str = "") -> tuple[Path, TaskData, np.ndarray]:
        model = model or MODELS.get(kind, "bert")
        if (kind, model) not in made:
            data = dataset(kind, rows=40)
            run, path = trained(model_path(model), data), root / f"{kind}_{model}"
            scores = run.predict_scores("test")
            run.save(path)
            made[kind, model] = path, data, scores
        return made[kind, model]

    return make


def inputs(data: TaskData) -> pa.Table:
    return data.test.drop_columns("label")


@pytest.mark.parametrize(
    ("kind", "target", "labels"),
    [
        ("text", CLASS, ("bad", "good")),
        ("pair", CLASS, ("bad", "good")),
        ("regression", NUMBER, ()),
        ("image", CLASS, ("red", "blue")),
        ("multi_label", LABELS, tuple(MOODS)),
    ],
)
def test_a_saved_model_scores_as_the_run_that_saved_it(
    kind: str, target: object, labels: tuple[str, ...], saved: Any
) -> None:
    """Texts are cut at the six tokens that it was trained with."""
    path, data, expected = saved(kind)
    predictor = load_predictor("m", path, "cpu")
    assert (predictor.target, predictor.labels, predictor.modality) == (target, labels, data.modality)
    found = predictor.scores(inputs(data))
    assert found.shape == expected.shape
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_scores_do_not_depend_on_what_else_is_in_the_table(saved: Any) -> None:
    path, data, expected = saved("text")
    predictor = load_predictor("m", path, "cpu")
    some = np.array([31, 4, 4, 0])
    assert predictor.scores(inputs(data).take(some)) == pytest.approx(expected[some], abs=1e-5)
    assert predictor.scores(inputs(data).slice(7, 1)) == pytest.approx(expected[7:8], abs=1e-5)


def test_a_token_classifier_scores_each_word_and_none_that_it_does_not_read(
    model_path: Paths, tagged: Datasets, tmp_path: Path
) -> None:
    data = tagged(rows=40)
    run = trained(model_path("bert"), data)
    expected = run.predict_scores("test")
    run.save(tmp_path / "saved")
    predictor = load_predictor("m", tmp_path / "saved", "cpu")
    found = predictor.scores(inputs(data))
    assert (predictor.target, predictor.labels) == (TAGS, data.labels)
    assert found == pytest.approx(expected, abs=1e-5)
    long = predictor.scores(pa.table({"text": [["film"] * 9, []]}))
    assert long.any(axis=1).tolist() == [True] * 4 + [False] * 5  # six tokens, two of them special


def test_an_embedding_is_the_mean_of_the_last_hidden_state_with_a_head_or_without(
    saved: Any, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "has_bfloat16_units", lambda: False)  # what is expected is in float32
    rng = np.random.default_rng(0)
    texts = [sentence(rng) for _ in range(5)] + ["", "plot " * 200]
    for path, most in ((model_path("bert"), 64), (saved("text")[0], 6)):
        found = load_predictor("m", path, "cpu").embed(pa.table({"text": texts}))
        with quiet():
            tokenizer, network = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()
        for text, embedding in zip(texts, found, strict=True):
            encoded = tokenizer(text, return_tensors="pt", truncation=True, max_length=most)
            with torch.inference_mode():
                expected = network(**encoded).last_hidden_state[0].mean(dim=0).numpy()
            assert embedding == pytest.approx(expected, abs=1e-5)


def test_images_are_decoded_a_few_at_a_time_with_the_same_result(
    saved: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, data, expected = saved("image")
    monkeypatch.setattr(predictor_module, "IMAGES", 7)
    predictor = load_predictor("m", path, "cpu")
    assert predictor.scores(inputs(data)) == pytest.approx(expected, abs=1e-5)
    assert predictor.embed(inputs(data)).shape == (50, 32)


def ensemble(folder: Path, members: list[tuple[str, Path, float]]) -> Path:
    listed = [{"model": model, "weight": weight, "checkpoint": str(path)} for model, path, weight in members]
    file = folder / "vote.json"
    file.write_text(json.dumps({"ensemble": listed}))
    return file


def test_an_ensemble_scores_the_weighted_mean_of_its_members(saved: Any, tmp_path: Path) -> None:
    (one, data, by_one), (other, _, by_other) = saved("text"), saved("text", "albert")
    predictor = load_predictor(
        "vote", ensemble(tmp_path, [("one", one, 0.75), ("other", other, 0.25)]), "cpu"
    )
    assert (predictor.target, predictor.labels) == (CLASS, ("bad", "good"))
    assert predictor.scores(inputs(data)) == pytest.approx(0.75 * by_one + 0.25 * by_other, abs=1e-5)
    with pytest.raises(ModelError, match="embed with one of one, other"):
        predictor.embed(inputs(data))


def test_an_ensemble_that_cannot_predict_says_why(saved: Any, tmp_path: Path) -> None:
    one, of_numbers = saved("text")[0], saved("regression")[0]
    with pytest.raises(ModelError, match=r'one and other of the ensemble "vote" predict different labels'):
        load_predictor("vote", ensemble(tmp_path, [("one", one, 1), ("other", of_numbers, 1)]))
    with pytest.raises(ModelError, match="folder of its member lost, which is not there"):
        load_predictor("vote", ensemble(tmp_path, [("lost", tmp_path / "lost", 1)]))
    for content in ("{", "[]", '{"ensemble": []}', '{"ensemble": [{"model": "m"}]}', '{"ensemble": 3}'):
        (tmp_path / "broken.json").write_text(content)
        with pytest.raises(ModelError, match='ensemble "vote" cannot be read from'):
            load_predictor("vote", tmp_path / "broken.json")


def test_what_cannot_predict_says_why(model_path: Paths, model_copy: Paths, saved: Any) -> None:
    from safetensors.torch import load_file, save_file

    with pytest.raises(ModelError, match=r'model "bert" has no head that was fine-tuned.*embed needs none'):
        load_predictor("bert", model_path("bert"), "cpu").scores(pa.table({"text": ["a film"]}))
    path = model_copy("bert_classifier")  # its config has a head that its weights lack
    weights = {k: v for k, v in load_file(path / "model.safetensors").items() if "classifier" not in k}
    save_file(weights, path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="has no head that was fine-tuned"):
        load_predictor("m", path, "cpu").scores(pa.table({"text": ["a film"]}))
    with pytest.raises(TrainingError, match="device 'gpu7' is not on this machine"):
        load_predictor("m", path, "gpu7")
    images = pa.table({"image": [saved("image")[1].test["image"][0].as_py(), b"no image"]})
    predictor = load_predictor("m", saved("image")[0], "cpu")
    with pytest.raises(
        DatasetError, match="image 2 of the 2 that model m was given at once cannot be decoded"
    ):
        predictor.scores(images)


def test_weights_that_are_not_finite_are_reported(model_copy: Paths) -> None:
    from safetensors.torch import load_file, save_file

    path = model_copy("bert_classifier")
    weights = load_file(path / "model.safetensors")
    save_file({k: v * float("nan") for k, v in weights.items()}, path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r'model "m" fails on what it was given: its outputs are not finite'):
        load_predictor("m", path, "cpu").scores(pa.table({"text": [" ".join(FILLER)]}))
