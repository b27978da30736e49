"""Features: shapes, values, precision, sample and errors."""

import io
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError, TrainingError
from modelstore.libraries import quiet
from modelstore.recall.proxies import Measured, compute
from modelstore.training.features import embed_texts, extract
from modelstore.training.layers import LayerPooling

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]
IN = "modelstore.training.features.forward_precision"


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IN, lambda device: torch.float32)


@pytest.mark.parametrize(
    ("model", "kind", "width", "classes"),
    [
        ("bert", "text", 32, None),
        ("bert_classifier", "pair", 32, 3),
        ("roberta", "text", 32, 2),
        ("distilbert", "regression", 32, None),
        ("gpt2", "text", 32, None),
        ("t5", "text", 32, None),
        ("vit", "image", 32, None),
        ("vit_classifier", "image", 32, 3),
        ("resnet", "image", 16, 5),
        ("convnext", "image", 16, 4),
    ],
)
def test_features_have_the_models_width_and_one_row_for_each_sampled_row(
    model: str, kind: str, width: int, classes: int | None, model_path: Paths, dataset: Datasets
) -> None:
    data, passes = dataset(kind, rows=100), []
    found = extract(model, model_path(model), data, rows=70, on_batch=lambda: passes.append(1))
    assert found.features.shape == (70, width)
    assert found.features.dtype == np.float32
    assert np.isfinite(found.features).all()
    assert found.features.std(axis=0).max() > 0
    assert found.labels.shape == (70,)
    assert len(passes) == 3
    if classes is None:
        assert found.probabilities is None
    else:
        assert found.probabilities is not None
        assert found.probabilities.shape == (70, classes)
        assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(70), abs=1e-5)


@pytest.mark.parametrize("model", ["bert", "bert_classifier"])
def test_text_features_are_the_mean_of_the_last_hidden_state_over_tokens(
    model: str, model_path: Paths, dataset: Datasets
) -> None:
    data = dataset("text", rows=40)
    found = extract(model, model_path(model), data, batch_size=8)
    assert found.labels.tolist() == data.train["label"].to_pylist()
    tokenizer = AutoTokenizer.from_pretrained(model_path(model))
    with quiet():
        base = AutoModel.from_pretrained(model_path(model))
        headed = AutoModelForSequenceClassification.from_pretrained(model_path(model))
    for row in (0, 7, 39):
        encoded = tokenizer(data.train["text"][row].as_py(), return_tensors="pt")
        with torch.inference_mode():
            expected = base.eval()(**encoded).last_hidden_state[0].mean(dim=0)
            probabilities = headed.eval()(**encoded).logits[0].softmax(dim=0)
        assert found.features[row] == pytest.approx(expected.numpy(), abs=1e-5)
        if found.probabilities is not None:
            assert found.probabilities[row] == pytest.approx(probabilities.numpy(), abs=1e-5)


