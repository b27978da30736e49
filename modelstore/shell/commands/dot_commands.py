"""The shell's own commands, which begin with a dot."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelstore.errors import did_you_mean
from modelstore.shell.app import Quit, Shell
from modelstore.shell.charts import terminal as charts
from modelstore.shell.render.formats import FORMATS
from modelstore.shell.render.messages import ShellError


@dataclass(frozen=True)
class DotCommand:
    """A command: what it takes, and what it does with it; ``takes`` names the kind of each argument.

    An argument in brackets may be left out. ``run`` gives whether all went well.
    """

    takes: str
    help: str
    run: Callable[[Shell, list[str]], bool | None]

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the largest number of arguments."""
        names = self.takes.split()
        return sum(not name.startswith("[") for name in names), len(names)


def parse(line: str) -> tuple[DotCommand, list[str]]:
    """A line's command and arguments. Raises ``ShellError``."""
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


def run(shell: Shell, line: str) -> bool:
    """Runs a line's command, and says whether all went well. Raises ``ShellError``, ``Quit``."""
    command, arguments = parse(line)
    return command.run(shell, arguments) is not False


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _like(column: str, arguments: Sequence[str]) -> str:
    """A condition: the column holds the argument, if there is one; % and _ are LIKE's."""
    if not arguments:
        return "true"
    pattern = arguments[0] if "%" in arguments[0] else f"%{arguments[0]}%"
    return f"{column} ILIKE {_text(pattern)}"


def _write(shell: Shell, text: str) -> None:
    shell.out.write(text.encode("utf-8", "replace"))
    shell.out.flush()


def _tables(shell: Shell, arguments: list[str]) -> None:
    shell.show(
        "SELECT schema, name, kind, rows FROM ("
        "SELECT schema_name AS schema, table_name AS name, 'table' AS kind, estimated_size AS rows, database_name, "
        "internal FROM duckdb_tables() UNION ALL "
        "SELECT schema_name, view_name, 'view', NULL, database_name, internal FROM duckdb_views()) "
        "WHERE NOT internal AND database_name IN (current_database(), 'temp') "
        f"AND NOT starts_with(name, 'modelstore_result_') AND {_like('name', arguments)} ORDER BY ALL"
    )


def _schema(shell: Shell, arguments: list[str]) -> None:
    rows = shell.connection.execute(
        "SELECT sql FROM (SELECT table_name AS name, sql, internal, database_name FROM duckdb_tables() "
        "UNION ALL SELECT view_name, sql, internal, database_name FROM duckdb_views()) WHERE NOT internal "
        f"AND database_name IN (current_database(), 'temp') AND {_like('name', arguments)} ORDER BY name"
    ).fetchall()
    if not rows:
        raise ShellError(f'there is no table or view like "{arguments[0]}": .tables lists them')
    _write(shell, "".join(f"{sql.rstrip().removesuffix(';')};\n" for (sql,) in rows))


def _mode(shell: Shell, arguments: list[str]) -> None:
    if not arguments:
        _write(shell, f"{shell.form}\n")
        return
    form = arguments[0].lower()
    if form not in FORMATS:
        raise ShellError(f'there is no mode "{form}": the modes are {", ".join(FORMATS)}')
    shell.form = form


def _timer(shell: Shell, arguments: list[str]) -> None:
    if arguments[0] not in ("on", "off"):
        raise ShellError("the timer is on or off: .timer on")
    shell.timer = arguments[0] == "on"


def _read(shell: Shell, arguments: list[str]) -> bool:
    return shell.run_file(Path(arguments[0]).expanduser())


def _output(shell: Shell, arguments: list[str]) -> None:
    path = Path(arguments[0]).expanduser() if arguments else None
    try:
        shell.redirect(path)
    except OSError as error:
        raise ShellError(f'"{path}" cannot be written: {error.strerror}') from None


def _quit(shell: Shell, arguments: list[str]) -> None:
    raise Quit


