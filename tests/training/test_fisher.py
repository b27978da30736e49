"""The Fisher information of a tiny encoder's units, against its definition and on every task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from modelstore.data.task_data import TaskData
from modelstore.errors import TrainingError
from modelstore.training import fisher
from modelstore.training.features import Extractor, Features, extract
from modelstore.udfs.fisher_similarity import fisher_similarity

Dataset = Callable[..., TaskData]
ModelPath = Callable[[str], Path]


def computed(path: Path, data: TaskData, seed: int = 0, **options: Any) -> np.ndarray:
    features = extract("tiny", path, data, seed=0, device="cpu")
    return fisher.fisher_information("tiny", path, data, features, seed=seed, device="cpu", **options)


def exact(path: Path, data: TaskData, features: Features) -> np.ndarray:
    """E_x Σ_y p(y|x) (∂ log p(y|x) / ∂w)² of each weight, then the mean of each unit's weights."""
    extractor = Extractor("tiny", path, data.modality, False, 128, 0)
    network, head = extractor.base, fisher._Head(data, features)
    inputs = extractor.preprocessor.split(data, "train")
    layers = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
    totals = [torch.zeros_like(layer.weight) for layer in layers]
    for place in range(len(inputs)):
        row = np.array([place])
        for label in range(len(data.labels)):
            network.zero_grad()
            logs = F.log_softmax(head(extractor.pool(network(**inputs.batch(row)), inputs, row))[0], dim=0)
            logs[label].backward()
            for total, layer in zip(totals, layers, strict=True):
                if layer.weight.grad is not None:
                    total += logs[label].detach().exp() * layer.weight.grad**2
    return torch.cat([total.mean(dim=1) for total in totals]).detach().numpy() / len(inputs)


def test_it_is_the_expectation_of_squared_gradients_over_all_labels(
    model_path: ModelPath, dataset: Dataset
) -> None:
    data, path = dataset("text", rows=12), model_path("bert")
    features = extract("tiny", path, data, device="cpu")
    drawn = [fisher.fisher_information("tiny", path, data, features, seed=s, device="cpu") for s in range(12)]
    expected = exact(path, data, features)
    found = np.mean(drawn, axis=0)
    assert found.shape == expected.shape
    assert found.sum() == pytest.approx(expected.sum(), rel=0.1)
    assert np.corrcoef(found, expected)[0, 1] > 0.97
    assert ((found == 0) == (expected == 0)).all()


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("distilbert", "pair"),
        ("albert", "regression"),
        ("gpt2", "text"),
        ("t5", "text"),
        ("bert_classifier", "multi_label"),
        ("vit", "image"),
        ("resnet", "image"),
    ],
)
def test_every_task_and_kind_of_layer_has_information(
    model: str, kind: str, model_path: ModelPath, dataset: Dataset
) -> None:
    passes: list[None] = []
    data = dataset(kind, rows=20)
    found = computed(model_path(model), data, on_batch=lambda: passes.append(None))
    assert len(passes) == 20
    assert (found >= 0).all()
    assert (found > 0).mean() > 0.5
    again = computed(model_path(model), data)
    np.testing.assert_allclose(again, found, rtol=1e-4, atol=1e-12)


def test_tokens_are_a_task_like_any_other(model_path: ModelPath, tagged: Callable[..., TaskData]) -> None:
    found = computed(model_path("bert"), tagged(20))
    assert (found > 0).mean() > 0.5


def test_no_more_rows_are_read_than_it_takes(
    model_path: ModelPath, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fisher, "FISHER_ROWS", 5)
    passes: list[None] = []
    computed(model_path("bert"), dataset("text", rows=20), on_batch=lambda: passes.append(None))
    assert len(passes) == 5


def test_other_rows_of_a_task_are_more_alike_than_another_task(
    model_path: ModelPath, dataset: Dataset
) -> None:
    whole, path = dataset("text", rows=160), model_path("bert")
    parts = [
        TaskData(
            whole.name, whole.task, whole.metric, "text", whole.labels, rows, whole.validation, whole.test
        )
        for rows in (whole.train.slice(0, 80), whole.train.slice(80))
    ]
    one, same, other = (computed(path, data) for data in (*parts, dataset("regression", rows=80)))
    assert fisher_similarity(one, same) > fisher_similarity(one, other)


def test_weights_that_are_no_numbers_are_an_error_that_names_the_model(
    model_path: ModelPath, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, path = dataset("text", rows=8), model_path("bert")
    features = extract("tiny", path, data, device="cpu")
    monkeypatch.setattr(fisher, "_by_unit", lambda values, flipped: values.mean(dim=1) * torch.nan)
    with pytest.raises(TrainingError, match="model tiny on easy_text is not finite"):
        fisher.fisher_information("tiny", path, data, features, device="cpu")
