"""What of a model learns, and at which share of the learning rate: the option `tuning`.

A classifier is a base model and a head. The head always learns, and so does what of the base the weights did not
hold and was drawn at random, like the pooler of a BERT that was pretrained without one. The rest of the base learns
as a whole (full), at rates that fall from layer to layer (layerwise), by low-rank changes (lora), or not (frozen).
"""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from modelstore.errors import TrainingError
from modelstore.training import lora

LAYER_DECAY = 0.8  # of the rate from a layer to the one below, as ELECTRA (Clark et al.) had it at base size


def prepare(model: str, network: nn.Module, tuning: str, new: Collection[str]) -> None:
    """Marks what learns, and adds the adapters of `lora`, drawn from torch's random state.

    ``new`` names the parameters that the weights did not hold. Raises TrainingError where peft is needed and not
    installed, or ``model`` has no base, or no layer to adapt.
    """
    if tuning in ("full", "layerwise"):
        return
    if network.base_model is network:
        raise TrainingError(
            f"model {model} has no base model beside its head: tuning = '{tuning}' is not for it"
        )
    learning = [p for name, p in network.named_parameters() if not _in_base(network, name) or name in new]
    network.requires_grad_(False)
    if tuning == "lora":
        lora.add_adapters(model, network, network.base_model, new)
    for parameter in learning:
        parameter.requires_grad_(True)


def set_training(network: nn.Module, tuning: str) -> None:
    """Training mode; a frozen base stays in evaluation mode: its dropout is off, its norms' statistics stay."""
    network.train()
    if tuning == "frozen":
        network.base_model.eval()


def learning_shares(network: nn.Module, tuning: str) -> dict[str, float]:
    """The share of the learning rate that each parameter learns at, by name."""
    names = [name for name, _ in network.named_parameters()]
    if tuning != "layerwise":
        return dict.fromkeys(names, 1.0)
    depths = layer_depths(network)
    top = max(depths.values(), default=0) + 1
    return {name: LAYER_DECAY ** (top - depths.get(name, top)) for name in names}


def layer_depths(network: nn.Module) -> dict[str, int]:
    """How far up its base's layers a parameter is, by name; 0 is below the first layer. The head's have none.

    Layers are the members of the base's outermost lists of modules, in their order; what follows the last one,
    such as a norm or a pooler, is as high as it.
    """
    lists = [name for name, module in network.named_modules() if isinstance(module, nn.ModuleList)]
    outermost = [name for name in lists if not any(name.startswith(f"{other}.") for other in lists)]
    found: list[str] = []
    depths: dict[str, int] = {}
    for name, _ in network.named_parameters():
        if not _in_base(network, name):
            continue
        for above in outermost:
            if name.startswith(f"{above}."):
                layer = ".".join(name.split(".")[: above.count(".") + 2])
                if layer not in found:
                    found.append(layer)
                depths[name] = found.index(layer) + 1
                break
        else:
            depths[name] = len(found)
    return depths


def is_frozen(network: nn.Module) -> bool:
    """Whether nothing of the base learns."""
    return not any(p.requires_grad for p in network.base_model.parameters())


def _in_base(network: nn.Module, name: str) -> bool:
    return name.startswith(f"{network.base_model_prefix}.")
