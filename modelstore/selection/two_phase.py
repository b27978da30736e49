"""Two phases: coarse recall picks the most promising models, and fine selection trains them.

Cui et al., "A Two-Phase Recall-and-Select Framework for Fast Model Selection": the whole of the paper's
method.
"""

from dataclasses import dataclass

from modelstore.selection.fine_selection import FineSelection


@dataclass(frozen=True)
class TwoPhase(FineSelection):
    """Fine selection of the models that coarse recall picks."""

    name = "two_phase"
    recalls = True
    epochs_a_score = 0.5  # as the paper counts, whatever the rows

    @property
    def title(self) -> str:
        return FineSelection.name.replace("_", " ")