def _help(shell: Shell, arguments: list[str]) -> None:
    wanted = {name: command for name, command in COMMANDS.items() if not arguments or arguments[0] in name}
    if not wanted:
        raise ShellError(f'there is no command like "{arguments[0]}": .help lists them')
    usages = {name: f"{name} {command.takes}".rstrip() for name, command in wanted.items()}
    width = max(map(len, usages.values()))
    _write(shell, "".join(f"{usage:<{width}}  {wanted[name].help}\n" for name, usage in usages.items()))


def _models(shell: Shell, arguments: list[str]) -> None:
    shell.show(
        "SELECT name, modality, architecture, parameters, cluster FROM models "
        f"LEFT JOIN model_clusters ON model = name WHERE {_like('name', arguments)} ORDER BY name"
    )


def _datasets(shell: Shell, arguments: list[str]) -> None:
    shell.show(
        "SELECT name, task, metric, len(labels) AS labels, train_rows, validation_rows, test_rows FROM datasets "
        f"WHERE {_like('name', arguments)} ORDER BY name"
    )


def _selections(shell: Shell, arguments: list[str]) -> None:
    shell.show(
        "SELECT id, dataset, method, status, model, round(epochs, 2) AS epochs, round(seconds, 1) AS seconds, "
        f"started_at FROM selections WHERE {_like('dataset', arguments)} ORDER BY id"
    )


def _curve(shell: Shell, arguments: list[str]) -> None:
    if len(arguments) == 1:
        _write(shell, charts.selection(shell.connection, _number(arguments[0])))
    else:
        _write(shell, charts.curve(shell.connection, *arguments))


def _number(text: str) -> int:
    if not text.isdigit():
        raise ShellError(f'a selection is named by its number, not "{text}": .selections lists them')
    return int(text)


def _trends(shell: Shell, arguments: list[str]) -> None:
    _write(shell, charts.trends(shell.connection, *arguments))


def _clusters(shell: Shell, arguments: list[str]) -> None:
    _write(shell, charts.clusters(shell.connection))


def _plot(shell: Shell, arguments: list[str]) -> None:
    from modelstore.shell.charts import images as plots

    kind, *of, file = arguments
    path = Path(file).expanduser()
    if path.suffix not in (".png", ".svg"):
        raise ShellError(f'a picture is a .png or .svg file, not "{file}"')
    if kind == "curves":
        if not of:
            raise ShellError("curves are of a selection: .plot curves 3 file.png")
        plots.selection(shell.connection, _number(of[0]), path)
    elif kind in ("matrix", "dendrogram"):
        draw = plots.matrix if kind == "matrix" else plots.dendrogram
        draw(shell.connection, of[0] if of else "default", path)
    else:
        raise ShellError(f'there is no picture "{kind}": there are curves, matrix and dendrogram')


COMMANDS = {
    ".help": DotCommand("[COMMAND]", "list the commands", _help),
    ".quit": DotCommand("", "leave (as Ctrl-D does)", _quit),
    ".tables": DotCommand("[LIKE]", "list tables and views", _tables),
    ".schema": DotCommand("[LIKE]", "show how tables and views were created", _schema),
    ".mode": DotCommand("[MODE]", f"write rows as {', '.join(FORMATS)}", _mode),
    ".timer": DotCommand("on|off", "tell how long each statement took", _timer),
    ".read": DotCommand("FILE", "run a script", _read),
    ".output": DotCommand("[FILE]", "write rows to a file, or to the screen again", _output),
    ".models": DotCommand("[LIKE]", "list the registered models", _models),
    ".datasets": DotCommand("[LIKE]", "list the datasets", _datasets),
    ".selections": DotCommand("[LIKE]", "list the selections, by dataset", _selections),
    ".curve": DotCommand(
        "SELECTION|MODEL [DATASET] [RECIPE]", "draw a selection, or a model's training on a dataset", _curve
    ),
    ".trends": DotCommand("MODEL [RECIPE]", "draw a model's convergence trends", _trends),
    ".clusters": DotCommand("", "draw the sizes of the clusters", _clusters),
    ".plot": DotCommand(
        "curves|matrix|dendrogram [SELECTION|RECIPE] FILE", "draw into a .png or .svg file", _plot
    ),
}
