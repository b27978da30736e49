"""Control characters in what others have written are shown, and not obeyed."""

import io
from types import SimpleNamespace

import pytest
from tqdm import tqdm

import modelstore
from modelstore import errors, progress
from modelstore.events import Began, Decided, Decision
from modelstore.progress import shown_by
from modelstore.shell.commands.command import write
from modelstore.shell.live import Live
from modelstore.shell.render.messages import message_of
from modelstore.visible import visible

CLEAR, TITLE, CSI = "\x1b[2J", "\x1b]0;pwned\x07", "\x9b31m"


@pytest.mark.parametrize("text", [CLEAR, TITLE, CSI, "\x00", "\r", "\u202e", "\x7f", "\u2028", "\b"])
def test_no_control_character_is_left(text: str) -> None:
    assert visible(f"a{text}b\n\tc").replace("\n", "").replace("\t", "").isprintable()


def test_text_without_any_stays_as_it_is() -> None:
    assert visible("Zürich, 日本\n\tx") == "Zürich, 日本\n\tx"


@pytest.mark.parametrize(
    "kind",
    [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.duckdb.Error)],
)
def test_messages_of_all_errors_are_visible(kind: type[Exception]) -> None:
    error = kind(f"the model {CLEAR} is none")
    assert "\x1b" not in str(error)
    assert "\\x1B[2J" in str(error)
    assert "\x1b" not in message_of(error)


def test_a_name_in_an_error_is_visible(store: modelstore.Connection) -> None:
    with pytest.raises(modelstore.Error) as caught:
        store.execute("DROP MODEL ?", [f"x{CLEAR}{TITLE}"])
    assert "\x1b" not in str(caught.value)


def test_notices_and_bars_on_a_terminal_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    terminal = SimpleNamespace(
        write=written.append, flush=lambda: None, isatty=lambda: True, encoding="utf-8"
    )
    monkeypatch.setattr("sys.stderr", terminal)
    progress.notify(f"the model {CLEAR}")
    bar = progress.bar(3, f"training {CLEAR}", "stage")
    assert isinstance(bar, tqdm)
    bar.set_postfix_str(f"x{TITLE}")
    bar.close()
    shown = "".join(written)
    assert CLEAR not in shown
    assert "\x1b]0;" not in shown


def test_what_the_shell_shows_beside_rows_is_visible() -> None:
    out, model = io.StringIO(), f"m{TITLE}"
    with shown_by(Live(out)):
        progress.notify(f"the model {CLEAR}")
        progress.emit(Began((model,), 0, 2, 4.0, 1.0))
        decision = Decision(1, model, 0.5, None, "dropped", f"because {CSI}")
        progress.emit(Decided((decision,), 4.0, 1.0))
    assert "because" in out.getvalue()
    assert out.getvalue().replace("\n", "").isprintable()


def test_names_in_what_dot_commands_write_are_visible() -> None:
    written = io.BytesIO()
    write(SimpleNamespace(out=written), f"selection 1 for {CLEAR}")  # type: ignore[arg-type]
    assert b"\x1b" not in written.getvalue()
