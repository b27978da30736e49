"""Long work shown live on standard error: of a selection, the models left with their scores, those dropped, the time.

On a terminal that is a panel, which is redrawn in its place and erased at the end. In a pipe or a file, and on a
terminal that cannot erase, it is plain lines. (Rich would draw the panel in 20 lines less, but takes 23 ms to load
where this module takes 4.)
"""

import shutil
import time
from collections.abc import Iterator
from typing import Any, TextIO

from modelstore import progress
from modelstore.events import Began, Decided, Decision, ModelsInTraining, ModelTrained
from modelstore.shell.render.cells import cut, display_width, pad
from modelstore.shell.terminal import can_erase
from modelstore.visible import visible, visible_on_one_line

_EVERY = 0.1  # seconds between two drawings
_MOST_LEFT, _MOST_GONE = 12, 6


class Live:
    """The display of one statement's work; `close` erases what it has drawn."""

    def __init__(self, out: TextIO):
        self._out = out
        self._panel = can_erase(out)
        self._selection: _State | None = None
        self._drawn: list[int] = []  # the widths of the panel's lines
        self._drawn_at = 0.0

    def bar(self, total: float, description: str, unit: str) -> Any:
        """A bar: the panel itself during a selection, or else one of tqdm's."""
        if self._selection is None:
            return progress.bar(total, description, unit)
        self._selection.bar = _Bar(self, total)
        return self._selection.bar

    def emit(self, event: object) -> None:
        """Shows how a selection goes on."""
        if isinstance(event, Began):
            self._selection = _State(event)
        elif self._selection is None:
            return
        elif isinstance(event, ModelsInTraining):
            self._selection.training = event.models
        elif isinstance(event, ModelTrained):
            self._selection.trained(event)
        elif isinstance(event, Decided):
            self._selection.decided(event)
        if self._panel:
            self.draw()
        elif not isinstance(event, (ModelsInTraining, ModelTrained)):
            lines = self._selection.lines_for(event)
            print(*map(visible, lines), sep="\n", file=self._out, flush=True)
        if isinstance(event, Decided) and not event.expected:
            self.close()

    def notify(self, message: str) -> None:
        """Writes a line above the panel."""
        self._erase()
        print(visible(message), file=self._out, flush=True)

    def close(self) -> None:
        """Erases the panel: the work has ended."""
        self._erase()
        self._selection = None

    def draw(self, every: float = 0.0) -> None:
        """Draws the panel, unless it was drawn less than ``every`` seconds ago."""
        now = time.perf_counter()
        if not self._panel or self._selection is None or now - self._drawn_at < every:
            return
        self._show([visible_on_one_line(line) for line in self._selection.lines()])
        self._drawn_at = now

    def _show(self, lines: list[str]) -> None:
        """Puts lines in the panel's place, as many as the terminal has."""
        size = shutil.get_terminal_size()
        lines = [cut(line, size.columns - 1) for line in lines][: size.lines - 2]
        self._erase()
        self._out.write("".join(f"{line}\n" for line in lines))
        self._out.flush()
        self._drawn = [display_width(line) for line in lines]

    def _erase(self) -> None:
        if self._drawn:
            # Where the terminal has been made narrower since, a line takes several.
            columns = shutil.get_terminal_size().columns
            rows = sum(max(1, -(-width // columns)) for width in self._drawn)
            self._out.write(f"\x1b[{rows}A\x1b[J")
            self._out.flush()
            self._drawn = []


class _Bar:
    """Counts the batches of a stage, as a tqdm bar would."""

    def __init__(self, live: Live, total: float):
        self._live = live
        self.total = total
        self.n = 0.0

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._live.draw()

    def set_postfix_str(self, model: str) -> None:
        """Does nothing: the panel names the models in training."""

    def update(self, batches: float = 1) -> None:
        self.n += batches
        self._live.draw(_EVERY)


class _State:
    """What is known of the selection that runs."""

    def __init__(self, began: Began):
        self._stages, self._stage = began.stages, began.done + 1
        self._of, self._noun = len(began.models), "pair" if began.pairs else "model"
        self._left: dict[str, Decision | None] = dict.fromkeys(began.models)
        self._validations: dict[str, float] = {}  # in the stage that runs
        self._gone: list[Decision] = []
        self._epochs, self._expected = 0.0, began.expected
        self._stage_epochs = began.stage_epochs
        self._began = time.perf_counter()
        self.bar: _Bar | None = None
        self.training: tuple[str, ...] = ()

    def trained(self, event: ModelTrained) -> None:
        self._validations[event.model] = event.point.validation
        self._epochs = event.epochs

    def decided(self, event: Decided) -> None:
        self._left = {d.model: d for d in event.decisions if d.action in ("kept", "won")}
        self._gone += [d for d in event.decisions if d.action not in ("kept", "won")]
        self._expected, self._stage_epochs = self._epochs + event.expected, event.stage_epochs
        self._validations.clear()
        self._stage = min(event.decisions[0].stage + 1, self._stages)
        self.bar = None

    def lines(self) -> Iterator[str]:
        """The panel's lines."""
        yield self._summary(self._stage)
        shown = list(self._left)[:_MOST_LEFT]
        width = max(map(display_width, shown), default=0)
        for model in shown:
            yield f"  {pad(model, width)}  {self._standing(model)}".rstrip()
        if len(self._left) > len(shown):
            yield f"  … and {len(self._left) - len(shown)} more"
        for decision in self._gone[-_MOST_GONE:]:
            yield f"  {decision.action} at stage {decision.stage}: {_outcome(decision)}"

    def lines_for(self, event: object) -> Iterator[str]:
        """The plain lines of an event."""
        if isinstance(event, Decided):
            stage = event.decisions[0].stage
            yield self._summary(stage)
            for decision in event.decisions:
                yield f"  {decision.action:<7} {_outcome(decision)}"
        else:
            yield f"training {_number(self._of, self._noun)} in {_number(self._stages, 'stage')}"

    def _summary(self, stage: int) -> str:
        from modelstore.planner.plan import duration  # which takes Arrow: not before a selection is shown

        parts = [
            f"stage {stage}/{self._stages}: {len(self._left)} of {self._of} {self._noun}s left",
            f"{self._epochs:.4g} of {self._expected:.4g} expected epochs spent",
        ]
        elapsed = time.perf_counter() - self._began
        parts.append(duration(elapsed))
        done = self._epochs + self._fraction() * self._stage_epochs
        if done > 0 and self._expected > self._epochs:
            parts.append(f"about {duration(elapsed / done * max(self._expected - done, 0))} left")
        return ", ".join(parts)

    def _fraction(self) -> float:
        """How much of a stage the models in training have done, summed over them."""
        if self.bar is None or not self.bar.total:
            return 0.0
        passed = self.bar.n / self.bar.total * len(self._left) - len(self._validations)
        return min(max(passed, 0.0), float(len(self.training)))

    def _standing(self, model: str) -> str:
        """A model's last validation, and its last predicted final score."""
        decision = self._left[model]
        validation, predicted = (decision.validation, decision.predicted) if decision else (None, None)
        if model in self._validations:
            return _scores(self._validations[model], predicted)
        if model in self.training:
            share = self._fraction() / len(self.training)
            return f"{_scores(validation, predicted)}  training, {100 * share:.0f}%".strip()
        return _scores(validation, predicted)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _scores(validation: float | None, predicted: float | None) -> str:
    said = "" if predicted is None else f", predicted {predicted:.4f}"
    return "" if validation is None else f"{validation:.4f}{said}"


def _outcome(decision: Decision) -> str:
    """A model and why it was kept or dropped; without a reason, its scores."""
    if decision.reason:
        return f"{decision.model}: {decision.reason}"
    return f"{decision.model} {_scores(decision.validation, decision.predicted)}".strip()
