"""One stage of a selection under way: which models wait, which train, and what became of the others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from modelstore.records import CurvePoint
from modelstore.selection.budget import Ledger


def _any(model: str) -> bool:
    return True


class Stage:
    """The accounts of one stage; a `StageTrainer` fills them in.

    Parameters
    ----------
    number
        The stage's number, from 1.
    models
        The models that may go through it, in the order of their turns.
    keep
        How many winners are wanted.
    ledger
        The selection's budget.

    Attributes
    ----------
    points
        The validation points of the models that went through the stage.
    failures
        The reasons of those that could not be trained.
    out_of_budget
        Whether the budget ended the stage early.
    """

    def __init__(self, number: int, models: Sequence[str], keep: int, ledger: Ledger):
        self.number = number
        self.models = list(models)
        self.points: dict[str, CurvePoint] = {}
        self.failures: dict[str, str] = {}
        self.out_of_budget = False
        self.training: list[str] = []
        self._keep = keep
        self._ledger = ledger
        self._waiting = list(models)
        self._began = ledger.elapsed()

    @property
    def through(self) -> int:
        """How many models have had their turn."""
        return len(self.models) - len(self._waiting) - len(self.training)

    @property
    def late(self) -> bool:
        """Whether the time is up in the midst of the stage."""
        return self._ledger.is_late()

    @property
    def epochs(self) -> float:
        """The epochs that the selection has trained so far."""
        return self._ledger.epochs

    def take(self, at_once: int = 1, wanted: Callable[[str], bool] = _any) -> str | None:
        """Moves the next ``wanted`` model from those that wait to those in training.

        None where no such model waits, or the budget allows no other one.
        """
        model = next(filter(wanted, self._waiting), None)
        if model is None or not self.has_next(at_once):
            return None
        self._waiting.remove(model)
        self.training.append(model)
        return model

    def has_next(self, at_once: int) -> bool:
        """Whether any model waits, and the budget allows another one."""
        return bool(self._waiting) and not self.out_of_budget and self._allows_another(at_once)

    def allows(self, model: str, seconds: float | None) -> bool:
        """Whether the model's next stage, which is expected to take ``seconds``, is within the budget."""
        return self._ledger.allows_stage(model, self.number, seconds)

    def add(self, model: str, before: float, point: CurvePoint) -> None:
        """Enters a model that went from the epoch ``before`` to a validation point."""
        self.training.remove(model)
        self.points[model] = point
        if model not in self._ledger.free:
            self._ledger.charge(point.epoch - before + point.trial_epochs, point.seconds)

    def fail(self, model: str, reason: str) -> None:
        """Enters a model that could not be trained."""
        self.training.remove(model)
        self.failures[model] = reason

    def end_early(self, model: str) -> None:
        """Enters that the budget has no room for the model's turn."""
        self.training.remove(model)
        self.out_of_budget = True

    def put_back(self, model: str) -> None:
        """Lets a model wait again whose run is lost."""
        del self.points[model]
        self._waiting.append(model)

    def _allows_another(self, at_once: int) -> bool:
        if len(self.points) < self._keep:
            return True
        under_way = len(self.points) + len(self.training)
        trained = [point.seconds for model, point in self.points.items() if model not in self._ledger.free]
        return self._ledger.allows_another(under_way, self._began, self.number, self._keep, trained, at_once)


class StageTrainer(Protocol):
    """Trains models stage by stage, and holds their runs."""

    @property
    def at_once(self) -> int:
        """How many models it trains at the same time."""
        ...

    def curves(self) -> Mapping[str, Sequence[CurvePoint]]:
        """The curve so far of each run that it holds."""
        ...

    def train(self, stage: Stage) -> None:
        """Takes models of the stage, and trains them, until there is none to take."""
        ...

    def test(self, model: str) -> float:
        """Evaluates a model on the test split."""
        ...

    def release(self, model: str) -> None:
        """Frees a model's run, if it holds one."""
        ...
