"""The interactive loop: statements of several lines, with highlighting, completion and history."""

import os
from contextlib import suppress
from pathlib import Path
from threading import Thread

import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.application.current import get_app
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, completion_is_selected, is_searching
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output, create_output

import modelstore
from modelstore.shell.app import Shell, Stopped
from modelstore.shell.commands.command import Quit
from modelstore.shell.completion.completer import ModelStoreCompleter
from modelstore.shell.completion.highlighting import STYLE, SqlLexer
from modelstore.shell.completion.names import Names
from modelstore.shell.leftovers import offer_leftovers
from modelstore.shell.parts import is_complete
from modelstore.shell.status import device, transaction
from modelstore.shell.terminal import can_erase, without_echo

_PROMPT = "modelstore> "


class _KeptHistory(FileHistory):
    """History in a file; where the file can no longer be written, the shell goes on without it."""

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string)


def history() -> History:
    """The statements that were typed, in ``$XDG_STATE_HOME/modelstore/history``, which its owner alone can read.

    The folder is ``~/.local/state`` by default. (platformdirs gives the same folder on Linux, in as many lines.)
    """
    state = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    path = state / "modelstore" / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError:
        return InMemoryHistory()
    return _KeptHistory(str(path))


def prompt(shell: Shell, given: Input | None = None, screen: Output | None = None) -> int:
    """Asks for statements until Ctrl-D or `.quit`; after an error or Ctrl-C it asks again."""
    names = Names(shell.connection)
    context = _context(shell, names, given, screen or create_output(always_prefer_tty=True))
    print(
        f"modelstore {modelstore.__version__} (DuckDB {duckdb.__version__})\n"
        "Statements end with a semicolon; .help lists the shell's own commands; Ctrl-D leaves.",
        file=shell.messages,
    )
    offer_leftovers(shell)
    warming = Thread(target=names.warm)
    warming.start()
    try:
        return _ask(shell, context, names)
    finally:
        warming.join()


def _ask(shell: Shell, context: "PromptSession[str]", names: Names) -> int:
    while True:
        try:
            text = context.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return 0
        try:
            with without_echo():
                shell.run(text)
        except Quit:
            return 0
        except (Stopped, KeyboardInterrupt) as stopped:
            # Erases the bar that was being drawn.
            begin = "\r\x1b[K" if can_erase(shell.messages) else "\n"
            print(f"{begin}{str(stopped) or 'interrupted'}", file=shell.messages)
        names.forget()


def _context(shell: Shell, names: Names, given: Input | None, screen: Output) -> "PromptSession[str]":
    state = {"line": ""}

    def toolbar() -> str:
        return state["line"]

    def before_prompt() -> None:
        parts = (shell.database, transaction(shell.connection), device(), shell.form)
        state["line"] = " " + " │ ".join(part for part in parts if part)

    context: PromptSession[str] = PromptSession(
        lambda: _PROMPT,
        multiline=True,
        prompt_continuation=lambda width, number, wrapped: "" if wrapped else "...> ".rjust(width),
        lexer=SqlLexer(),
        completer=ModelStoreCompleter(names),
        complete_while_typing=True,
        history=history(),
        search_ignore_case=True,
        bottom_toolbar=toolbar,
        style=STYLE,
        include_default_pygments_style=False,
        key_bindings=_keys(),
        enable_open_in_editor=True,
        tempfile_suffix=".sql",
        input=given,
        output=screen,
    )
    context.app.pre_run_callables.append(before_prompt)
    return context


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @Condition
    def complete() -> bool:
        return is_complete(get_app().current_buffer.text)

    @keys.add("enter", filter=completion_is_selected & ~is_searching)
    def take(event: KeyPressEvent) -> None:
        """Takes the selected completion, and offers the next where something must follow it."""
        buffer = event.current_buffer
        buffer.complete_state = None
        if buffer.document.char_before_cursor in (" ", "/"):  # `option = `, a folder
            buffer.start_completion(complete_event=CompleteEvent(text_inserted=True))

    @keys.add("enter", filter=complete & ~completion_is_selected & ~is_searching)
    def run(event: KeyPressEvent) -> None:
        """Runs what is complete; otherwise Enter begins a new line."""
        event.current_buffer.document = Document(event.current_buffer.text.rstrip())
        event.current_buffer.validate_and_handle()

    return keys
