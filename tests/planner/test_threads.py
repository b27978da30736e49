"""Statements of several threads, each on a cursor of its own, end as they do alone."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from tiny_models import TINY, TINY_STAGES
from watched_training import before_each_stage, trained_stages

import modelstore
from modelstore.planner.select.saving import WinnerArchive
from modelstore.progress import shown_by
from modelstore.turns import turn

Store = modelstore.Connection
SECONDS = 120
STAGES = (
    "SELECT s.dataset, stage, d.model, validation, action FROM selection_stages d JOIN selections s "
    "ON s.id = selection ORDER BY ALL"
)
WINNERS = "SELECT dataset, model, status FROM selections ORDER BY ALL"


def select(target: str, seed: int = 0) -> str:
    return (
        f"SELECT BEST MODEL FOR {target} FROM (FROM models WHERE name IN ('bert', 'albert')) USING brute_force "
        f"WITH ({TINY_STAGES}, seed = {seed}, reuse = false)"
    )


def at_once(store: Store, statements: list[str]) -> list[Any]:
    """Runs statements on cursors in threads that begin together; each one's rows, or its error."""
    start, ended = threading.Barrier(len(statements)), dict[int, Any]()

    def run(number: int, cursor: Store) -> None:
        start.wait(SECONDS)
        try:
            ended[number] = cursor.execute(statements[number]).fetchall()
        except BaseException as error:
            ended[number] = error

    threads = [
        threading.Thread(target=run, args=(number, store.cursor())) for number in range(len(statements))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    return [ended[number] for number in range(len(statements))]


def test_selections_on_several_cursors_have_the_stages_and_winners_that_they_have_alone(
    zoo_file: Path, opened_copy: Callable[[Path], Store], tmp_path: Path
) -> None:
    statements = [select("texts"), select("others"), select("texts", seed=1)]
    store = opened_copy(zoo_file)
    for statement in statements:
        store.execute(statement)
    alone = store.execute(STAGES).fetchall(), store.execute(WINNERS).fetchall()
    store.close()
    (tmp_path / "zoo.db").unlink()
    store = opened_copy(zoo_file)
    ended = at_once(store, statements)
    assert [one for one in ended if isinstance(one, BaseException)] == []
    assert (store.execute(STAGES).fetchall(), store.execute(WINNERS).fetchall()) == alone


def test_the_same_benchmark_on_two_cursors_trains_each_pair_once(zoo: Store) -> None:
    statement = f"BENCHMARK MODELS bert, albert ON texts WITH ({TINY}, device = 'cpu')"
    statement = statement.replace(
        "MODELS bert, albert", "MODELS FROM (FROM models WHERE name IN ('bert', 'albert'))"
    )
    ended = at_once(zoo, [statement, statement])
    assert sorted(row[-1] for rows in ended for row in rows) == ["done", "done", "skipped", "skipped"]
    assert zoo.execute("SELECT count(*) FROM benchmark_results").fetchone() == (2,)


def test_two_selections_that_end_on_the_same_winner_both_register_it(zoo: Store) -> None:
    ended = at_once(zoo, [select("texts"), select("texts")])
    assert [one for one in ended if isinstance(one, BaseException)] == []
    names = zoo.execute("SELECT name FROM models WHERE base IS NOT NULL").fetchall()
    assert len(names) == 2


def test_a_name_that_another_connection_registers_just_then_costs_no_training(
    zoo: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, record, tries = zoo.cursor(), WinnerArchive.record, list[int]()

    def record_beside_another(self: WinnerArchive, *arguments: Any) -> None:
        record(self, *arguments)
        if not tries:
            for model in ("bert", "albert"):
                other.execute("INSERT INTO models (name) VALUES (?)", [f"{model}-finetuned-texts"])
        tries.append(1)

    monkeypatch.setattr(WinnerArchive, "record", record_beside_another)
    zoo.execute(select("texts"))
    [(selection, winner)] = zoo.execute("SELECT id, model FROM selections").fetchall()
    names = zoo.execute("SELECT name FROM models WHERE base = ?", [winner]).fetchall()
    assert (len(tries), names) == (2, [(f"{winner}-finetuned-texts-{selection}",)])


def test_scoring_waits_for_training_and_scores_as_alone(zoo: Store) -> None:
    recall = "RECALL 2 MODELS FOR others FROM (FROM models WHERE name IN ('bert', 'distilbert')) USING logme"
    alone = zoo.execute(recall).fetchall()
    zoo.execute("DELETE FROM proxy_scores")
    in_training = threading.Event()
    said: list[str] = []
    found: list[Any] = []

    def score(cursor: Store) -> None:
        in_training.wait(SECONDS)
        with shown_by(SimpleNamespace(notify=said.append, bar=_no_bar, emit=lambda event: None)):  # type: ignore[arg-type]
            found.extend(cursor.execute(recall).fetchall())

    thread = threading.Thread(target=score, args=(zoo.cursor(),))
    thread.start()
    with before_each_stage(lambda run: in_training.set()):
        zoo.execute(select("texts"))
    thread.join(SECONDS)
    assert found == alone


def _no_bar(total: float, description: str, unit: str) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, disable=True)


def test_a_statement_that_waits_is_interrupted_alone(zoo: Store) -> None:
    cursor, ended = zoo.cursor(), list[BaseException]()

    def wait() -> None:
        try:
            cursor.execute(select("others"))
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=wait)

    def once(run: object) -> None:
        if not ended:
            thread.start()
            while not ended:
                cursor.interrupt()
                thread.join(0.05)

    with before_each_stage(once):
        zoo.execute(select("texts"))
    assert [type(error) for error in ended] == [duckdb.InterruptException]
    assert zoo.execute("SELECT dataset, status FROM selections").fetchall() == [("texts", "done")]


