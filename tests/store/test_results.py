"""The performance matrix as it is read, against the view of it that SQL has."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import modelstore

Store = modelstore.Connection
NAMES = st.sampled_from(["b", "a", "Z", "é", "z/1", "𐍈", "\ue000"])
RUNS = st.lists(
    st.tuples(NAMES, NAMES, st.one_of(st.none(), st.floats(-1, 100), st.just(float("nan"))), st.booleans()),
    max_size=40,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RUNS)
def test_a_cell_is_the_mean_of_its_runs_in_the_order_of_names(
    store: Store, runs: list[tuple[str, str, float | None, bool]]
) -> None:
    store.execute("DELETE FROM benchmark_results")
    for model, dataset, score, named in runs:
        store.execute(
            "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES (?, ?, ?, ?)",
            [model, dataset, score, "default" if named else None],
        )
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES ('c', 'c', 1, 'other')"
    )
    for excluding, models in ((None, None), ("a", None), (None, ["a", "é"])):
        matrix = store.store.results.matrix("default", excluding, models)
        rows = store.execute(
            "SELECT model, dataset, score FROM performance_matrix WHERE recipe = 'default' "
            "AND dataset IS DISTINCT FROM ?",
            [excluding],
        ).fetchall()
        expected = {(m, d): score for m, d, score in rows if models is None or m in models}
        assert matrix.models == sorted({model for model, _ in expected})
        assert matrix.datasets == sorted({dataset for _, dataset in expected})
        assert np.isfinite(matrix.scores).sum() == len(expected)
        for (model, dataset), score in expected.items():
            found = matrix.scores[matrix.models.index(model), matrix.datasets.index(dataset)]
            assert found == pytest.approx(score, rel=1e-12, abs=1e-12)
