"""Models as people bring them: each layout is loaded as the same model in the plain layout would be."""

import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    BertForTokenClassification,
)

from modelstore import progress
from modelstore.data.hub import resolve_model
from modelstore.data.model_info import ModelInfo, inspect_model
from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.libraries import quiet
from modelstore.training.loading import load_for_features, load_for_training

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


class Notices:
    """A display that keeps the lines it gets."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def bar(self, total: float, description: str, unit: str) -> Any:
        raise NotImplementedError

    def emit(self, event: object) -> None:
        pass

    def notify(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture
def notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is said, in a test with a cache of its own."""
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
    kept = Notices()
    with progress.shown_by(kept):
        yield kept.lines


def inspected(path: Path) -> ModelInfo:
    return inspect_model(resolve_model("m", str(path)))


def base_of(path: Path) -> dict[str, torch.Tensor]:
    """The weights of the base of the model in a directory, as training loads it, without its pooler."""
    network, _ = load_for_training("m", resolve_model("m", str(path)).path, "text", ("a", "b"))
    return {name: value for name, value in network.base_model.state_dict().items() if "pooler" not in name}


def assert_same_base(path: Path, plain: Path) -> None:
    found, expected = base_of(path), base_of(plain)
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


def change(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def pickle_weights(path: Path, **options: Any) -> None:
    """Replaces a model's safetensors file by what old versions of transformers saved: pickled, and tied."""
    weights = load_file(path / "model.safetensors")
    if "cls.predictions.bias" in weights:
        weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"]
        weights["cls.predictions.decoder.bias"] = weights["cls.predictions.bias"]
    weights["bert.embeddings.position_ids"] = torch.arange(64)[None]
    torch.save(weights, path / "pytorch_model.bin", **options)
    (path / "model.safetensors").unlink()


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_weights_are_converted_once(
    zipped: bool, model_copy: Paths, model_path: Paths, notices: list[str]
) -> None:
    path = model_copy("bert")
    pickle_weights(path, _use_new_zipfile_serialization=zipped)
    before = {file.name: file.stat().st_mtime_ns for file in path.iterdir()}
    first = resolve_model("m", str(path)).path
    assert len(notices) == 1
    assert "are pickled (pytorch_model.bin): they are converted to safetensors once" in notices[0]
    assert inspected(path) == inspected(model_path("bert"))  # tied weights are counted once
    assert_same_base(path, model_path("bert"))
    assert resolve_model("m", str(path)).path == first
    assert len(notices) == 1
    assert {file.name: file.stat().st_mtime_ns for file in path.iterdir()} == before
    assert [folder.name for folder in (Path(os.environ["MODELSTORE_CACHE"]) / "models").iterdir()] == [
        first.name
    ]


def test_pickled_weights_that_change_are_converted_again(
    model_copy: Paths, model_path: Paths, notices: list[str]
) -> None:
    path = model_copy("bert")
    pickle_weights(path)
    assert_same_base(path, model_path("bert"))
    weights = torch.load(path / "pytorch_model.bin", weights_only=True)
    torch.save({name: 2 * value for name, value in weights.items()}, path / "pytorch_model.bin")
    assert torch.equal(
        base_of(path)["embeddings.word_embeddings.weight"],
        2 * base_of(model_path("bert"))["embeddings.word_embeddings.weight"],
    )
    assert len(notices) == 2


def test_pickled_shards_are_converted(model_copy: Paths, model_path: Paths, notices: list[str]) -> None:
    path = model_copy("bert")
    weights = load_file(path / "model.safetensors")
    names = sorted(weights)
    halves = {"pytorch_model-00001-of-00002.bin": names[:9], "pytorch_model-00002-of-00002.bin": names[9:]}
    for shard, half in halves.items():
        torch.save({name: weights[name] for name in half}, path / shard)
    index = {"weight_map": {name: shard for shard, half in halves.items() for name in half}}
    (path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (path / "model.safetensors").unlink()
    assert_same_base(path, model_path("bert"))
    assert inspected(path) == inspected(model_path("bert"))
    (path / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(ModelError, match=r"lacks pytorch_model-00002-of-00002.bin, one of the 2 files"):
        resolve_model("m", str(path))


def test_weights_of_a_data_parallel_model_are_found(
    model_copy: Paths, model_path: Paths, notices: list[str]
) -> None:
    path = model_copy("bert")
    weights = load_file(path / "model.safetensors")
    torch.save({f"module.{name}": value for name, value in weights.items()}, path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    assert_same_base(path, model_path("bert"))


class Executes:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {"weight": Executes()},
            r"needs more than tensors to be unpickled \(posix.mkdir\), which could run any",
        ),
        (
            torch.nn.Linear(2, 2),
            r"needs more than tensors to be unpickled \(torch.nn.modules.linear.Linear\)",
        ),
        (
            {"state_dict": {"weight": torch.ones(2)}, "epoch": 3},
            'holds "state_dict", which is not a dense tensor',
        ),
        ({"weight": torch.ones(2, 2).to_sparse()}, 'holds "weight", which is not a dense tensor'),
        ([torch.ones(2)], "holds no tensors by name"),
        ({}, "holds no tensors by name"),
    ],
)
def test_a_pickle_of_more_than_tensors_is_refused(
    content: object,
    sentence: str,
    model_copy: Paths,
    notices: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = model_copy("bert")
    (path / "model.safetensors").unlink()
    torch.save(content, path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=sentence) as caught:
        resolve_model("m", str(path))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()
    assert not list((tmp_path / "cache" / "models").iterdir())


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", b"PK\x03\x04 and no more", b"\x80\x02"])
def test_a_broken_pickle_is_refused(content: bytes, model_copy: Paths, notices: list[str]) -> None:
    path = model_copy("bert")
    (path / "model.safetensors").unlink()
    (path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ModelError, match=r"pytorch_model.bin (is no complete file|needs more than tensors)"):
        resolve_model("m", str(path))


def test_a_plain_pickle_is_refused(model_copy: Paths, notices: list[str]) -> None:
    path = model_copy("bert")
    (path / "model.safetensors").unlink()
    (path / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Executes()}))
    with pytest.raises(ModelError, match="needs more than tensors to be unpickled"):
        resolve_model("m", str(path))


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 438007537\n"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("bert", "model.safetensors"),
        ("bert", "tokenizer.json"),
        ("bert", "config.json"),
        ("bert", "vocab.txt"),
        ("vit", "preprocessor_config.json"),
    ],
)
def test_a_git_lfs_pointer_is_named(kind: str, name: str, model_copy: Paths) -> None:
    path = model_copy(kind)
    (path / name).write_text(POINTER.format("0" * 64))
    with pytest.raises(
        ModelError, match=rf"{name} is a Git LFS pointer to a file of 438,007,537 bytes.*`git lfs pull` in"
    ):
        inspected(path)


