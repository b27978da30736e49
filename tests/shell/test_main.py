"""The command as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import modelstore


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "modelstore.shell", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_scripts_run_in_the_order_given_and_the_results_go_to_standard_output(tmp_path: Path) -> None:
    script = tmp_path / "load.sql"
    script.write_text("INSERT INTO t VALUES (2); SELECT sum(a) AS total FROM t;")
    done = run(":memory:", "--format", "csv", "-c", "CREATE TABLE t AS SELECT 1 AS a", "-f", str(script))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("total\n3\n")


def test_piped_input_is_a_script() -> None:
    done = run("--format", "csv", given="SELECT 1 AS a; SELECT 'b' AS b")
    assert done.stdout == "a\n1\nb\nb\n"


def test_the_first_error_ends_the_script_without_a_traceback() -> None:
    done = run("--format", "csv", "-c", "SELECT 1 AS a; SELECT BEST MODEL FOR nothing; SELECT 2 AS b")
    assert done.returncode == 1
    assert done.stdout == "a\n1\n"
    assert done.stderr == 'there is no dataset "nothing"\n'


def test_continue_goes_on_and_still_fails_at_the_end() -> None:
    done = run("--format", "csv", "--continue", "-c", "SELECT * FROM nowhere; SELECT 2 AS b")
    assert done.returncode == 1
    assert done.stdout == "b\n2\n"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("csv", 'a,b\n1,"x, y"\n2,\n'),
        ("jsonl", '{"a": 1, "b": "x, y"}\n{"a": 2, "b": null}\n'),
        ("markdown", "| a | b |\n| --- | --- |\n| 1 | x, y |\n| 2 |  |\n"),
    ],
)
def test_formats(form: str, expected: str) -> None:
    sql = "SELECT * FROM (VALUES (1, 'x, y'), (2, NULL)) t(a, b)"
    assert run("--format", form, "-c", sql).stdout == expected


def test_json_is_one_array_also_when_empty() -> None:
    assert json.loads(
        run("--format", "json", "-c", "SELECT 1 AS a UNION ALL SELECT 2 ORDER BY 1").stdout
    ) == [
        {"a": 1},
        {"a": 2},
    ]
    assert json.loads(run("--format", "json", "-c", "SELECT 1 AS a WHERE false").stdout) == []


def test_the_box_shows_names_and_values() -> None:
    done = run("-c", "SELECT 42 AS answer")
    assert "answer" in done.stdout
    assert "42" in done.stdout
    assert done.stderr == ""


def test_a_file_is_kept_and_can_be_opened_read_only(tmp_path: Path) -> None:
    path = str(tmp_path / "zoo.db")
    assert run(path, "-c", "CREATE TABLE t AS SELECT 7 AS a").returncode == 0
    assert run(path, "--read-only", "--format", "csv", "-c", "FROM t").stdout == "a\n7\n"
    refused = run(path, "--read-only", "-c", "DROP TABLE t")
    assert refused.returncode == 1
    assert "read-only" in refused.stderr


def test_a_script_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    done = run("-f", str(tmp_path / "missing.sql"))
    assert done.returncode == 1
    assert done.stderr == f'modelstore: "{tmp_path}/missing.sql" cannot be read: No such file or directory\n'


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "zoo.db").write_text("x" * 20000)
    done = run(str(tmp_path / "zoo.db"), "-c", "SELECT 1")
    assert done.returncode == 1
    assert "is not a DuckDB database file" in done.stderr
    assert "Traceback" not in done.stderr


def test_version_names_ours_and_duckdbs() -> None:
    assert run("--version").stdout.startswith(f"modelstore {modelstore.__version__} (DuckDB 2.")
