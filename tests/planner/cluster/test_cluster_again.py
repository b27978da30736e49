"""`CLUSTER MODELS` after a few models changed gives the rows of a first run, without its search of all pairs."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import modelstore
from modelstore.recall import reclustering

Store = modelstore.Connection


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many models each search of all pairs was among."""
    seen: list[int] = []
    search = reclustering.search

    def counted(distances: Any, *arguments: Any) -> Any:
        seen.append(len(distances))
        return search(distances, *arguments)

    monkeypatch.setattr(reclustering, "search", counted)
    return seen


def add(store: Store, names: list[str], seed: int) -> None:
    """Results of models of five kinds on six datasets, a few missing."""
    random = np.random.default_rng(seed)
    kinds = np.random.default_rng(0).uniform(0.2, 0.9, (5, 6))
    scores = kinds[random.integers(0, 5, len(names))] + random.normal(0, 0.02, (len(names), 6))
    row, column = np.nonzero(random.random(scores.shape) < 0.9)
    cells = {"model": [names[n] for n in row], "dataset": column, "score": scores[row, column]}
    store.register("cells", pa.table(cells))
    store.execute(
        "INSERT INTO benchmark_results BY NAME SELECT * REPLACE ('d' || dataset AS dataset) FROM cells"
    )
    store.unregister("cells")


def clustered(store: Store, statement: str = "CLUSTER MODELS") -> tuple[list[Any], list[Any]]:
    [row] = store.execute(statement).fetchall()
    return [*row[:3], pytest.approx(row[3], abs=1e-9)], store.execute(
        "FROM model_clusters ORDER BY ALL"
    ).fetchall()


def test_unchanged_models_are_not_searched_again_and_the_clusters_are_the_same(
    store: Store, searches: list[int]
) -> None:
    add(store, [f"m{n:03d}" for n in range(80)], seed=1)
    clustered(store)
    for change in (
        lambda: add(store, ["m0055", "zz"], seed=2),
        lambda: store.execute("DELETE FROM benchmark_results WHERE model = 'm003'"),
        lambda: store.execute("UPDATE benchmark_results SET score = score / 2 WHERE model = 'm070'"),
        lambda: None,
    ):
        change()
        searches.clear()
        again = clustered(store)
        assert searches == []
        store.execute("DELETE FROM last_clustering")
        assert clustered(store) == again
        assert len(searches) == 1


def test_other_options_search_all_models_again(store: Store, searches: list[int]) -> None:
    add(store, [f"m{n:03d}" for n in range(40)], seed=1)
    for options in ("threshold = 0.05", "threshold = 0.06", "threshold = 0.06, top_k = 3"):
        clustered(store, f"CLUSTER MODELS WITH ({options})")
    assert len(searches) == 3
    clustered(store, "CLUSTER MODELS USING kmeans WITH (clusters = 5)")
    clustered(store, "CLUSTER MODELS WITH (threshold = 0.06, top_k = 3)")
    store.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m001', 'another', 0.5)")
    assert len(searches) == 3
    clustered(store, "CLUSTER MODELS WITH (threshold = 0.06, top_k = 3)")
    assert len(searches) == 4


def test_the_last_clustering_is_stored_in_the_file(tmp_path: Path, searches: list[int]) -> None:
    with modelstore.connect(str(tmp_path / "zoo.db")) as store:
        add(store, [f"m{n:03d}" for n in range(40)], seed=1)
        before = clustered(store)
    with modelstore.connect(str(tmp_path / "zoo.db")) as store:
        assert clustered(store) == before
    assert len(searches) == 1
