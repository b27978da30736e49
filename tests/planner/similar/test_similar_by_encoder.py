"""`SIMILAR DATASETS` by an encoder: what is stored and computed anew, which encoder reads, and what is left out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from tiny_models import FILLER, create_dataset, image_rows, text_rows
from token_rows import json_lines, tagged_sentences

import modelstore
from modelstore.planner.similar import encoded
from modelstore.training import features, fisher

Store = modelstore.Connection
METHODS = ("embedding", "task2vec")
FAST = "WITH (proxy_rows = 20)"


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fisher, "FISHER_ROWS", 6)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The datasets whose rows an encoder reads, as it does."""
    datasets: list[str] = []
    extract = features.extract

    def counted(model: str, path: Path, data: Any, **options: Any) -> features.Features:
        datasets.append(data.name)
        return extract(model, path, data, **options)

    monkeypatch.setattr(features, "extract", counted)
    return datasets


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(encoded, "notify", messages.append)
    return messages


@pytest.fixture(scope="module")
def tasks_file(tmp_path_factory: pytest.TempPathFactory, model_path: Callable[[str], Path]) -> Path:
    path = tmp_path_factory.mktemp("tasks") / "tasks.db"
    with modelstore.connect(path) as store:
        store.execute(f"CREATE MODEL bert FROM '{model_path('bert')}'")
        store.execute(f"CREATE MODEL vit FROM '{model_path('vit')}'")
        for seed, name in enumerate(("mine", "near")):
            rows = text_rows(60, np.random.default_rng(seed))
            names = pa.array([["bad", "good"][label] for label in rows["label"].to_pylist()])
            create_dataset(store, name, rows.set_column(1, "label", names))
        letters = pa.table({"text": ["x y z", "z z y"] * 30, "label": ["music", "camera"] * 30})
        create_dataset(store, "letters", letters)
        for seed, name in enumerate(("pictures", "photos")):
            create_dataset(store, name, image_rows(30, np.random.default_rng(seed)))
    return path


@pytest.fixture
def tasks(tasks_file: Path, opened_copy: Callable[[Path], Store]) -> Store:
    """Texts of film reviews twice, texts of single letters, and images twice."""
    return opened_copy(tasks_file)


@pytest.mark.parametrize("method", METHODS)
def test_the_nearest_dataset_has_the_same_kind_of_rows_and_images_are_left_out(
    tasks: Store, method: str
) -> None:
    rows = tasks.execute(f"SIMILAR DATASETS TO mine USING {method} {FAST}").fetchall()
    assert [(row[0], row[1], row[3]) for row in rows] == [(1, "near", method), (2, "letters", method)]
    assert 1 >= rows[0][2] > rows[1][2]
    images = tasks.execute(f"SIMILAR DATASETS TO pictures USING {method} {FAST}").fetchall()
    assert [row[1] for row in images] == ["photos"]
    assert images[0][6] is None  # an image model reads no names


def test_the_similarity_is_the_mean_of_that_of_the_rows_and_of_the_names_of_labels(tasks: Store) -> None:
    near, letters = tasks.execute(f"SIMILAR DATASETS TO mine USING embedding {FAST}").fetchall()
    for _, _, similarity, _, models, inputs, labels in (near, letters):
        assert similarity == pytest.approx((inputs + labels) / 2)
        assert models is None
    assert near[6] == pytest.approx(1.0)
    assert letters[6] < 0.999


@pytest.mark.parametrize("method", METHODS)
def test_the_same_rows_under_another_name_are_wholly_alike(tasks: Store, method: str) -> None:
    tasks.execute("CREATE DATASET again AS FROM dataset_rows.mine")
    [first, *_] = tasks.execute(f"SIMILAR DATASETS TO mine USING {method} {FAST}").fetchall()
    assert first[1:3] == ("again", pytest.approx(1.0))


@pytest.mark.parametrize("method", METHODS)
def test_a_second_call_reads_nothing_and_says_the_same(tasks: Store, read: list[str], method: str) -> None:
    sql = f"SIMILAR DATASETS TO mine USING {method} {FAST}"
    plan = tasks.execute(f"EXPLAIN {sql}").fetchall()
    assert plan == [
        (f"SIMILAR DATASETS TO mine · {method} by bert, the smallest model", "3 datasets (0 on record)")
    ]
    rows = tasks.execute(sql).fetchall()
    assert sorted(read) == ["letters", "mine", "near"]
    assert tasks.execute(sql).fetchall() == rows
    assert len(read) == 3
    assert tasks.execute(f"EXPLAIN {sql}").fetchall()[0][1] == "3 datasets (3 on record)"
    back = tasks.execute(f"SIMILAR DATASETS TO near USING {method} {FAST}").fetchall()
    assert len(read) == 3
    [there] = [row[2] for row in rows if row[1] == "near"]
    assert [row[2] for row in back if row[1] == "mine"] == [pytest.approx(there)]


