"""The races of selections: what was decided on each model and when, and what that cost beside brute force."""

import json
import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from modelstore.options import SelectOptions
from modelstore.report.contents import Arm, Cost, Point, Race
from modelstore.store import Store
from modelstore.store.overview import SelectionRow, StageRow

RACES, ARMS = 30, 60  # the newest selections, and of each the arms that stayed longest
MOST_STAGES = 10_000  # of a whole training; a log that says more is no selection's


def races(store: Store, selections: Sequence[SelectionRow]) -> list[Race]:
    """The races of the newest selections, the newest first."""
    begun = [one for one in selections if one.stages][:RACES]
    rows = store.overview.stages([one.id for one in begun])
    decided = {number: list(of) for number, of in groupby(rows, key=lambda row: row.selection)}
    return [_race(store, one, decided.get(one.id, [])) for one in begun]


def cost_of(store: Store, selection: SelectionRow) -> Cost:
    """What a selection has spent, beside brute force."""
    options = _options(selection)
    whole = options.stage_ends()[-1] + _trial_epochs(store, selection, options) if options else None
    epochs, seconds = known(selection.epochs), known(selection.seconds)
    brute = selection.arms * whole if whole is not None and selection.arms else None
    pace = seconds / epochs if epochs and seconds is not None else None
    return Cost(
        selection.arms,
        whole,
        epochs,
        seconds,
        brute,
        brute * pace if brute is not None and pace is not None else None,
    )


def known(number: float | None) -> float | None:
    """A number that JSON can hold: None for NaN and what is infinite."""
    return number if number is not None and math.isfinite(number) else None


def _options(selection: SelectionRow) -> SelectOptions | None:
    """The options by which a selection ran; None where its log, which may come from anywhere, does not say them."""
    try:
        logged: Any = json.loads(selection.options or "{}")
        if not isinstance(logged["epochs"] * (logged.get("stages_per_epoch") or 1), (int, float)):
            return None
        options = SelectOptions.of(logged)
        many = options.epochs * (options.stages_per_epoch or 1) > MOST_STAGES
        return None if many or not math.isfinite(options.stage_ends()[-1]) else options
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError):
        return None


def _trial_epochs(store: Store, selection: SelectionRow, options: SelectOptions) -> float:
    """The epochs that finding the learning rate takes of each arm."""
    if options.executor != "replay":
        return options.trial_epochs
    if selection.dataset is None:
        return 0.0
    return store.curves.trial_epochs(selection.dataset, options.recipe)


def _race(store: Store, selection: SelectionRow, rows: Sequence[StageRow]) -> Race:
    arms = [Arm(name, [_point(row) for row in of]) for name, of in groupby(rows, key=lambda row: row.arm)]
    arms.sort(key=_outcome)
    options = _options(selection)
    ends = options.stage_ends() if options else ()
    reached = max((row.stage for row in rows), default=0)
    return Race(
        selection=selection.id,
        title=f"{selection.method or 'selection'} for {selection.dataset or 'an unknown dataset'}",
        status=selection.status or "unknown",
        reason=selection.reason,
        winner=selection.model,
        ends=ends if len(ends) >= reached else (),
        arms=arms[:ARMS],
        total=len(arms),
        cost=cost_of(store, selection),
    )


def _point(row: StageRow) -> Point:
    return Point(
        row.stage, known(row.validation), known(row.predicted), known(row.deviation), row.action, row.reason
    )


def _outcome(arm: Arm) -> tuple[int, bool, float, str]:
    """Sorts the arms that stayed longest first; of those the winners, and then the best validations."""
    validations = [point.validation for point in arm.points if point.validation is not None]
    last = arm.points[-1]
    return -last.stage, last.action != "won", -validations[-1] if validations else math.inf, arm.name
