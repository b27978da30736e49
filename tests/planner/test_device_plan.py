"""How many models a plan lets train on the GPUs of a machine, and how much longer each takes beside others."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modelstore.execution.machine import Machine
from modelstore.execution.placement import devices_for
from modelstore.options import RecipeOptions
from modelstore.planner import device_plan, device_speed
from modelstore.planner.device_plan import DevicePlan
from modelstore.training.speed import Speed


def plan(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, device: str = "auto", runs: int = 20
) -> DevicePlan:
    """Of as many models of 20 million parameters as there are runs."""
    monkeypatch.setattr(device_plan, "this_machine", lambda: machine)
    monkeypatch.setattr(device_plan, "devices_for", partial(devices_for, free_memory=lambda: 100e9))
    store = SimpleNamespace(
        telemetry=SimpleNamespace(peak_memory=lambda recipe, device: {}),
        catalog=SimpleNamespace(parameters_of=lambda names: np.full(len(names), 20e6)),
    )
    context: Any = SimpleNamespace(store=store)
    recipe: Any = SimpleNamespace(name="r", options=RecipeOptions())
    return DevicePlan(context, recipe, device, [f"m{n}" for n in range(runs)], runs, runs)


def test_models_share_gpus_and_each_takes_the_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    two = Machine(threads=16, gpus=2, gpu_memory=80e9)
    assert plan(monkeypatch, two).at_once == 8
    assert plan(monkeypatch, two).slowdown == 2.0
    assert plan(monkeypatch, two, runs=4).slowdown == pytest.approx(2**0.5)
    assert plan(monkeypatch, two, runs=2).slowdown == 1.0
    assert plan(monkeypatch, two, "cuda:1").at_once == 4
    assert plan(monkeypatch, two, "cuda:1").slowdown == 2.0
    assert plan(monkeypatch, two, "cpu").slowdown == 1.0
    assert plan(monkeypatch, Machine(threads=16)).slowdown == 1.0
    assert plan(monkeypatch, Machine(threads=16, gpus=2, gpu_memory=4e9)).at_once == 2
    assert plan(monkeypatch, Machine(threads=16, gpus=2)).at_once == 2


def test_a_probes_speed_is_that_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Speed(overhead=1e-3, elementwise=1e-8, per_flop=1e-11, per_parameter=1e-9)
    monkeypatch.setattr(device_speed, "measured_speed", lambda plan, models, shape_of: alone)
    shared = plan(monkeypatch, Machine(threads=16, gpus=1, gpu_memory=80e9))
    assert device_speed.speed_of(shared)([], None) == alone.slower(2)
    monkeypatch.setattr(device_speed, "measured_speed", lambda plan, models, shape_of: None)
    assert device_speed.speed_of(shared)([], None) is None
