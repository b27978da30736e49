"""What is read from a model directory, and the error message for each kind that cannot be used."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification

from modelstore import libraries
from modelstore.data.hub import ModelRef, resolve_model
from modelstore.data.model_info import ModelInfo, inspect_model
from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


def inspected(uri: str) -> ModelInfo:
    return inspect_model(resolve_model("m", uri))


def change_config(path: Path, **changes: object) -> None:
    """Sets keys of a model's config.json; None removes one."""
    file = path / "config.json"
    config = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


@pytest.mark.parametrize(
    ("kind", "modality", "architecture", "labels"),
    [
        ("bert", "text", "BertForMaskedLM", ()),
        ("bert_classifier", "text", "BertForSequenceClassification", ("red", "green", "blue")),
        ("roberta", "text", "RobertaForSequenceClassification", ("LABEL_0", "LABEL_1")),
        ("gpt2", "text", "GPT2LMHeadModel", ()),
        ("vit", "image", "ViTModel", ()),
        ("vit_classifier", "image", "ViTForImageClassification", ("LABEL_0", "LABEL_1", "LABEL_2")),
        ("resnet", "image", "ResNetForImageClassification", tuple(f"LABEL_{i}" for i in range(5))),
    ],
)
def test_a_models_files_tell_its_modality_size_and_head(
    kind: str, modality: str, architecture: str, labels: tuple[str, ...], model_path: Paths
) -> None:
    path = model_path(kind)
    info = inspected(str(path))
    assert resolve_model("m", str(path)) == ModelRef("m", path, None)
    assert (info.modality, info.architecture) == (modality, architecture)
    assert (info.labels, info.has_head, info.card) == (labels, bool(labels), None)
    auto = AutoModelForSequenceClassification if kind in ("bert_classifier", "roberta") else AutoModel
    with libraries.quiet():
        network = auto.from_pretrained(path, add_pooling_layer=False) if kind == "bert" else None
        network = network or auto.from_pretrained(path)
    loaded = sum(parameter.numel() for parameter in network.parameters())
    extra = {  # what the file holds beyond the network: a head for words or for classes
        "bert": {"cls.predictions.bias", "cls.predictions.transform"},
        "vit_classifier": {"classifier."},
        "resnet": {"classifier."},
    }.get(kind, set())
    stored = load_file(path / "model.safetensors")
    loaded += sum(value.numel() for name, value in stored.items() if any(name.startswith(e) for e in extra))
    if kind == "vit_classifier":  # the bare network has a pooler that a classifier has not
        loaded -= sum(p.numel() for p in network.pooler.parameters())
    assert info.parameters == loaded


def test_the_card_is_the_readme(model_copy: Paths) -> None:
    path = model_copy("bert")
    (path / "README.md").write_bytes("# Tiny BERT — caf\xe9".encode("latin-1", "replace"))
    card = inspected(str(path)).card
    assert card is not None
    assert card.startswith("# Tiny BERT")


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({"problem_type": "multi_label_classification"}, ()),
        ({"problem_type": "regression"}, ()),
        ({"problem_type": "single_label_classification"}, ("red", "green", "blue")),
        ({"id2label": {"0": "score"}}, ()),
        ({"id2label": {str(i): f"c{i}" for i in (10, 9, *range(9))}}, tuple(f"c{i}" for i in range(11))),
        ({"id2label": None}, ("red", "green", "blue")),
        ({"id2label": None, "label2id": None}, ("LABEL_0", "LABEL_1")),
        ({"id2label": None, "label2id": None, "num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
        ({"architectures": ["BertForTokenClassification"]}, ()),
        ({"architectures": None}, ()),
        ({"architectures": ["DeiTForImageClassificationWithTeacher"]}, ("red", "green", "blue")),
    ],
)
def test_a_head_gives_one_of_two_classes_or_more(
    changes: dict[str, object], labels: tuple[str, ...], model_copy: Paths
) -> None:
    path = model_copy("bert_classifier")
    change_config(path, **changes)
    info = inspected(str(path))
    assert (info.labels, info.has_head) == (labels, bool(labels))
    architectures = changes.get("architectures", ["BertForSequenceClassification"])
    assert info.architecture == (architectures[0] if isinstance(architectures, list) else "bert")


