"""What a selection's plan takes from replays of the same selection on recorded datasets."""

from abc import abstractmethod

from modelstore.planner.plan import Step


class ReplayedEpochs(Step):
    """A step of an explained plan that knows how many epochs replays took."""

    @property
    @abstractmethod
    def epochs(self) -> float | None:
        """The mean epochs of a replay, recall's included; None where there is too little to replay."""

    @property
    @abstractmethod
    def models(self) -> float:
        """How many models a replay chose from, on average."""
