"""The command that takes the first steps with a store, in the shell and as `modelstore init`."""

import argparse
import sys
from typing import NoReturn

from modelstore.shell.commands.command import DotCommand, Session, write
from modelstore.shell.render.messages import ShellError


class _DotParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ShellError(f".init: {message}")


def add_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Adds the options of the first steps, and returns them."""
    return [
        parser.add_argument("--data", help="a file, a folder, or hf://owner/name"),
        parser.add_argument("--name", help="the dataset's name (default: that of the file)"),
        parser.add_argument("--text", metavar="COLUMN", help="the column with the text or the image"),
        parser.add_argument("--label", metavar="COLUMN", help="the column with the label"),
        parser.add_argument(
            "--models",
            nargs="+",
            default=[],
            metavar="MODEL",
            help="directories, folders of them, or names on the hub (default: ten that public records rank best)",
        ),
        parser.add_argument(
            "--search", type=_count, metavar="N", help="the N models most downloaded from the hub"
        ),
        parser.add_argument(
            "--language", metavar="CODE", help="the language of the models that are searched: de"
        ),
    ]


def options() -> list[tuple[str, str]]:
    """The options of the first steps, each with what it means."""
    added = add_options(argparse.ArgumentParser(add_help=False))
    return [(one.option_strings[0], one.help or "") for one in added]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'a number of models is at least 1, not "{text}"')
    return int(text)


def _init(session: Session, arguments: list[str]) -> None:
    from modelstore.shell.first_steps import FirstSteps, Wanted

    parser = _DotParser(prog=".init", add_help=False)
    add_options(parser)
    if {"-h", "--help"} & {*arguments}:
        write(session, parser.format_help())
        return
    wanted = Wanted(**vars(parser.parse_args(arguments)))
    if wanted.models and (wanted.search or wanted.language):
        raise ShellError("models are named by --models, or found by --search and --language")
    FirstSteps(session, _ask if sys.stdin is not None and sys.stdin.isatty() else None).take(wanted)


def _ask(question: str) -> str:
    from prompt_toolkit import prompt
    from prompt_toolkit.completion import PathCompleter

    try:
        return prompt(question, completer=PathCompleter(expanduser=True)).strip()
    except EOFError:
        raise KeyboardInterrupt from None


FIRST = {
    ".init": DotCommand(
        "[OPTION...]",
        "first steps: your data, models to choose from, and the plan of a selection (.init --help)",
        _init,
    )
}
