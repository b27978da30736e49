"""The speed of the device that a statement trains on: remembered, or measured when EXPLAIN first needs it."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from modelstore.data.hub import local_path
from modelstore.data.model_shape import ModelShape
from modelstore.errors import ModelError, TrainingError
from modelstore.planner.cluster_plan import Placement
from modelstore.planner.device_plan import DevicePlan
from modelstore.planner.training_times import FindSpeed, unmeasured
from modelstore.progress import notify
from modelstore.store.registered import Model
from modelstore.training import speed
from modelstore.training.speed import Speed
from modelstore.turns import turn_if_free

ShapeOf = Callable[[Model], ModelShape]
# Architectures whose layers are those of the networks that the rates are measured on.
PLAIN = {"", "albert", "bert", "camembert", "deit", "distilbert", "electra", "roberta", "vit", "xlm-roberta"}
FAMILIES = 6  # other architectures that one EXPLAIN measures
MOST_PARAMETERS = 400e6  # larger models are not loaded to be measured


def remembered_speed(plan: DevicePlan) -> Speed | None:
    """What was measured of the device on which the plan's models train; None where nothing was."""
    return speed.remembered(speed.device_key(plan.device, plan.threads))


def speed_beside_others(plan: DevicePlan, models: Sequence[Model], shape_of: ShapeOf) -> Speed | None:
    """The `measured_speed` for each of those models that share the device by the plan."""
    found = measured_speed(plan, models, shape_of)
    return found and found.slower(plan.slowdown)


def measured_speed(plan: DevicePlan, models: Sequence[Model], shape_of: ShapeOf) -> Speed | None:
    """The speed of the device, measured where it is not known; it is remembered.

    Parameters
    ----------
    plan
        Where the models train.
    models
        Those whose architectures matter.
    shape_of
        Gives a model's shape.

    Returns
    -------
    Speed or None
        None where this machine cannot train, or another statement of this process trains now.
    """
    known = remembered_speed(plan)
    to_measure = _unknown_families(models, shape_of, known)
    if known is not None and not to_measure:
        return known
    began = time.perf_counter()
    try:
        with turn_if_free() as is_free:
            if not is_free:
                return (
                    known  # beside another statement that trains, the measure would be wrong, and disturb it
                )
            found = _measure(plan, known, to_measure, shape_of)
    except (TrainingError, RuntimeError) as error:
        notify(f"how fast this machine trains could not be measured: {error}")
        return known
    speed.remember(speed.device_key(plan.device, plan.threads), found)
    threads = "" if plan.device != "cpu" else f", {plan.threads} thread{'' if plan.threads == 1 else 's'}"
    notify(
        f"measured how fast this machine trains ({plan.device}{threads}) in "
        f"{time.perf_counter() - began:.1f} s, to estimate seconds before anything is on record"
    )
    return found


def speed_of(plan: Placement) -> FindSpeed:
    """What finds the speed where a plan's models train: of a cluster, the records alone tell it."""
    return partial(speed_beside_others, plan) if isinstance(plan, DevicePlan) else unmeasured


def _unknown_families(models: Sequence[Model], shape_of: ShapeOf, known: Speed | None) -> list[Model]:
    """The smallest model of each architecture that was not measured yet, the most frequent architectures first."""
    have = PLAIN | (set(known.families) if known else set())
    counts = Counter(shape_of(model).family for model in models)
    wanted = [family for family, _ in counts.most_common() if family not in have]
    smallest = []
    for family in wanted[:FAMILIES]:
        members = [model for model in models if shape_of(model).family == family]
        smallest.append(min(members, key=lambda model: (shape_of(model).parameters, model.name)))
    return [model for model in smallest if shape_of(model).parameters <= MOST_PARAMETERS]


def _measure(plan: DevicePlan, known: Speed | None, models: Sequence[Model], shape_of: ShapeOf) -> Speed:
    from modelstore.training import speed_probe
    from modelstore.training.hardware import pick_device

    device = pick_device(plan.device)
    found = known or speed_probe.measure(device, plan.threads)
    families = dict(found.families)
    for model in models:
        shape = shape_of(model)
        try:
            path = local_path(str(model.uri), "model")
            families[shape.family] = speed_probe.measure_family(
                model.name, path, str(model.modality), shape, found, device, plan.threads
            )
        except (ModelError, OSError, RuntimeError, ValueError):
            continue  # it counts as a plain one
    return replace(found, families=families)
