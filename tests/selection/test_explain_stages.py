"""What EXPLAIN says of a selection's stages."""

import pytest

import modelstore


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("epochs = 1", "fine selection · 1 stage of 1 epoch, threshold 0, replayed"),
        ("epochs = 2", "fine selection · 2 stages of 1 epoch, threshold 0, replayed"),
        ("epochs = 1, stages_per_epoch = 2", "fine selection · 2 stages of 1/2 epoch, threshold 0, replayed"),
    ],
)
def test_stages_are_counted_in_words(recorded: modelstore.Connection, options: str, line: str) -> None:
    sql = f"EXPLAIN SELECT BEST MODEL FOR d0 USING fine_selection WITH (executor = 'replay', {options})"
    rows = recorded.execute(sql).fetchall()
    assert rows[1][0] == f"└─ {line}"
