"""The commands that draw what is on record, in the terminal or into a file."""

from pathlib import Path

from modelstore.shell.commands.command import DotCommand, Session, write
from modelstore.shell.render.messages import ShellError


def _curve(session: Session, arguments: list[str]) -> None:
    from modelstore.shell.charts import terminal

    if len(arguments) == 1:
        write(session, terminal.selection(session.connection.store, _number(arguments[0])))
    else:
        write(session, terminal.curve(session.connection.store, *arguments))


def _number(text: str) -> int:
    if not text.isdigit():
        raise ShellError(f'a selection is named by its number, not "{text}": .selections lists them')
    return int(text)


def _trends(session: Session, arguments: list[str]) -> None:
    from modelstore.shell.charts import terminal

    write(session, terminal.trends(session.connection.store, *arguments))


def _clusters(session: Session, arguments: list[str]) -> None:
    from modelstore.shell.charts import terminal

    write(session, terminal.clusters(session.connection.store))


def _plot(session: Session, arguments: list[str]) -> None:
    from modelstore.shell.charts import images

    kind, *of, file = arguments
    path = Path(file).expanduser()
    if path.suffix not in (".png", ".svg"):
        raise ShellError(f'a picture is a .png or .svg file, not "{file}"')
    if kind == "curves":
        if not of:
            raise ShellError("curves are of a selection: .plot curves 3 file.png")
        images.selection(session.connection.store, _number(of[0]), path)
    elif kind in ("matrix", "dendrogram"):
        draw = images.matrix if kind == "matrix" else images.dendrogram
        draw(session.connection.store, of[0] if of else "default", path)
    else:
        raise ShellError(f'there is no picture "{kind}": there are curves, matrix and dendrogram')


DRAWING = {
    ".curve": DotCommand(
        "SELECTION|MODEL [DATASET] [RECIPE]", "draw a selection, or a model's training on a dataset", _curve
    ),
    ".trends": DotCommand("MODEL [RECIPE]", "draw a model's convergence trends", _trends),
    ".clusters": DotCommand("", "draw the sizes of the clusters", _clusters),
    ".plot": DotCommand(
        "curves|matrix|dendrogram [SELECTION|RECIPE] FILE", "draw into a .png or .svg file", _plot
    ),
}
