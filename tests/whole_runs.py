"""Runs of training to their end."""

from modelstore.training.finetune import FineTuning


def finished(run: FineTuning) -> FineTuning:
    """The run, when it has gone through the stages that are left."""
    while len(run.curve) < run.stages:
        run.advance()
    return run
