"""`BENCHMARK` run again after a stop: the pair under way goes on from its last stage, with the same result."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_models import TINY_STAGES, create_text_dataset
from tqdm import tqdm
from watched_training import before_each_stage, interrupted_training, trained_stages

import modelstore
from modelstore.planner.benchmark import checkpoint, training
from modelstore.training.finetune import FineTuning

Store = modelstore.Connection
RUN = f"BENCHMARK MODELS ON texts WITH ({TINY_STAGES}{{}})"
CURVE = "SELECT seed, stage, epoch, validation, test, train_loss FROM training_curves ORDER BY ALL"


@pytest.fixture
def zoo(store: Store, model_copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Store:
    """One model and one dataset; runs are saved however short their stages are."""
    monkeypatch.setattr(checkpoint, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "TIMES_WRITING", 0.0)
    store.execute(f"CREATE MODEL bert FROM '{model_copy('bert')}'")
    create_text_dataset(store, "texts", 120, 0)
    return store


def interrupt(store: Store, sql: str, after: int = 2) -> None:
    """Runs the benchmark to the end of a stage, and stops it in the next one."""
    with interrupted_training(lambda run: len(run.curve) == after):
        store.execute(sql)


def stages_of(store: Store, sql: str) -> list[int]:
    """Runs the benchmark to its end: the stages that it trains."""
    with trained_stages() as trained:
        assert [row[6] for row in store.execute(sql).fetchall()] == ["done"]
    return [stage for _, stage in trained]


def saved(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("zoo.db.checkpoints/.benchmark-*/*"))


def straight(store: Store) -> list[Any]:
    """What is on record, after it was done once more from its beginning."""
    store.execute("DELETE FROM benchmark_results; DELETE FROM training_curves")
    assert stages_of(store, RUN.format("")) == [1, 2, 3, 4]
    return store.execute(CURVE).fetchall()


def test_a_stopped_pair_ends_with_the_result_of_an_undisturbed_run(zoo: Store, tmp_path: Path) -> None:
    interrupt(zoo, RUN.format(""))
    assert len(saved(tmp_path)) == 1
    assert stages_of(zoo, RUN.format("")) == [3, 4]
    assert not list(tmp_path.glob("zoo.db.checkpoints/.*"))
    curve = zoo.execute(CURVE).fetchall()
    [(score, seconds, of_stages)] = zoo.execute(
        "SELECT r.score, r.seconds, sum(c.seconds) FROM benchmark_results r, training_curves c GROUP BY ALL"
    ).fetchall()
    assert score == curve[-1][4]
    assert seconds == pytest.approx(of_stages)
    assert curve == straight(zoo)


def test_a_pair_with_another_seed_has_a_checkpoint_of_its_own(zoo: Store, tmp_path: Path) -> None:
    interrupt(zoo, RUN.format(""))
    assert stages_of(zoo, RUN.format(", seed = 1")) == [1, 2, 3, 4]
    assert len(saved(tmp_path)) == 1
    assert stages_of(zoo, RUN.format("")) == [3, 4]
    assert not saved(tmp_path)


@pytest.mark.parametrize("changed", ["dataset", "weights", "stages"])
def test_a_changed_pair_starts_again_from_the_beginning(zoo: Store, tmp_path: Path, changed: str) -> None:
    interrupt(zoo, RUN.format(""))
    sql = RUN.format("")
    if changed == "dataset":
        create_text_dataset(zoo, "texts", 120, 1)
    elif changed == "weights":
        [(uri,)] = zoo.execute("SELECT uri FROM models").fetchall()
        (Path(uri) / "model.safetensors").touch()
    else:
        sql = sql.replace("stages_per_epoch = 2", "stages_per_epoch = 3")
    assert stages_of(zoo, sql) == list(range(1, 7 if changed == "stages" else 5))
    assert not saved(tmp_path)
    if changed != "stages":
        assert zoo.execute(CURVE).fetchall() == straight(zoo)


def test_an_unreadable_checkpoint_starts_the_pair_again_from_the_beginning(
    zoo: Store, tmp_path: Path
) -> None:
    interrupt(zoo, RUN.format(""))
    [file] = saved(tmp_path)
    file.write_bytes(file.read_bytes()[:1000])
    assert stages_of(zoo, RUN.format("")) == [1, 2, 3, 4]
    assert not saved(tmp_path)
    assert zoo.execute(CURVE).fetchall() == straight(zoo)


def test_a_full_disk_does_not_fail_a_pair(
    zoo: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(self: FineTuning, path: Path) -> None:
        raise OSError(28, "No space left on device")

    said: list[str] = []
    monkeypatch.setattr(FineTuning, "save_state", full)
    monkeypatch.setattr(checkpoint, "notify", said.append)
    assert stages_of(zoo, RUN.format("")) == [1, 2, 3, 4]
    assert not list(tmp_path.glob("zoo.db.checkpoints/.*"))
    [message] = said
    assert re.fullmatch(
        r'bert on texts cannot be kept in ".*", and goes on without: No space left on device', message
    )


def test_a_failed_pair_leaves_no_checkpoint(
    zoo: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    interrupt(zoo, RUN.format(""))

    def failing(self: FineTuning, *arguments: Any, **options: Any) -> Any:
        raise modelstore.TrainingError("diverged")

    monkeypatch.setattr(FineTuning, "advance", failing)
    assert [row[6] for row in zoo.execute(RUN.format("")).fetchall()] == ["failed"]
    assert not saved(tmp_path)


def test_a_pair_recorded_before_a_kill_leaves_no_checkpoint(zoo: Store, tmp_path: Path) -> None:
    interrupt(zoo, RUN.format(""))
    zoo.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe, seed) VALUES ('bert', 'texts', 1, 'tiny', 0)"
    )
    assert [row[6] for row in zoo.execute(RUN.format("")).fetchall()] == ["skipped"]
    assert not saved(tmp_path)


def test_short_stages_are_not_saved(zoo: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkpoint, "LEAST_SECONDS", 1000.0)
    interrupt(zoo, RUN.format(""))
    assert not saved(tmp_path)
    assert stages_of(zoo, RUN.format("")) == [1, 2, 3, 4]


def test_progress_starts_at_the_saved_stages(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(zoo, RUN.format(""))
    bar = tqdm(file=io.StringIO())
    done: list[int] = []
    monkeypatch.setattr(training, "progress", lambda *arguments: bar)
    with before_each_stage(lambda run: done.append(bar.n)):
        zoo.execute(RUN.format(""))
    assert done == [6, 9]  # of twelve batches, in four stages
    assert bar.n == 12
