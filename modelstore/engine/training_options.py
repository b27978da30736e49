"""The options of a fine-tuning run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingOptions:
    """How a model is fine-tuned. Runs with equal options, model and dataset are equal on one machine's CPU."""

    epochs: float = 5
    batch_size: int = 32
    learning_rate: float = 3e-5  # at its peak
    max_length: int = 128  # tokens
    tuning: str = "full"  # full | frozen | lora | layerwise: what of the model learns
    schedule: str = "linear"  # linear | cosine | constant: the learning rate after the warm-up
    warm_up: float = 0.06  # share of the steps
    weight_decay: float = 0.01
    seed: int = 0
    stages_per_epoch: int = 1
    device: str = "auto"  # auto | cpu | cuda | cuda:1 …
