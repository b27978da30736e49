"""Training that a test watches: something happens before each stage, or training is interrupted there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from modelstore.execution.client import WorkerClient
from modelstore.execution.messages import Request
from modelstore.training.finetune import FineTuning


@contextmanager
def before_each_stage(do: Callable[[FineTuning], object]) -> Iterator[None]:
    """Within the context, calls a function with each run that is about to train a stage."""
    advance = FineTuning.advance

    def watched(self: FineTuning, *arguments: Any, **options: Any) -> Any:
        do(self)
        return advance(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FineTuning, "advance", watched)
        yield


@contextmanager
def before_each_request(do: Callable[[WorkerClient, Request[Any]], object]) -> Iterator[None]:
    """Within the context, calls a function with each worker that is about to be asked for something, and what for."""
    ask = WorkerClient.ask

    def watched(self: WorkerClient, request: Request[Any], *arguments: Any) -> Any:
        do(self, request)
        return ask(self, request, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkerClient, "ask", watched)
        yield


def without_seconds(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Of a selection's rows: rank, model, recipe, validation, test, epochs."""
    return [tuple(value for place, value in enumerate(row) if place not in (6, 7, 8)) for row in rows]


@contextmanager
def trained_stages() -> Iterator[list[tuple[str, int]]]:
    """Within the context, collects the model and the number of each stage that begins, from 1."""
    stages: list[tuple[str, int]] = []
    with before_each_stage(lambda run: stages.append((run.model, len(run.curve) + 1))):
        yield stages


@contextmanager
def interrupted_training(where: Callable[[FineTuning], bool], message: str | None = None) -> Iterator[None]:
    """Expects that what runs within the context is interrupted, as a stage for which ``where`` is true begins.

    Parameters
    ----------
    where
        Whether a run's next stage is the one to interrupt.
    message
        A pattern that the message of the interruption must match; None for any.
    """

    def interrupt(run: FineTuning) -> None:
        if where(run):
            raise KeyboardInterrupt

    with before_each_stage(interrupt), pytest.raises(KeyboardInterrupt, match=message):
        yield
