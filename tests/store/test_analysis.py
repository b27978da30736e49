"""Convergence trends and summaries of the clustering in SQL, against what Python computes."""

from collections import defaultdict
from pathlib import Path
from statistics import mean, pstdev

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import modelstore
from modelstore.store import Store as ModelStore
from modelstore.udfs.trends import trends_of_curves

Store = modelstore.Connection


def expected_trends(store: Store, model: str, epoch: float, trends: int, recipe: str) -> list[tuple]:
    """What SELECT BEST predicts by, as rows."""
    records = ModelStore(store._duckdb)
    curves = dict(sorted(records.curves.of(model, recipe, excluding=None).items()))
    results = records.results.of(model, recipe)
    found = trends_of_curves(
        [(curve.epochs, curve.validations, curve.tests) for curve in curves.values()],
        [results.get(dataset) for dataset in curves],
        epoch,
        trends,
    )
    rows = []
    for number, (validation, final) in enumerate(zip(found.validation, found.final, strict=True)):
        members = [name for name, label in zip(curves, found.labels, strict=True) if label == number]
        rows.append((number + 1, len(members), members, pytest.approx(validation), pytest.approx(final)))
    return rows


@pytest.fixture
def curves(store: Store) -> Store:
    """Two models, nine datasets, runs repeated, without epochs or without tests, in two recipes."""
    random = np.random.default_rng(0)
    points, results = [], []
    for model in ("m", "other"):
        for number in range(9):
            for seed in (0, 1):
                for stage in range(1, 4 if number == 8 else 5):
                    epoch = None if number == 7 else stage / 2
                    test = float(random.random()) if stage == 4 and number not in (3, 4) else None
                    recipe = None if seed else "default"
                    row = (model, f"d{number}", stage, epoch, float(random.random()), test, seed)
                    points += [(*row, recipe), (*row, "lora")]
        results.append((model, "d3", float(random.random())))
    columns = ("model", "dataset", "stage", "epoch", "validation", "test", "seed", "recipe")
    store.register("points", pa.table(dict(zip(columns, map(list, zip(*points, strict=True)), strict=True))))
    store.execute("INSERT INTO training_curves BY NAME FROM points")
    store.execute("UPDATE training_curves SET validation = validation / 2 WHERE recipe = 'lora'")
    store.execute(
        "UPDATE training_curves SET validation = 'nan' WHERE dataset = 'd1' AND stage = 2 AND seed = 1"
    )
    store.execute("UPDATE training_curves SET test = 'inf' WHERE dataset = 'd2' AND stage = 4 AND seed = 1")
    store.executemany("INSERT INTO benchmark_results (model, dataset, score) VALUES (?, ?, ?)", results)
    return store


@pytest.mark.parametrize(
    ("epoch", "trends", "recipe"),
    [(0.5, 1, "default"), (1, 4, "default"), (1, 2, "lora"), (1.25, 20, "default"), (2, 3, "lora")],
)
def test_trends_are_those_that_a_selection_predicts_by(
    curves: Store, epoch: float, trends: int, recipe: str
) -> None:
    rows = curves.execute(
        "FROM convergence_trends('m', ?, trends := ?, recipe := ?)", [epoch, trends, recipe]
    ).fetchall()
    assert rows == expected_trends(curves, "m", epoch, trends, recipe)
    assert len(rows) == min(trends, len({name for row in rows for name in row[2]}))
    if (epoch, recipe) == (1, "default"):
        # d4 has no final score, d7 is at epoch 1 in its first stage; a repeated run that diverged is left out.
        assert sorted(name for row in rows for name in row[2]) == ["d0", "d1", "d2", "d3", "d5", "d6", "d7"]


def test_trends_are_four_of_the_default_recipe_unless_told_otherwise(curves: Store) -> None:
    description = curves.execute("FROM convergence_trends('m', 1)").description
    assert [column[0] for column in description] == ["trend", "size", "datasets", "validation", "test"]
    assert curves.fetchall() == expected_trends(curves, "m", 1, 4, "default")


def test_trends_of_every_model_in_one_query(curves: Store) -> None:
    rows = curves.execute(
        "SELECT name, trends.* FROM recorded_models('default'), convergence_trends(name, 1) AS trends"
    ).fetchall()
    expected = [
        (model, *row) for model in ("m", "other") for row in expected_trends(curves, model, 1, 4, "default")
    ]
    assert sorted(rows, key=lambda row: row[:2]) == expected


