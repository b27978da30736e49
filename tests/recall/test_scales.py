"""Scores of several datasets on one scale."""

import numpy as np

from modelstore.recall.scales import standardise


def test_a_dataset_where_all_score_alike_says_nothing() -> None:
    assert standardise(np.array([[0.5, 0.1], [0.5, np.nan]]))[:, 0].tolist() == [0.0, 0.0]