def test_a_pointer_in_the_place_of_pickled_weights_is_named(model_copy: Paths) -> None:
    path = model_copy("bert")
    (path / "model.safetensors").unlink()
    (path / "pytorch_model.bin").write_text(POINTER.format("0" * 64))
    with pytest.raises(ModelError, match=r"pytorch_model.bin is a Git LFS pointer"):
        inspected(path)


def test_weights_of_the_only_variant_are_read(
    model_copy: Paths, model_path: Paths, notices: list[str]
) -> None:
    path = model_copy("bert")
    (path / "model.safetensors").rename(path / "model.fp16.safetensors")
    assert_same_base(path, model_path("bert"))
    assert "weights of the variant fp16 only: model.fp16.safetensors is read" in notices[0]
    (path / "model.bf16.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"several variants only \(model.bf16.safetensors, model.fp16.safe"):
        inspected(path)


def test_shards_of_a_variant_are_read(model_copy: Paths, model_path: Paths, notices: list[str]) -> None:
    path = model_copy("bert")
    weights = load_file(path / "model.safetensors")
    save_file(weights, path / "model.fp16-00001-of-00001.safetensors")
    index = {"weight_map": dict.fromkeys(weights, "model.fp16-00001-of-00001.safetensors")}
    (path / "model.safetensors.index.fp16.json").write_text(json.dumps(index))
    (path / "model.safetensors").unlink()
    assert_same_base(path, model_path("bert"))


def test_default_weights_stand_before_those_of_a_variant(
    model_copy: Paths, model_path: Paths, notices: list[str]
) -> None:
    path = model_copy("bert")
    (path / "model.fp16.safetensors").write_bytes(b"")
    (path / "pytorch_model.bin").write_bytes(b"")
    assert resolve_model("m", str(path)).path == path
    assert notices == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tf_model.h5", r"weights of TensorFlow only \(tf_model.h5\)"),
        ("flax_model.msgpack", r"weights of Flax only \(flax_model.msgpack\)"),
        ("model.onnx", r"weights of ONNX only"),
        ("model-q4.gguf", r"weights of GGUF only"),
        (
            "weights.pt",
            "no weights under a name that is read, only weights.pt: .* rename it to pytorch_model.bin",
        ),
        ("bert.safetensors", "only bert.safetensors: .* rename it to model.safetensors"),
        ("training_args.bin", "has no weights: a model.safetensors or pytorch_model.bin file is wanted"),
        ("model-00001-of-00002.safetensors", "has model-00001-of-00002.safetensors and no index"),
    ],
)
def test_weights_that_are_not_read_are_named(name: str, sentence: str, model_copy: Paths) -> None:
    path = model_copy("bert")
    (path / "model.safetensors").unlink()
    (path / name).touch()
    with pytest.raises(ModelError, match=sentence):
        inspected(path)


