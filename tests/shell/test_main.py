"""The command as a user runs it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import modelstore


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "modelstore", *arguments],
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
    assert done.stdout == "total\n3\n"


def test_piped_input_is_a_script() -> None:
    done = run("--format", "csv", given="SELECT 1 AS a; SELECT 'b' AS b")
    assert done.stdout == "a\n1\nb\nb\n"


def test_the_first_error_ends_the_script_without_a_traceback() -> None:
    done = run("--format", "csv", "-c", "SELECT 1 AS a; SELECT BEST MODEL FOR nothing; SELECT 2 AS b")
    assert done.returncode == 1
    assert done.stdout == "a\n1\n"
    assert done.stderr == 'there is no dataset "nothing"\n'


def test_an_error_of_a_function_that_runs_a_model_is_its_sentence_alone() -> None:
    done = run("--format", "csv", "-c", "SELECT predict('nobody', 'a film') AS label FROM range(3)")
    assert (done.returncode, done.stderr) == (1, 'there is no model "nobody"\n')


def test_a_syntax_error_is_found_before_anything_runs(tmp_path: Path) -> None:
    script = tmp_path / "load.sql"
    script.write_text("CREATE TABLE t (a INTEGER);\n\nSELEC 1;\n")
    path = str(tmp_path / "zoo.db")
    done = run(path, "-f", str(script))
    assert done.returncode == 1
    assert done.stderr == 'Parser Error: syntax error at or near "SELEC"\nLINE 3: SELEC 1;\n        ^^^^^\n'
    assert (
        run(
            path, "--format", "csv", "-c", "SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 't'"
        ).stdout
        == "n\n0\n"
    )


def test_an_extension_statement_is_read_before_anything_runs_too() -> None:
    done = run("--format", "csv", "-c", "SELECT 1 AS a; SELECT BEST MODEL FOR x WITH (epochs 3)")
    assert done.returncode == 1
    assert done.stdout == ""
    assert 'syntax error at or near "3": expected =' in done.stderr


def test_with_continue_what_comes_before_and_after_a_syntax_error_runs() -> None:
    done = run("--format", "csv", "--continue", "-c", "SELECT 1 AS a; SELEC; SELECT 2 AS b")
    assert done.returncode == 1
    assert done.stdout == "a\n1\nb\n2\n"


def test_a_variable_of_the_shells_own_is_no_table() -> None:
    done = run("-c", "FROM text")
    assert "Table with name text does not exist" in done.stderr


def test_ctrl_c_stops_a_query_that_a_script_runs() -> None:
    sql = (
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3; SELECT 2"
    )
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from modelstore.shell.main import main; sys.exit(main(['--echo', '-c', sys.argv[1]]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, sql], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while "SELECT" not in process.stderr.readline():
        pass
    while process.poll() is None:  # as one does: one that comes between two of DuckDB's queries stops neither
        process.send_signal(signal.SIGINT)
        time.sleep(1)
    out, messages = process.communicate(timeout=60)
    assert (process.returncode, out, messages) == (130, "", "interrupted\n")


def test_a_reader_that_has_had_enough_is_no_traceback() -> None:
    for form in ("csv", "jsonl", "markdown"):
        process = subprocess.Popen(
            [sys.executable, "-m", "modelstore", "--format", form, "-c", "FROM range(10000000)"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 1


def test_continue_goes_on_and_still_fails_at_the_end() -> None:
    done = run("--format", "csv", "--continue", "-c", "SELECT * FROM nowhere; SELECT 2 AS b")
    assert done.returncode == 1
    assert done.stdout == "b\n2\n"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("csv", 'a,b\n1,"x, y"\n2,\n'),
        ("jsonl", '{"a":1,"b":"x, y"}\n{"a":2,"b":null}\n'),
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


def test_a_damaged_database_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    assert run(str(path), "-c", "CREATE TABLE t AS FROM range(100000)").returncode == 0
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"x" * 20000)
    done = run(str(path), "-c", "SELECT 1")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f'modelstore: "{path}" is damaged: ')


def test_version_names_the_packages_and_duckdbs() -> None:
    assert run("--version").stdout.startswith(f"modelstore {modelstore.__version__} (DuckDB 2.")


def test_a_closed_standard_input_or_output_is_one_sentence() -> None:
    for closed in ("<&-", ">&-"):
        done = subprocess.run(
            ["sh", "-c", f'"$0" -m modelstore -c "SELECT 1" {closed}', sys.executable],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr == "modelstore: standard input and output must be open\n"


def test_rows_alone_go_to_standard_output_however_long_they_take() -> None:
    slow = "SELECT count(*) AS n FROM range(250000) WHERE range % 1000 > 0 OR sleep_ms(10) IS NULL"  # 2.5 s
    done = run("--format", "csv", "-c", f"SET threads = 1; {slow}")
    assert done.stdout == "n\n250000\n"


def test_a_comparison_tells_nothing_of_the_selections_that_it_replays(tmp_path: Path) -> None:
    seed = (
        "INSERT INTO training_curves (model, dataset, stage, validation, test) "
        "SELECT 'm' || m, 'd' || d, s, 0.1 * s + 0.01 * m, 0.1 * s "
        "FROM range(3) a(m), range(2) b(d), range(1, 6) c(s)"
    )
    done = run(
        ":memory:", "--format", "csv", "-c", seed, "-c", "COMPARE STRATEGIES brute_force ON ALL DATASETS"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("brute_force") == 2
