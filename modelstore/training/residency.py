"""Lets runs rest on a GPU between their stages, as long as its memory has room for them."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import Protocol

import torch

from modelstore.training.memory import SPARE


class Resident(Protocol):
    """A run that can rest on a device."""

    def leave_device(self) -> None:
        """Moves everything that it holds on the device to the CPU's memory, or frees it."""
        ...


_resting: dict[torch.device, list[Resident]] = defaultdict(list)  # oldest first


def rest(resident: Resident, device: torch.device) -> None:
    """Lets a run rest on a device; if memory gets short, the runs that have rested longest leave the device."""
    if device.type != "cuda":
        resident.leave_device()
        return
    wake(resident, device)
    resting = _resting[device]
    resting.append(resident)
    while resting and _is_short(device):
        resting.pop(0).leave_device()


def wake(resident: Resident, device: torch.device) -> None:
    """Removes a run from those resting on a device, if it is among them, because it trains or is released."""
    with suppress(ValueError):
        _resting[device].remove(resident)


def make_room(device: torch.device) -> bool:
    """Moves all resting runs off a device; returns whether there were any."""
    resting = _resting.pop(device, [])
    for resident in resting:
        resident.leave_device()
    return bool(resting)


def _is_short(device: torch.device) -> bool:
    """Whether less than `SPARE` of a device's memory is free for any run, of this process or another."""
    if _free_share(device) >= SPARE:
        return False
    torch.cuda.empty_cache()  # what the graphs of resting runs keep stays theirs
    return _free_share(device) < SPARE


def _free_share(device: torch.device) -> float:
    free, total = torch.cuda.mem_get_info(device)
    return free / total