def test_the_folder_that_has_a_config_is_named(model_copy: Paths, tmp_path: Path) -> None:
    model_copy("bert").rename(tmp_path / "checkpoint-500")
    with pytest.raises(
        ModelError, match=r"has no config.json: .*; its folder checkpoint-500 has one, give that"
    ):
        inspected(tmp_path)


NAMES = ("red", "green", "blue")


@pytest.mark.parametrize(
    ("id2label", "label2id", "labels"),
    [
        ({"red": "0", "green": "1", "blue": "2"}, None, NAMES),
        ({"red": 0, "blue": 2, "green": 1}, None, NAMES),
        (list(NAMES), None, NAMES),
        ({"0": 7, "1": 8, "2": 9}, None, ("7", "8", "9")),
        ([7, 8, 9], None, ("7", "8", "9")),
        ({"LABEL_0": "red", "LABEL_2": "blue", "LABEL_1": "green"}, None, NAMES),
        ({"1": "red", "2": "green", "3": "blue"}, None, NAMES),
        ({"0": "red", "1": "green", "2": None}, None, ("red", "green", "None")),
        (None, {"red": 0, "green": 1, "blue": 2}, NAMES),
        ({}, {"red": "0", "green": "1", "blue": "2"}, NAMES),
        ({"a": "x", "b": "y"}, {"red": 0, "green": 1, "blue": 2}, NAMES),
    ],
)
def test_class_names_are_read_however_they_are_spelt(
    id2label: Any,
    label2id: Any,
    labels: tuple[str, ...],
    model_copy: Paths,
    model_path: Paths,
    notices: list[str],
) -> None:
    path = model_copy("bert_classifier")
    change(path / "config.json", id2label=id2label, label2id=label2id)
    assert inspected(path).labels == labels
    loaded = load_for_features("m", resolve_model("m", str(path)).path, "text", with_head=True)
    assert loaded.trained_head
    assert tuple(loaded.network.config.id2label.values()) == labels
    plain = load_for_features("m", model_path("bert_classifier"), "text", with_head=True)
    assert torch.equal(loaded.network.classifier.weight, plain.network.classifier.weight)


@pytest.mark.parametrize("number", ["2", 2.0, [2], True])
def test_a_number_of_classes_that_is_none_is_refused(
    number: Any, model_copy: Paths, notices: list[str]
) -> None:
    path = model_copy("bert_classifier")
    change(path / "config.json", num_labels=number)
    with pytest.raises(
        ModelError, match=r"has num_labels = .*, which is no number of classes: write a whole number"
    ):
        inspected(path)


