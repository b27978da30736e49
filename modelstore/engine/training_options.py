"""The options of a fine-tuning run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingOptions:
    """How a model is fine-tuned. Runs with equal options, model and dataset are equal on one machine's CPU."""

    epochs: float = 5
    batch_size: int = 32
    learning_rate: float = 3e-5  # at its peak
    max_length: int = 128  # tokens
    seed: int = 0
    stages_per_epoch: int = 1
    device: str = "auto"  # auto | cpu | cuda | cuda:1 …