def test_closing_one_cursor_leaves_the_training_of_another_alone(zoo: Store) -> None:
    others = [zoo.cursor() for _ in range(8)]

    def close(run: object) -> None:
        if others:
            others.pop().close()

    with before_each_stage(close):
        zoo.execute(select("texts"))
    assert zoo.execute("SELECT status FROM selections").fetchall() == [("done",)]


def test_closing_the_cursor_that_trains_stops_it_and_its_selection_can_go_on(zoo: Store) -> None:
    cursor, ended = zoo.cursor(), list[BaseException]()
    in_training = threading.Event()

    def train() -> None:
        try:
            cursor.execute(select("texts"))
        except BaseException as error:
            ended.append(error)

    def hold(run: Any) -> None:
        if len(run.curve) == 1:
            in_training.set()

    thread = threading.Thread(target=train)
    with before_each_stage(hold):
        thread.start()
        in_training.wait(SECONDS)
        cursor.close()
        thread.join(SECONDS)
    assert [isinstance(error, duckdb.Error) for error in ended] == [True]
    [(number, status)] = zoo.execute("SELECT id, status FROM selections").fetchall()
    assert status == "stopped"
    with trained_stages() as stages:
        zoo.execute(f"RESUME SELECTION {number}")
    assert stages
    assert zoo.execute("SELECT status FROM selections").fetchall() == [("done",)]


def test_a_replay_does_not_wait(recorded: Store) -> None:
    ended: list[Any] = []

    def replay() -> None:
        ended.extend(
            recorded.execute("SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 4)").fetchall()
        )

    with turn():
        thread = threading.Thread(target=replay)
        thread.start()
        thread.join(SECONDS)
        assert len(ended) == 1


@pytest.mark.parametrize("sql", ["SELCT", "SELECT BEST MODEL FOR texts WITH (epoch = 2)", select("nothing")])
def test_what_is_wrong_is_said_at_once(zoo: Store, sql: str) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            zoo.execute(sql)
        except duckdb.Error as error:
            errors.append(error)

    with turn():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(SECONDS)
        assert len(errors) == 1
