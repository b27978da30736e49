"""`RESUME SELECTION`: what was stopped, failed or killed ends as if it never had been."""

import re
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from forked import run_program
from tiny_models import TEXT_MODELS, TINY_STAGES
from watched_training import before_each_stage, interrupted_training, trained_stages

import modelstore
from modelstore.training import features
from modelstore.training.finetune import FineTuning
from modelstore.udfs.register import register

Store = modelstore.Connection
SELECT = f"SELECT BEST 2 MODELS FOR texts USING successive_halving WITH ({TINY_STAGES})"
STAGES = "SELECT stage, model, validation, predicted, action, reason FROM selection_stages ORDER BY rowid"
CURVES = "SELECT model, stage, epoch, validation, test, train_loss FROM training_curves ORDER BY ALL"


@pytest.fixture(scope="module")
def straight(zoo_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store like `zoo` in which the selection has run, and was not stopped. Not to be changed."""
    path = shutil.copy(zoo_file, tmp_path_factory.mktemp("straight"))
    with modelstore.connect(path) as store:
        store.execute(f"CREATE TABLE selected AS {SELECT}")
        yield store


def folders(tmp_path: Path) -> list[str]:
    """What is saved of selections that have not ended."""
    return sorted(
        str(path.relative_to(tmp_path)).split("/", 2)[2] for path in tmp_path.glob("*/.selection-*/*/*")
    )


def selected(straight: Store) -> list[Any]:
    return straight.execute("FROM selected ORDER BY rank").fetchall()


def assert_ended_alike(zoo: Store, rows: list[Any], straight: Store) -> None:
    """Asserts that two stores' selections, of which ``rows`` is the result in the first, ended alike."""
    assert [row[:6] for row in rows] == [row[:6] for row in selected(straight)]
    for sql in (STAGES, CURVES, "SELECT dataset, method, status, model, reason FROM selections"):
        assert zoo.execute(sql).fetchall() == straight.execute(sql).fetchall()
    names = "SELECT name, base FROM models ORDER BY ALL"
    assert zoo.execute(names).fetchall() == straight.execute(names).fetchall()


@pytest.mark.parametrize(("model", "stage"), [("albert", 1), ("bert", 2), ("bert", 3), ("bert", 4)])
def test_an_interrupted_selection_ends_as_if_it_never_was(
    zoo: Store, straight: Store, tmp_path: Path, model: str, stage: int
) -> None:
    kept = [
        name for (name,) in straight.execute("SELECT model FROM selection_stages WHERE stage = 4").fetchall()
    ]
    victim = model if stage == 1 else sorted(kept)[0]
    message = r"^RESUME SELECTION 1 goes on from the last stage"
    with interrupted_training(lambda run: run.model == victim and len(run.curve) == stage - 1, message):
        zoo.execute(SELECT)
    assert zoo.execute("SELECT status FROM selections").fetchone() == ("stopped",)
    assert folders(tmp_path) == (
        [f"stage-{stage - 1}/{name}.pt" for name in sorted(kept)] if stage > 1 else []
    )
    with trained_stages() as trained:
        rows = zoo.execute("RESUME SELECTION 1").fetchall()
    assert_ended_alike(zoo, rows, straight)
    # Nothing is done twice but the stage that was under way.
    assert {number for _, number in trained} == set(range(stage, 5))
    assert folders(tmp_path) == []
    before, after = (store.execute("SELECT epochs FROM selections").fetchone() for store in (straight, zoo))
    assert after is not None
    assert before is not None
    assert before[0] <= after[0] < before[0] + 4 * 0.5


KILLED_AFTER_STAGE_2 = """
import os, sys
from modelstore.shell.main import main
from modelstore.training.finetune import FineTuning

save_state, sent = FineTuning.save_state, []

def save_and_kill(run, path):
    save_state(run, path)
    if len(run.curve) == 2 and not sent:
        sent.append({number})
        os.kill(os.getpid(), {number})

FineTuning.save_state = save_and_kill
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [
        (signal.SIGKILL, "running", ""),
        (
            signal.SIGINT,
            "stopped",
            "interrupted: RESUME SELECTION 1 goes on from the last stage that it completed\n",
        ),
    ],
)
def test_a_killed_selection_ends_as_if_it_never_was(
    zoo: Store, straight: Store, tmp_path: Path, number: int, status: str, message: str
) -> None:
    zoo.close()
    program = KILLED_AFTER_STAGE_2.format(number=int(number))
    killed = run_program(program, str(tmp_path / "zoo.db"), "-c", SELECT)
    # After lines of progress.
    assert re.sub(r"^(?:training|stage|  ).*\n", "", killed.stderr, flags=re.MULTILINE) == message
    with modelstore.connect(tmp_path / "zoo.db") as store:
        assert store.execute("SELECT status, epochs > 0 FROM selections").fetchone() == (status, True)
        store.execute("REMOVE LEFTOVERS WITH (days = 0)")  # which leaves what RESUME needs
        # Its id may be a parameter.
        rows = store.execute("RESUME SELECTION ?", [1]).fetchall()
        assert_ended_alike(store, rows, straight)
    assert folders(tmp_path) == []


def test_a_selection_stopped_in_the_recall_begins_with_it(
    zoo: Store, zoo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = f"SELECT BEST MODEL FOR texts USING two_phase WITH ({TINY_STAGES}, recall = 2)"
    extract = features.extract

    def stopping(model: str, *arguments: Any, **options: Any) -> Any:
        if model == "bert_classifier":
            zoo.interrupt()
        return extract(model, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(features, "extract", stopping)
        with pytest.raises(duckdb.InterruptException, match="RESUME SELECTION 1 goes on"):
            zoo.execute(sql)
    candidates = zoo.execute("SELECT status, candidates FROM selections").fetchone()
    assert candidates == ("stopped", sorted(TEXT_MODELS))
    rows = zoo.execute("RESUME SELECTION 1").fetchall()
    with modelstore.connect(shutil.copy(zoo_file, tmp_path / "undisturbed.db")) as straight:
        straight.execute(f"CREATE TABLE selected AS {sql}")
        assert_ended_alike(zoo, rows, straight)
    assert zoo.execute("SELECT count(*) FROM proxy_scores").fetchone() == (4,)


def test_a_selection_whose_runs_do_not_fit_the_disk_goes_on_when_they_do(
    zoo: Store, straight: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save_state = FineTuning.save_state

    def full(self: FineTuning, path: Path) -> None:
        if len(self.curve) == 2:
            raise OSError(28, "No space left on device")
        save_state(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(FineTuning, "save_state", full)
        with pytest.raises(
            modelstore.StoreError,
            match=r"after stage 2 cannot be kept in .*: No space left on device; RESUME SELECTION 1 goes on",
        ):
            zoo.execute(SELECT)
    assert zoo.execute("SELECT status FROM selections").fetchone() == ("failed",)
    assert {name.split("/")[0] for name in folders(tmp_path)} == {"stage-1"}
    assert_ended_alike(zoo, zoo.execute("RESUME SELECTION 1").fetchall(), straight)


def test_a_winner_that_could_not_be_saved_is_trained_for_its_last_stage_alone(
    zoo: Store, straight: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    second, save = selected(straight)[1][1], FineTuning.save

    def full(self: FineTuning, directory: Path) -> None:
        if self.model == second:  # the first one's folder must not stay
            raise OSError(28, "No space left on device")
        save(self, directory)

    with monkeypatch.context() as patch:
        patch.setattr(FineTuning, "save", full)
        with pytest.raises(modelstore.StoreError, match=r"cannot be saved in .* RESUME SELECTION 1"):
            zoo.execute(SELECT)
    assert list((tmp_path / "zoo.db.checkpoints").glob("[!.]*")) == []
    with trained_stages() as trained:
        assert_ended_alike(zoo, zoo.execute("RESUME SELECTION 1").fetchall(), straight)
    assert {stage for _, stage in trained} == {4}


def test_a_selection_that_is_interrupted_once_all_is_stored_keeps_its_winners(
    zoo: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelstore.store.selections import SelectionLog

    finish = SelectionLog.finish

    def interrupted(self: SelectionLog, selection: int, status: str, *cost: float, **more: Any) -> None:
        finish(self, selection, status, *cost, **more)
        if status == "done":
            self._connection.execute("COMMIT")
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SelectionLog, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            zoo.execute(SELECT)
    assert zoo.execute("SELECT status FROM selections").fetchall() == [("done",)]
    [(saved,)] = zoo.execute("SELECT uri FROM models WHERE base IS NOT NULL").fetchall()
    assert (Path(saved) / "model.safetensors").exists()


@pytest.fixture
def stopped(zoo: Store) -> Store:
    """A store with a selection that was stopped in its second stage."""
    with interrupted_training(lambda run: bool(run.curve)):
        zoo.execute(SELECT)
    return zoo


def test_a_selection_that_cannot_be_resumed_says_why(stopped: Store, tmp_path: Path) -> None:
    def refused(error: type[Exception], message: str, sql: str = "RESUME SELECTION 1") -> None:
        with pytest.raises(error, match=message):
            stopped.execute(sql)

    refused(
        modelstore.NotFoundError,
        r"no selection 7: those that can be resumed are 1 \(stopped, for texts\)",
        "RESUME SELECTION 7",
    )
    refused(modelstore.OptionError, "a whole number, not 'one'", "RESUME SELECTION 'one'")
    refused(modelstore.OptionError, "RESUME SELECTION has no plan to explain", "EXPLAIN RESUME SELECTION 1")
    refused(modelstore.ExtensionSyntaxError, "a statement by itself", "SELECT * FROM (RESUME SELECTION 1)")
    refused(modelstore.ExtensionSyntaxError, "did you mean", "RESUME SELECTON 1")
    refused(modelstore.ExtensionSyntaxError, "expected the selection's id", "RESUME SELECTION")
    stopped.execute("BEGIN")
    refused(modelstore.StoreError, "cannot run inside BEGIN")
    stopped.execute("ROLLBACK")

    kept = [
        row[0]
        for row in stopped.execute("SELECT model FROM selection_stages WHERE action = 'kept'").fetchall()
    ]
    [uri] = stopped.execute("SELECT uri FROM models WHERE name = ?", [kept[0]]).fetchone() or ()
    stopped.execute(f"DROP MODEL {kept[0]}")
    refused(modelstore.NotFoundError, f'its model "{kept[0]}" has been dropped')
    other = next(name for name in TEXT_MODELS if name not in kept)
    [path] = stopped.execute("SELECT uri FROM models WHERE name = ?", [other]).fetchone() or ()
    stopped.execute(f"CREATE MODEL {kept[0]} FROM '{path}'")
    refused(modelstore.StoreError, f'its model "{kept[0]}" has been replaced')
    stopped.execute(f"CREATE OR REPLACE MODEL {kept[0].upper()} FROM '{uri}'")
    refused(
        modelstore.StoreError,
        f'its model "{kept[0]}" has been replaced since it began, by "{kept[0].upper()}"',
    )
    stopped.execute(f"CREATE OR REPLACE MODEL {kept[0]} FROM '{uri}'")
    # A model that the selection has dropped may be dropped from the store.
    stopped.execute(f"DROP MODEL {other}")

    [folder] = (tmp_path / "zoo.db.checkpoints").glob(".selection-*")
    folder.rename(folder.with_name("moved"))
    refused(modelstore.StoreError, r"the run of \".*\" after stage 1 is not in \".*\" any more")
    folder.with_name("moved").rename(folder)

    stopped.execute("CREATE TABLE rows AS FROM dataset_rows.texts")
    stopped.execute("CREATE OR REPLACE DATASET texts AS SELECT * FROM rows")
    refused(modelstore.StoreError, 'its dataset "texts" has been replaced')
    stopped.execute("DROP DATASET texts")
    refused(modelstore.NotFoundError, 'its dataset "texts" has been dropped')
    assert stopped.execute("SELECT status FROM selections").fetchall() == [("stopped",)]


def test_a_selection_that_is_done_is_not_resumed(stopped: Store, tmp_path: Path) -> None:
    [first, _] = stopped.execute("RESUME SELECTION 1").fetchall()
    with pytest.raises(modelstore.StoreError, match=f'selection 1 is done, and its winner is "{first[1]}"'):
        stopped.execute("RESUME SELECTION 1")
    with pytest.raises(modelstore.NotFoundError, match="no selection 2: none is left to be resumed"):
        stopped.execute("RESUME SELECTION 2")
    stopped.close()
    with (
        modelstore.connect(tmp_path / "zoo.db", read_only=True) as store,
        pytest.raises(modelstore.StoreError, match="open read-only"),
    ):
        store.execute("RESUME SELECTION 1")


def test_a_selection_that_runs_in_another_thread_is_not_resumed(zoo: Store) -> None:
    trains, asked = threading.Event(), threading.Event()
    cursor = zoo.cursor()
    thread = threading.Thread(target=lambda: cursor.execute(SELECT))
    with before_each_stage(lambda run: (trains.set(), asked.wait(60))):
        thread.start()
        try:
            assert trains.wait(60)
            with pytest.raises(modelstore.StoreError, match="running now, in another thread"):
                zoo.execute("RESUME SELECTION 1")
        finally:
            asked.set()
            thread.join()
    assert zoo.execute("SELECT status FROM selections").fetchall() == [("done",)]


def test_a_replay_goes_on_where_its_records_ended(recorded: Store) -> None:
    sql = "SELECT BEST MODEL FOR d0 USING brute_force WITH (executor = 'replay', epochs = 4)"
    expected = recorded.execute(sql).fetchall()
    recorded.execute(
        "CREATE TABLE later AS FROM training_curves WHERE dataset = 'd0' AND stage >= 3 AND model = 'b2'"
    )
    recorded.execute("DELETE FROM training_curves WHERE dataset = 'd0' AND stage >= 3 AND model = 'b2'")
    for statement in (sql, "RESUME SELECTION 2"):
        with pytest.raises(modelstore.MissingRecordError, match=r"no point at epoch 3.*; RESUME SELECTION 2"):
            recorded.execute(statement)
    assert recorded.execute("SELECT status, epochs FROM selections WHERE id = 2").fetchone() == ("failed", 16)
    recorded.execute("INSERT INTO training_curves FROM later")
    rows = recorded.execute("RESUME SELECTION 2").fetchall()
    assert [row[:-1] for row in rows] == [row[:-1] for row in expected]
    stages = "SELECT * EXCLUDE (selection) FROM selection_stages WHERE selection = {} ORDER BY rowid"
    assert recorded.execute(stages.format(2)).fetchall() == recorded.execute(stages.format(1)).fetchall()
    cost = "SELECT DISTINCT status, model, epochs, seconds FROM selections"
    assert len(recorded.execute(cost).fetchall()) == 1


def test_a_replay_inside_a_transaction_is_logged_with_it(recorded: Store) -> None:
    sql = "SELECT BEST 2 MODELS FOR d0 USING brute_force WITH (executor = 'replay', epochs = {})"
    recorded.execute("BEGIN")
    recorded.execute(sql.format(4))
    assert recorded.execute("SELECT status FROM selections").fetchall() == [("done",)]
    recorded.execute("ROLLBACK")
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (0,)
    recorded.execute("BEGIN")
    with pytest.raises(modelstore.MissingRecordError, match="no point at epoch 5"):
        recorded.execute(sql.format(5))
    recorded.execute("COMMIT")
    assert recorded.execute("SELECT status FROM selections").fetchall() == [("failed",)]


def test_a_selection_with_a_prior_of_an_earlier_version_goes_on_by_the_normal_one(tmp_path: Path) -> None:
    from modelstore.schema import migrations

    path = tmp_path / "old.db"
    with duckdb.connect(str(path)) as plain:
        plain.execute("CREATE TABLE modelstore_version (version INTEGER)")
        for number, sql in migrations()[:8]:
            register(plain)
            plain.execute(sql)
            plain.execute("INSERT INTO modelstore_version VALUES (?)", [number])
        plain.execute(
            "INSERT INTO training_curves (model, dataset, stage, validation, test, seconds) "
            "SELECT 'm' || m, 'd' || d, stage, m / 10 + stage / 100, m / 10 + stage / 100, 1 "
            "FROM range(4) AS models(m), range(4) AS datasets(d), range(1, 4) AS stages(stage)"
        )
        plain.execute(
            "INSERT INTO benchmark_results (model, dataset, score) "
            "SELECT model, dataset, test FROM training_curves WHERE stage = 3"
        )
        plain.execute("INSERT INTO prior_choices (recipe, target, prior) VALUES ('default', '', 'mean')")
        options = '{"executor": "replay", "epochs": 3, "recall": 2, "prior": "auto"}'
        for key, status in (("one", "stopped"), ("two", "done")):
            plain.execute(
                "INSERT INTO selections (dataset, method, options, status, key, wanted, recorded_as, candidates) "
                "VALUES ('d0', 'two_phase', ?, ?, ?, 1, 'default', ['m0', 'm1', 'm2', 'm3'])",
                [options, status, key],
            )
    with pytest.raises(modelstore.StoreError, match="not a model store of this version: open it once for w"):
        modelstore.connect(path, read_only=True)
    with modelstore.connect(path) as store:
        tables = store.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%prior%'")
        assert tables.fetchone() == (0,)
        store.execute(
            "INSERT INTO proxy_scores (model, dataset, proxy, score) "
            "SELECT DISTINCT model, 'd0', 'leep', -1 FROM benchmark_results"
        )
        [row] = store.execute("RESUME SELECTION 1").fetchall()
        assert row[1] == "m3"
        priors = store.execute("SELECT options ->> '$.prior' FROM selections ORDER BY id").fetchall()
        assert priors == [("normal",), ("auto",)]
    with modelstore.connect(path, read_only=True) as store:
        assert store.execute("SELECT count(*) FROM selections").fetchone() == (2,)


def test_a_selection_of_an_earlier_version_is_not_resumed(tmp_path: Path) -> None:
    from modelstore.schema import migrations

    with duckdb.connect(str(tmp_path / "old.db")) as plain:
        plain.execute(
            "CREATE TABLE modelstore_version (version INTEGER); INSERT INTO modelstore_version VALUES (1)"
        )
        plain.execute(migrations()[0][1])
        plain.execute(
            "INSERT INTO selections (dataset, method, options, status) VALUES ('d', 'm', '{}', 'stopped')"
        )
    with modelstore.connect(tmp_path / "old.db") as store:
        with pytest.raises(modelstore.StoreError, match="of an earlier version of modelstore"):
            store.execute("RESUME SELECTION 1")
        assert store.execute("SELECT id, status FROM selections").fetchall() == [(1, "stopped")]