@pytest.mark.parametrize(
    "call",
    [
        "'nobody', 1",
        "'m', 5",
        "'m', 1, recipe := 'no such'",
        "NULL, 1",
        "'m', NULL",
        "'m', 1, trends := NULL",
    ],
)
def test_where_nothing_is_known_there_are_no_trends(curves: Store, call: str) -> None:
    assert curves.execute(f"FROM convergence_trends({call})").fetchall() == []


def test_no_trends_at_all_cannot_be_asked_for(curves: Store) -> None:
    with pytest.raises(duckdb.InvalidInputException, match="at least one cluster, not 0"):
        curves.execute("FROM convergence_trends('m', 1, trends := 0)")


def test_a_plain_client_reads_the_file_and_only_the_trends_are_beyond_it(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    with modelstore.connect(path) as store:
        store.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m', 'd', 0.5)")
        store.execute("CLUSTER MODELS")
    for read_only in (True, False):
        with duckdb.connect(str(path), read_only=read_only) as plain:
            assert plain.execute("FROM cluster_summaries").fetchall() == [(1, "m", 1, "default", 0.5, 0.0)]
            assert plain.execute("SELECT cluster_type FROM singleton_comparison").fetchall() == [
                ("singleton",)
            ]
            with pytest.raises(duckdb.CatalogException, match="convergence_trends does not exist"):
                plain.execute("FROM convergence_trends('m', 1)")


def matrix(store: Store) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for model, dataset, score in store.execute(
        "SELECT model, dataset, score FROM performance_matrix"
    ).fetchall():
        found[model][dataset] = score
    return found


def test_a_cluster_is_summarised_by_the_mean_and_spread_of_its_members_scores(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    scores = {model: mean(cells.values()) for model, cells in matrix(recorded).items()}
    clusters = recorded.execute(
        "SELECT cluster, representative, list(model) FROM model_clusters GROUP BY ALL"
    ).fetchall()
    expected = [
        (
            cluster,
            representative,
            len(members),
            "default",
            pytest.approx(mean(scores[model] for model in members)),
            pytest.approx(pstdev(scores[model] for model in members)),
        )
        for cluster, representative, members in sorted(clusters)
    ]
    assert recorded.execute("FROM cluster_summaries ORDER BY cluster").fetchall() == expected


def test_singletons_are_compared_with_the_rest(recorded: Store) -> None:
    recorded.execute("CLUSTER MODELS")
    cells = matrix(recorded)
    singletons = {"c1", "c2"}
    best = {"singleton": 0, "non-singleton": 0}
    for number in range(7):
        scores = {model: row[f"d{number}"] for model, row in cells.items() if f"d{number}" in row}
        best[
            "singleton" if max(scores, key=lambda model: scores[model]) in singletons else "non-singleton"
        ] += 1
    means = [
        mean(mean(row.values()) for model, row in cells.items() if (model in singletons) == kind)
        for kind in (False, True)
    ]
    assert recorded.execute("FROM singleton_comparison ORDER BY cluster_type").fetchall() == [
        ("default", "non-singleton", 6, pytest.approx(means[0]), best["non-singleton"]),
        ("default", "singleton", 2, pytest.approx(means[1]), best["singleton"]),
    ]
    assert min(best.values()) > 0


def test_a_tie_counts_for_both_kinds_and_other_recipes_are_summarised_apart(store: Store) -> None:
    store.executemany(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES (?, ?, ?, ?)",
        [
            *(("a", "d", 0.5, None), ("b", "d", 0.49, None), ("s", "d", 0.5, None)),
            *(("a", "e", 0.5, None), ("b", "e", 0.49, None), ("s", "e", 0.1, None)),
            *(("a", "d", 0.9, "lora"), ("outside", "d", 1.0, "lora")),
        ],
    )
    store.execute("CLUSTER MODELS")
    assert store.execute("FROM singleton_comparison ORDER BY ALL").fetchall() == [
        ("default", "non-singleton", 2, pytest.approx(0.495), 2),
        ("default", "singleton", 1, pytest.approx(0.3), 1),
        ("lora", "non-singleton", 1, 0.9, 1),
    ]
    assert store.execute(
        "SELECT size, recipe, mean_score FROM cluster_summaries ORDER BY ALL"
    ).fetchall() == [
        (1, "default", pytest.approx(0.3)),
        (2, "default", pytest.approx(0.495)),
        (2, "lora", 0.9),
    ]
    store.execute("DELETE FROM benchmark_results")
    assert store.execute(
        "SELECT size, recipe, mean_score FROM cluster_summaries ORDER BY ALL"
    ).fetchall() == [
        (1, None, None),
        (2, None, None),
    ]
