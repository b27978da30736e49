"""`examples/paper_models.sql`, run against the stub of the hub with tiny models in the layouts of the real ones."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from hub_stub import HubStub
from pages import ROOT
from safetensors.torch import load_file

import modelstore
from modelstore.libraries import quiet
from modelstore.shell.main import main

SCRIPT = ROOT / "examples" / "paper_models.sql"
TRANSFORMER = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
VISION = TRANSFORMER | {"image_size": 16, "patch_size": 8}
POOLFORMER = {"hidden_sizes": [8] * 4, "depths": [1] * 4}

IMAGE_MODELS: dict[str, Callable[[], hf.PreTrainedModel]] = {
    "deit": lambda: hf.DeiTForImageClassificationWithTeacher(hf.DeiTConfig(**VISION, num_labels=4)),
    "beit": lambda: hf.BeitForImageClassification(hf.BeitConfig(**VISION, num_labels=4)),
    "vit-msn": lambda: hf.ViTMSNModel(hf.ViTMSNConfig(**VISION)),
    "dino": lambda: hf.ViTModel(hf.ViTConfig(**VISION)),
    "poolformer": lambda: hf.PoolFormerForImageClassification(hf.PoolFormerConfig(**POOLFORMER)),
    "vit": lambda: hf.ViTForImageClassification(hf.ViTConfig(**VISION, num_labels=4)),
}
TEXT_MODELS = {"xlm-roberta": "roberta", "roberta": "roberta", "albert": "albert", "distilbert": "distilbert"}


@pytest.fixture
def stand_in(tmp_path: Path, model_path: Callable[[str], Path]) -> Callable[[str], Path]:
    """Makes the folder of a tiny model that has the architecture and the layout of the one of this name."""

    def make(name: str) -> Path:
        own = name.rpartition("/")[2]
        image = next((kind for kind in (*IMAGE_MODELS, "dinat", "van") if own.startswith(f"{kind}-")), None)
        image = "poolformer" if own.startswith("poolformer") else image
        kind = image or next((kind for part, kind in TEXT_MODELS.items() if part in own), "bert_classifier")
        path = tmp_path / "stand-ins" / kind
        if path.exists():
            return path
        if kind in ("dinat", "van"):
            path.mkdir(parents=True)
            (path / "config.json").write_text(json.dumps({"model_type": kind, "architectures": ["Other"]}))
            torch.save({"weight": torch.ones(2)}, path / "pytorch_model.bin")
        elif image:
            with quiet(), torch.random.fork_rng([]):
                IMAGE_MODELS[kind]().save_pretrained(path)
            pickle_weights(path)
        else:
            path.mkdir(parents=True)
            for file in model_path(kind).iterdir():
                (path / file.name).write_bytes(file.read_bytes())
            pickle_weights(path)
            if kind == "bert_classifier":
                leave_the_vocabulary_alone(path)
        (path / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model")
        (path / "training_args.bin").write_bytes(b"pickled arguments")
        if image:
            old = {"feature_extractor_type": "ViTFeatureExtractor", "size": 16, "image_mean": [0.5] * 3}
            (path / "preprocessor_config.json").write_text(json.dumps(old | {"image_std": [0.5] * 3}))
        return path

    return make


def pickle_weights(path: Path) -> None:
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()


def leave_the_vocabulary_alone(path: Path) -> None:
    """Makes the tokenizer's files those of 2020: the words, one a line."""
    vocabulary = json.loads((path / "tokenizer.json").read_text())["model"]["vocab"]
    (path / "vocab.txt").write_text("".join(f"{word}\n" for word in sorted(vocabulary, key=vocabulary.get)))
    (path / "tokenizer.json").unlink()
    (path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    (path / "special_tokens_map.json").write_text('{"unk_token": "[UNK]", "pad_token": "[PAD]"}')


def named_models() -> list[str]:
    return re.findall(
        r"^CREATE MODEL IF NOT EXISTS '(.+)' FROM 'hf://\1';$", SCRIPT.read_text(), re.MULTILINE
    )


def test_the_script_names_the_models_of_the_paper() -> None:
    names = named_models()
    assert len(names) == len(set(names)) == SCRIPT.read_text().count("CREATE MODEL") == 70
    assert {name for name in names if "/" not in name} == {
        "albert-base-v2",
        "bert-base-uncased",
        "distilbert-base-uncased",
        "roberta-base",
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_script_registers_the_models_of_the_paper(
    hub: HubStub, stand_in: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in named_models():
        hub.add(name, stand_in(name))
    database = tmp_path / "zoo.db"
    assert main([str(database), "--continue", "-f", str(SCRIPT)]) == 1
    errors = capfd.readouterr().err
    assert errors.count("needs the package natten") == 3
    assert errors.count("is of type 'van', which the installed transformers") == 2
    with modelstore.connect(database) as store:
        found: list[Any] = store.execute("SELECT name, modality FROM models").fetchall()
    assert {name for name, _ in found} == set(named_models()[:65])
    assert [modality for _, modality in found].count("text") == 40
    requests = len(hub.requests)
    assert (
        main([str(database), "--continue", "-f", str(SCRIPT)]) == 1
    )  # those that are there are not fetched again
    assert not [one for one in hub.requests[requests:] if "bert" in one]
