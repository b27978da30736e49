"""Training the used rows of a word embedding: to the weights, scores and files of training all of them."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForSequenceClassification
from whole_runs import finished

from modelstore.data.task_data import TaskData
from modelstore.options import TrainingOptions
from modelstore.training import used_rows
from modelstore.training.finetune import FineTuning
from modelstore.training.used_rows import UsedRows

OPTIONS = TrainingOptions(
    epochs=2,
    batch_size=8,
    learning_rate=2e-3,
    stages_per_epoch=2,
    weight_decay=0.3,
    keep="last",
    device="cpu",
)
Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


def trained(path: Path, data: TaskData, options: TrainingOptions = OPTIONS) -> FineTuning:
    return finished(FineTuning("model", path, data, options))


def replaced(run: FineTuning) -> list[UsedRows]:
    return [module for module in run.network.modules() if isinstance(module, UsedRows)]


@pytest.fixture
def all_rows(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the runs that follow train all rows."""
    return lambda: monkeypatch.setattr(used_rows, "MOST_USED", -1.0)


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert", "gpt2", "t5"])
def test_the_weights_are_those_of_training_all_rows(
    kind: str, model_path: Paths, dataset: Datasets, all_rows: Callable[[], None], tmp_path: Path
) -> None:
    data = dataset("text", rows=48)
    run = trained(model_path(kind), data)
    run.save(tmp_path / "used")
    (rows,) = replaced(run)
    all_rows()
    whole = trained(model_path(kind), data)
    whole.save(tmp_path / "all")
    assert replaced(whole) == []

    # Adam makes steps of the noise of gradients that are zero: most weights are alike, and so are all outputs.
    np.testing.assert_allclose(run.predict_scores("test"), whole.predict_scores("test"), atol=2e-3)
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("used", "all"))
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items()
    }
    assert np.median([float((ours[name] - theirs[name]).abs().max()) for name in ours]) < 1e-3
    (words,) = {name for name, value in theirs.items() if value.shape == rows.whole.shape}
    unused = rows.places < 0
    assert 0 < len(rows.weight) < len(unused) / 2
    assert not torch.equal(theirs[words][unused], rows.whole[unused])  # they decay
    torch.testing.assert_close(ours[words][unused], theirs[words][unused], rtol=1e-5, atol=0)


def test_the_other_rows_shrink_by_the_decay_of_every_step(model_path: Paths, dataset: Datasets) -> None:
    run = trained(model_path("bert"), dataset("text", rows=48))
    (rows,) = replaced(run)
    rates = [run.steps.optimizer.learning_rate(step) for step in range(run.plan.batches)]
    factor = math.prod(1 - rate * OPTIONS.weight_decay for rate in rates)
    assert rows.scale.item() == pytest.approx(factor, rel=1e-5)
    torch.testing.assert_close(rows.all_rows()[rows.places < 0], rows.whole[rows.places < 0] * factor)


def test_tokens_of_no_training_text_are_embedded_in_validation(model_path: Paths, dataset: Datasets) -> None:
    run = trained(model_path("bert"), dataset("text", rows=48))
    (rows,) = replaced(run)
    ids = torch.arange(len(rows.places)).unsqueeze(0)
    assert torch.equal(rows(ids), rows.all_rows()[ids])


@given(
    st.integers(2, 12).flatmap(
        lambda tokens: st.tuples(
            st.just(tokens),
            st.sets(st.integers(0, tokens - 1), min_size=1),
            st.lists(st.integers(0, tokens - 1), min_size=1, max_size=8),
            st.none() | st.integers(0, tokens - 1),
        )
    )
)
def test_it_embeds_and_has_gradients_as_the_whole_embedding(
    case: tuple[int, set[int], list[int], int | None],
) -> None:
    tokens, used, ids, padding = case
    used |= set() if padding is None else {padding}
    whole = nn.Embedding(tokens, 3, padding)
    rows = UsedRows(whole, np.array(sorted(used)))
    given_ids = torch.tensor(ids)
    assert torch.equal(rows(given_ids), whole(given_ids))
    trained_ids = torch.tensor([one for one in ids if one in used] or [min(used)])
    weights = torch.arange(len(trained_ids) * 3.0).reshape(-1, 3)
    for module in (rows, whole):
        (module(trained_ids) * weights).sum().backward()
    assert whole.weight.grad is not None
    assert torch.equal(rows.weight.grad, whole.weight.grad[sorted(used)])
    assert rows.scale.grad.item() == 0


