"""What a report reads of a store, against definitions in Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

import modelstore


def test_counts_are_of_rows_pairs_and_clusters(recorded: modelstore.Connection) -> None:
    recorded.execute("CLUSTER MODELS")
    counts = recorded.store.overview.counts()
    assert (counts.models, counts.results, counts.curves, counts.proxy_scores) == (0, 55, 55, 8)
    assert counts.clusters == recorded.execute("SELECT max(cluster) FROM model_clusters").fetchall()[0][0]


def test_lists_are_cut_and_say_how_many_there_are(recorded: modelstore.Connection) -> None:
    overview = recorded.store.overview
    models, of_models = overview.models("default", 3)
    datasets, of_datasets = overview.datasets("default", 2)
    assert (len(models), of_models, len(datasets), of_datasets) == (3, 8, 2, 7)
    assert [row.mean for row in models] == sorted((row.mean for row in models), reverse=True)
    assert overview.models("nothing", 3) == ([], 0)


def test_recipes_are_those_with_scores(store: modelstore.Connection) -> None:
    store.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES ('m', 'd', 0.1, NULL), "
        "('m', 'e', 0.1, 'lora'), ('n', 'e', 0.1, 'lora'), ('m', 'd', 'NaN', 'broken')"
    )
    assert store.store.overview.recipes() == [("lora", 2), ("default", 1)]


@pytest.fixture(scope="module")
def memory() -> modelstore.Connection:
    return modelstore.connect()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_rank_correlations_are_spearmans_with_ties(
    memory: modelstore.Connection, pairs: list[tuple[int, int]]
) -> None:
    memory.execute("DELETE FROM benchmark_results; DELETE FROM proxy_scores")
    places = list(range(len(pairs)))
    memory.execute(
        "INSERT INTO benchmark_results (model, dataset, score) SELECT unnest($1), 'd', unnest($2)",
        [places, [final for _, final in pairs]],
    )
    # Of several scores the newest counts.
    memory.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score, created_at) "
        "SELECT unnest($1), 'd', 'leep', unnest($2), TIMESTAMP '2021-01-01' "
        "UNION ALL SELECT unnest($1), 'd', 'LEEP', 99, TIMESTAMP '2020-01-01'",
        [places, [proxy for proxy, _ in pairs]],
    )
    [row], total = memory.store.overview.proxies("default", 5)
    assert (row.proxy, row.dataset, row.models, total) == ("leep", "d", len(pairs), 1)
    proxies, finals = np.array(pairs, dtype=float).T
    if len(pairs) < 3 or len(set(proxies)) == 1 or len(set(finals)) == 1:
        assert row.spearman is None
    else:
        assert row.spearman == pytest.approx(spearmanr(proxies, finals).statistic, abs=1e-9)
    points = memory.store.overview.proxy_points("default", "leep", "d", 100)
    assert sorted((point.proxy_score, point.score) for point in points) == sorted(pairs)
