"""`modelstore [DATABASE]`: runs scripts given by -c, -f or a pipe, or asks for statements at a prompt."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelstore.shell.render.formats import FORMATS

_EXAMPLES = """examples:
  modelstore zoo.db                                     ask for statements at a prompt
  modelstore zoo.db -f load.sql                         run a script
  modelstore zoo.db -c "SELECT BEST MODEL FOR reviews"  run one statement
  modelstore zoo.db --format csv -c "FROM models"       write the rows as CSV
  cat load.sql | modelstore zoo.db                      run what comes through a pipe
  modelstore init new.db --data a.csv --models models   first steps with a new store (init --help)
  modelstore report zoo.db -o page.html                 write a page to look at (report --help)
"""


class _Script(argparse.Action):
    """Keeps -c and -f in the order in which they were given."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        namespace.scripts = [*(namespace.scripts or []), (self.dest, values)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modelstore",
        description="A model store: DuckDB SQL, and SELECT BEST MODEL FOR a dataset.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("database", nargs="?", default=":memory:", help="a DuckDB file (default: in memory)")
    parser.add_argument("-c", dest="sql", action=_Script, metavar="SQL", help="run SQL and exit")
    parser.add_argument("-f", dest="file", action=_Script, metavar="FILE", help="run a file's SQL and exit")
    parser.add_argument(
        "--format", choices=FORMATS, default="box", help="how rows are written (default: box)"
    )
    parser.add_argument(
        "--cluster", metavar="ADDRESS", help="train on a Ray cluster: 'auto', or 'host:port' of its head"
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait for a database that another process has open",
    )
    parser.add_argument(
        "--tracking", metavar="ADDRESS", help="log selections and benchmarks to MLflow: 'mlflow:TRACKING_URI'"
    )
    parser.add_argument("--read-only", action="store_true", help="open the database read-only")
    parser.add_argument(
        "--continue",
        dest="go_on",
        action="store_true",
        help="go on after an error (without it, a script with a syntax error in it does not begin)",
    )
    parser.add_argument(
        "--echo", action="store_true", help="show each statement on standard error before it runs"
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.set_defaults(scripts=None)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status is 0 only if every statement succeeded."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["report"]:
        from modelstore.shell.report_command import main as report

        return report(given[1:])
    if given[:1] == ["init"]:
        from modelstore.shell.init_command import script_of

        given = script_of(given[1:])
    options = _parser().parse_args(given)
    import duckdb

    import modelstore

    if options.version:
        print(f"modelstore {modelstore.__version__} (DuckDB {duckdb.__version__})")
        return 0
    if sys.stdout is None or sys.stdin is None:
        print("modelstore: standard input and output must be open", file=sys.stderr)
        return 1
    try:
        connection = modelstore.connect(
            options.database,
            read_only=options.read_only,
            # A name in a statement is a table's, and never a variable's of the shell's own code.
            config={"python_enable_replacements": False},
            cluster=options.cluster,
            wait=options.wait,
            tracking=options.tracking,
        )
    except duckdb.Error as error:
        print(f"modelstore: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if not sys.stdout.isatty():
        connection.execute("SET enable_progress_bar = false")  # DuckDB draws it on standard output
    with connection:
        return _run(connection, options)


def _run(connection: Any, options: argparse.Namespace) -> int:
    from modelstore.shell.app import Shell, Stopped
    from modelstore.shell.commands.command import Quit

    shell = Shell(connection, options.database, form=options.format, go_on=options.go_on, echo=options.echo)
    try:
        if options.scripts is None and sys.stdin.isatty():
            from modelstore.shell.prompt import prompt

            return prompt(shell)
        return _run_scripts(shell, options.scripts)
    except Quit:
        return 0
    except (Stopped, KeyboardInterrupt) as stopped:
        print(str(stopped) or "interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has had enough, as with `| head`
        # What is left in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run_scripts(shell: Any, scripts: list[tuple[str, str]] | None) -> int:
    from modelstore.shell.render.messages import ShellError

    status = 0
    for kind, value in scripts or [("pipe", "")]:
        try:
            if kind == "file":
                succeeded = shell.run_file(Path(value))
            else:
                succeeded = shell.run(value if kind == "sql" else _piped())
        except ShellError as error:
            print(f"modelstore: {error}", file=sys.stderr)
            succeeded = False
        if not succeeded:
            status = 1
            if not shell.go_on:
                break
    return status


def _piped() -> str:
    """The text on standard input. Raises ``ShellError``."""
    from modelstore.shell.render.messages import ShellError

    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ShellError("standard input cannot be read: it is not UTF-8 text") from None
