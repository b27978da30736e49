"""What is seen of a selection while it runs."""

import io
import re
import shutil
from textwrap import wrap

import pytest

import modelstore
from modelstore.events import Began, Decided, Decision, ModelsInTraining, ModelTrained
from modelstore.progress import emit, notify, progress, shown_by
from modelstore.records import CurvePoint
from modelstore.shell.live import Live

SELECT = "SELECT BEST MODEL FOR d0 USING successive_halving WITH (executor = 'replay', epochs = 4)"


class Terminal(io.StringIO):
    """Keeps what a terminal would show: it knows the two sequences that the panel is erased with.

    Lines that are longer than it is wide are on several rows.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        erased = re.fullmatch(r"\x1b\[(\d+)A\x1b\[J", text)
        if erased is None:
            written = super().write(text)
            self.frames.append(self.getvalue())
            return written
        width = shutil.get_terminal_size().columns
        rows = [row for line in self.getvalue().splitlines() for row in wrap(line, width) or [""]]
        self.seek(0)
        self.truncate()
        return super().write("".join(f"{row}\n" for row in rows[: -int(erased[1])]))


def test_a_selection_in_a_pipe_is_plain_lines(recorded: modelstore.Connection) -> None:
    out = io.StringIO()
    with shown_by(Live(out)):
        recorded.execute(SELECT)
    lines = out.getvalue().splitlines()
    assert lines[0] == "training 8 models in 4 stages"
    assert [line.split(":")[0] for line in lines if line.startswith("stage")] == [
        f"stage {i}/4" for i in (1, 2, 3, 4)
    ]
    assert "4 of 8 models left, 8 of 15 expected epochs spent" in out.getvalue()
    assert sum(line.startswith("  dropped") for line in lines) == 7
    assert lines[-1].startswith("  won     ")
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", out.getvalue())


def test_on_a_terminal_it_is_a_panel_that_is_gone_in_the_end(
    recorded: modelstore.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    terminal = Terminal()
    with shown_by(Live(terminal)):
        recorded.execute(SELECT)
    assert terminal.getvalue() == ""
    assert any(
        "stage 2/4: 4 of 8 models left" in frame and "dropped at stage 1: " in frame
        for frame in terminal.frames
    )
    assert max(len(line) for frame in terminal.frames for line in frame.splitlines()) < 70


def test_an_error_erases_the_panel_too() -> None:
    terminal = Terminal()
    live = Live(terminal)
    live.emit(Began(("a", "b"), 0, 2, 3, 1.0))
    assert "2 of 2 models left" in terminal.getvalue()
    live.close()
    assert terminal.getvalue() == ""


def test_a_panel_on_a_terminal_made_narrower_is_erased_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    print("before", file=terminal)
    live = Live(terminal)
    live.emit(Began(("a", "b"), 0, 2, 0.75, 0.25))
    assert "2 of 2 models left, 0 of 0.75 expected epochs spent" in terminal.getvalue()
    monkeypatch.setenv("COLUMNS", "30")
    live.close()
    assert terminal.getvalue() == "before\n"


def test_a_terminal_that_cannot_erase_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    live = Live(terminal)
    live.emit(Began(("a",), 0, 1, 1, 1.0))
    live.close()
    assert terminal.getvalue() == "training 1 model in 1 stage\n"


def test_the_panel_shows_scores_predictions_and_what_is_under_way() -> None:
    terminal = Terminal()
    live = Live(terminal)
    live.emit(Began(("a", "b", "c"), 0, 2, 5, 1.0))
    with live.bar(3, "stage 1/2", "batch") as bar:
        bar.total = 30
        live.emit(ModelsInTraining(("a",)))
        bar.update(10)
        live.emit(ModelTrained("a", CurvePoint(1, 1.0, 0.5, None, 0.1, 1.0), 1.0))
        live.emit(ModelsInTraining(("b",)))
        bar.update(5)
        live.draw()
        assert "  a  0.5000\n  b  training, 50%\n  c\n" in terminal.getvalue()
        live.emit(ModelsInTraining(("b", "c")))
        bar.update(4)
        live.draw()
        assert "  a  0.5000\n  b  training, 45%\n  c  training, 45%\n" in terminal.getvalue()
        assert "1 of 5 expected epochs spent" in terminal.getvalue()
    kept = [Decision(1, model, score, score + 0.1, "kept", None) for model, score in (("a", 0.5), ("b", 0.4))]
    live.emit(Decided((*kept, Decision(1, "c", 0.1, None, "dropped", "it lags")), 2, 1.0))
    assert "  a  0.5000, predicted 0.6000\n" in terminal.getvalue()
    live.emit(ModelTrained("a", CurvePoint(2, 2.0, 0.55, None, 0.1, 1.0), 4.0))
    assert "  a  0.5500, predicted 0.6000\n" in terminal.getvalue()
    assert "  dropped at stage 1: c: it lags\n" in terminal.getvalue()


def test_many_models_do_not_fill_the_screen() -> None:
    terminal = Terminal()
    Live(terminal).emit(Began(tuple(f"m{i}" for i in range(500)), 0, 2, 750, 1.0))
    assert "  … and 488 more\n" in terminal.getvalue()


def test_messages_stand_above_the_panel() -> None:
    terminal = Terminal()
    with shown_by(Live(terminal)):
        emit(Began(("a",), 0, 1, 1, 1.0))
        notify("albert could not be scored")
        emit(ModelTrained("a", CurvePoint(1, 1.0, 0.5, None, 0.1, 1.0), 1.0))
    assert terminal.getvalue().startswith("albert could not be scored\nstage 1/1")


def test_without_a_display_there_are_bars_and_nobody_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Began(("a",), 0, 1, 1, 1.0))
    with progress(3, "stage", "model") as bar:
        bar.update()
    assert capsys.readouterr().err == ""