@pytest.mark.parametrize("empty", [None, {}])
def test_a_model_without_class_names_is_loaded(empty: Any, model_copy: Paths, notices: list[str]) -> None:
    path = model_copy("bert")
    change(path / "config.json", id2label=empty, label2id=empty, auto_map=empty)
    assert inspected(path).labels == ()
    load_for_training("m", resolve_model("m", str(path)).path, "text", ("a", "b", "c"))


def test_a_head_that_the_weights_lack_is_not_used(model_copy: Paths, notices: list[str]) -> None:
    path = model_copy("bert")
    change(path / "config.json", architectures=["BertForSequenceClassification"])
    assert not load_for_features("m", path, "text", with_head=True).trained_head


def sentence_transformer(path: Path, folder: str, pooling: dict[str, object]) -> None:
    """Makes the layout of sentence-transformers of a model: its transformer in a folder, and a Pooling module."""
    (path / folder).mkdir(exist_ok=True)
    for file in list(path.iterdir()):
        if folder and file.is_file():
            file.rename(path / folder / file.name)
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32} | pooling))
    module = "sentence_transformers.models."
    modules = [
        {"idx": 0, "name": "0", "path": folder, "type": module + "Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": module + "Pooling"},
    ]
    (path / "modules.json").write_text(json.dumps(modules))
    (path / "README.md").write_text("# Sentences")


@pytest.mark.parametrize("folder", ["", "0_Transformer"])
@pytest.mark.parametrize("pickled", [False, True])
def test_a_sentence_transformer_is_read_from_its_folder(
    folder: str, pickled: bool, model_copy: Paths, model_path: Paths, notices: list[str], dataset: Datasets
) -> None:
    from modelstore.training.features import extract

    path = model_copy("bert")
    if pickled:
        pickle_weights(path)
    sentence_transformer(path, folder, {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True})
    info = inspected(path)
    assert (info.architecture, info.parameters) == (
        "BertForMaskedLM",
        inspected(model_path("bert")).parameters,
    )
    assert info.card == "# Sentences"
    assert_same_base(path, model_path("bert"))
    data = dataset("text", rows=24)
    pooled = extract("m", resolve_model("m", str(path)).path, data).features
    plain = extract("m", model_path("bert"), data).features
    assert pooled.shape == (24, 64)
    torch.testing.assert_close(pooled[:, 32:], plain)
    assert abs(pooled[:, :32] - plain).max() > 0.01


def test_an_unusable_sentence_transformer_is_refused(model_copy: Paths, notices: list[str]) -> None:
    path = model_copy("bert")
    sentence_transformer(path, "0_Transformer", {"pooling_mode_mean_tokens": False})
    from modelstore.data.sentence_transformers import pooling_of

    with pytest.raises(ModelError, match=r"1_Pooling/config.json says no way to pool"):
        pooling_of(path)
    change(path / "1_Pooling" / "config.json", pooling_mode="attention")
    with pytest.raises(ModelError, match="pools by 'attention': give one of cls, max, mean"):
        pooling_of(path)
    file = path / "modules.json"
    file.write_text(file.read_text().replace("models.Transformer", "models.CLIPModel"))
    with pytest.raises(
        ModelError, match=r"modules.json begins with CLIPModel in .*, which is no transformer"
    ):
        inspected(path)
    file.write_text(file.read_text().replace('"0_Transformer"', '"../other"'))
    with pytest.raises(ModelError, match=r"names the folder ../other, which is outside of the model's own"):
        inspected(path)


def test_a_token_classifier_gets_a_new_head(model_copy: Paths, model_path: Paths) -> None:
    path = model_copy("bert")
    with quiet():
        network = BertForTokenClassification.from_pretrained(path, num_labels=5)
        network.save_pretrained(path)
    info = inspected(path)
    assert (info.architecture, info.labels, info.has_head) == ("BertForTokenClassification", (), False)
    assert_same_base(path, model_path("bert"))


