"""How values and tables are written."""

import io
import json
import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.shell.render import box
from modelstore.shell.render.box import Columns, Row
from modelstore.shell.render.cells import cut, display_width
from modelstore.shell.render.formats import render

VALUES = """
SELECT 1 AS i, NULL AS n, 'nan'::DOUBLE AS d, [1, NULL] AS l, {'x': 'q'} AS s, '\\x00a'::BLOB AS b,
    INTERVAL 3 DAYS AS t, MAP {'k': 1} AS m, 1.10::DECIMAL(5, 2) AS c, TIMESTAMP '2026-01-02 03:04:05' AS at,
    'a,"b' AS text, '' AS empty, 'é漢' AS utf8
"""


def written(sql: str, form: str) -> str:
    out = io.BytesIO()
    with duckdb.connect() as connection:
        render(connection.sql(sql), form, out)
    return out.getvalue().decode()


@pytest.mark.parametrize(
    ("form", "options"), [("csv", "HEADER"), ("jsonl", "FORMAT json"), ("json", "FORMAT json, ARRAY")]
)
def test_values_are_written_as_duckdb_writes_them(form: str, options: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({VALUES}) TO '{path}' ({options})")
    assert written(VALUES, form).split() == path.read_text().split() or json.dumps(
        json.loads(written(VALUES, form))
    ) == json.dumps(json.loads(path.read_text()))


def test_markdown_keeps_a_row_on_its_line() -> None:
    assert (
        written("SELECT 'a|b' AS \"x|y\", 'c\nd\r\n' AS z", "markdown")
        == "| x\\|y | z |\n| --- | --- |\n| a\\|b | c<br>d<br> |\n"
    )


def test_markdown_obeys_no_control_characters() -> None:
    text = written(
        "SELECT chr(27) || '[2J' AS a, chr(8238) || 'b' AS b, 'c' || chr(13) || 'd' AS c", "markdown"
    )
    assert text.splitlines()[2] == "| \\x1B[2J | \\u202Eb | c<br>d |"


def test_columns_of_one_name_are_all_written() -> None:
    assert written("SELECT 1 AS a, 2 AS a", "csv") == "a,a_1\n1,2\n"
    assert json.loads(written("SELECT 1 AS a, 2 AS a", "jsonl")) == {"a": 1, "a_1": 2}


def test_a_box_in_a_file_has_every_row_and_column() -> None:
    drawn = written("SELECT COLUMNS(*) FROM (SELECT range AS r, r AS s FROM range(100))", "box")
    assert drawn.count("\n") == 4 + 100 + 3
    assert drawn.splitlines()[-2].strip("│ ") == "100 rows"


def draw(
    columns: dict[str, str], first: list[Row], width: int | None, last: tuple[Row, ...] = (), total: int = 0
) -> str:
    names = Columns(list(columns), list(columns.values()))
    return "".join(box.draw(names, first, last, total or len(first) + len(last), width))


def wide(columns: int, width: int) -> str:
    """Two rows of so many columns."""
    rows = [[f"value {row} {i}" for i in range(columns)] for row in range(2)]
    return draw({f"column{i}": "VARCHAR" for i in range(columns)}, rows, width)


@given(st.integers(1, 60), st.integers(20, 200))
def test_a_box_fits_the_terminal(columns: int, width: int) -> None:
    lines = wide(columns, width).splitlines()
    boxed = [line for line in lines if line[0] in "┌│├└"]
    assert max(map(display_width, boxed)) <= width
    assert len({display_width(line) for line in boxed}) == 1


def test_columns_that_do_not_fit_are_left_out_of_the_middle() -> None:
    drawn = wide(200, 80)
    shown = ["column0", "column1", "column2", "…", "column198", "column199"]
    assert drawn.splitlines()[1].replace("│", "").split() == shown
    assert "200 columns (5 shown)" in drawn


def test_long_values_are_cut_before_columns_are_left_out() -> None:
    drawn = draw({"a": "VARCHAR", "b": "VARCHAR"}, [["x" * 100, "y" * 100]], 60)
    assert "x…" in drawn
    assert "y…" in drawn


def test_rows_left_out_are_dots_and_counted() -> None:
    drawn = draw({"a": "BIGINT"}, [["1"]], 40, last=(["99"],), total=99)
    assert drawn.count("·") == 3
    assert "99 rows (2 shown)" in drawn


class Screen(io.BytesIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("rows", "shown"), [(43, range(43)), (44, [*range(20), *range(24, 44)])])
def test_a_screen_is_shown_the_first_and_last_rows_of_a_long_result(rows: int, shown: list[int]) -> None:
    out = Screen()
    with duckdb.connect() as connection:
        render(connection.sql(f"FROM range({rows})"), "box", out)
    assert [int(number) for number in re.findall(r"│ +(\d+) │", out.getvalue().decode())] == [*shown]


def test_rows_that_wait_for_their_box_do_so_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    query = "SELECT if(range = 24999, 'the widest', NULL) AS t FROM range(25000)"
    at_once = written(query, "box")
    monkeypatch.setattr("modelstore.shell.render.formats._IN_MEMORY", 1)
    assert written(query, "box") == at_once
    lines = at_once.splitlines()
    assert lines[-1] == "25,000 rows"
    assert len(lines) == 4 + 25000 + 2
    assert len({display_width(line) for line in lines[:-1]}) == 1


@given(st.text(max_size=20), st.integers(2, 10))
def test_a_cut_text_is_no_wider_than_asked(text: str, width: int) -> None:
    assert display_width(cut(text, width)) <= width


def test_numbers_are_rounded_before_names_are_cut() -> None:
    columns = {"model": "VARCHAR", "score": "DOUBLE"}
    model, score = "distilbert-descriptions", "0.3255033557046979"
    assert score in draw(columns, [(model, score)], 60)
    narrow = draw(columns, [(model, score), (model, "-1.769911504424e-05"), (model, None)], 42)
    assert narrow.count(f" {model} ") == 3
    assert " 0.32550336 " in narrow
    assert " -1.77e-05 " in narrow


def test_widths_of_cjk_emoji_and_combining_letters() -> None:
    assert [display_width(text) for text in ("漢字", "👍", "é", "e\u0301")] == [4, 2, 1, 1]
    drawn = draw({"t": "VARCHAR"}, [["漢字"], ["👍🏽"], ["e\u0301"], [None]], 80)
    assert len({display_width(line) for line in drawn.splitlines()}) == 1


def test_what_a_terminal_would_obey_is_shown_and_not_obeyed() -> None:
    drawn = draw({"t\x07": "VARCHAR"}, [["a\nb\x1b[31m"], ["\u202eright to left"]], 80)
    assert all(text in drawn for text in ("t\\x07", "a\\nb\\x1B[31m", "\\u202Eright to left"))
    assert drawn.replace("\n", "").isprintable()


def test_numbers_are_on_the_right() -> None:
    drawn = draw({"number": "DECIMAL(5,2)", "word": "INTEGER[]"}, [["1", "[1]"]], 80)
    assert "│            1 │ [1]       │" in drawn
