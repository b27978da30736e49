"""The examples on all pages but README.md (see `test_readme`): SQL and Python run as written, in order, page by page.

What takes minutes or a network is not run: SQL is parsed, Python is compiled, `make` is asked what it would do, what
pip would install is declared, and scripts exist.
"""

import re
import shlex
import shutil
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pages import EMPTY_AT_FIRST, README, ROOT, Example, examples, in_text, links, pages

import modelstore
from modelstore.shell.init_command import script_of
from modelstore.shell.main import main

PAGES = pages()
DATABASES = {"tutorial-records.md": "tutorial.db"}  # what a page's SQL is typed into, where it is not zoo.db
WITH_CODE = [page for page in PAGES if page != README and examples(page, "sql", "python")]


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


def run_sql(example: Example) -> None:
    with modelstore.connect(
        DATABASES.get(example.page.name, "zoo.db"), config={"python_enable_replacements": False}
    ) as store:
        if example.error is not None:
            with pytest.raises(getattr(modelstore, example.error)):
                store.execute(example.text)
        elif example.is_run:
            store.execute(example.text)
        else:
            store.check(example.text)


def run_python(example: Example, namespace: dict[str, Any]) -> None:
    if example.text.startswith("%") or " = %modelstore" in example.text:
        run_cell(example.text)
        return
    code = compile("\n" * (example.line - 1) + example.text, example.place, "exec")
    if example.is_run:
        exec(code, namespace)


def run_cell(cell: str) -> None:
    """Runs a cell of a notebook, where IPython is installed."""
    if find_spec("IPython"):
        from IPython.core.interactiveshell import InteractiveShell

        InteractiveShell.instance().run_cell(cell).raise_error()


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=names)
def test_a_page_s_sql_and_python_run_as_written(page: Path, folder: Path, records: Path) -> None:
    if page not in EMPTY_AT_FIRST:
        shutil.copy(records, folder / "zoo.db")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for example in examples(page, "sql", "python"):
        try:
            run_sql(example) if example.language == "sql" else run_python(example, namespace)
        except Exception as error:
            error.add_note(f"the example at {example.place}")
            raise


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_commands_and_files_that_a_page_tells_a_shell_exist(page: Path) -> None:
    commands = [line for example in examples(page, "sh") for line in example.text.splitlines()]
    commands += in_text(page, "(?:make|pip install|python benchmarks/) ?")
    for command in filter(None, (line.partition(" # ")[0].strip() for line in commands)):
        check_command(command)


def check_command(command: str) -> None:
    words = shlex.split(command, comments=True)
    match words:
        case [] | ["cd" | "export" | "git" | "source" | "pre-commit", *_]:
            pass
        case ["make", *_]:
            told = subprocess.run(
                [*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert told.returncode == 0, told.stderr
        case ["pip", "install", *arguments]:
            check_pip(arguments)
        case ["python", "-m", ("pytest" | "modelstore" | "modelstore.demo" | "venv"), *_]:
            pass
        case ["python", script, *_] if script != "…":
            path = ROOT / script
            compile(path.read_text("utf-8"), str(path), "exec")
        case ["modelstore", "report", *arguments]:
            check_report_options(arguments)
        case ["modelstore", "init", *arguments]:
            script_of(arguments)
        case ["modelstore", *arguments]:
            check_options(arguments)
        case ["pytest" | "ruff" | "mypy", *_]:
            pass
        case ["RANKER/bin/pip" | "kill", *_]:
            pass
        case _:
            pytest.fail(f"the tests do not know how to check: {command}")


def check_pip(arguments: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in arguments:
        extra = re.fullmatch(r"(?:modelstore|\.)\[(\w+)\]", word)
        assert extra[1] in extras if extra else word in ("-c", "-e") or (ROOT / word).exists(), word


def check_options(arguments: list[str]) -> None:
    from modelstore.shell.main import _parser

    _parser().parse_args(arguments)


def check_report_options(arguments: list[str]) -> None:
    from modelstore.shell.report_command import _parser

    _parser().parse_args(arguments)


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == ROOT], ids=names)
def test_the_links_of_the_pages_at_the_root_lead_somewhere(page: Path) -> None:
    """Those within docs/ are checked where the site is built."""
    for link in links(page):
        assert (page.parent / link.partition("#")[0]).exists(), link


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) < 150


def test_the_benchmarks_that_figures_are_of_are_there() -> None:
    page = ROOT / "docs" / "benchmarks.md"
    named = {text.split()[0] for text in in_text(page, r"\w+\.py")}
    named |= {Path(text.split()[1]).name for text in in_text(page, "python benchmarks/")}
    assert {"shell.py", "replay.py"} <= named
    for name in named:
        path = ROOT / "benchmarks" / name
        compile(path.read_text("utf-8"), str(path), "exec")


def test_the_synopsis_names_the_commands_options(capsys: pytest.CaptureFixture[str]) -> None:
    [synopsis, *_] = examples(ROOT / "docs" / "shell.md", "text")
    with pytest.raises(SystemExit):
        main(["--help"])
    helped = capsys.readouterr().out
    options = re.findall(r"(?<![\w-])--?[a-z]+(?:-[a-z]+)*", synopsis.text)
    assert {"-c", "-f", "--format"} <= {*options}
    assert all(option in helped for option in options)


def test_the_tables_page_names_columns_that_there_are() -> None:
    text = (ROOT / "docs" / "tables.md").read_text("utf-8")
    rows = [re.findall(r"`(\w+)`", line) for line in text.splitlines() if re.match(r"\| `\w+` \|", line)]
    with modelstore.connect() as store:
        columns = dict(
            store.execute(
                "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE NOT internal GROUP BY ALL"
            ).fetchall()
        )
    assert len(rows) >= 13
    for table, *named in rows:
        assert {*named} <= {*columns[table]}, table
