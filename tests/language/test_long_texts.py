"""What reading costs grows with a text's length: nothing is read again for each of its statements."""

import threading
from typing import Any

import duckdb
import pytest

import modelstore
from modelstore.language import near_misses, scanner, script

Store = modelstore.Connection


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the texts that are tokenised."""
    lengths: list[int] = []
    tokenize = scanner.tokenize

    def counted(sql: str) -> Any:
        lengths.append(len(sql))
        return tokenize(sql)

    for module in ("language.scanner", "planner.rewriting", "connection.last_result"):
        monkeypatch.setattr(f"modelstore.{module}.tokenize", counted, raising=False)
    return lengths


@pytest.mark.parametrize("statement", ["DROP MODEL IF EXISTS m", "DROP DATASET IF EXISTS 'd;'"])
def test_a_script_of_many_statements_is_tokenised_once(statement: str, store: Store, read: list[int]) -> None:
    sql = ";\n".join([statement] * 50)
    store.execute(sql)
    assert sum(read) <= 2 * len(sql)


def test_a_long_text_that_cannot_be_parsed_is_tokenised_once(store: Store, read: list[int]) -> None:
    for sql in (
        "INSERT INTO t VALUES " + "(1, 'recall models')," * 2_000 + " BENCHMARK MODELS",
        "SELECT " + "1 + " * 5_000 + "; SELECT BEST",
        "RECALL MODELS FOR " + "(" * 1000,
    ):
        read.clear()
        with pytest.raises(duckdb.ParserException):
            store.execute(sql)
        assert sum(read) <= 2 * len(sql)


def test_a_long_text_is_not_looked_at_for_misspelt_words() -> None:
    assert near_misses.misspelt("ELECT BEST MODEL FOR d0") is not None
    assert near_misses.misspelt("ELECT BEST MODEL FOR d0" + " " * 200_000) is None


def test_reading_a_long_text_can_be_interrupted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    began = threading.Event()

    def endless(*_: object) -> None:
        began.set()
        while True:
            pass

    monkeypatch.setattr(script, "split", endless)
    thread = threading.Thread(target=lambda: began.wait() and store.interrupt())
    thread.start()
    with pytest.raises(duckdb.InterruptException):
        store.execute("SELECT BEST MODEL FOR x")
    thread.join()
    assert store.execute("SELECT 1").fetchone() == (1,)


def test_parameters_are_counted_in_their_own_statement(recorded: Store) -> None:
    recorded.execute(
        "DROP MODEL IF EXISTS nothing; SELECT model FROM (RECALL ? MODELS FOR ?) WHERE rank > ?", [3, "d0", 1]
    )
    assert len(recorded.fetchall()) == 2
