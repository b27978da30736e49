"""A device's speed: what is measured, remembered, and said of a training step."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from modelstore.data.model_shape import ModelShape
from modelstore.training import speed
from modelstore.training.speed import Speed

SHAPE = ModelShape("bert", 110e6, 85e6, 12, 768, None)
RATES = Speed(overhead=1e-3, elementwise=1e-8, per_flop=1e-11, per_parameter=1e-9)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_epoch_is_calls_numbers_operations_and_the_optimizer() -> None:
    step = 1e-3 * 14 + 1e-8 * 32 * 20 * 12 * 768 + 1e-11 * 3 * 32 * 2 * 20 * (85e6 + 2 * 12 * 768 * 20)
    assert RATES.epoch(SHAPE, 640, 20, 32, "full") == pytest.approx(20 * (step + 1e-9 * 110e6))


def test_the_optimizer_passes_over_the_rows_of_used_tokens_alone() -> None:
    words = replace(SHAPE, vocabulary=30_000, embedded=768)
    assert words.trained_parameters(12_800) == pytest.approx(110e6 - (30_000 - 12_800**0.8) * 768)
    assert words.trained_parameters(1e7) == 110e6  # of so much text more than half of the tokens
    saved = 1e-9 * 20 * (110e6 - words.trained_parameters(640 * 20))
    epochs = [RATES.epoch(shape, 640, 20, 32, "full") for shape in (SHAPE, words)]
    assert epochs[0] - epochs[1] == pytest.approx(saved)


def test_a_forward_pass_is_a_third_of_a_step_without_the_optimizer() -> None:
    assert RATES.forward(SHAPE, 640, 20, 32) == pytest.approx(10 * RATES.compute(SHAPE, 64, 20) / 3)
    assert RATES.forward(SHAPE, 0, 20, 32) == 0


def test_adapters_take_less_than_full_tuning_and_a_frozen_base_least() -> None:
    full, lora, frozen = (RATES.epoch(SHAPE, 1000, 20, 32, name) for name in ("full", "lora", "frozen"))
    assert frozen < lora < full


def test_on_a_slower_device_everything_takes_longer() -> None:
    slower = RATES.slower(2)
    assert slower.epoch(SHAPE, 640, 20, 32, "full") == pytest.approx(
        2 * RATES.epoch(SHAPE, 640, 20, 32, "full")
    )
    assert slower.forward(SHAPE, 640, 20, 32) == pytest.approx(2 * RATES.forward(SHAPE, 640, 20, 32))


def test_an_architecture_takes_its_own_factor() -> None:
    slow = Speed(1e-3, 1e-8, 1e-11, 1e-9, families={"bert": 2.0})
    assert slow.compute(SHAPE, 32, 20) == pytest.approx(2 * RATES.compute(SHAPE, 32, 20))


def test_what_is_remembered_comes_back_and_architectures_add_up(cache: Path) -> None:
    speed.remember("key", Speed(1.0, 2.0, 3.0, 4.0, {"resnet": 2.0}))
    speed.remember("key", Speed(1.0, 2.0, 3.0, 5.0, {"gpt2": 3.0}))
    assert speed.remembered("key") == Speed(1.0, 2.0, 3.0, 5.0, {"resnet": 2.0, "gpt2": 3.0})
    assert speed.remembered("other") is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{", json.dumps({"key": {"speed": 3}}), json.dumps({"key": 3})]
)
def test_a_damaged_file_counts_as_nothing_remembered(cache: Path, content: str) -> None:
    cache.mkdir()
    (cache / "speed.json").write_text(content)
    assert speed.remembered("key") is None


def test_a_folder_that_cannot_be_written_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "file"))
    speed.remember("key", RATES)
    assert speed.remembered("key") is None


def test_a_measurement_has_rates_of_zero_or_more_and_changes_no_random_state() -> None:
    from modelstore.training.speed_probe import measure

    state = torch.get_rng_state()
    threads = torch.get_num_threads()
    found = measure(torch.device("cpu"), 1)
    assert min(found.overhead, found.per_parameter) > 0
    assert min(found.elementwise, found.per_flop) >= 0
    assert found.elementwise + found.per_flop > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
