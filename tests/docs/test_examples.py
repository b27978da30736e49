"""The recipes of `examples`, run as they are written on small files."""

import json
from pathlib import Path

import pytest
from pages import ROOT

import modelstore
from modelstore.shell.main import main

EXAMPLES = ROOT / "examples"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(name: str) -> modelstore.Connection:
    assert main(["zoo.db", "-f", str(EXAMPLES / name)]) == 0
    return modelstore.connect("zoo.db")


def test_the_example_loads_a_wide_csv() -> None:
    Path("matrix.csv").write_text(
        "dataset,bert,roberta,vit\nsst2,0.91,0.94,\ncola,0.52,0.6,0.2\nmnli,0.8,0.85,0.3\n"
    )
    with loaded("load_wide_csv.sql") as store:
        assert store.execute(
            "SELECT model, dataset, score FROM performance_matrix WHERE dataset = 'sst2' ORDER BY ALL"
        ).fetchall() == [("bert", "sst2", 0.91), ("roberta", "sst2", 0.94)]
        assert store.execute("SELECT count(*) FROM model_clusters").fetchall() == [(3,)]


def test_the_example_loads_a_long_csv() -> None:
    Path("results.csv").write_text(
        "model,dataset,accuracy,seed,epochs,minutes\nbert,sst2,0.9,0,3,2\nbert,sst2,0.8,1,3,2.5\n"
    )
    Path("curves.csv").write_text(
        "model,dataset,epoch,validation,test\nbert,sst2,1,0.7,0.6\nbert,sst2,0.5,0.5,\n"
    )
    with loaded("load_long_csv.sql") as store:
        assert store.execute("SELECT score FROM performance_matrix").fetchall() == [(pytest.approx(0.85),)]
        assert store.execute("SELECT sum(seconds) FROM benchmark_results").fetchall() == [(270.0,)]
        assert store.execute(
            "SELECT stage, epoch, validation, test FROM training_curves ORDER BY stage"
        ).fetchall() == [(1, 0.5, 0.5, None), (2, 1.0, 0.7, 0.6)]


def test_the_example_loads_folders_of_parquet() -> None:
    for folder in ("results", "curves"):
        Path(folder).mkdir()
    with modelstore.connect() as writer:
        writer.execute(
            "COPY (SELECT 'a' AS model, 'd' AS dataset, 0.5 AS score) TO 'results/1.parquet';"
            "COPY (SELECT 0.7 AS score, 'b' AS model, 'd' AS dataset, 4 AS seed) TO 'results/2.parquet';"
            "COPY (SELECT 'a' AS model, 'd' AS dataset, 1 AS stage, 0.4 AS validation) TO 'curves/1.parquet'"
        )
    with loaded("load_parquet.sql") as store:
        assert store.execute(
            "SELECT model, score, seed, recipe FROM benchmark_results ORDER BY model"
        ).fetchall() == [("a", 0.5, None, "default"), ("b", 0.7, 4, "default")]
        assert store.execute("SELECT model, stage, validation FROM training_curves").fetchall() == [
            ("a", 1, 0.4)
        ]


def test_the_example_loads_a_folder_of_trainer_states() -> None:
    for model, accuracies in (("bert", (0.6, 0.8, 0.7)), ("gpt2", (0.5, 0.55))):
        history: list[dict[str, float]] = []
        for epoch, accuracy in enumerate(accuracies, 1):
            history.append(
                {"epoch": epoch - 0.5, "loss": 1.0 / epoch, "learning_rate": 5e-5, "step": epoch * 10 - 5}
            )
            history.append(
                {"epoch": float(epoch), "eval_accuracy": accuracy, "eval_loss": 0.4, "step": epoch * 10}
            )
        history.append(
            {"epoch": float(len(accuracies)), "train_loss": 0.5, "train_runtime": 12.5, "step": 30}
        )
        path = Path("runs", model, "sst2", "trainer_state.json")
        path.parent.mkdir(parents=True)
        path.write_text(
            json.dumps({"best_metric": max(accuracies), "global_step": 30, "log_history": history})
        )
    with loaded("load_trainer_states.sql") as store:
        assert store.execute(
            "SELECT stage, epoch, validation, train_loss FROM training_curves WHERE model = 'bert' ORDER BY stage"
        ).fetchall() == [(1, 1.0, 0.6, 1.0), (2, 2.0, 0.8, 0.5), (3, 3.0, 0.7, pytest.approx(1 / 3))]
        assert store.execute(
            "SELECT model, dataset, score, epochs, seconds FROM benchmark_results ORDER BY model"
        ).fetchall() == [("bert", "sst2", 0.7, 3.0, 12.5), ("gpt2", "sst2", 0.55, 2.0, 12.5)]
        # What is loaded is enough for a selection to be replayed on.
        [(model,)] = store.execute(
            "SELECT model FROM (SELECT BEST MODEL FOR sst2 USING brute_force "
            "WITH (recipe = 'trainer', executor = 'replay', epochs = 2))"
        ).fetchall()
        assert model == "bert"
