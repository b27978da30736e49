"""How values and tables are written."""

import io
import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.shell.box import Rows, cut, display_width, draw
from modelstore.shell.render import render

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
        written("SELECT 'a|b' AS \"x|y\", 'c\nd' AS z", "markdown")
        == "| x\\|y | z |\n| --- | --- |\n| a\\|b | c<br>d |\n"
    )


def test_columns_of_one_name_are_all_written() -> None:
    assert written("SELECT 1 AS a, 2 AS a", "csv") == "a,a_1\n1,2\n"
    assert json.loads(written("SELECT 1 AS a, 2 AS a", "jsonl")) == {"a": 1, "a_1": 2}


def test_a_box_in_a_file_has_every_row_and_column() -> None:
    drawn = written("SELECT COLUMNS(*) FROM (SELECT range AS r, r AS s FROM range(100))", "box")
    assert drawn.count("\n") == 4 + 100 + 3
    assert drawn.splitlines()[-2].strip("│ ") == "100 rows"


def table(columns: int, rows: int = 2, total: int | None = None) -> Rows:
    names = [f"column{i}" for i in range(columns)]
    cells = [[f"value {row} {i}" for i in range(columns)] for row in range(rows)]
    return Rows(names, ["VARCHAR"] * columns, cells, [], total or rows)


@given(st.integers(1, 60), st.integers(20, 200))
def test_a_box_fits_the_terminal(columns: int, width: int) -> None:
    lines = draw(table(columns), width).splitlines()
    boxed = [line for line in lines if line[0] in "┌│├└"]
    assert max(map(display_width, boxed)) <= width
    assert len({display_width(line) for line in boxed}) == 1


def test_columns_that_do_not_fit_are_left_out_of_the_middle() -> None:
    head = draw(table(200), 80).splitlines()[1]
    assert head.split() == [
        "│",
        "column0",
        "│",
        "column1",
        "│",
        "…",
        "│",
        "column198",
        "│",
        "column199",
        "│",
    ] or ("column0" in head and "column199" in head and "…" in head and "column100" not in head)
    assert "200 columns" in draw(table(200), 80)


def test_long_values_are_cut_before_columns_are_left_out() -> None:
    rows = Rows(["a", "b"], ["VARCHAR"] * 2, [["x" * 100, "y" * 100]], [], 1)
    drawn = draw(rows, 60)
    assert "x…" in drawn
    assert "y…" in drawn


def test_rows_left_out_are_dots_and_counted() -> None:
    drawn = draw(Rows(["a"], ["BIGINT"], [["1"]], [["99"]], 99), 40)
    assert drawn.count("·") == 3
    assert "99 rows (2 shown)" in drawn


@given(st.text(max_size=20), st.integers(2, 10))
def test_a_cut_text_is_no_wider_than_asked(text: str, width: int) -> None:
    assert display_width(cut(text, width)) <= width


def test_widths_of_cjk_emoji_and_combining_letters() -> None:
    assert [display_width(text) for text in ("漢字", "👍", "é", "e\u0301")] == [4, 2, 1, 1]
    rows = Rows(["t"], ["VARCHAR"], [["漢字"], ["👍🏽"], ["e\u0301"], [None]], [], 4)
    assert len({display_width(line) for line in draw(rows, 80).splitlines()}) == 1


def test_control_characters_are_shown_and_not_obeyed() -> None:
    drawn = draw(Rows(["t"], ["VARCHAR"], [["a\nb\x1b[31m"]], [], 1), 80)
    assert "a\\nb\\x1B[31m" in drawn
    assert "\x1b" not in drawn


def test_numbers_are_on_the_right() -> None:
    drawn = draw(Rows(["number", "word"], ["DECIMAL(5,2)", "INTEGER[]"], [["1", "[1]"]], [], 1), 80)
    assert "│            1 │ [1]       │" in drawn
