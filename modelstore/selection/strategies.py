"""The registry of strategies: the one list of the names that USING takes."""

from modelstore.options import SelectOptions
from modelstore.selection.brute_force import BruteForce
from modelstore.selection.fine_selection import FineSelection
from modelstore.selection.probability_of_improvement import ProbabilityOfImprovement
from modelstore.selection.strategy import Strategy
from modelstore.selection.successive_halving import SuccessiveHalving
from modelstore.selection.two_phase import TwoPhase
from modelstore.selection.value_race import ValueOfInformation

DEFAULT = ValueOfInformation.name
BASELINE = BruteForce.name  # trains every model to the end
STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        ValueOfInformation,
        TwoPhase,
        FineSelection,
        SuccessiveHalving,
        ProbabilityOfImprovement,
        BruteForce,
    )
}


def strategy_of(name: str, options: SelectOptions) -> Strategy:
    """The strategy of a name, with a statement's options."""
    return STRATEGIES[name].of(options)
