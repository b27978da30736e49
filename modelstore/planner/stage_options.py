"""Checks of the options that say where stages end."""

from modelstore.errors import OptionError
from modelstore.options import StageOptions


def check_stages(options: StageOptions) -> None:
    """Raises ``OptionError`` where a list of stages cannot be kept to."""
    if options.stages is None:
        return
    if options.stages_per_epoch is not None:
        raise OptionError(
            "Binder Error: both stages and stages_per_epoch say when models are validated: give one of them"
        )
    if options.stages[-1] > options.epochs:
        raise OptionError(
            f"Binder Error: the last of the stages is at epoch {options.stages[-1]:g}, and training ends at "
            f"{options.epochs}: give more epochs, or shorter stages"
        )