@pytest.mark.parametrize("task", ["SEQ_CLS", None, "CAUSAL_LM"])
def test_an_adapter_is_merged_into_its_base(
    task: str | None, model_path: Paths, tmp_path: Path, notices: list[str]
) -> None:
    peft = pytest.importorskip("peft")
    kind = "gpt2" if task == "CAUSAL_LM" else "bert_classifier"
    path = tmp_path / "adapter"
    with quiet():
        torch.manual_seed(0)
        if task == "CAUSAL_LM":
            from transformers import AutoModelForCausalLM

            base: Any = AutoModelForCausalLM.from_pretrained(model_path(kind))
        else:
            base = AutoModelForSequenceClassification.from_pretrained(model_path(kind), num_labels=3)
        adapted = peft.get_peft_model(
            base, peft.LoraConfig(task_type=task, r=2, modules_to_save=None if task else ["classifier"])
        )
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter)
        adapted.save_pretrained(path)
    change(path / "adapter_config.json", base_model_name_or_path=str(model_path(kind)))
    info = inspected(path)
    assert info.has_head == (kind == "bert_classifier")
    assert len(notices) == 1
    assert "is an adapter of" in notices[0]
    resolved = resolve_model("m", str(path)).path
    tokens = torch.arange(12).reshape(1, 12) + 5
    expected = adapted.eval()(input_ids=tokens).logits
    with quiet():
        if kind == "bert_classifier":
            network = load_for_features("m", resolved, "text", with_head=True).network
        else:
            from transformers import AutoModelForCausalLM

            network = AutoModelForCausalLM.from_pretrained(resolved).eval()
        plain = (
            type(network).from_pretrained(model_path(kind), ignore_mismatched_sizes=True, num_labels=3).eval()
        )
    torch.testing.assert_close(network(input_ids=tokens).logits, expected, atol=1e-5, rtol=1e-4)
    assert (plain(input_ids=tokens).logits - expected).abs().max() > 0.001


def test_an_adapter_without_its_base_is_refused(
    model_path: Paths, tmp_path: Path, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "/home/me/llama"}))
    with pytest.raises(ModelError, match=r"is an adapter without weights: an adapter_model.safetensors file"):
        inspected(tmp_path)
    (tmp_path / "adapter_model.bin").touch()
    with pytest.raises(
        ModelError, match=r"the base model of .*, /home/me/llama, is not on this machine: write"
    ):
        inspected(tmp_path)
    change(config, base_model_name_or_path=None)
    with pytest.raises(ModelError, match="has no base_model_name_or_path"):
        inspected(tmp_path)
    change(config, peft_type="PREFIX_TUNING")
    with pytest.raises(ModelError, match="an adapter of type PREFIX_TUNING, which cannot be merged"):
        inspected(tmp_path)
    change(config, peft_type="LORA", base_model_name_or_path=str(model_path("bert")))
    with pytest.raises(ModelError, match=r"adapter_model.bin is no complete file of pickled weights"):
        inspected(tmp_path)
    monkeypatch.setattr("modelstore.data.model_adapter.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"the package peft is needed, .*: pip install 'modelstore\[lora\]'"):
        inspected(tmp_path)


def test_a_whole_model_beside_an_adapters_config_is_read(
    model_copy: Paths, model_path: Paths, notices: list[str]
) -> None:
    """transformers would read the base model that the file names."""
    path = model_copy("bert")
    (path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/nowhere"}))
    assert_same_base(path, model_path("bert"))


@pytest.mark.parametrize(
    ("config", "by"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, " by bitsandbytes"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, " by gptq"),
        ({"compression_config": {"format": "int-quantized"}}, ""),
    ],
)
def test_a_quantised_model_is_refused(config: dict[str, object], by: str, model_copy: Paths) -> None:
    path = model_copy("bert")
    change(path / "config.json", **config)
    with pytest.raises(ModelError, match=f"is quantised{by}, and quantised weights cannot be fine-tuned"):
        inspected(path)


def test_the_files_of_a_quantiser_say_so_too(model_copy: Paths) -> None:
    path = model_copy("bert")
    change(path / "config.json", quantization_config=None)
    inspected(path)
    (path / "quantize_config.json").write_text("{}")
    with pytest.raises(ModelError, match="is quantised, and"):
        inspected(path)


def test_a_timm_model_needs_timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {
        "architecture": "resnet18",
        "num_classes": 1000,
        "pretrained_cfg": {"input_size": [3, 224, 224]},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"conv1.weight": torch.ones(2, 3)}, tmp_path / "model.safetensors")
    monkeypatch.setattr("modelstore.data.model_requirements.find_spec", lambda name: None)
    with pytest.raises(
        ModelError, match=r"is a model of timm, .* needs the package timm, .*: pip install timm"
    ):
        inspected(tmp_path)
    monkeypatch.setattr("modelstore.data.model_requirements.find_spec", lambda name: object())
    info = inspected(tmp_path)
    assert (info.modality, info.architecture, info.parameters) == ("image", "resnet18", 6)
    assert len(info.labels) == 1000


