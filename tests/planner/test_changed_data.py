"""Data and weights that have changed under their name are trained on by nobody until they are registered again."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tiny_models import TINY, TINY_STAGES, image_rows, text_rows
from tqdm import tqdm
from watched_training import interrupted_training, trained_stages

import modelstore
from modelstore.progress import shown_by

Store = modelstore.Connection
ONE = "FROM (FROM models WHERE name = 'bert')"
SELECT = f"SELECT BEST MODEL FOR d {ONE} USING brute_force WITH ({TINY_STAGES})"
BENCHMARK = f"BENCHMARK MODELS {ONE} ON d WITH ({TINY}, device = 'cpu')"
RECALL = f"RECALL 1 MODELS FOR d {ONE} USING logme"
CHANGED = "has changed|have changed"


def write_csv(path: Path, seed: int) -> None:
    rows = text_rows(60, np.random.default_rng(seed)).to_pylist()
    path.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_csv(tmp_path / "rows.csv", seed=0)
    return tmp_path / "rows.csv"


@pytest.fixture
def registered(zoo: Store, file: Path) -> Store:
    zoo.execute(f"CREATE DATASET d FROM '{file}'")
    return zoo


def notices(store: Store, statement: str) -> tuple[list[Any], list[str]]:
    said: list[str] = []
    display = SimpleNamespace(
        notify=said.append,
        emit=lambda event: None,
        bar=lambda total, description, unit: tqdm(total=total, disable=True),
    )
    with shown_by(display):  # type: ignore[arg-type]
        return store.execute(statement).fetchall(), said


def change_one_label(path: Path) -> None:
    """The file keeps its size."""
    text = path.read_text().rstrip()
    path.write_text(f"{text[:-1]}{1 - int(text[-1])}\n")


@pytest.mark.parametrize("statement", [SELECT, BENCHMARK, RECALL, "EXPLAIN " + SELECT])
@pytest.mark.parametrize("change", [lambda path: write_csv(path, 1), change_one_label])
def test_a_file_that_changed_is_refused_until_it_is_registered_again(
    statement: str, change: Callable[[Path], None], registered: Store, file: Path
) -> None:
    change(file)
    with trained_stages() as trained, pytest.raises(modelstore.DatasetError, match=CHANGED) as caught:
        registered.execute(statement)
    assert "CREATE OR REPLACE DATASET" in str(caught.value)
    assert trained == []
    registered.execute(f"CREATE OR REPLACE DATASET d FROM '{file}'")
    registered.execute(statement)


def test_a_file_that_was_only_touched_or_has_its_rows_in_another_order_is_the_same(
    registered: Store, file: Path
) -> None:
    registered.execute(BENCHMARK)
    os.utime(file, (0, 0))
    assert registered.execute(BENCHMARK).fetchall()[0][-1] == "skipped"
    head, *rows = file.read_text().splitlines()
    file.write_text("\n".join([head, *reversed(rows)]) + "\n")
    assert registered.execute(BENCHMARK).fetchall()[0][-1] == "skipped"


def test_rows_in_the_store_that_an_update_changed_are_refused(zoo: Store) -> None:
    zoo.execute(BENCHMARK.replace("ON d", "ON texts"))
    zoo.execute("UPDATE dataset_rows.\"texts\" SET text = text || ' good' WHERE rowid = 3")
    for statement in (BENCHMARK, SELECT, RECALL):
        with pytest.raises(modelstore.DatasetError, match="have changed"):
            zoo.execute(statement.replace("ON d", "ON texts").replace("FOR d", "FOR texts"))


def test_tables_below_a_query_may_change_as_the_store_has_its_own_copy(zoo: Store) -> None:
    zoo.execute("CREATE TABLE t AS FROM dataset_rows.texts; CREATE VIEW v AS FROM t")
    zoo.execute("CREATE DATASET d AS SELECT text, label FROM v")
    zoo.execute(BENCHMARK)
    zoo.execute("DELETE FROM t WHERE rowid % 2 = 0")
    assert zoo.execute(BENCHMARK).fetchall()[0][-1] == "skipped"


def test_records_of_other_rows_are_not_reused_which_is_said_once(registered: Store, file: Path) -> None:
    registered.execute(BENCHMARK)
    registered.execute(f"CREATE OR REPLACE DATASET d FROM '{file}'")
    with trained_stages() as trained:
        assert registered.execute(BENCHMARK).fetchall()[0][-1] == "skipped"  # the same rows
    assert trained == []
    write_csv(file, seed=1)
    registered.execute(f"CREATE OR REPLACE DATASET d FROM '{file}'")
    rows, said = notices(registered, BENCHMARK)
    assert rows[0][-1] == "done"
    assert [one for one in said if "bert on d" in one and "not reused" in one] == said
    assert registered.execute("SELECT count(*) FROM benchmark_results WHERE dataset = 'd'").fetchone() == (1,)
    assert notices(registered, BENCHMARK)[0][0][-1] == "skipped"


def test_a_selection_reuses_no_run_and_no_winner_of_other_rows(registered: Store, file: Path) -> None:
    [first] = registered.execute(SELECT).fetchall()
    with trained_stages() as trained:
        registered.execute(SELECT)
    assert trained == []
    write_csv(file, seed=1)
    registered.execute(f"CREATE OR REPLACE DATASET d FROM '{file}'")
    with trained_stages() as trained:
        [second] = registered.execute(SELECT).fetchall()
    assert len(trained) == 4
    assert second[7] != first[7]
    with trained_stages() as trained:
        [third] = registered.execute(SELECT).fetchall()
    assert (trained, third[7]) == ([], second[7])


def test_a_stopped_selection_does_not_go_on_with_other_rows(registered: Store, file: Path) -> None:
    with interrupted_training(lambda run: len(run.curve) == 1):
        registered.execute(SELECT)
    before = file.read_bytes()
    write_csv(file, seed=1)
    with trained_stages() as trained, pytest.raises(modelstore.StoreError, match="cannot go on") as caught:
        registered.execute("RESUME SELECTION 1")
    assert trained == []
    assert "run SELECT BEST again" in str(caught.value)
    file.write_bytes(before)
    registered.execute("RESUME SELECTION 1")
    assert registered.execute("SELECT status FROM selections").fetchall() == [("done",)]


def test_images_that_changed_under_the_same_paths_are_refused(zoo: Store, tmp_path: Path) -> None:
    rows = image_rows(40, np.random.default_rng(0)).to_pylist()
    other = image_rows(40, np.random.default_rng(1))["image"].to_pylist()
    lines = []
    for number, row in enumerate(rows):
        (tmp_path / f"{number}.png").write_bytes(row["image"])
        lines.append(f"('{tmp_path}/{number}.png', '{row['label']}')")
    zoo.execute(f"CREATE DATASET d AS SELECT * FROM (VALUES {', '.join(lines)}) t(image, label)")
    benchmark = BENCHMARK.replace("'bert'", "'vit'")
    zoo.execute(benchmark)
    (tmp_path / "3.png").touch()
    assert zoo.execute(benchmark).fetchall()[0][-1] == "skipped"
    (tmp_path / "3.png").write_bytes(other[3])
    with pytest.raises(modelstore.DatasetError, match="images of the dataset"):
        zoo.execute(benchmark)


def copy_of(kind: str, zoo: Store, model_copy: Callable[[str], Path]) -> Path:
    path = model_copy(kind)
    zoo.execute(f"CREATE OR REPLACE MODEL bert FROM '{path}'")
    return path


def other_weights(path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = path / "model.safetensors"
    tensors = {name: value + 0.01 for name, value in load_file(file).items()}
    save_file(tensors, file, {"format": "pt"})


def test_weights_that_changed_are_not_trained_and_their_records_not_reused(
    registered: Store, model_copy: Callable[[str], Path]
) -> None:
    path = copy_of("bert", registered, model_copy)
    registered.execute(BENCHMARK)
    os.utime(path / "model.safetensors", (0, 0))
    assert registered.execute(BENCHMARK).fetchall()[0][-1] == "skipped"
    other_weights(path)
    assert registered.execute(BENCHMARK).fetchall()[0][-1] == "failed"
    [(reason,)] = registered.execute("SELECT reason FROM benchmark_failures").fetchall()
    assert "have changed since it was registered: CREATE OR REPLACE MODEL" in reason
    with pytest.raises(modelstore.TrainingError, match="have changed"):
        registered.execute(SELECT)
    with pytest.raises(modelstore.TrainingError, match="have changed"):
        registered.execute(RECALL)
    registered.execute(f"CREATE OR REPLACE MODEL bert FROM '{path}'")
    assert registered.execute(BENCHMARK).fetchall()[0][-1] == "done"
    assert registered.execute(BENCHMARK).fetchall()[0][-1] == "skipped"


def test_a_stopped_selection_does_not_go_on_with_other_weights(
    registered: Store, model_copy: Callable[[str], Path]
) -> None:
    path = copy_of("bert", registered, model_copy)
    with interrupted_training(lambda run: len(run.curve) == 1):
        registered.execute(SELECT)
    other_weights(path)
    with pytest.raises(modelstore.StoreError, match=r"cannot go on.*bert.*have changed"):
        registered.execute("RESUME SELECTION 1")


def test_nothing_is_kept_of_what_had_another_spelling(registered: Store, file: Path) -> None:
    [(uri,)] = registered.execute("SELECT uri FROM models WHERE name = 'bert'").fetchall()
    registered.execute(f"CREATE OR REPLACE MODEL BERT FROM '{uri}'")
    registered.execute(f"CREATE OR REPLACE DATASET D FROM '{file}'")
    known = "SELECT name FROM fingerprints WHERE lower(name) IN ('bert', 'd') ORDER BY name"
    assert registered.execute(known).fetchall() == [("BERT",), ("D",)]
    registered.execute("DROP MODEL bert; DROP DATASET d")
    assert registered.execute(known).fetchall() == []


def test_records_that_were_loaded_count_as_before(registered: Store) -> None:
    registered.execute(BENCHMARK)
    [(recipe, seed)] = registered.execute("SELECT recipe, seed FROM benchmark_results").fetchall()
    registered.execute(
        "INSERT INTO benchmark_results (model, dataset, score, recipe, seed) VALUES ('albert', 'd', 0.5, ?, ?)",
        [recipe, seed],
    )
    albert = BENCHMARK.replace("'bert'", "'albert'")
    assert registered.execute(albert).fetchall()[0][-1] == "skipped"


def test_a_store_open_for_reading_alone_can_still_score(registered: Store, tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    registered.execute("DELETE FROM fingerprints")
    registered.close()
    with modelstore.connect(path, read_only=True) as store:
        store.execute(RECALL)