@pytest.mark.parametrize(("model", "kind"), [("bert_classifier", "text"), ("vit_classifier", "image")])
def test_proxy_scores_in_bfloat16_are_close_to_those_in_float32(
    model: str, kind: str, model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataset(kind, rows=200)
    scores = []
    for precision in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(IN, lambda device, precision=precision: precision)
        found = extract(model, model_path(model), data)
        assert found.features.dtype == np.float32
        names = ["leep", "logme", "hscore", "knn"]
        scores.append(compute(names, Measured(found.features, found.probabilities, found.labels, False)))
    assert scores[0] != scores[1]
    assert scores[1] == pytest.approx(scores[0], abs=0.02)


def test_image_features_do_not_use_a_pooler_that_the_weights_lack(
    model_path: Paths, dataset: Datasets
) -> None:
    """A ViT saved as a classifier has no pooler; loaded without its head, it would get a random one."""
    data = dataset("image", rows=20)
    with_pooler = extract("vit", model_path("vit"), data)
    with quiet():
        network = AutoModel.from_pretrained(model_path("vit"))
    pixels = torch.zeros(1, 3, 16, 16)
    assert network(pixels).pooler_output.abs().max() < 1  # a tanh: so are these features
    assert np.abs(with_pooler.features).max() < 1
    headed = extract("vit_classifier", model_path("vit_classifier"), data)
    assert np.abs(headed.features).max() > 1


def test_features_of_a_model_without_head_do_not_depend_on_its_random_pooler(
    model_copy: Paths, dataset: Datasets
) -> None:
    from safetensors.torch import load_file, save_file

    path = model_copy("vit")
    weights = {k: v for k, v in load_file(path / "model.safetensors").items() if "pooler" not in k}
    save_file(weights, path / "model.safetensors", {"format": "pt"})
    one, other = (extract("vit", path, dataset("image", rows=20), seed=seed) for seed in (0, 1))
    assert np.array_equal(one.features, other.features)


def test_the_sample_of_rows_is_stratified_by_class_and_drawn_by_the_seed(
    model_path: Paths, dataset: Datasets
) -> None:
    data = dataset("text", rows=200)
    labels = np.zeros(200, np.int64)
    labels[[3, 150]] = [1, 2]
    labels[50:90] = 3
    train = data.train.set_column(1, "label", pa.array(labels))
    data = replace(data, train=train, labels=("a", "b", "c", "d"))
    path = model_path("bert")
    some = extract("bert", path, data, rows=52, seed=1)
    assert np.bincount(some.labels).tolist() == [40, 1, 1, 10]
    again, other = (extract("bert", path, data, rows=52, seed=seed) for seed in (1, 2))
    assert np.array_equal(some.features, again.features)
    assert not np.array_equal(some.features, other.features)
    whole = extract("bert", path, data, rows=500)
    assert whole.labels.tolist() == labels.tolist()


def test_features_of_a_regression_have_numbers_as_labels(model_path: Paths, dataset: Datasets) -> None:
    data = dataset("regression", rows=60)
    found = extract("distilbert", model_path("distilbert"), data, rows=20)
    assert found.labels.dtype == np.float64
    assert set(found.labels) < set(data.train["label"].to_pylist())


def test_embedding_gives_equal_texts_equal_vectors_and_different_texts_different_ones(
    model_path: Paths,
) -> None:
    texts = ["a good film", "", "the plot was bad " * 80, "a good film"]
    embedded = embed_texts("bert", model_path("bert"), texts, batch_size=2)
    assert embedded.shape == (4, 32)
    assert embedded[0] == pytest.approx(embedded[3], abs=1e-5)
    assert np.abs(embedded[0] - embedded[1]).max() > 1e-3


def test_features_of_a_model_of_the_other_modality_raise_model_error(
    model_path: Paths, dataset: Datasets
) -> None:
    with pytest.raises(
        ModelError, match=r"model bert \(bert\) is a text model, and the dataset is of images"
    ):
        extract("bert", model_path("bert"), dataset("image", rows=8))
    with pytest.raises(ModelError, match="is an image model, and the dataset is of text"):
        embed_texts("vit", model_path("vit"), ["a"])


def test_computing_features_prints_nothing(
    model_path: Paths, dataset: Datasets, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = [(model, kind, model_path(model)) for model, kind in (("bert", "text"), ("convnext", "image"))]
    capfd.readouterr()
    for model, kind, path in paths:
        extract(model, path, dataset(kind, rows=8))
    assert capfd.readouterr() == ("", "")


# All layers


def hidden_states(path: Path, text: str) -> list[torch.Tensor]:
    """The layers' tokens of a text as transformers has them, without the embeddings, each (tokens, d)."""
    tokenizer = AutoTokenizer.from_pretrained(path)
    with quiet():
        base = AutoModel.from_pretrained(path).eval()
    if base.config.is_encoder_decoder:
        base = base.get_encoder()
    encoded = tokenizer(text, return_tensors="pt")
    taken = {name: encoded[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        return [layer[0] for layer in base(**taken, output_hidden_states=True).hidden_states[1:]]


@pytest.mark.parametrize(
    "model", ["bert", "bert_classifier", "roberta", "distilbert", "albert", "gpt2", "t5"]
)
def test_each_layer_is_pooled_as_transformers_returns_it(
    model: str, model_path: Paths, dataset: Datasets
) -> None:
    data, passes = dataset("text", rows=40), []
    mean, best = (
        extract(
            model, model_path(model), data, batch_size=8, layers=layers, on_batch=lambda: passes.append(1)
        )
        for layers in ("mean", "best")
    )
    assert len(passes) == 2 * 5
    assert len(best.by_layer) == 2
    assert mean.by_layer == ()
    assert np.array_equal(best.features, extract(model, model_path(model), data, batch_size=8).features)
    for row in (0, 7, 39):
        pooled = [
            layer.mean(dim=0).numpy()
            for layer in hidden_states(model_path(model), data.train["text"][row].as_py())
        ]
        for layer, expected in zip(best.by_layer, pooled, strict=True):
            assert layer[row] == pytest.approx(expected, abs=1e-5)
        assert mean.features[row] == pytest.approx(np.mean(pooled, axis=0), abs=1e-5)


@pytest.mark.parametrize("model", ["vit", "vit_classifier"])
def test_the_layers_of_a_vision_transformer_are_means_over_its_patches(
    model: str, model_path: Paths, dataset: Datasets
) -> None:
    data, path = dataset("image", rows=20), model_path(model)
    mean, best = (extract(model, path, data, layers=layers) for layers in ("mean", "best"))
    processor = AutoImageProcessor.from_pretrained(path)
    images = [Image.open(io.BytesIO(image)) for image in data.train["image"].to_pylist()]
    with quiet(), torch.inference_mode():
        base = AutoModel.from_pretrained(path).eval()
        output = base(**processor(images, return_tensors="pt"), output_hidden_states=True)
    layers = [*output.hidden_states[1:-1], output.last_hidden_state]
    expected = [layer.mean(dim=1).numpy() for layer in layers]
    assert len(best.by_layer) == base.config.num_hidden_layers
    for layer, pooled in zip(best.by_layer, expected, strict=True):
        assert layer == pytest.approx(pooled, abs=1e-5)
    assert mean.features == pytest.approx(np.mean(expected, axis=0), abs=1e-5)


@pytest.mark.parametrize("model", ["resnet", "convnext"])
def test_stages_of_different_widths_stand_side_by_side_and_that_is_said(
    model: str, model_path: Paths, dataset: Datasets, caplog: pytest.LogCaptureFixture
) -> None:
    data = dataset("image", rows=40)
    best = extract(model, model_path(model), data, layers="best")
    assert [layer.shape for layer in best.by_layer] == [(40, 8), (40, 16)]
    with caplog.at_level("INFO", "modelstore.progress"):
        mean = extract(model, model_path(model), data, batch_size=16, layers="mean")
    assert np.array_equal(mean.features, np.concatenate(best.by_layer, axis=1))
    assert caplog.text.count(f"the layers of model {model} are of different widths") == 1


def test_only_pooled_features_are_kept_of_a_layer(
    model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, most = weakref.WeakSet(), []  # type: ignore[var-annotated]
    catch = LayerPooling._catch

    def watched(self: LayerPooling, module: torch.nn.Module, arguments: object, output: torch.Tensor) -> None:
        alive.add(output)
        catch(self, module, arguments, output)
        most.append(len(alive))

    monkeypatch.setattr(LayerPooling, "_catch", watched)
    extract("gpt2", model_path("gpt2"), dataset("text", rows=40), batch_size=8, layers="best")
    assert most
    assert max(most) <= 2  # a layer's output is the next one's input


@pytest.mark.parametrize("layers", ["mean", "best"])
def test_a_model_whose_layers_cannot_be_told_apart_fails_with_a_reason(
    layers: str, model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelstore.training.layers.WITHOUT_LAYERS", ("bert",))
    with pytest.raises(TrainingError, match="layers of model bert cannot be told apart: use layers = 'last'"):
        extract("bert", model_path("bert"), dataset("text", rows=20), layers=layers)
