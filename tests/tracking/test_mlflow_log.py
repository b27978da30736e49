"""A real MLflow store holds what a selection and a benchmark did."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import modelstore
from modelstore.events import PairBenchmarked, SelectionBegan, SelectionEnded
from modelstore.records import CurvePoint

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("alembic", reason="MLflow's database store needs it")
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture(scope="module")
def client(uri: str) -> Any:
    return mlflow.tracking.MlflowClient(tracking_uri=uri)


@pytest.fixture
def store(recorded_file: Path, tmp_path: Path, uri: str) -> Iterator[modelstore.Connection]:
    (tmp_path / "zoo.db").write_bytes(recorded_file.read_bytes())
    with modelstore.connect(tmp_path / "zoo.db", tracking=f"mlflow:{uri}") as connection:
        yield connection


def runs_of(client: Any, dataset: str) -> list[Any]:
    experiment = client.get_experiment_by_name(f"modelstore/{dataset}")
    return list(client.search_runs([experiment.experiment_id]))


def test_a_selection_is_a_run_with_a_run_for_each_model(store: modelstore.Connection, client: Any) -> None:
    store.execute("SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 2)")
    row = dict(zip([column[0] for column in store.description or ()], store.fetchone() or (), strict=True))
    stages = store.execute("SELECT model, max(stage) FROM selection_stages GROUP BY model").fetchall()
    store._tracker.flush(60)  # type: ignore[union-attr]
    runs = runs_of(client, "d0")
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.run_name == f"selection {row['selection']}"
    assert parent.info.status == "FINISHED"
    assert (parent.data.params["executor"], parent.data.params["epochs"]) == ("replay", "2")
    assert parent.data.metrics["validation"] == row["validation"]
    assert parent.data.tags["modelstore.model"] == row["model"]
    models = {run.data.params["model"]: run for run in runs if run is not parent}
    assert models.keys() == {model for model, _ in stages}
    for model, last in stages:
        assert models[model].data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert models[model].info.status == "FINISHED"
        points = client.get_metric_history(models[model].info.run_id, "validation")
        assert [point.step for point in points] == list(range(1, last + 1))
    assert models[row["model"]].data.tags["modelstore.action"] == "won"


def test_a_resumed_selection_goes_on_in_its_runs(store: modelstore.Connection, client: Any) -> None:
    select = "SELECT BEST MODEL FOR d1 USING brute_force WITH (executor = 'replay', epochs = 2)"
    missing = "FROM training_curves WHERE model = 'c1' AND dataset = 'd1' AND stage > 1"
    store.execute(f"CREATE TABLE taken AS {missing}; DELETE {missing}")
    with pytest.raises(modelstore.MissingRecordError):
        store.execute(select)
    store._tracker.flush(60)  # type: ignore[union-attr]
    [parent] = [run for run in runs_of(client, "d1") if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.status == "FAILED"
    store.execute("INSERT INTO training_curves FROM taken")
    [(number,)] = store.execute("SELECT max(id) FROM selections").fetchall()
    store.execute(f"RESUME SELECTION {number}")
    store._tracker.flush(60)  # type: ignore[union-attr]
    runs = runs_of(client, "d1")
    [again] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert (again.info.run_id, again.info.status) == (parent.info.run_id, "FINISHED")
    models = [run.data.params["model"] for run in runs if run is not again]
    assert len(models) == len({*models}) == 8


def test_the_winners_cards_are_artifacts(uri: str, client: Any, tmp_path: Path) -> None:
    from modelstore.tracking.mlflow_log import MlflowLog

    client.create_experiment("modelstore/cards", artifact_location=(tmp_path / "artifacts").as_uri())
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "README.md").write_text("# größer", encoding="utf-8")
    log = MlflowLog(uri)
    log(SelectionBegan(1, "key", "cards", "accuracy", "brute_force", {}, {}))
    checkpoints = [None, str(tmp_path / "second"), str(tmp_path / "vote.json")]
    log(SelectionEnded("done", winners=[{"model": "bert", "checkpoint": one} for one in checkpoints]))
    [run] = runs_of(client, "cards")
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["winner-2"]
    card = client.download_artifacts(run.info.run_id, "winner-2/README.md")
    assert Path(card).read_text(encoding="utf-8") == "# größer"


def test_a_benchmarked_pair_is_a_run(uri: str, client: Any) -> None:
    from modelstore.tracking.mlflow_log import MlflowLog

    log = MlflowLog(uri)
    curve = [
        CurvePoint(1, 0.5, 0.6, 0.5, float("nan"), 2.0),
        CurvePoint(2, 1.0, 0.7, 0.6, 0.3, 2.0, 0.0, 5e-5),
    ]
    options = {"epochs": 1, "tuning": "x" * 9000, "stages": None}
    log(PairBenchmarked("bert", "t", "default", 3, "accuracy", options, curve, 0.6))
    log(PairBenchmarked("gpt", "t", "default", 3, "accuracy", {}, reason="memory ran out"))
    runs = {run.info.run_name: run for run in runs_of(client, "t")}
    assert runs["bert"].data.metrics["score"] == 0.6
    assert runs["bert"].data.params["seed"] == "3"
    assert [p.value for p in client.get_metric_history(runs["bert"].info.run_id, "train_loss")] == [0.3]
    assert (runs["gpt"].info.status, runs["gpt"].data.tags["modelstore.reason"]) == (
        "FAILED",
        "memory ran out",
    )
