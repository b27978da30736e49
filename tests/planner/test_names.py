"""Names that differ by case alone are one name, in every statement; letters beyond A to Z differ, as in DuckDB."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

import modelstore
from modelstore import schema
from modelstore.progress import shown_by
from modelstore.shell.charts import terminal
from modelstore.store import database

LETTERS = ("Übung", "übung", "Ärzte", "ärzte", "\u01c5", "\u01c6", "\u212a", "k", "İ", "i", "ẞ", "ß")
ROWS = "SELECT 'good text ' || i AS text, i % 2 AS label FROM range(40) t(i)"


def test_a_dataset_of_the_same_name_in_other_case_is_there_already(store: modelstore.Connection) -> None:
    store.execute(f"CREATE DATASET Reviews AS {ROWS}")
    with pytest.raises(modelstore.AlreadyExistsError, match='dataset "Reviews" already'):
        store.execute(
            "CREATE DATASET reviews AS SELECT 'other ' || i AS text, i % 2 AS label FROM range(8) t(i)"
        )
    store.execute("CREATE DATASET IF NOT EXISTS REVIEWS AS SELECT 1 AS nothing")
    assert store.execute("SELECT name FROM datasets").fetchall() == [("Reviews",)]
    assert store.execute('SELECT count(*) FROM dataset_rows."reviews"').fetchall() == [(40,)]


def test_or_replace_takes_the_new_spelling_and_keeps_the_records(store: modelstore.Connection) -> None:
    store.execute(f"CREATE DATASET Reviews AS {ROWS}")
    store.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m', 'Reviews', 0.5)")
    store.execute(
        "CREATE OR REPLACE DATASET reviews AS SELECT 'a' || i AS text, i % 2 AS label FROM range(20) t(i)"
    )
    assert store.execute(
        "SELECT name, train_rows + validation_rows + test_rows FROM datasets"
    ).fetchall() == [("reviews", 20)]
    assert store.execute("SELECT dataset FROM benchmark_results").fetchall() == [("reviews",)]


def test_drop_finds_a_dataset_in_any_case_and_no_other(store: modelstore.Connection) -> None:
    store.execute(f"CREATE DATASET Reviews AS {ROWS}; CREATE DATASET other AS {ROWS}")
    assert store.execute("DROP DATASET rEVIEWS").fetchall() == [("Reviews", 0)]
    assert store.execute("SELECT name FROM datasets").fetchall() == [("other",)]
    with pytest.raises(modelstore.NotFoundError):
        store.execute("DROP DATASET Reviews")


def test_letters_beyond_ascii_differ_by_case_as_in_duckdb(store: modelstore.Connection) -> None:
    for number, name in enumerate(LETTERS):
        store.execute(
            f"CREATE DATASET \"{name}\" AS SELECT 't{number}' || i AS text, i % 2 AS label FROM range(20) t(i)"
        )
    for number, name in enumerate(LETTERS):
        assert store.execute(f'SELECT min(text) FROM dataset_rows."{name}"').fetchall() == [(f"t{number}0",)]


def test_models_are_one_in_any_case(store: modelstore.Connection, model_path: Callable[[str], Path]) -> None:
    store.execute("CREATE MODEL Bert FROM ?", [str(model_path("bert"))])
    with pytest.raises(modelstore.AlreadyExistsError, match='model "Bert" already'):
        store.execute("CREATE MODEL BERT FROM ?", [str(model_path("bert"))])
    store.execute("CREATE OR REPLACE MODEL bert FROM ?", [str(model_path("bert"))])
    assert store.execute("SELECT name FROM models").fetchall() == [("bert",)]
    assert store.execute("DROP MODEL BeRt").fetchall() == [("bert", 0)]


def test_statements_find_models_and_datasets_in_any_case(recorded: modelstore.Connection) -> None:
    recorded.execute("CLUSTER MODELS")
    exact = recorded.execute("RECALL 3 MODELS FOR d0 FROM (VALUES ('a1'), ('b1'), ('c1')) t(name)").fetchall()
    other = recorded.execute(
        "RECALL 3 MODELS FOR D0 FROM (VALUES ('A1'), ('B1'), ('a1'), ('C1')) t(name)"
    ).fetchall()
    assert other == exact
    replay = (
        "SELECT BEST MODEL FOR {} FROM (VALUES ('{}'), ('{}')) t(name) WITH (executor = 'replay', epochs = 4)"
    )
    first = recorded.execute(replay.format("d0", "a1", "b1")).fetchall()
    second = recorded.execute(replay.format("D0", "A1", "B1")).fetchall()
    assert [row[1:4] for row in first] == [row[1:4] for row in second]
    assert recorded.execute("SELECT DISTINCT dataset FROM selections").fetchall() == [("d0",)]
    compared = [
        recorded.execute(f"COMPARE STRATEGIES brute_force ON {name} WITH (epochs = 4)").fetchall()
        for name in ("d0", "D0")
    ]
    assert compared[0] == compared[1]
    suggested = [recorded.execute(f"SUGGEST BENCHMARKS FOR MODEL {name}").fetchall() for name in ("c2", "C2")]
    assert suggested[0] == suggested[1]


def test_recipes_are_found_in_any_case(recorded: modelstore.Connection) -> None:
    recorded.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES ('m', 'd', 0.5, 'Mine')"
    )
    exact = recorded.execute("CLUSTER MODELS WITH (recipe = 'Mine')").fetchall()
    assert recorded.execute("CLUSTER MODELS WITH (recipe = 'mine')").fetchall() == exact
    assert recorded.execute("CLUSTER MODELS WITH (recipe = 'DEFAULT')").fetchall()


def test_benchmark_trains_a_pair_once_however_it_is_spelled(zoo: modelstore.Connection) -> None:
    sql = "BENCHMARK MODELS FROM (VALUES ('BERT'), ('bert')) t(name) ON Texts, TEXTS WITH (epochs = 1)"
    assert [row[:2] + row[-1:] for row in zoo.execute(sql).fetchall()] == [("bert", "texts", "done")]
    assert [row[-1] for row in zoo.execute(sql.lower()).fetchall()] == ["skipped"]


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a store whose version took names that differ by case for different ones."""
    path = tmp_path / "old.db"
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", lambda: [one for one in schema.migrations() if one[0] < 15])
        modelstore.connect(path).close()
    with duckdb.connect(str(path)) as plain:
        plain.execute(
            """
            INSERT INTO models (name, base, fine_tuned_on, created_at) VALUES
                ('Bert', NULL, NULL, '2024-01-01'), ('bert', NULL, NULL, '2024-01-02'),
                ('bert-2', NULL, NULL, '2024-01-03'), ('tuned', 'bert', ['Reviews', 'x'], '2024-01-04');
            INSERT INTO datasets (name, uri, task, metric, train_rows, created_at) VALUES
                ('Reviews', NULL, 'text_classification', 'accuracy', 3, '2024-01-01'),
                ('reviews', NULL, 'text_classification', 'accuracy', 5, '2024-01-02'),
                ('Files', 'f.csv', 'text_classification', 'accuracy', 5, '2024-01-02'),
                ('files', 'g.csv', 'text_classification', 'accuracy', 5, '2024-01-01');
            CREATE TABLE dataset_rows.reviews AS SELECT 'a' AS text, '1' AS label, 'train' AS split;
            INSERT INTO benchmark_results (model, dataset, score) VALUES
                ('Bert', 'Reviews', 0.1), ('bert', 'reviews', 0.2), ('Bert', 'reviews', 0.3);
            INSERT INTO training_curves (model, dataset, stage, validation) VALUES ('bert', 'Reviews', 1, 0.5);
            INSERT INTO selections (dataset, model, candidates, contenders) VALUES
                ('Reviews', 'bert', ['bert', 'Bert'], [{'model': 'bert', 'recall_score': 1.0, 'uri': 'u'}]);
            """
        )
    return path