def test_a_type_that_transformers_no_longer_has_is_named(model_copy: Paths) -> None:
    path = model_copy("bert")
    change(path / "config.json", model_type="van")
    with pytest.raises(
        ModelError, match=r"is of type 'van', which the installed transformers \d.* does not have"
    ):
        inspected(path)


def test_the_cache_on_a_full_disk_is_named(
    model_copy: Paths, notices: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = model_copy("bert")
    pickle_weights(path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("modelstore.data.model_directory.convert", fail)
        with pytest.raises(
            ModelError, match=r"cannot be written to .*models \(the disk is full\): free space"
        ):
            resolve_model("m", str(path))
    assert not list((tmp_path / "cache" / "models").iterdir())
    resolve_model("m", str(path))


def test_a_weight_that_lacks_in_the_base_is_said(model_copy: Paths, notices: list[str]) -> None:
    path = model_copy("bert")
    weights = load_file(path / "model.safetensors")
    del weights["bert.encoder.layer.1.output.dense.weight"]
    save_file(weights, path / "model.safetensors")
    load_for_training("m", path, "text", ("a", "b"))
    assert "lack 1 of the" in notices[0]
    assert "bert.encoder.layer.1.output.dense.weight" in notices[0]


def test_gamma_and_beta_are_the_weights_of_a_norm(model_copy: Paths, model_path: Paths) -> None:
    """The first BERT's files have these names."""
    path = model_copy("bert")
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    weights = {}
    for name, value in load_file(path / "model.safetensors").items():
        for new, old in names.items():
            name = name.replace(new, old)
        weights[name] = value
    save_file(weights, path / "model.safetensors")
    assert_same_base(path, model_path("bert"))


def test_a_config_with_a_byte_order_mark_is_read(
    model_copy: Paths, model_path: Paths, notices: list[str]
) -> None:
    path = model_copy("bert")
    config = path / "config.json"
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())
    assert_same_base(path, model_path("bert"))


def test_a_link_to_weights_that_are_not_there_is_named(model_copy: Paths) -> None:
    path = model_copy("bert")
    (path / "model.safetensors").unlink()
    (path / "model.safetensors").symlink_to("/nowhere/weights")
    with pytest.raises(
        ModelError, match=r"model.safetensors is a link to /nowhere/weights, which is not there"
    ):
        inspected(path)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_weights_that_are_quantised_are_refused_without_a_config_that_says_so(
    dtype: torch.dtype, model_copy: Paths
) -> None:
    path = model_copy("bert")
    weights = load_file(path / "model.safetensors")
    weights["bert.encoder.layer.0.output.dense.weight"] = torch.ones(32, 64).to(dtype)
    save_file(weights, path / "model.safetensors")
    with pytest.raises(
        ModelError, match=r"has quantised weights \(bert.encoder.layer.0.output.dense.weight is of"
    ):
        inspected(path)
