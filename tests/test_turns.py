"""One thread at a time computes with torch, and what waits can be interrupted."""

import gc
import threading
import warnings
from types import SimpleNamespace

import duckdb
import pytest

from modelstore.interruption import Interruption
from modelstore.libraries import quiet
from modelstore.progress import shown_by
from modelstore.turns import statement_of, turn, turn_if_free

SECONDS = 30


def test_a_block_waits_until_another_thread_has_ended_its_own() -> None:
    order: list[str] = []
    began = threading.Event()

    def first() -> None:
        with turn() as waited:
            assert not waited
            began.set()
            second.start()
            order.append("first")

    def wait() -> None:
        with turn():
            order.append("second")

    second = threading.Thread(target=wait)
    thread = threading.Thread(target=first)
    thread.start()
    began.wait(SECONDS)
    thread.join(SECONDS)
    second.join(SECONDS)
    assert order == ["first", "second"]


def test_eight_threads_never_overlap() -> None:
    inside, most = 0, 0
    start = threading.Barrier(8)

    def work() -> None:
        nonlocal inside, most
        start.wait(SECONDS)
        for _ in range(3):
            with turn():
                inside += 1
                most = max(most, inside)
                threading.Event().wait(0.001)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert most == 1


def test_a_block_in_a_block_goes_on_at_once() -> None:
    with turn(), turn() as waited, turn_if_free() as free:
        assert (waited, free) == (False, True)


def test_a_thread_that_computes_for_a_statement_with_the_turn_goes_on_at_once_and_no_other() -> None:
    mine, others, went_on = object(), object(), list[str]()

    def compute(connection: object, name: str) -> None:
        with turn(connection):
            went_on.append(name)

    with statement_of(mine), turn():
        of_statement = threading.Thread(target=compute, args=(mine, "of the statement"))
        of_statement.start()
        of_statement.join(SECONDS)
        of_another = threading.Thread(target=compute, args=(others, "of another"))
        of_another.start()
        of_another.join(0.2)
        assert went_on == ["of the statement"]
    of_another.join(SECONDS)
    assert went_on == ["of the statement", "of another"]


def test_what_waits_says_so_once_and_can_be_interrupted() -> None:
    said: list[str] = []
    interruption, ended = Interruption(), list[BaseException]()

    def wait() -> None:
        try:
            with shown_by(SimpleNamespace(notify=said.append)), interruption.working(), turn():  # type: ignore[arg-type]
                said.append("ran")
        except duckdb.InterruptException as error:
            ended.append(error)

    with turn():
        thread = threading.Thread(target=wait)
        thread.start()
        while not said:
            threading.Event().wait(0.01)
        interruption.interrupt()
        thread.join(SECONDS)
    assert len(ended) == 1
    assert [one for one in said if "waits for its end" in one] == said
    with turn_if_free() as free:
        assert free


def test_nothing_computes_beside_a_block_of_another_thread_where_it_would_not_wait() -> None:
    found: list[bool] = []

    def look() -> None:
        with turn_if_free() as free:
            found.append(free)

    with turn():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(SECONDS)
    assert found == [False]


def test_the_turn_is_free_again_after_an_error() -> None:
    with pytest.raises(ValueError, match="no"), turn():
        raise ValueError("no")
    gc.collect()
    with turn() as waited:
        assert not waited


def test_warnings_are_shown_again_whichever_thread_ends_its_silence_last() -> None:
    before = list(warnings.filters)
    first, second = quiet(), quiet()
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with second:
            inside.set()
            leave.wait(SECONDS)

    thread = threading.Thread(target=other)
    with first:
        thread.start()
        inside.wait(SECONDS)
    leave.set()
    thread.join(SECONDS)
    assert warnings.filters == before
