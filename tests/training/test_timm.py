"""Models of timm, in transformers' wrapper; skipped where timm is not installed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save_file

from modelstore.data.hub import resolve_model
from modelstore.data.model_info import inspect_model
from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training.features import extract
from modelstore.training.finetune import FineTuning

timm = pytest.importorskip("timm")


@pytest.fixture
def timm_model(tmp_path: Path) -> Path:
    path = tmp_path / "timm"
    path.mkdir()
    network = timm.create_model("resnet10t", num_classes=7)
    save_file(network.state_dict(), path / "model.safetensors")
    settings = {"num_classes": 7, "input_size": [3, 32, 32], "classifier": "fc", "first_conv": "conv1.0"}
    config = {"architecture": "resnet10t", "num_classes": 7, "pretrained_cfg": settings}
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_a_timm_model_is_scored_trained_and_saved(
    timm_model: Path, dataset: Callable[..., TaskData], tmp_path: Path
) -> None:
    data = dataset("image", rows=32)
    info = inspect_model(resolve_model("m", str(timm_model)))
    assert (info.modality, info.architecture, len(info.labels)) == ("image", "resnet10t", 7)
    features = extract("m", timm_model, data, rows=16)
    assert features.features.shape == (16, 512)
    assert features.probabilities is not None
    assert features.probabilities.shape == (16, 7)
    run = FineTuning("m", timm_model, data, TrainingOptions(epochs=1))
    run.advance()
    run.save(tmp_path / "saved")
    assert inspect_model(resolve_model("m", str(tmp_path / "saved"))).labels == data.labels
