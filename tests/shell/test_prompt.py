"""The interactive loop, typed into by a pipe."""

import io
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

import modelstore
from modelstore.shell.app import Shell
from modelstore.shell.completion.highlighting import SqlLexer, styled
from modelstore.shell.prompt import prompt
from modelstore.shell.status import device, transaction

Type = Callable[[str], tuple[str, str]]
CTRL_C, CTRL_D, CTRL_R, UP = "\x03", "\x04", "\x12", "\x1b[A"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "modelstore" / "history"


@pytest.fixture
def typing(state: Path) -> Iterator[Type]:
    """Types keys into a new shell, which ends: its rows and its messages."""
    with modelstore.connect() as connection:

        def type_(keys: str) -> tuple[str, str]:
            out, messages = io.BytesIO(), io.StringIO()
            shell = Shell(connection, ":memory:", form="csv", out=out, messages=messages)
            with create_pipe_input() as given:
                given.send_text(keys)
                assert prompt(shell, given, DummyOutput()) == 0
            return out.getvalue().decode(), messages.getvalue().split("leaves.\n", 1)[1]

        yield type_


def test_a_statement_runs_once_it_is_complete(typing: Type) -> None:
    assert typing("SELECT 1\rAS a,\r2 AS b;\r" + CTRL_D) == ("a,b\n1,2\n", "")


def test_a_semicolon_in_a_string_completes_nothing(typing: Type) -> None:
    assert typing("SELECT ';\r' AS a;\r" + CTRL_D)[0] == 'a\n";\n"\n'


def test_pasted_statements_run_in_order(typing: Type) -> None:
    pasted = (
        "\x1b[200~CREATE TABLE t (a INT);\nINSERT INTO t VALUES (1), (2);\nFROM t;\nSELECT 3 AS b;\n\x1b[201~"
    )
    assert typing(pasted + "\r" + CTRL_D)[0] == "a\n1\n2\nb\n3\n"


def test_an_error_keeps_the_shell(typing: Type) -> None:
    rows, messages = typing("SELEC 1;\rSELECT 2 AS b;\r" + CTRL_D)
    assert rows == "b\n2\n"
    assert messages == 'Parser Error: syntax error at or near "SELEC"\nLINE 1: SELEC 1;\n        ^^^^^\n'


def test_ctrl_c_clears_what_is_typed(typing: Type) -> None:
    assert typing("SELECT nonsense" + CTRL_C + "SELECT 1 AS a;\r" + CTRL_D) == ("a\n1\n", "")


def test_quit_leaves(typing: Type) -> None:
    assert typing(".quit\rSELECT 1;\r")[0] == ""


def test_history_is_kept_for_its_owner_and_searched(typing: Type, state: Path) -> None:
    typing("SELECT 41 + 1 AS answer;\rSELECT 2 AS b;\r" + CTRL_D)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert typing(CTRL_R + "answer\r\r" + CTRL_D)[0] == "answer\n42\n"
    assert typing(UP + "\r" + CTRL_D)[0] == "answer\n42\n"


def test_a_history_that_cannot_be_kept_is_no_reason_to_stop(
    typing: Type, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/state")
    assert typing("SELECT 1 AS a;\r" + CTRL_D)[0] == "a\n1\n"


def test_the_bottom_line_knows_the_transaction() -> None:
    with modelstore.connect() as connection:
        assert transaction(connection) == ""
        connection.execute("BEGIN")
        assert transaction(connection) == "in transaction"
        with pytest.raises(modelstore.Error):
            connection.execute("SELECT 'x'::INT")
        assert transaction(connection) in ("in transaction", "transaction aborted: ROLLBACK")
    assert device() in ("cpu", "cuda")


def test_highlighting_gives_back_the_text(recorded: modelstore.Connection) -> None:
    text = "SELECT 'é漢' AS a, -- why\n  1.5 /* x */;\n.mode csv\nSELECT BEST MODEL FOR d WITH (epochs = 3);\nname"
    lex = SqlLexer().lex_document(Document(text))
    lines = ["".join(piece[1] for piece in lex(number)) for number in range(text.count("\n") + 1)]
    assert "\n".join(lines) == text


def test_words_are_highlighted_by_what_they_are() -> None:
    pieces = styled("SELECT best FROM t WHERE x = 'é' AND y < 1; SELECT BEST MODEL FOR d -- c")
    styles = {text: style.removeprefix("class:sql.") for style, text in pieces}
    assert [styles[word] for word in ("FROM", "best", "'é'", "1", "BEST", "MODEL", " -- c")] == [
        *("keyword", "", "string", "number", "extension", "extension", "comment")
    ]