def test_an_older_store_with_two_names_that_differ_by_case_gets_two_names_and_loses_nothing(
    older: Path,
) -> None:
    said: list[str] = []
    with shown_by(SimpleNamespace(notify=said.append)), modelstore.connect(older) as store:  # type: ignore[arg-type]
        names = [name for (name,) in store.execute("SELECT name FROM models ORDER BY created_at").fetchall()]
        assert names == ["Bert", "bert-3", "bert-2", "tuned"]
        assert store.execute("SELECT base, fine_tuned_on FROM models WHERE name = 'tuned'").fetchall() == [
            ("bert-3", ["Reviews-2", "x"])
        ]
        rows = store.execute("SELECT model, dataset FROM benchmark_results ORDER BY score").fetchall()
        assert rows == [("Bert", "Reviews-2"), ("bert-3", "reviews"), ("Bert", "reviews")]
        assert store.execute("SELECT model, dataset FROM training_curves").fetchall() == [
            ("bert-3", "Reviews-2")
        ]
        assert store.execute(
            "SELECT dataset, model, candidates, contenders[1].model FROM selections"
        ).fetchall() == [("Reviews-2", "bert-3", ["bert-3", "Bert"], "bert-3")]
        datasets = store.execute("SELECT name, uri, train_rows FROM datasets ORDER BY name").fetchall()
        assert datasets == [
            ("Files-2", "f.csv", 5),
            ("Reviews-2", None, 3),
            ("files", "g.csv", 5),
            ("reviews", None, 5),
        ]
        assert store.execute("SELECT text FROM dataset_rows.reviews").fetchall() == [("a",)]
    assert len(said) == 3
    assert any('"Reviews" is now called "Reviews-2"' in line and "create it again" in line for line in said)
    with modelstore.connect(older, read_only=True) as store:
        assert store.execute("SELECT count(*) FROM models").fetchall() == [(4,)]


