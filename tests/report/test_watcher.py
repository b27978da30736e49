"""A page that is renewed as a selection goes on, or as a file changes."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_pages import Parsed, read

import modelstore
from modelstore.report import watcher
from modelstore.shell import report_command
from modelstore.shell.main import main

RACE = "SELECT BEST MODEL FOR d0 USING successive_halving WITH (executor = 'replay', epochs = 4)"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The data of each page that is written while a statement runs or after it."""
    pages: list[dict[str, Any]] = []
    monkeypatch.setattr(watcher, "PAUSE", 0)
    monkeypatch.setattr(watcher, "write", lambda html, path: pages.append(Parsed(html).data))
    return pages


def progress_of(pages: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """The status of the first selection on each page, and how many of its stages are decided."""
    return [
        (
            dict(
                zip(
                    [c for c, _ in page["selections"]["columns"]], page["selections"]["rows"][-1], strict=True
                )
            )["status"],
            max(
                (p[0] for race in page["races"][-1:] for arm in race["arms"] for p in arm["points"]),
                default=0,
            ),
        )
        for page in pages
    ]


def test_a_watched_page_shows_each_stage_and_then_the_end(
    recorded: modelstore.Connection, tmp_path: Path, written: list[dict[str, Any]]
) -> None:
    recorded.report(tmp_path / "page.html", watch=True)
    assert read(tmp_path / "page.html").data["renew"] == watcher.RENEW
    recorded.execute(RACE)
    assert len(recorded.fetchall()) == 1  # the rows are the statement's
    *running, done = progress_of(written)
    assert running[:4] == [("running", 0), ("running", 1), ("running", 2), ("running", 3)]
    assert done == ("done", 4)
    assert [page["renew"] for page in written] == [watcher.RENEW] * len(running) + [None]


def test_a_report_without_watch_ends_the_watch_and_a_cursor_has_its_own(
    recorded: modelstore.Connection, tmp_path: Path, written: list[dict[str, Any]]
) -> None:
    recorded.report(tmp_path / "page.html", watch=True)
    recorded.report(tmp_path / "page.html")
    recorded.execute(RACE)
    assert not written
    with recorded.cursor() as cursor:
        cursor.report(tmp_path / "page.html", watch=True)
        recorded.execute(RACE)
        assert not written
        cursor.execute(RACE)
    assert progress_of(written)[-1] == ("done", 4)


def test_a_page_is_not_renewed_while_that_would_delay_the_selection(
    recorded: modelstore.Connection,
    tmp_path: Path,
    written: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watcher, "PAUSE", 1e9)
    recorded.report(tmp_path / "page.html", watch=True)
    recorded.execute(RACE)
    assert progress_of(written) == [("running", 0), ("done", 4)]


def test_a_selection_goes_on_where_its_page_cannot_be_written(
    recorded: modelstore.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(watcher, "notify", said.append)
    folder = tmp_path / "pages"
    folder.mkdir()
    recorded.report(folder / "page.html", watch=True)
    shutil.rmtree(folder)
    assert len(recorded.execute(RACE).fetchall()) == 1
    [sentence] = said
    assert sentence.startswith("the report is not renewed any more: ")
    assert sentence.endswith("cannot be written: No such file or directory")


def test_the_replays_of_a_comparison_are_not_heard(
    recorded: modelstore.Connection, tmp_path: Path, written: list[dict[str, Any]]
) -> None:
    recorded.report(tmp_path / "page.html", watch=True)
    recorded.execute("COMPARE STRATEGIES brute_force ON d0 WITH (epochs = 4)")
    assert [page["renew"] for page in written] == [None]


def test_the_command_writes_a_page_and_its_name(
    recorded_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = shutil.copy(recorded_file, tmp_path / "zoo.db")
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(database)]) == 0
    assert main(["report", str(database), "-o", "other.html", "--recipe", "default"]) == 0
    assert capsys.readouterr().out == "zoo.html\nother.html\n"
    assert read(tmp_path / "zoo.html").data["title"] == "zoo.db"
    assert main(["report", str(database), "--recipe", "none"]) == 1
    assert main(["report", str(tmp_path / "nothing.db")]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors[0] == 'modelstore: there is no score of the recipe "none" to report'
    assert errors[1].endswith('nothing.db" does not exist, so it cannot be opened read-only')


def test_a_database_that_another_process_writes_to_is_said_to_be_locked(
    recorded_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database, page = str(shutil.copy(recorded_file, tmp_path / "zoo.db")), tmp_path / "page.html"
    code = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    writer = subprocess.Popen(
        [sys.executable, "-c", code, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdout.readline()
    assert main(["report", database, "-o", str(page)]) == 1
    assert "--wait 60 waits until it is closed there; while a selection runs, .report --watch" in (
        capsys.readouterr().err
    )
    steps: list[Callable[[], object]] = [lambda: None, lambda: writer.communicate("\n"), stop]
    monkeypatch.setattr(report_command.time, "sleep", lambda _: steps.pop(0)())
    assert main(["report", database, "-o", str(page), "--watch"]) == 0
    told = capsys.readouterr()
    assert told.err.count("is open in another process, and the page is renewed once it is closed there") == 1
    assert told.out == f"{page}\n"
    assert page.exists()


def test_the_command_renews_the_page_when_the_file_has_changed(
    recorded_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database, page = str(shutil.copy(recorded_file, tmp_path / "zoo.db")), tmp_path / "page.html"

    def change() -> None:
        with modelstore.connect(database) as store:
            store.execute("INSERT INTO models (name) VALUES ('new')")

    steps: list[Callable[[], object]] = [lambda: None, change, lambda: None, stop]
    monkeypatch.setattr(report_command.time, "sleep", lambda _: steps.pop(0)())
    assert main(["report", database, "-o", str(page), "--watch"]) == 0
    assert capsys.readouterr().out == f"{page}\n{page}\n"
    assert read(page).data["counts"]["models"] == 1


def stop() -> None:
    raise KeyboardInterrupt
