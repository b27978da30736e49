"""Sets which weights of a model are trained, and at which share of the learning rate: the option `tuning`.

A classifier is a base model and a head. The head is always trained. So are those weights of the base that its weights
file lacks and that are therefore random, such as the pooler of a BERT that was pretrained without one. The rest of
the base is trained as a whole (full), at rates that fall from the top layer down (layerwise), through low-rank
adapters (lora), or not at all (frozen).
"""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from modelstore.errors import TrainingError
from modelstore.training import lora
from modelstore.training.parts import has_base, is_in_base

# The rate of a layer as a share of that of the layer above. Source: Clark et al., "ELECTRA", Appendix B (base size).
LAYER_DECAY = 0.8


def prepare(model: str, network: nn.Module, tuning: str, new: Collection[str]) -> None:
    """Marks the weights that are trained, and adds the adapters of ``lora``.

    Parameters
    ----------
    model
        The model's name, for messages.
    network
        The classifier or regressor, which is changed in place.
    tuning
        "full", "layerwise", "lora" or "frozen".
    new
        The names of the parameters that the weights file lacks.

    Raises
    ------
    TrainingError
        The network has no base model beside its head. For ``lora``: the package peft is not installed, or the base
        has no layer to adapt.
    """
    if tuning in ("full", "layerwise"):
        return
    if not has_base(network):
        raise TrainingError(
            f"model {model} has no base model beside its head, which tuning = '{tuning}' needs: use 'full'"
        )
    trained = [p for name, p in network.named_parameters() if not is_in_base(network, name) or name in new]
    network.requires_grad_(False)
    if tuning == "lora":
        lora.add_adapters(model, network, network.base_model, new)
    for parameter in trained:
        parameter.requires_grad_(True)


def set_training(network: nn.Module, tuning: str) -> None:
    """Sets a network to training mode, but a frozen base to evaluation mode.

    A frozen base then has no dropout, and its batch norms keep their statistics.
    """
    network.train()
    if tuning == "frozen":
        network.base_model.eval()


def learning_rate_shares(network: nn.Module, tuning: str) -> dict[str, float]:
    """Returns the share of the learning rate at which each parameter is trained, by name.

    All shares are 1 but for "layerwise": there the head's is 1, and each layer's is `LAYER_DECAY` times that of the
    layer above it.
    """
    names = [name for name, _ in network.named_parameters()]
    if tuning != "layerwise":
        return dict.fromkeys(names, 1.0)
    depths = layer_depths(network)
    top = max(depths.values(), default=0) + 1
    return {name: LAYER_DECAY ** (top - depths.get(name, top)) for name in names}


def layer_depths(network: nn.Module) -> dict[str, int]:
    """Returns the number of the layer that each parameter of the base model belongs to, by name.

    Layers are the members of the base's outermost module lists, counted from 1 in their order. Parameters before the
    first layer, such as embeddings, have depth 0. Parameters after a layer, such as a norm or a pooler, have that
    layer's depth. Parameters of the head are left out.
    """
    lists = [name for name, module in network.named_modules() if isinstance(module, nn.ModuleList)]
    outermost = [name for name in lists if not any(name.startswith(f"{other}.") for other in lists)]
    found: list[str] = []
    depths: dict[str, int] = {}
    for name, _ in network.named_parameters():
        if not is_in_base(network, name):
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
    """Whether no weight of the base model is trained."""
    return not any(p.requires_grad for p in network.base_model.parameters())
