"""`predict`, `predict_proba` and `embed` in SQL, beside what `Predictor` says of the same rows."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from tiny_models import image_rows, sentence

import modelstore
from modelstore.planner.prediction import loaded, rows
from modelstore.store.registered import Model
from modelstore.training.predictor import ModelPredictor, Predictor, load_predictor

Models = dict[str, Path]
Cursor = modelstore.Connection


def texts(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [sentence(rng, *["good"] * int(rng.integers(0, 12))) for _ in range(count)]


def scores_of(
    models: Models, name: str, column: list[Any], role: str = "text"
) -> tuple[Predictor, np.ndarray]:
    predictor = load_predictor(name, models[name], "cpu")
    return predictor, predictor.scores(pa.table({role: column}))


def value(cursor: Cursor, expression: str, parameters: Any = None) -> Any:
    [(found,)] = cursor.execute(f"SELECT {expression}", parameters).fetchall()
    return found


def column(cursor: Cursor, sql: str) -> list[Any]:
    return [row[0] for row in cursor.execute(sql).fetchall()]


# --- what they return


@pytest.mark.parametrize("model", ["bert_classifier", "two", "vote"])
def test_each_row_gets_its_own_label_and_probabilities(model: str, cursor: Cursor, models: Models) -> None:
    """Over several vectors, sorted by length inside, with rows that have no text in between."""
    given: list[str | None] = list(texts(2100))
    given[7] = given[2099] = None
    cursor.register("given", pa.table({"place": range(2100), "text": given}))
    found = cursor.execute(
        f"SELECT predict('{model}', text), predict_proba('{model}', text) FROM given ORDER BY place"
    ).fetchall()
    _, scores = scores_of(models, model, [text for text in given if text is not None])
    expected = iter(scores)
    for (label, probabilities), text in zip(found, given, strict=True):
        if text is None:
            assert (label, probabilities) == (None, None)
            continue
        of_row = next(expected)
        assert list(probabilities) == ["red", "green", "blue"]
        assert list(probabilities.values()) == pytest.approx(of_row, abs=1e-5)
        assert label == max(probabilities, key=lambda one: probabilities[one])


def test_labels_of_several_are_a_list_as_text_whatever_is_in_them(cursor: Cursor, models: Models) -> None:
    given = texts(40)
    cursor.register("given", pa.table({"text": given}))
    found = cursor.execute(
        "SELECT predict('many', text)::VARCHAR[], typeof(predict('many', text)), predict_proba('many', text) "
        "FROM given"
    ).fetchall()
    predictor, scores = scores_of(models, "many", given)
    for (labels, kind, probabilities), of_row in zip(found, scores, strict=True):
        assert kind == "VARCHAR"
        assert labels == [name for name, one in zip(predictor.labels, of_row, strict=True) if one >= 0.5]
        assert list(probabilities.values()) == pytest.approx(of_row, abs=1e-5)
    assert len({tuple(labels) for labels, _, _ in found}) > 3


def test_a_number_is_text_that_casts_to_it_and_a_map_of_the_mean(cursor: Cursor, models: Models) -> None:
    given = texts(20)
    cursor.register("given", pa.table({"text": given}))
    found = cursor.execute(
        "SELECT predict('number', text)::DOUBLE, predict_proba('number', text) FROM given"
    ).fetchall()
    _, scores = scores_of(models, "number", given)
    assert [number for number, _ in found] == pytest.approx(scores, abs=1e-5)
    assert [probabilities for _, probabilities in found] == [{"mean": number} for number, _ in found]


def test_words_get_a_tag_each_of_a_list_or_a_text_and_null_beyond_what_is_read(
    cursor: Cursor, models: Models
) -> None:
    words = ["the", "film", "was", "good", "unknownword", "ending"]
    predictor, scores = scores_of(models, "tagger", [words])
    expected = [predictor.labels[one] for one in scores.argmax(axis=1)]
    assert value(cursor, "predict('tagger', ?)::VARCHAR[]", [words]) == expected
    assert value(cursor, "predict('tagger', ?)::VARCHAR[]", ["  " + " \n".join(words)]) == expected
    assert value(cursor, "predict('tagger', ['film', 'good']::VARCHAR[2])::VARCHAR[]") is not None
    assert value(cursor, "predict('tagger', [])") == value(cursor, "predict('tagger', '')") == "[]"
    long = value(cursor, "predict('tagger', list_transform(range(70), lambda i: 'film'))::VARCHAR[]")
    assert [tag is None for tag in long] == [False] * 62 + [True] * 8  # 64 tokens, two of them special
    rows = cursor.execute(
        "SELECT predict('tagger', words)::VARCHAR[] FROM (VALUES (1, ['film']), (2, NULL), (3, ['a', 'plot', 'on'])) "
        "AS _(place, words) ORDER BY place"
    ).fetchall()
    assert [one and len(one) for (one,) in rows] == [1, None, 3]


def test_embeddings_are_lists_of_floats_with_a_head_or_without(cursor: Cursor, models: Models) -> None:
    given = texts(30)
    cursor.register("given", pa.table({"text": given}))
    for model in ("bert", "two", "tagger"):
        expected = load_predictor(model, models[model], "cpu").embed(pa.table({"text": given}))
        found = column(cursor, f"SELECT embed('{model}', text) FROM given")
        assert np.array(found) == pytest.approx(expected, abs=1e-5)
    assert value(cursor, "typeof(embed('bert', 'a film'))") == "FLOAT[]"


def test_a_pair_is_read_as_a_pair(cursor: Cursor, models: Models) -> None:
    rows = pa.table({"text": ["a good film"], "text_pair": ["a bad plot"]})
    predictor = load_predictor("two", models["two"], "cpu")
    found = value(cursor, "predict_proba('two', 'a good film', 'a bad plot')")
    assert list(found.values()) == pytest.approx(predictor.scores(rows)[0], abs=1e-5)
    assert value(cursor, "embed('bert', 'a', 'b')") != value(cursor, "embed('bert', 'a')")
    assert value(cursor, "predict('two', 'a', 'b')") in predictor.labels


def test_images_are_blobs_or_paths(cursor: Cursor, models: Models, tmp_path: Path) -> None:
    images = image_rows(3, np.random.default_rng(0))["image"].to_pylist()
    _, scores = scores_of(models, "vit_classifier", images, "image")
    for number, (image, of_row) in enumerate(zip(images, scores, strict=True)):
        file = tmp_path / f"{number}.png"
        file.write_bytes(image)
        for given in (image, str(file)):
            found = value(cursor, "predict_proba('vit_classifier', ?)", [given])
            assert list(found.values()) == pytest.approx(of_row, abs=1e-5)
        assert len(value(cursor, "embed('vit_classifier', ?)", [image])) == 32


# --- how they are used


def test_null_gives_null_whatever_the_rest_is(cursor: Cursor) -> None:
    for call in (
        "NULL, 'a'",
        "'bert_classifier', NULL",
        "'nobody', NULL",
        "'two', 'a', NULL",
        "'two', NULL, 'a'",
    ):
        for function in ("predict", "predict_proba", "embed"):
            assert value(cursor, f"{function}({call})") is None


def test_the_model_may_be_another_one_in_each_row_and_its_name_in_any_case(cursor: Cursor) -> None:
    together = cursor.execute(
        "SELECT name, predict_proba(name, 'a good film') FROM models "
        "WHERE name IN ('two', 'many', 'vit', 'bert_classifier') ORDER BY name"
    ).fetchall()
    assert [name for name, _ in together] == ["bert_classifier", "many", "two"]
    for name, probabilities in together:
        assert value(cursor, f"predict_proba('{name.upper()}', 'a good film')") == probabilities


def test_they_stand_wherever_an_expression_does(cursor: Cursor, tmp_path: Path) -> None:
    cursor.execute("CREATE OR REPLACE TEMP TABLE rows AS SELECT unnest(?) AS text, 'x' AS model", [texts(50)])
    label = value(cursor, "predict('two', text) FROM rows LIMIT 1")
    some = column(cursor, f"SELECT text FROM rows WHERE predict('two', text) = '{label}'")
    assert 0 < len(some) < 50
    assert value(cursor, f"count(*) FILTER (predict('two', text) = '{label}') FROM rows") == len(some)
    assert column(cursor, "SELECT DISTINCT predict('two', rows.text) AS found FROM rows GROUP BY found") != []
    assert value(cursor, "list_transform(['a', 'film'], lambda one: predict('two', one)) IS NOT NULL")
    cursor.execute("PREPARE asked AS SELECT predict($model, $text)")
    assert cursor.execute("EXECUTE asked(model := 'two', text := 'a film')").fetchall() != []
    cursor.execute("CREATE TEMP VIEW labelled AS SELECT predict('two', text) AS label FROM rows")
    assert cursor.execute(f"SELECT count(*) FROM labelled WHERE label = '{label}'").fetchone() == (len(some),)
    cursor.execute(f"COPY (SELECT predict_proba('two', text) AS p FROM rows) TO '{tmp_path}/out.parquet'")
    assert value(cursor, f"count(*) FROM '{tmp_path}/out.parquet'") == 50


def test_they_label_the_rows_of_a_dataset(store: Cursor, models: Models) -> None:
    store.execute(f"CREATE MODEL two FROM '{models['two']}'")
    store.register("given", pa.table({"text": texts(200)}))
    store.execute("CREATE DATASET labelled AS SELECT text, predict('two', text) AS label FROM given")
    [(labels,)] = store.execute("SELECT labels FROM datasets").fetchall()
    assert set(labels) <= {"red", "green", "blue"}


def test_a_store_that_is_read_only_predicts(store: Cursor, models: Models, tmp_path: Path) -> None:
    store.execute(f"CREATE MODEL two FROM '{models['two']}'")
    expected = value(store, "predict('two', 'a film')")
    store.close()
    with modelstore.connect(tmp_path / "zoo.db", read_only=True) as connection:
        assert value(connection, "predict('two', 'a film')") == expected


# --- what is wrong


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        ("predict('bert_clasifier', 'a')", modelstore.NotFoundError, 'did you mean "bert_classifier"?'),
        ("embed('bert_clasifier', 'a')", modelstore.NotFoundError, 'there is no model "bert_clasifier"'),
        ("predict('bert', 'a')", modelstore.ModelError, 'model "bert" has no head that was fine-tuned'),
        ("predict_proba('bert', 'a')", modelstore.ModelError, "embed needs none"),
        (
            "predict_proba('tagger', 'a film')",
            modelstore.ModelError,
            "one map to each row: predict gives its tags",
        ),
        (
            "predict('two', 'a'::BLOB)",
            modelstore.ModelError,
            '"two" is a text model: give it a text, not a BLOB',
        ),
        ("predict('two', 3)", modelstore.ModelError, "not a value of type int32"),
        ("predict('two', ['a'])", modelstore.ModelError, "takes a text: join its words"),
        ("embed('tagger', ['a'])", modelstore.ModelError, "takes a text: join its words"),
        ("predict('tagger', ['a', NULL])", modelstore.OptionError, "a list of words has a NULL in it"),
        ("predict('tagger', 'a', 'b')", modelstore.ModelError, "of one text, not of two"),
        ("predict('vit_classifier', ['a'])", modelstore.ModelError, "is an image model: give it an image"),
        ("predict('vit_classifier', 'a', 'b')", modelstore.ModelError, "not two values"),
        (
            "predict('vit_classifier', '/no/such.png')",
            modelstore.DatasetError,
            '"/no/such.png" cannot be read',
        ),
        (
            "predict('vit_classifier', 'a'::BLOB)",
            modelstore.DatasetError,
            "cannot be decoded: give an encoded image",
        ),
        ("embed('vote', 'a')", modelstore.ModelError, "embed with one of bert_classifier, two"),
        ("predict(3, 'a')", modelstore.OptionError, "predict takes the name of a model, not a value of type"),
    ],
)
def test_an_error_is_one_sentence_of_its_own_class(
    call: str, kind: Any, message: str, cursor: Cursor
) -> None:
    for sql in (
        f"SELECT {call}",
        f"SELECT {call} FROM range(3000)",
        f"CREATE DATASET d AS SELECT {call} AS text",
    ):
        with pytest.raises(kind) as raised:
            cursor.execute(sql).fetchall()
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)
        assert "Python exception" not in str(raised.value)


def test_an_unknown_model_is_said_without_waiting_for_torch() -> None:
    program = """
