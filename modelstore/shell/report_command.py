"""`modelstore report DATABASE`: writes a page of a database, and renews it as the file changes."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

import modelstore
from modelstore.errors import LockedStoreError
from modelstore.shell.commands.reporting import page_for

POLL_SECONDS = 1.0  # between two looks whether the file has changed
_BESIDE = (
    "while a selection runs, .report --watch in its shell, or con.report(path, watch=True), renews the page"
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modelstore report",
        description="Write a page to look at: one HTML file with a store's selections, matrix, clusters and models.",
        epilog=f"A database that another process writes to cannot be read: {_BESIDE}.",
    )
    parser.add_argument("database", help="a model store")
    parser.add_argument(
        "-o", dest="page", type=Path, metavar="FILE", help="the .html file (default: by the database's name)"
    )
    parser.add_argument("--recipe", help="whose results are shown (default: the recipe with the most)")
    parser.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait for a database that another process has open",
    )
    parser.add_argument(
        "--watch", action="store_true", help="renew the page whenever the database has changed, until Ctrl-C"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Runs the command; the exit status is 0 only if a page was written."""
    options = _parser().parse_args(arguments)
    page = options.page or page_for(options.database)
    try:
        if options.watch:
            _watch(options.database, page, options.recipe)
        else:
            _write(options.database, page, options.recipe, options.wait)
    except LockedStoreError:
        print(
            f'modelstore: "{options.database}" is open in another process: --wait 60 waits until it is closed there; '
            f"{_BESIDE}",
            file=sys.stderr,
        )
        return 1
    except duckdb.Error as error:
        print(f"modelstore: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0 if options.watch else 130
    return 0


def _write(database: str, page: Path, recipe: str | None, wait: float = 0.0) -> None:
    """Writes the page, and the file's name to standard output. The database is open for reading meanwhile."""
    with modelstore.connect(database, read_only=True, wait=wait) as connection:
        connection.report(page, recipe=recipe)
    print(page, flush=True)


def _watch(database: str, page: Path, recipe: str | None) -> None:
    """Writes the page whenever the database has changed and no other process writes to it; ends by Ctrl-C."""
    written: list[tuple[int, int]] | None = None
    has_said = False
    while True:
        state = _state(database)
        if state != written:
            try:
                _write(database, page, recipe)
                written, has_said = state, False
            except LockedStoreError:
                if not has_said:
                    print(
                        f'"{database}" is open in another process, and the page is renewed once it is closed '
                        f"there; {_BESIDE}",
                        file=sys.stderr,
                        flush=True,
                    )
                has_said = True
        time.sleep(POLL_SECONDS)


def _state(database: str) -> list[tuple[int, int]]:
    """When a database and its log of changes were last written, and their sizes."""
    files = [path for path in (Path(database), Path(database + ".wal")) if path.exists()]
    return [(found.st_mtime_ns, found.st_size) for found in (path.stat() for path in files)]
