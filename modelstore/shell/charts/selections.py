"""The order in which charts of a selection list its models."""

from collections.abc import Mapping, Sequence

from modelstore.store.selections import LoggedDecision

Decisions = Mapping[str, Sequence[LoggedDecision]]


def by_outcome(decisions: Decisions) -> Decisions:
    """The decisions by model, the models that stayed longest first; of those, the ones with the best validation."""

    def outcome(model: str) -> tuple[int, bool, float, str]:
        validations = [d.validation for d in decisions[model] if d.validation is not None]
        last = -validations[-1] if validations else 0.0
        return -decisions[model][-1].stage, not validations, last, model

    return {model: decisions[model] for model in sorted(decisions, key=outcome)}
