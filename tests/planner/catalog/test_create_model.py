"""`CREATE MODEL`: what a model's files say of it, and files that cannot be used."""

from collections.abc import Callable
from pathlib import Path

import pytest

import modelstore

Store = modelstore.Connection


def test_a_registered_model_is_described_by_its_files(zoo: Store) -> None:
    row = zoo.execute(
        "SELECT modality, architecture, parameters > 1000, labels, has_head "
        "FROM models WHERE name = 'bert_classifier'"
    ).fetchone()
    assert row == ("text", "BertForSequenceClassification", True, ["red", "green", "blue"], True)


def test_an_unusable_model_is_refused_with_its_reason(
    store: Store, model_copy: Callable[[str], Path]
) -> None:
    directory = model_copy("bert")
    weights = directory / "model.safetensors"
    weights.rename(directory / "pytorch_model.bin")
    with pytest.raises(modelstore.ModelError, match="pickle"):
        store.execute(f"CREATE MODEL m FROM '{directory}'")
    with pytest.raises(modelstore.ModelError):
        store.execute("CREATE MODEL m FROM '/nowhere'")
    assert store.execute("SELECT count(*) FROM models").fetchone() == (0,)
