"""`modelstore init [DATABASE]`: the first steps with a store, as `.init` takes them in the shell."""

import argparse
import shlex
from collections.abc import Sequence

from modelstore.shell.commands.first import add_options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modelstore init",
        description="First steps with a store: registers your data and models to choose from, adds public records, "
        "and shows the plan of a selection. At a terminal it asks for what is not given.",
    )
    parser.add_argument("database", nargs="?", default="zoo.db", help="a DuckDB file (default: zoo.db)")
    add_options(parser)
    return parser


def script_of(arguments: Sequence[str]) -> list[str]:
    """The arguments with which `modelstore` does the same; ``--help`` and errors end the program."""
    given = vars(_parser().parse_args(arguments))
    words = [".init"]
    for name, value in given.items():
        if name != "database" and value:
            words += [f"--{name}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    return [given["database"], "-c", shlex.join(words)]
