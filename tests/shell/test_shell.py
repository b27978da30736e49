"""What a text does in the shell: its statements and dot commands in turn."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

import modelstore
from modelstore.shell.app import Shell
from modelstore.shell.commands.command import Quit
from modelstore.shell.commands.reporting import page_for
from modelstore.shell.parts import is_complete, parts_of
from modelstore.shell.render.cells import display_width
from modelstore.shell.render.messages import message_of


class Typed:
    """A shell in memory, with what it has written."""

    def __init__(self, connection: modelstore.Connection):
        self.out = io.BytesIO()
        self.messages = io.StringIO()
        self.shell = Shell(connection, ":memory:", form="csv", out=self.out, messages=self.messages)

    def __call__(self, text: str) -> str:
        """The rows that a text writes; its messages are kept."""
        before = len(self.out.getvalue())
        self.succeeded = self.shell.run(text)
        return self.out.getvalue()[before:].decode()

    @property
    def said(self) -> str:
        return self.messages.getvalue()


@pytest.fixture
def typed(recorded: modelstore.Connection) -> Typed:
    return Typed(recorded)


@pytest.fixture
def plain() -> Iterator[Typed]:
    with modelstore.connect(config={"python_enable_replacements": False}) as connection:
        yield Typed(connection)


def test_every_statements_rows_are_shown_in_order(plain: Typed) -> None:
    text = (
        "CREATE TABLE t AS SELECT 1 AS a; INSERT INTO t VALUES (2); FROM t; SELECT 'x' AS Count; SHOW TABLES"
    )
    assert plain(text).startswith("a\n1\n2\nCount\nx\nname\n")


def test_statements_without_rows_show_nothing(plain: Typed) -> None:
    assert (
        plain(
            "BEGIN; CREATE TABLE t (a INT); INSERT INTO t VALUES (1); SET threads = 2; COMMIT; DROP TABLE t"
        )
        == ""
    )
    assert plain("CREATE TABLE t (a INT); INSERT INTO t VALUES (3) RETURNING a") == "a\n3\n"
    assert plain("INSERT INTO t VALUES (4) RETURNING a AS Count") == "Count\n4\n"
    assert plain("CREATE TABLE u AS SELECT 'RETURNING' AS b; UPDATE u SET b = 'returning'") == ""
    assert plain("PREPARE p AS SELECT 5 AS Count; EXECUTE p") == "Count\n5\n"


def test_extension_statements_and_the_queries_around_them_are_shown(typed: Typed) -> None:
    sql = "SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4)"
    assert typed(
        f"SELECT model FROM ({sql}); CREATE TABLE won AS {sql}; SELECT count(*) AS n FROM won"
    ).startswith("model\n")
    assert typed.succeeded
    assert typed("FROM (SELECT count(*) AS n FROM won)") == "n\n1\n"
    assert typed(f"INSERT INTO won {sql}; SELECT count(*) AS Count FROM ({sql})") == "Count\n1\n"


def test_an_error_points_at_its_line_in_the_whole_text(plain: Typed) -> None:
    plain("SELECT 1;\n\nSELECT 1,\n  nope;")
    assert not plain.succeeded
    assert "LINE 4:   nope\n          ^^^^" in plain.said


def test_an_error_while_rows_are_written_points_at_its_line_too(plain: Typed) -> None:
    for form, line in (("csv", 3), ("box", 5), ("json", 7)):
        text = (
            "SELECT 1;\n"
            + "\n" * (line - 3)
            + "SELECT s::INT\nFROM (SELECT if(range = 9, 'x', '1') AS s FROM range(10))"
        )
        plain(f".mode {form}\n{text}")
        assert f"LINE {line}: SELECT s::INT" in plain.said
        assert "Could not convert string 'x'" in plain.said


def test_an_error_is_one_line_and_its_place_without_a_blank_between(plain: Typed) -> None:
    plain("SELECT nope")
    assert plain.said.splitlines()[1:] == ["LINE 1: SELECT nope", "               ^^^^"]


@pytest.mark.parametrize("before", ["", "SELECT 1, 2, 3, ", "SELECT '漢字', " + "1, " * 9])
@pytest.mark.parametrize("after", ["", ", 1" * 30])
def test_the_line_of_an_error_fits_the_terminal_around_its_place(
    plain: Typed, before: str, after: str
) -> None:
    sql = f"{before}nope{after}" if before else f"SELECT nope{after}"
    with pytest.raises(modelstore.Error) as raised:
        plain.shell.connection.execute(sql)
    *_, line, carets = message_of(raised.value, sql, width=40).splitlines()
    assert max(display_width(line), display_width(carets)) <= 40
    assert line.startswith("LINE 1: ")
    place = display_width(carets) - 4
    shown = "".join(character * max(display_width(character), 1) for character in line)  # a cell each
    assert shown[place : place + 4] == "nope"


def test_what_is_no_error_of_duckdbs_is_a_sentence_too(plain: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr("modelstore.shell.app.render", broken)
    plain("SELECT 1")
    assert plain.said == "RuntimeError: out of luck\n"


def test_an_error_leaves_the_connection_usable(plain: Typed) -> None:
    plain("SELECT s::INT FROM (SELECT if(range = 999999, 'x', '1') AS s FROM range(1000000))")
    assert plain("SELECT 1 AS a") == "a\n1\n"


def test_a_dot_command_stands_on_a_line_of_its_own_between_statements(plain: Typed) -> None:
    assert (
        plain("SELECT 1 AS a;\n.mode jsonl\nSELECT 1 AS a;\n  .mode csv\nSELECT 1 AS a")
        == 'a\n1\n{"a":1}\na\n1\n'
    )
    assert [part.is_dot for part in parts_of("SELECT 'x\n.mode csv\n' AS t")] == [False]
    assert [part.is_dot for part in parts_of("/* \n.mode csv\n */ SELECT 1")] == [False]
    assert [part.is_dot for part in parts_of("SELECT x\n.upper()")] == [False]


def test_a_wrong_dot_command_is_found_before_anything_runs(plain: Typed) -> None:
    assert plain("SELECT 1 AS a;\n.mod csv\n") == ""
    assert plain.said == 'there is no command ".mod" (did you mean ".mode"?): .help lists them\n'
    plain(".\nSELECT 1 AS a;")
    assert plain.said.endswith('there is no command ".": .help lists them\n')


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("SELECT 1;", True),
        ("SELECT 1", False),
        ("SELECT 1; -- done", True),
        ("SELECT ';", False),
        ("SELECT $$a;", False),
        ("SELECT 1 -- ;", False),
        ("/* SELECT 1;", True),
        ("", True),
        (".mode csv", True),
        ("SELECT 1\n.mode csv", False),
        ("SELECT 1; SELECT", False),
    ],
)
def test_a_text_is_complete_by_duckdbs_tokens(text: str, complete: bool) -> None:
    assert is_complete(text) is complete


def test_read_runs_a_file_and_checks_it_first(plain: Typed, tmp_path: Path) -> None:
    good, bad, itself = tmp_path / "good.sql", tmp_path / "bad.sql", tmp_path / "itself.sql"
    good.write_text("SELECT 7 AS a;\n.mode jsonl\nSELECT 8 AS a;")
    bad.write_text("CREATE TABLE made (a INT);\nSELEC 1;")
    itself.write_text(f".read {itself}")
    assert plain(f".read {good}") == 'a\n7\n{"a":8}\n'
    assert plain(f".read {bad}") == ""
    assert "LINE 2: SELEC 1" in plain.said
    assert plain("SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 'made'") == '{"n":0}\n'
    plain(f".read {itself}")
    assert f'"{itself}" reads itself' in plain.said
    plain(".read nowhere.sql")
    assert '"nowhere.sql" cannot be read: No such file or directory' in plain.said


def test_output_goes_to_a_file_and_back(plain: Typed, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    assert plain(f".output {path}\nSELECT 1 AS a;\nSELECT 2 AS b;\n.output\nSELECT 3 AS c") == "c\n3\n"
    assert path.read_text() == "a\n1\nb\n2\n"
    assert plain(f".output {path}\nSELECT 4 AS d;\n.output {path}\nSELECT 5 AS e;\n.output\n") == ""
    assert path.read_text() == "e\n5\n"
    plain(".output nowhere/rows.csv")
    assert '"nowhere/rows.csv" cannot be written: No such file or directory' in plain.said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_an_output_that_is_full_is_left_again(plain: Typed) -> None:
    plain.shell.go_on = True
    assert plain(".output /dev/full\nSELECT 1 AS a;\n.output\nSELECT 2 AS b;") == "b\n2\n"
    assert plain.said == "No space left on device\n"


def test_schema_and_tables(plain: Typed) -> None:
    plain("CREATE TABLE mine (a INT); CREATE TEMP VIEW seen AS SELECT 1 AS b")
    assert "CREATE TABLE mine(a INTEGER);\n" in plain(".schema mine")
    assert "main,mine,table,0\n" in plain(".tables mine")
    assert "seen,view" in plain(".tables SEE%")
    plain(".schema nothing")
    assert plain.said == 'there is no table or view like "nothing": .tables lists them\n'


def test_quit_ends(plain: Typed) -> None:
    with pytest.raises(Quit):
        plain("SELECT 1;\n.quit\nSELECT 2")
    assert plain.out.getvalue() == b"1\n1\n"


def test_the_timer_tells_on_standard_error(plain: Typed) -> None:
    plain(".timer on\nSELECT 1;\n.timer off\nSELECT 2;")
    assert plain.said.count("Run Time (s): real ") == 1


def test_help_lists_every_command(plain: Typed) -> None:
    from modelstore.shell.commands.dot_commands import COMMANDS

    listed = plain(".help")
    assert all(f"\n{name}" in f"\n{listed}" for name in COMMANDS)
    assert plain(".help timer") == ".timer on|off  tell how long each statement took\n"


def test_a_command_is_told_how_it_is_used(plain: Typed) -> None:
    plain(".timer")
    assert plain.said == "the command is used like this: .timer on|off\n"


def test_models_datasets_and_selections(typed: Typed) -> None:
    typed("INSERT INTO models (name, architecture) VALUES ('bert-a', 'bert'), ('vit', 'vit')")
    typed("INSERT INTO datasets (name, task) VALUES ('reviews', 'text_classification')")
    typed("SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4)")
    assert typed(".models bert").splitlines()[1].startswith("bert-a,")
    assert typed(".datasets").splitlines()[1].startswith("reviews,text_classification")
    assert typed(".selections").splitlines()[1].startswith("1,d0,brute_force,done,")


def test_report_writes_a_page_by_the_name_of_the_database(
    plain: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = page_for(plain.shell.database)
    assert plain(".report") == f"{named}\n"
    assert plain(".report --watch other.html") == "other.html\n"
    assert {path.name for path in tmp_path.glob("*.html")} == {named.name, "other.html"}
    plain(".report one.html two.html")
    assert plain.said == "the command is used like this: .report [--watch|FILE] [FILE]\n"
    plain(".report zoo.db")
    assert 'a report is a .html file, not "zoo.db"' in plain.said
