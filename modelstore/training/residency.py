"""Runs that rest on a GPU between their stages, as long as there is memory for them there."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

import torch

SPARE = 0.4  # of a device's memory, which resting runs leave free for the one that trains


class Resident(Protocol):
    """What can rest on a device."""

    def leave_device(self) -> None:
        """Moves to the CPU's memory."""
        ...


_resting: dict[torch.device, list[Resident]] = defaultdict(list)  # oldest first


def rest(resident: Resident, device: torch.device) -> None:
    """Lets a run rest on ``device``; those that have rested longest leave it where memory gets short."""
    resting = _resting[device]
    resting.append(resident)
    while resting and _free_share(device) < SPARE:
        resting.pop(0).leave_device()


def wake(resident: Resident, device: torch.device) -> None:
    """Takes a run out of those that may be moved away, since it trains or is released; it may not be among them."""
    if resident in _resting[device]:
        _resting[device].remove(resident)


def make_room(device: torch.device) -> bool:
    """Moves all that rests off ``device``; whether there was anything."""
    resting = _resting.pop(device, [])
    for resident in resting:
        resident.leave_device()
    return bool(resting)


def _free_share(device: torch.device) -> float:
    """The share of a device's memory that an allocation can have."""
    if device.type != "cuda":
        return 0.0
    free, total = torch.cuda.mem_get_info(device)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return (free + cached) / total