def test_what_changes_is_read_again_alone(
    tasks: Store, read: list[str], model_copy: Callable[[str], Path]
) -> None:
    sql = f"SIMILAR DATASETS TO mine USING embedding {FAST}"
    before = tasks.execute(sql).fetchall()
    create_dataset(tasks, "near", text_rows(60, np.random.default_rng(9)))
    read.clear()
    after = tasks.execute(sql).fetchall()
    assert read == ["near"]
    assert set(before) != set(after)
    tasks.execute("SIMILAR DATASETS TO mine USING embedding WITH (proxy_rows = 10)")
    assert sorted(read[1:]) == ["letters", "mine", "near"]
    read.clear()
    tasks.execute(sql)  # embeddings by other options stay
    assert read == []
    tasks.execute(f"CREATE OR REPLACE MODEL bert FROM '{model_copy('bert')}'")
    tasks.execute(sql)
    assert sorted(read) == ["letters", "mine", "near"]


def test_dropping_a_dataset_drops_its_embeddings(tasks: Store) -> None:
    tasks.execute(f"SIMILAR DATASETS TO mine USING embedding {FAST}")
    tasks.execute("DROP DATASET near")
    assert tasks.execute("SELECT dataset FROM dataset_embeddings ORDER BY ALL").fetchall() == [
        ("letters",),
        ("mine",),
    ]


def test_without_results_the_default_is_an_embedding(tasks: Store) -> None:
    assert tasks.execute(f"SELECT DISTINCT method FROM (SIMILAR DATASETS TO mine {FAST})").fetchall() == [
        ("embedding",)
    ]
    rows = [(f"m{n}", name, float(n)) for n in range(4) for name in ("mine", "letters")]
    tasks.executemany("INSERT INTO benchmark_results (model, dataset, score) VALUES (?, ?, ?)", rows)
    assert tasks.execute("SELECT dataset, method FROM (SIMILAR DATASETS TO mine)").fetchall() == [
        ("letters", "results")
    ]
    plan = tasks.execute("EXPLAIN SELECT BEST MODEL FOR mine WITH (device = 'cpu')").fetchall()
    assert [line for line, _ in plan if "most alike by results · letters 0." in line]
    named = "SIMILAR DATASETS TO mine WITH (proxy_rows = 20, encoder = 'bert')"
    assert tasks.execute(f"SELECT DISTINCT method FROM ({named})").fetchall() == [("embedding",)]