def test_a_dataset_whose_rows_are_gone_is_an_error_that_says_so(
    store: modelstore.Connection, model_path: Callable[[str], Path]
) -> None:
    store.execute("CREATE MODEL bert FROM ?", [str(model_path("bert"))])
    store.execute(f"CREATE DATASET texts AS {ROWS}")
    store.execute("DROP TABLE dataset_rows.texts")
    with pytest.raises(modelstore.DatasetError, match="rows are not in the database file any more"):
        store.execute("SELECT BEST MODEL FOR texts WITH (epochs = 1)")


def test_threads_that_create_one_name_at_once_make_one(
    store: modelstore.Connection, model_path: Callable[[str], Path]
) -> None:
    path = str(model_path("bert"))

    def create(number: int) -> str:
        name = "".join(
            letter.upper() if number >> place & 1 else letter for place, letter in enumerate("bert")
        )
        with store.cursor() as cursor:
            try:
                cursor.execute(f"CREATE MODEL {name} FROM '{path}'")
                cursor.execute(
                    f"CREATE DATASET {name} AS SELECT '{name}' || i AS text, i % 2 AS label FROM range(40) t(i)"
                )
            except modelstore.AlreadyExistsError:
                return ""
            return name

    with ThreadPoolExecutor(8) as pool:
        [made] = filter(None, pool.map(create, range(16)))
    assert (
        store.execute("SELECT name FROM models UNION ALL SELECT name FROM datasets").fetchall()
        == [(made,)] * 2
    )
    assert store.execute(f"SELECT min(text) FROM dataset_rows.{made}").fetchall() == [(f"{made}0",)]


def test_the_shell_draws_what_is_on_record_in_any_case(recorded: modelstore.Connection) -> None:
    assert terminal.curve(recorded.store, "A1", "D0") == terminal.curve(recorded.store, "a1", "d0")
    assert terminal.trends(recorded.store, "A1") == terminal.trends(recorded.store, "a1")
