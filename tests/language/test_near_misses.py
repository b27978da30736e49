"""The error of an extension statement with one word misspelt names the word; ordinary SQL keeps DuckDB's error."""

import duckdb
import pytest

import modelstore
from modelstore.language.near_misses import misspelt

Store = modelstore.Connection


@pytest.mark.parametrize(
    ("sql", "written", "meant"),
    [
        ("SELCT BEST MODEL FOR x", "SELCT", "SELECT"),
        ("SELECT BST MODEL FOR x", "BST", "BEST"),
        ("RECAL 5 MODELS FOR x", "RECAL", "RECALL"),
        ("CREAT MODEL m FROM 'x'", "CREAT", "CREATE"),
        ("CREATE MODLE m FROM 'x'", "MODLE", "MODEL"),
        ("CREATE OR REPLACE DATSET d AS SELECT 1", "DATSET", "DATASET"),
        ("CREATE DATASE d AS SELECT 1", "DATASE", "DATASET"),
        ("BENCHMRK MODELS ON x", "BENCHMRK", "BENCHMARK"),
        ("BENCHMARK MODLES ON x", "MODLES", "MODELS"),
        ("CLUSTR MODELS", "CLUSTR", "CLUSTER"),
        ("CLUSTER MODLES USING kmeans", "MODLES", "MODELS"),
        ("DROP MODLE x", "MODLE", "MODEL"),
        ("RESUM SELECTION 1", "RESUM", "RESUME"),
        ("LIST LEFTOVER", "LEFTOVER", "LEFTOVERS"),
        ("EXPLAN SELECT BEST MODEL FOR x", "EXPLAN", "EXPLAIN"),
        ("EXPLAIN RECAL 3 MODELS FOR x", "RECAL", "RECALL"),
        ("SELECT 1;\nDROP DATASTE x", "DATASTE", "DATASET"),
    ],
)
def test_the_word_that_was_meant_is_named_at_its_place(
    store: Store, sql: str, written: str, meant: str
) -> None:
    for run in (store.execute, store.sql):
        with pytest.raises(modelstore.ExtensionSyntaxError) as caught:
            run(sql)
        assert f'at or near "{written}" (did you mean "{meant}"?)' in str(caught.value)
        *_, line, carets = str(caught.value).split("\n")
        assert line[carets.index("^") : carets.rindex("^") + 1] == written
        assert line.startswith(f"LINE {sql.count(chr(10)) + 1}: ")


@pytest.mark.parametrize(
    "sql",
    [
        "SELCT 1",
        "SELECT BST FROM",
        "DROP DATABASE x y",
        "CREATE MODES",
        "CREAT TABLE model (a INT)",
        "DROP TABEL model",
    ],
)
def test_ordinary_sql_is_not_taken_for_an_extension_statement(store: Store, sql: str) -> None:
    assert misspelt(sql) is None
    with duckdb.connect() as plain, pytest.raises(duckdb.ParserException) as expected:
        plain.execute(sql)
    with pytest.raises(duckdb.ParserException) as found:
        store.execute(sql)
    assert (type(found.value), str(found.value)) == (type(expected.value), str(expected.value))


def test_near_misses_of_values_are_named(store: Store) -> None:
    with pytest.raises(modelstore.OptionError, match=r"not 'reply' .did you mean \"replay\""):
        store.execute("SELECT BEST MODEL FOR x WITH (executor = 'reply')")


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("CREATE MODEL bert-tiny FROM 'x'", "bert-tiny"),
        ("SELECT BEST MODEL FOR my-reviews", "my-reviews"),
        ("CREATE MODEL google/bert_uncased-2 FROM 'x'", "google/bert_uncased-2"),
    ],
)
def test_a_name_that_must_be_quoted_is_shown_quoted(
    store: modelstore.Connection, statement: str, name: str
) -> None:
    with pytest.raises(modelstore.Error) as caught:
        store.execute(statement)
    assert f'is quoted: "{name}")' in str(caught.value)
