"""The shell's own commands, which begin with a dot: all of them by name, and how a line is read and run."""

import shlex

from modelstore.errors import did_you_mean
from modelstore.shell.commands.command import DotCommand, Session, write
from modelstore.shell.commands.drawing import DRAWING
from modelstore.shell.commands.first import FIRST
from modelstore.shell.commands.listings import RECORDS, TABLES
from modelstore.shell.commands.reporting import REPORT
from modelstore.shell.commands.session import QUIT, SETTINGS
from modelstore.shell.render.messages import ShellError


def parse(line: str) -> tuple[DotCommand, list[str]]:
    """Reads a line.

    Returns
    -------
    tuple
        Its command and the arguments.

    Raises
    ------
    ShellError
        There is no such command, or it takes other arguments.
    """
    try:
        name, *arguments = shlex.split(line.rstrip().removesuffix(";"))
    except ValueError:
        raise ShellError(f"a quote is not closed in: {line}") from None
    command = COMMANDS.get(name)
    if command is None:
        raise ShellError(f'there is no command "{name}"{did_you_mean(name, COMMANDS)}: .help lists them')
    least, most = command.bounds
    if not least <= len(arguments) <= most:
        raise ShellError(f"the command is used like this: {name} {command.takes}".rstrip())
    return command, arguments


def run(session: Session, line: str) -> bool:
    """Runs a line's command, and returns whether all went well. Raises ``ShellError``, ``Quit``."""
    command, arguments = parse(line)
    return command.run(session, arguments) is not False


def _help(session: Session, arguments: list[str]) -> None:
    wanted = {name: command for name, command in COMMANDS.items() if not arguments or arguments[0] in name}
    if not wanted:
        raise ShellError(f'there is no command like "{arguments[0]}": .help lists them')
    usages = {name: f"{name} {command.takes}".rstrip() for name, command in wanted.items()}
    width = max(map(len, usages.values()))
    write(session, "".join(f"{usage:<{width}}  {wanted[name].help}\n" for name, usage in usages.items()))


HELP = {".help": DotCommand("[COMMAND]", "list the commands", _help)}
COMMANDS = HELP | QUIT | TABLES | SETTINGS | RECORDS | DRAWING | REPORT | FIRST
