"""The commands that change the session: where rows go and how, scripts, leaving."""

from pathlib import Path

from modelstore.shell.commands.command import DotCommand, Quit, Session, write
from modelstore.shell.render.formats import FORMATS
from modelstore.shell.render.messages import ShellError


def _mode(session: Session, arguments: list[str]) -> None:
    if not arguments:
        write(session, f"{session.form}\n")
        return
    form = arguments[0].lower()
    if form not in FORMATS:
        raise ShellError(f'there is no mode "{form}": the modes are {", ".join(FORMATS)}')
    session.form = form


def _timer(session: Session, arguments: list[str]) -> None:
    if arguments[0] not in ("on", "off"):
        raise ShellError("the timer is on or off: .timer on")
    session.timer = arguments[0] == "on"


def _read(session: Session, arguments: list[str]) -> bool:
    return session.run_file(Path(arguments[0]).expanduser())


def _output(session: Session, arguments: list[str]) -> None:
    path = Path(arguments[0]).expanduser() if arguments else None
    try:
        session.redirect(path)
    except OSError as error:
        raise ShellError(f'"{path}" cannot be written: {error.strerror}') from None


def _quit(session: Session, arguments: list[str]) -> None:
    raise Quit


QUIT = {".quit": DotCommand("", "leave (as Ctrl-D does)", _quit)}
SETTINGS = {
    ".mode": DotCommand("[MODE]", f"write rows as {', '.join(FORMATS)}", _mode),
    ".timer": DotCommand("on|off", "tell how long each statement took", _timer),
    ".read": DotCommand("FILE", "run a script", _read),
    ".output": DotCommand("[FILE]", "write rows to a file, or to the screen again", _output),
}