import sys, modelstore
with modelstore.connect() as connection:
    try:
        connection.execute("SELECT predict('nobody', 'a film')")
    except modelstore.NotFoundError:
        print("torch" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_the_same_text_a_second_time_says_what_is_wrong_too(cursor: Cursor) -> None:
    sql = "SELECT predict($1, 'a film')"
    assert cursor.execute(sql, ["two"]).fetchall()
    with pytest.raises(modelstore.NotFoundError, match='there is no model "nobody"'):
        cursor.execute(sql, ["nobody"])


def test_a_model_whose_files_are_gone_says_so(store: Cursor, models: Models, tmp_path: Path) -> None:
    path = shutil.copytree(models["two"], tmp_path / "two")
    store.execute(f"CREATE MODEL two FROM '{path}'")
    (path / "tokenizer.json").write_text("{")
    with pytest.raises(modelstore.ModelError, match="the tokenizer of model two cannot be loaded"):
        value(store, "predict('two', 'a')")
    shutil.rmtree(path)
    with pytest.raises(modelstore.ModelError, match="does not exist"):
        value(store, "predict('two', 'a')")
    store.execute("INSERT INTO models (name) VALUES ('listed')")
    with pytest.raises(modelstore.ModelError, match='"listed" has no uri'):
        value(store, "predict('listed', 'a')")


def test_files_are_read_as_far_as_duckdb_may(store: Cursor, models: Models, tmp_path: Path) -> None:
    for name in ("two", "vit_classifier"):
        store.execute(f"CREATE MODEL {name} FROM '{models[name]}'")
    image = image_rows(1, np.random.default_rng(0))["image"][0].as_py()
    (tmp_path / "image.png").write_bytes(image)
    assert value(store, "predict('two', 'a')")
    store.execute(f"SET allowed_directories = ['{models['vit_classifier']}']")
    store.execute("SET enable_external_access = false")
    assert value(store, "predict('vit_classifier', ?)", [image])
    for call in ("predict('two', 'a')", f"predict('vit_classifier', '{tmp_path}/image.png')"):
        with pytest.raises(duckdb.PermissionException, match="Cannot access"):
            value(store, call)


def test_errors_of_other_functions_in_python_stay_duckdbs(cursor: Cursor) -> None:
    def fail(number: int) -> int:
        raise ValueError(f"not {number}")

    cursor.create_function("failing", fail, ["BIGINT"], "BIGINT")
    with pytest.raises(duckdb.InvalidInputException, match="ValueError: not 3"):
        value(cursor, "failing(3)")


# --- the device, and what stays loaded


def test_the_device_is_a_variable_of_the_connection(predicting: Cursor) -> None:
    with predicting.cursor() as one, predicting.cursor() as other:
        one.execute("SET VARIABLE modelstore_device = 'gpu7'")
        with pytest.raises(
            modelstore.TrainingError, match="device 'gpu7' is not on this machine: use one of auto, cpu"
        ):
            value(one, "predict('two', 'a')")
        assert value(other, "predict('two', 'a')")
        one.execute("RESET VARIABLE modelstore_device")
        assert value(one, "predict('two', 'a')") == value(other, "predict('two', 'a')")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the models that are loaded, from nothing on."""
    names: list[str] = []

    def load(name: str, *arguments: Any) -> Predictor:
        names.append(name)
        return load_predictor(name, *arguments)

    monkeypatch.setattr(loaded, "load_predictor", load)
    loaded._loaded.clear()
    yield names
    loaded._loaded.clear()


def test_a_model_is_loaded_once_for_all_queries_until_its_files_change(
    store: Cursor, models: Models, tmp_path: Path, loads: list[str]
) -> None:
    path = shutil.copytree(models["two"], tmp_path / "two")
    store.execute(f"CREATE MODEL two FROM '{path}'")
    store.register("given", pa.table({"text": texts(2100)}))
    before = column(store, "SELECT predict('two', text) FROM given")
    assert store.execute("SELECT predict_proba('two', 'a'), embed('two', 'a')").fetchall()
    assert loads == ["two"]
    shutil.copy(models["bert_classifier"] / "config.json", path)
    shutil.copy(models["bert_classifier"] / "model.safetensors", path)
    assert column(store, "SELECT predict('two', text) FROM given") != before
    store.execute(f"CREATE OR REPLACE MODEL two FROM '{models['two']}'")
    assert column(store, "SELECT predict('two', text) FROM given") == before
    assert loads == ["two"] * 3


def test_a_model_on_the_hub_is_asked_for_once(
    cursor: Cursor, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def find(model: Model) -> Path:
        asked.append(model.name)
        return models["two"]

    monkeypatch.setattr(rows, "predictor_path", find)
    cursor.execute("BEGIN; INSERT INTO models (name, uri) VALUES ('far', 'hf://owner/far'); COMMIT")
    try:
        cursor.register("given", pa.table({"text": texts(2100)}))
        for _ in range(2):
            assert len(column(cursor, "SELECT predict('far', text) FROM given")) == 2100
    finally:
        cursor.execute("DELETE FROM models WHERE name = 'far'")
    assert asked == ["far"]


def test_models_that_take_too_much_memory_together_are_let_go(
    cursor: Cursor, loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded, "SHARE", 0.0)
    for model in ("two", "two", "many", "two"):
        assert value(cursor, f"predict('{model}', 'a film')") is not None
    assert loads == ["two", "many", "two"]
    assert len(loaded._loaded) == 1


def test_only_as_much_is_computed_as_was_asked_for(cursor: Cursor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    scores = ModelPredictor.scores

    def count(self: ModelPredictor, rows: pa.Table) -> Any:
        asked.append(rows.num_rows)
        return scores(self, rows)

    monkeypatch.setattr(ModelPredictor, "scores", count)
    cursor.register("given", pa.table({"text": texts(4000)}))
    assert len(column(cursor, "SELECT predict('two', text) FROM (FROM given LIMIT 10)")) == 10
    assert sum(asked) == 10
