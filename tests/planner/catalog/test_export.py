"""EXPORT MODEL: the graph is run by ONNX Runtime and gives what the model gives, and what cannot be is said."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import modelstore
from modelstore.errors import AlreadyExistsError, ModelError, NotFoundError
from modelstore.training import onnx_export

Paths = Callable[[str], Path]
Store = modelstore.Connection
needs_onnx = pytest.mark.skipif(
    not importlib.util.find_spec("onnxruntime") or not importlib.util.find_spec("onnxscript"),
    reason="modelstore[onnx] is not installed",
)


@pytest.fixture
def models(store: Store, model_path: Paths) -> Store:
    for kind in ("bert", "bert_classifier", "vit_classifier"):
        store.execute(f"CREATE MODEL {kind} FROM '{model_path(kind)}'")
    return store


@needs_onnx
def test_the_graph_gives_what_the_model_gives(models: Store, model_path: Paths, tmp_path: Path) -> None:
    import onnxruntime

    [(model, path)] = models.execute(f"EXPORT MODEL bert_classifier TO '{tmp_path}/out'").fetchall()
    assert (model, path) == ("bert_classifier", f"{tmp_path}/out/model.onnx")
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names >= {"model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json"}
    assert "model.safetensors" not in names
    session = onnxruntime.InferenceSession(path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    network = AutoModelForSequenceClassification.from_pretrained(model_path("bert_classifier")).eval()
    for texts in (["good"], ["a very good film", "bad", "the plot of the film was awful in the end", "fine"]):
        inputs = tokenizer(texts, padding=True, return_tensors="pt")
        with torch.no_grad():
            expected = network(**inputs).logits.numpy()
        [found] = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        assert np.abs(found - expected).max() < 1e-4


@needs_onnx
def test_an_image_model_is_exported(models: Store, tmp_path: Path) -> None:
    models.execute(f"EXPORT MODEL vit_classifier TO '{tmp_path}/out' (FORMAT onnx)").fetchall()
    assert (tmp_path / "out" / "preprocessor_config.json").is_file()


@pytest.mark.parametrize(
    "options",
    ["(FORMAT onnx)", "(format = 'onnx')", "WITH (FORMAT onnx)", "WITH (format = 'onnx')", "()", ""],
)
def test_options_are_written_as_those_of_copy(options: str, models: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="gone"):
        models.execute(f"EXPORT MODEL gone TO '{tmp_path}/out' {options}")


@pytest.mark.parametrize(
    "options", ["FORMAT onnx", "(FORMAT)", "(FORMAT onnx", "(FORMAT onnx) FORMAT", "(, FORMAT onnx)"]
)
def test_options_that_are_not_are_an_error_with_its_place(options: str, models: Store) -> None:
    with pytest.raises(duckdb.ParserException, match=r"(?s)Parser Error: .*\^"):
        models.execute(f"EXPORT MODEL bert TO 'out' {options}")


@needs_onnx
def test_a_graph_that_computes_something_else_is_not_left(
    models: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = onnx_export._export

    def spoilt(network: torch.nn.Module, sample: dict[str, torch.Tensor], file: Path) -> None:
        export(network, sample, file)  # type: ignore[arg-type]
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.01)

    monkeypatch.setattr(onnx_export, "_export", spoilt)
    with pytest.raises(ModelError, match="its outputs and those of its graph differ by"):
        models.execute(f"EXPORT MODEL vit_classifier TO '{tmp_path}/out'")
    assert not list(tmp_path.glob("*out*"))


@needs_onnx
def test_a_model_without_a_head_is_refused(models: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no head that was fine-tuned, so there is nothing to export"):
        models.execute(f"EXPORT MODEL bert TO '{tmp_path}/out'")


def test_what_cannot_be_exported_is_said_at_once(models: Store, tmp_path: Path) -> None:
    to = f"TO '{tmp_path}/out'"
    with pytest.raises(NotFoundError):
        models.execute(f"EXPORT MODEL gone {to}")
    models.execute("INSERT INTO models (name, uri) VALUES ('vote', '/x/vote.json'), ('record', NULL)")
    with pytest.raises(ModelError, match="is an ensemble"):
        models.execute(f"EXPORT MODEL vote {to}")
    with pytest.raises(ModelError, match="has no uri"):
        models.execute(f"EXPORT MODEL record {to}")
    with pytest.raises(AlreadyExistsError):
        models.execute(f"EXPORT MODEL bert_classifier TO '{tmp_path}'")
    with pytest.raises(duckdb.Error, match='the option "format"'):
        models.execute(f"EXPORT MODEL bert_classifier {to} (FORMAT gguf)")
    models.execute("SET enable_external_access = false")
    with pytest.raises(duckdb.PermissionException):
        models.execute(f"EXPORT MODEL bert_classifier {to}")


def test_the_packages_that_it_needs_are_named(
    models: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ModelError, match=r"pip install 'modelstore\[onnx\]'"):
        models.execute(f"EXPORT MODEL bert_classifier TO '{tmp_path}/out'")


def test_exporting_a_database_is_duckdb_s(models: Store, tmp_path: Path) -> None:
    models.execute(f"EXPORT DATABASE '{tmp_path}/all'")
    assert (tmp_path / "all" / "schema.sql").is_file()