def test_a_sentence_encoder_is_taken_before_smaller_models_and_a_winner_last(
    tasks: Store, model_copy: Callable[[str], Path], model_path: Callable[[str], Path]
) -> None:
    def chosen() -> str:
        [(plan, _)] = tasks.execute("EXPLAIN SIMILAR DATASETS TO mine USING task2vec").fetchall()
        return plan.split(" · ")[1]

    tasks.execute(f"CREATE MODEL small FROM '{model_path('albert')}'")
    assert chosen() == "task2vec by small, the smallest model"
    tasks.execute("UPDATE models SET fine_tuned_on = ['mine'] WHERE name = 'small'")
    assert chosen() == "task2vec by bert, the smallest model"
    folder = model_copy("distilbert")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    modules = [
        {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    tasks.execute(f"CREATE MODEL sentences FROM '{folder}'")
    tasks.execute("UPDATE models SET parameters = 1e9 WHERE name = 'sentences'")
    assert chosen() == "task2vec by sentences, the smallest sentence encoder"
    [(plan, _)] = tasks.execute("EXPLAIN SIMILAR DATASETS TO mine WITH (encoder = 'BERT')").fetchall()
    assert plan == "SIMILAR DATASETS TO mine · embedding by bert"


def test_token_tasks_compare_too(tasks: Store, tmp_path: Path) -> None:
    tasks.execute("DROP DATASET mine; DROP DATASET letters")
    for seed, name in enumerate(("people", "places")):
        (tmp_path / f"{name}.jsonl").write_text(json_lines(tagged_sentences(60, seed)))
        tasks.execute(f"CREATE DATASET {name} FROM '{tmp_path / name}.jsonl'")
    rows = tasks.execute(f"SIMILAR DATASETS TO people USING task2vec {FAST}").fetchall()
    assert [row[1] for row in rows] == ["places", "near"]


def test_a_dataset_that_cannot_be_read_is_left_out_and_said(
    tasks: Store, tmp_path: Path, said: list[str]
) -> None:
    file = tmp_path / "gone.csv"
    file.write_text("text,label\n" + "".join(f"{FILLER[n % 9]} {n},{n % 2}\n" for n in range(40)))
    tasks.execute(f"CREATE DATASET gone FROM '{file}'")
    file.unlink()
    rows = tasks.execute(f"SIMILAR DATASETS TO mine USING embedding {FAST}").fetchall()
    assert [row[1] for row in rows] == ["near", "letters"]
    [message] = said
    assert message.startswith("gone is left out: ")
    with pytest.raises(modelstore.DatasetError, match="gone"):
        tasks.execute(f"SIMILAR DATASETS TO gone USING embedding {FAST}")
    tasks.execute("DROP DATASET near; DROP DATASET letters")
    with pytest.raises(modelstore.DatasetError, match="gone"):
        tasks.execute(f"SIMILAR DATASETS TO mine USING embedding {FAST}")


def test_what_was_computed_before_an_interruption_is_stored(
    tasks: Store, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> None:
        raise duckdb.InterruptException("Interrupted!")

    with monkeypatch.context() as patch:
        load = encoded.load_dataset
        patch.setattr(
            encoded,
            "load_dataset",
            lambda store, one: interrupted() if one.name == "near" else load(store, one),
        )
        with pytest.raises(duckdb.InterruptException):
            tasks.execute(f"SIMILAR DATASETS TO mine USING embedding {FAST}")
    done = list(read)
    assert done == ["mine", "letters"]
    tasks.execute(f"SIMILAR DATASETS TO mine USING embedding {FAST}")
    assert read == [*done, "near"]


def test_a_database_that_is_read_only_computes_and_stores_nothing(tasks_file: Path, read: list[str]) -> None:
    with modelstore.connect(tasks_file, read_only=True) as store:
        for _ in range(2):
            assert len(store.execute(f"SIMILAR DATASETS TO mine USING embedding {FAST}").fetchall()) == 2
    assert len(read) == 6


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("mine USING embedding WITH (encoder = 'vit')", modelstore.OptionError, "modality image"),
        ("mine USING task2vec WITH (encoder = 'bart')", modelstore.NotFoundError, 'no model "bart"'),
        ("mine WITH (encoder = 'named')", modelstore.OptionError, "known by name alone"),
        ("mine WITH (proxy_rows = 1)", modelstore.OptionError, "proxy_rows"),
        ("meine", modelstore.NotFoundError, 'did you mean "mine"'),
    ],
)
def test_an_encoder_or_dataset_that_does_not_do_is_an_error(
    tasks: Store, sql: str, error: type[Exception], message: str
) -> None:
    tasks.execute("INSERT INTO models (name, modality) VALUES ('named', 'text')")
    with pytest.raises(error, match=message):
        tasks.execute(f"SIMILAR DATASETS TO {sql}")


def test_no_encoder_and_no_other_dataset_are_errors_that_say_what_to_do(tasks: Store) -> None:
    tasks.execute("DROP DATASET photos")
    with pytest.raises(modelstore.NotFoundError, match="no other image dataset"):
        tasks.execute("SIMILAR DATASETS TO pictures")
    tasks.execute("DROP MODEL bert")
    with pytest.raises(modelstore.NotFoundError, match="no text model that could read the rows"):
        tasks.execute("SIMILAR DATASETS TO mine")


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_dataset_without_a_token_within_the_length_is_left_out(
    tasks: Store, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    extract = features.extract

    def without_tokens(model: str, path: Path, data: Any, **options: Any) -> features.Features:
        found = extract(model, path, data, **options)
        return replace(found, features=found.features[:0]) if data.name == "near" else found

    monkeypatch.setattr(features, "extract", without_tokens)
    rows = tasks.execute(f"SIMILAR DATASETS TO mine USING embedding {FAST}").fetchall()
    assert [row[1] for row in rows] == ["letters"]
    assert said == ["near is left out: no row of near has a token among the first 128"]