def test_shards_are_counted_together_and_loaded(model_copy: Paths, dataset: Datasets) -> None:
    path = model_copy("bert")
    whole = inspected(str(path)).parameters
    with libraries.quiet():
        AutoModel.from_pretrained(path).save_pretrained(path / "parts", max_shard_size="40KB")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (path / name).replace(path / "parts" / name)
    info = inspected(str(path / "parts"))
    assert len(list((path / "parts").glob("*.safetensors"))) > 1
    assert 0.8 * whole < info.parameters < 1.2 * whole  # without its word head, with a pooler
    FineTuning("parts", path / "parts", dataset("text", rows=32), TrainingOptions(epochs=1)).advance()

    (path / "parts" / "model-00001-of-00002.safetensors").unlink(missing_ok=True)
    sorted((path / "parts").glob("*.safetensors"))[0].unlink()
    with pytest.raises(ModelError, match=r"lacks model-0000\d-of-0000\d.safetensors, one of the \d files"):
        inspected(str(path / "parts"))


def without(*names: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        for name in names:
            (path / name).unlink()

    return spoil


def misnamed(path: Path) -> None:
    (path / "model.safetensors").rename(path / "pytorch_model.bin")


def truncated(path: Path) -> None:
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def written(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda path: (path / name).write_bytes(content) and None


def config(**changes: object) -> Callable[[Path], None]:
    return lambda path: change_config(path, **changes)


@pytest.mark.parametrize(
    ("kind", "spoil", "sentence"),
    [
        ("bert", without("config.json"), "has no config.json"),
        ("bert", written("config.json", b'{"model_type": '), "config.json cannot be read as JSON"),
        ("bert", written("config.json", b"[]"), "config.json is not a JSON object"),
        ("bert", written("config.json", b"{}"), "config.json has no model_type"),
        ("bert", config(id2label=[["a"], "b"]), "has an id2label that does not say which class each id is"),
        ("bert", config(id2label={"neg": "bad"}), "has an id2label that does not say which class each id is"),
        ("bert", config(auto_map={"AutoModel": "mine.Model"}), "needs Python code of its own .* never run"),
        ("bert", config(model_type="wav2vec2"), "of type 'wav2vec2', which .* neither a text nor an image"),
        (
            "bert",
            without("model.safetensors"),
            "has no weights: a model.safetensors or pytorch_model.bin file",
        ),
        ("bert", misnamed, "pytorch_model.bin is no complete file of pickled weights"),
        ("bert", truncated, "no complete safetensors file .*header speaks of"),
        ("bert", written("model.safetensors", b""), "no complete safetensors file"),
        ("bert", written("model.safetensors", b"\xff" * 64), "no complete safetensors file .*longer than"),
        ("bert", without("tokenizer.json"), "has no tokenizer: a tokenizer.json"),
        ("vit", without("preprocessor_config.json"), "has no image processor: a preprocessor_config.json"),
    ],
)
def test_an_unusable_model_raises_an_error_that_says_why(
    kind: str, spoil: Callable[[Path], None], sentence: str, model_copy: Paths
) -> None:
    path = model_copy(kind)
    spoil(path)
    with pytest.raises(ModelError, match=sentence) as caught:
        inspected(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"vocab_size": 900},
            r"do not fit its config.json: bert.embeddings.word_embeddings.weight is of shape",
        ),
        ({"model_type": "albert"}, "of another architecture than its config.json says"),
        ({"hidden_act": "none_such"}, "model m cannot be loaded from"),
        ({"num_attention_heads": 5}, "model m cannot be loaded from"),
    ],
)
def test_weights_that_are_not_the_configs(
    changes: dict[str, object], sentence: str, model_copy: Paths, dataset: Datasets
) -> None:
    path = model_copy("bert")
    change_config(path, **changes)
    with pytest.raises(ModelError, match=sentence) as caught:
        FineTuning("m", path, dataset("text", rows=32), TrainingOptions())
    assert "\n" not in str(caught.value)


def test_a_broken_or_a_foreign_tokenizer(model_copy: Paths, model_path: Paths, dataset: Datasets) -> None:
    data = dataset("text", rows=32)
    path = model_copy("bert")
    (path / "tokenizer.json").write_text((model_path("gpt2") / "tokenizer.json").read_text())
    with pytest.raises(
        ModelError, match=r"tokenizer of model m gives token \d+, and its config.json has a vocab_size"
    ):
        FineTuning("m", path, data, TrainingOptions())
    (path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="the tokenizer of model m cannot be loaded from"):
        FineTuning("m", path, data, TrainingOptions())


def test_reading_a_models_files_does_not_import_torch() -> None:
    program = (
        "import sys\n"
        "import modelstore.data.hub, modelstore.data.model_info, modelstore.data.task_data\n"
        "import modelstore.execution.worker, modelstore.training.metrics\n"
        "print([name for name in ('torch', 'transformers', 'sklearn', 'scipy') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
