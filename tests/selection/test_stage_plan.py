"""The stages' rows: the rule, and what holds for any target."""

import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelstore.selection.stage_plan import recording_epochs, stage_epochs, stage_rows


@pytest.mark.parametrize(
    ("train_rows", "epochs", "batch_size", "expected"),
    [
        (600, 4, 10, [150, 300, 600, 1200, 2400]),  # a quarter of an epoch
        (600, 4, 16, [160, 320, 640, 1280, 2400]),  # at least ten batches
        (4000, 1, 10, [1000, 2000, 4000]),  # at most 1,000 rows
        (500_000, 1, 32, [1024 * 2**stage for stage in range(9)] + [500_000]),
        (100, 1, 32, [100]),  # ten batches are more than all
    ],
)
def test_stages_begin_small_and_double(
    train_rows: int, epochs: int, batch_size: int, expected: list[int]
) -> None:
    assert stage_rows(train_rows, epochs, batch_size) == expected


@given(st.integers(1, 10**7), st.integers(1, 20), st.integers(1, 512))
def test_any_plan_rises_to_the_whole_training(train_rows: int, epochs: int, batch_size: int) -> None:
    rows = stage_rows(train_rows, epochs, batch_size)
    assert rows[-1] == train_rows * epochs
    assert rows[0] >= min(10 * batch_size, rows[-1])
    assert rows[0] < max(1000, 10 * batch_size) + batch_size
    for before, after in itertools.pairwise(rows[:-1]):
        assert after == 2 * before
    assert all(one % batch_size == 0 for one in rows[:-1])
    if len(rows) > 1:
        assert rows[-2] < rows[-1] <= 2 * rows[-2]
    points = stage_epochs(train_rows, epochs, batch_size)
    assert points[-1] == epochs
    assert len(points) in (len(rows), len(rows) - 1)  # the last stage but one may end with the training
    for point, row in zip(points[:-1], rows, strict=False):
        moved = abs(point * train_rows - row)
        assert moved <= 1e-9 * row or (point % 1 == 0 and moved <= batch_size / 2 + 1e-9 * row)


@given(st.integers(1, 10**5), st.integers(1, 20), st.integers(1, 64))
@example(161, 2, 16)  # ten batches are all rows but the last
@example(41, 1, 4)
def test_no_two_stages_end_with_the_same_batch(train_rows: int, epochs: int, batch_size: int) -> None:
    batches = math.ceil(train_rows / batch_size)
    stages, recorded = (
        plan(train_rows, epochs, batch_size).tolist() for plan in (stage_epochs, recording_epochs)
    )
    for ends in (stages, recorded):
        done = [int(end) * batches + round(end % 1 * batches) for end in ends]
        assert done[0] > 0
        assert all(before < after for before, after in itertools.pairwise(done))
        assert done[-1] == epochs * batches
    assert set(stages) <= set(recorded)
