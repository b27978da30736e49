"""`parse_score` reads scores as people write them, and nothing else."""

from typing import Any

import pytest

import modelstore

Store = modelstore.Connection
PARSE = "SELECT parse_score($1)"


@pytest.mark.parametrize(
    ("written", "score"),
    [
        ("0.93", 0.93),
        (".5", 0.5),
        ("1e-3", 0.001),
        (0.93, 0.93),
        ("63.59 ± 0.91", 63.59),
        ("63.59±0.91", 63.59),
        ("63.59 +/- 0.91", 63.59),
        ("63.59 (0.91)", 63.59),
        ("63.59 [62.1, 64.9]", 63.59),
        ("93.2%", 0.932),
        ("93.2 %", 0.932),
        ("93.2 ± 0.4%", 0.932),
        ("1,234", 1234),
        ("1,234,567.5", 1234567.5),
        ("+2", 2),
        ("+1,234", 1234),
        ("\u22120.3", -0.3),
        ("**93.2**", 93.2),
        ("93.2\u2020", 93.2),
        (" 93.2\u00a0", 93.2),
        ("<b>93.2</b>", 93.2),
        ("63.59@@63.59", 63.59),
    ],
)
def test_numbers(store: Store, written: Any, score: float) -> None:
    assert store.execute(PARSE, [written]).fetchone() == (pytest.approx(score, rel=1e-12),)


@pytest.mark.parametrize(
    "written", [None, "", " ", "-", "--", "\u2014", "?", "n/a", "N.A.", "NaN", "null", "-@@-1"]
)
def test_no_score(store: Store, written: str | None) -> None:
    assert store.execute(PARSE, [written]).fetchone() == (None,)


@pytest.mark.parametrize(
    "written", ["93,2", "1,23", "0,932", "~93", ">90", "90-95", "12:30", "1 234", "inf", "bert"]
)
def test_what_is_no_number_is_an_error_that_shows_it(store: Store, written: str) -> None:
    with pytest.raises(modelstore.Error, match="is no score: a score is a number such as") as error:
        store.execute(PARSE, [written])
    assert f'"{written}"' in str(error.value)


def test_of_several_numbers_one_is_named(store: Store) -> None:
    written = "63.59 ± 0.91 / 75.27 ± 0.64@@63.59"
    with pytest.raises(modelstore.Error, match="holds 2 scores: say which one is meant"):
        store.execute(PARSE, [written])
    sql = "SELECT parse_score($1, part := 1), parse_score($1, part := 2)"
    assert store.execute(sql, [written]).fetchone() == (63.59, 75.27)
    assert store.execute(sql.replace(", parse_score($1, part := 2)", ""), ["0.5"]).fetchone() == (0.5,)


def test_a_column(store: Store) -> None:
    rows = store.execute("SELECT parse_score(a) FROM (VALUES ('1%'), (NULL), ('2')) AS t(a)").fetchall()
    assert rows == [(0.01,), (None,), (2.0,)]
