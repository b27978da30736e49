"""`modelstore [DATABASE]`: runs scripts given by -c, -f or a pipe, or asks for statements at a prompt."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from modelstore.shell.render import FORMATS, render

_EXAMPLES = """examples:
  modelstore zoo.db                                     ask for statements at a prompt
  modelstore zoo.db -f load.sql                         run a script
  modelstore zoo.db -c "SELECT BEST MODEL FOR reviews"  run one statement
  modelstore zoo.db --format csv -c "FROM models"       write the rows as CSV
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
    parser.add_argument("--read-only", action="store_true", help="open the database read-only")
    parser.add_argument("--continue", dest="go_on", action="store_true", help="go on after an error")
    parser.add_argument(
        "--echo", action="store_true", help="show each statement on standard error before it runs"
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.set_defaults(scripts=None)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status is 0 only if every statement succeeded."""
    import duckdb

    import modelstore

    options = _parser().parse_args(arguments)
    if options.version:
        print(f"modelstore {modelstore.__version__} (DuckDB {duckdb.__version__})")
        return 0
    try:
        connection = modelstore.connect(options.database, read_only=options.read_only)
    except duckdb.Error as error:
        print(f"modelstore: {error}", file=sys.stderr)
        return 1
    with connection:
        try:
            return _run_all(connection, options)
        except KeyboardInterrupt as error:
            print(*("interrupted", *error.args), sep=": ", file=sys.stderr)
            return 130
        except BrokenPipeError:  # the reader has had enough, as with `| head`
            sys.stderr.close()
            return 1


def _run_all(connection: Any, options: argparse.Namespace) -> int:
    if options.scripts is None and sys.stdin.isatty():
        return _prompt(connection, options.format)
    status = 0
    for sql in _texts(options.scripts):
        if sql is None or not _run(connection, sql, options):
            status = 1
            if not options.go_on:
                break
    return status


def _texts(scripts: list[tuple[str, str]] | None) -> Iterator[str | None]:
    """The text of each script in turn; None for a file that cannot be read."""
    if scripts is None:
        yield sys.stdin.read()
    for kind, value in scripts or []:
        if kind == "sql":
            yield value
            continue
        try:
            yield Path(value).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            print(f'modelstore: "{value}" cannot be read: {reason}', file=sys.stderr)
            yield None


def _run(connection: Any, sql: str, options: argparse.Namespace) -> bool:
    """Runs a script statement by statement, each result written as it comes."""
    import duckdb

    from modelstore.language.scan import split

    succeeded = True
    for start, end, tokens in split(sql):
        if options.echo:
            print("\n" + sql[start:end].strip() + ";", file=sys.stderr, flush=True)
        try:
            connection.execute(sql[tokens[0].start : end])
            _show(connection, options.format)
        except duckdb.Error as error:
            print(error, file=sys.stderr)
            succeeded = False
            if not options.go_on:
                break
    return succeeded


def _show(connection: Any, form: str) -> None:
    """Writes the last statement's rows, if it has any; DuckDB's count of changed rows is none."""
    names = [column[0] for column in connection.description or []]
    if names and names != ["Count"]:
        render(connection, form, sys.stdout)
        sys.stdout.flush()


def _prompt(connection: Any, form: str) -> int:
    """Asks for statements until the end of input; an error or Ctrl-C leaves the prompt open."""
    import readline  # noqa: F401  (gives input() line editing)

    import duckdb

    from modelstore.language.tokens import tokenize

    text = ""
    while True:
        try:
            text += input("modelstore> " if not text else "       ...> ") + "\n"
            tokens = tokenize(text)
            if not tokens or not tokens[-1].is_operator(";"):
                text = text if tokens else ""
                continue
            connection.execute(text)
            _show(connection, form)
        except EOFError:
            print()
            return 0
        except KeyboardInterrupt as error:
            print(*("interrupted", *error.args), sep=": ", file=sys.stderr)
        except duckdb.Error as error:
            print(error, file=sys.stderr)
        text = ""
