"""The strategies that train all their candidates, by the name that users type."""

from modelstore.selection.brute_force import BruteForce
from modelstore.selection.fine_selection import FineSelection
from modelstore.selection.probability_of_improvement import ProbabilityOfImprovement
from modelstore.selection.successive_halving import SuccessiveHalving

BY_NAME = {
    strategy.name: strategy
    for strategy in (FineSelection, SuccessiveHalving, ProbabilityOfImprovement, BruteForce)
}