def test_a_run_goes_on_bit_for_bit(model_path: Paths, dataset: Datasets, tmp_path: Path) -> None:
    path, data, options = model_path("roberta"), dataset("text", rows=48), replace(OPTIONS, keep="best")
    whole = trained(path, data, options)
    stopped = FineTuning("model", path, data, options)
    stopped.advance()
    stopped.save_state(tmp_path / "state")
    resumed = FineTuning("model", path, data, options)
    resumed.restore(tmp_path / "state")
    finished(resumed)
    assert [point.validation for point in resumed.curve] == [point.validation for point in whole.curve]
    assert np.array_equal(resumed.predict_scores("test"), whole.predict_scores("test"))
    resumed.save(tmp_path / "resumed")
    whole.save(tmp_path / "whole")
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("resumed", "whole"))
    assert one == other


@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_a_run_that_trained_all_rows_goes_on_as_it_would_have(
    kind: str, model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, data, options = model_path(kind), dataset("text", rows=48), replace(OPTIONS, learning_rate=None)
    with monkeypatch.context() as older:
        older.setattr(used_rows, "MOST_USED", -1.0)
        whole = trained(path, data, options)
        stopped = FineTuning("model", path, data, options)
        stopped.advance()
        stopped.save_state(tmp_path / "state")
    resumed = FineTuning("model", path, data, options)
    assert replaced(resumed)
    resumed.restore(tmp_path / "state")
    finished(resumed)
    assert not replaced(resumed)
    assert np.array_equal(resumed.predict_scores("test"), whole.predict_scores("test"))


@pytest.mark.parametrize("tuning", ["frozen", "lora"])
def test_an_embedding_that_is_not_trained_stays_whole(
    tuning: str, model_path: Paths, dataset: Datasets
) -> None:
    run = FineTuning("model", model_path("bert"), dataset("text", rows=48), replace(OPTIONS, tuning=tuning))
    assert replaced(run) == []


def test_an_embedding_that_shares_its_weight_with_another_stays_whole(
    model_path: Paths, dataset: Datasets
) -> None:
    assert replaced(FineTuning("model", model_path("bart"), dataset("text", rows=48), OPTIONS)) == []


def test_a_layerwise_rate_is_that_of_the_embedding(model_path: Paths, dataset: Datasets) -> None:
    run = FineTuning(
        "model", model_path("bert"), dataset("text", rows=48), replace(OPTIONS, tuning="layerwise")
    )
    (rows,) = replaced(run)
    (share,) = {
        group["share"]
        for group in run.steps.optimizer.adamw.param_groups
        if any(one is rows.weight for one in group["params"])
    }
    (group,) = [
        group
        for group in run.steps.optimizer.adamw.param_groups
        if any(one is rows.scale for one in group["params"])
    ]
    assert (group["share"], group["weight_decay"]) == (share, OPTIONS.weight_decay)


def test_the_saved_model_loads_as_any_other(model_path: Paths, dataset: Datasets, tmp_path: Path) -> None:
    data = dataset("text", rows=48)
    run = trained(model_path("gpt2"), data)
    run.save(tmp_path / "model")
    network, found = AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "model", output_loading_info=True
    )
    assert not any(found[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    run.network.eval()
    network.eval()
    batch = run.placed.inputs("test").batch(np.arange(4))
    with torch.no_grad():
        torch.testing.assert_close(network(**batch).logits, run.network(**batch).logits)
