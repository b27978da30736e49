"""The command that writes a page to look at."""

from pathlib import Path

from modelstore.shell.commands.command import DotCommand, Session, write
from modelstore.shell.render.messages import ShellError

WATCH = "--watch"


def page_for(database: str) -> Path:
    """Where the page of a database goes unless something else is said: by its name, in the current folder."""
    return Path("report.html" if database.startswith(":memory:") else Path(database).stem + ".html")


def _report(session: Session, arguments: list[str]) -> None:
    files = [argument for argument in arguments if argument != WATCH]
    if len(files) > 1:
        raise ShellError(f"the command is used like this: .report {TAKES}")
    path = Path(files[0]).expanduser() if files else page_for(session.database)
    session.connection.report(path, watch=WATCH in arguments)
    write(session, f"{path}\n")


TAKES = f"[{WATCH}|FILE] [FILE]"
REPORT = {
    ".report": DotCommand(
        TAKES, "write a .html page of the store; with --watch it is renewed as selections go on", _report
    )
}
