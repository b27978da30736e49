"""The examples that read SQLite files of MLflow and Optuna, by their schemas and as installed versions write them."""

import importlib.util
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pages import ROOT

import modelstore
from modelstore.shell.main import main

EXAMPLES = ROOT / "examples"
MLFLOW = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR, lifecycle_stage VARCHAR);
CREATE TABLE runs (run_uuid VARCHAR PRIMARY KEY, name VARCHAR, status VARCHAR, lifecycle_stage VARCHAR,
    experiment_id INTEGER);
CREATE TABLE params (key VARCHAR, value VARCHAR, run_uuid VARCHAR);
CREATE TABLE metrics (key VARCHAR, value FLOAT, timestamp BIGINT, run_uuid VARCHAR, step BIGINT, is_nan BOOLEAN);
INSERT INTO experiments VALUES (0, 'Default', 'active'), (1, 'sst2', 'active');
"""
OPTUNA = """
CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name VARCHAR);
CREATE TABLE study_directions (study_id INTEGER, direction VARCHAR, objective INTEGER);
CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER, state VARCHAR);
CREATE TABLE trial_params (trial_id INTEGER, param_name VARCHAR, param_value FLOAT, distribution_json TEXT);
CREATE TABLE trial_user_attributes (trial_id INTEGER, key VARCHAR, value_json TEXT);
CREATE TABLE trial_values (trial_id INTEGER, objective INTEGER, value FLOAT, value_type VARCHAR);
CREATE TABLE trial_intermediate_values (trial_id INTEGER, step INTEGER, intermediate_value FLOAT,
    intermediate_value_type VARCHAR);
"""
CURVES = "SELECT model, stage, epoch, validation, test, recipe, seed FROM training_curves ORDER BY ALL"
RESULTS = "SELECT model, dataset, score, metric, recipe, seed, epochs FROM benchmark_results ORDER BY ALL"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def copy(source: str, target: str) -> None:
    """Reads an SQLite file as the page says where DuckDB's extension cannot be had."""
    spec = importlib.util.spec_from_file_location("read_sqlite", EXAMPLES / "read_sqlite.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.copy(source, target)


def load(name: str, statements: str, changes: dict[str, str] | None = None) -> int:
    """Runs an example on an SQLite file with these rows, after the user has changed its first lines."""
    text = (EXAMPLES / f"load_{name}.sql").read_text()
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    Path("load.sql").write_text(text)
    for file in ("tracked.sqlite", f"{name}.db"):
        Path(file).unlink(missing_ok=True)
    with closing(sqlite3.connect("tracked.sqlite")) as tracker:
        tracker.executescript(statements)
    copy("tracked.sqlite", f"{name}.db")
    return main(["zoo.db", "-f", "load.sql"])


def rows(sql: str) -> list[tuple]:
    with modelstore.connect("zoo.db") as store:
        return store.execute(sql).fetchall()


def run(
    run: str,
    params: dict[str, object],
    metrics: dict[str, dict[float, float]],
    status: str = "FINISHED",
    stage: str = "active",
    experiment: int = 1,
) -> str:
    """The SQL of a run of MLflow's; metrics by name, then by step."""
    lines = [f"INSERT INTO runs VALUES ('{run}', 'run {run}', '{status}', '{stage}', {experiment});"]
    lines += [f"INSERT INTO params VALUES ('{key}', '{value}', '{run}');" for key, value in params.items()]
    for key, values in metrics.items():
        for time, (step, value) in enumerate(values.items()):
            stored, is_nan = (0, 1) if value != value else (value, 0)
            lines.append(
                f"INSERT INTO metrics VALUES ('{key}', {stored}, {time}, '{run}', {step}, {is_nan});"
            )
    return "\n".join(lines)


def test_mlflow_runs_with_epochs_and_several_evaluation_sets(capsys: pytest.CaptureFixture[str]) -> None:
    bert = {"model": "bert", "dataset": "sst2", "learning_rate": "2e-05", "seed": "1"}
    evaluated = {0: 0.1, 10: 0.6, 20: float("nan"), 30: 0.8}
    tested = {10: 0.55, 30: 0.75}
    epochs = {0: 0.0, 10: 0.5, 20: 1.0, 30: 1.5}
    script = MLFLOW + "\n".join(
        [
            run("a", bert, {"eval_accuracy": evaluated, "test": tested, "epoch": epochs, "loss": {10: 0.4}}),
            run("b", {"model": "gpt2", "learning_rate": "2e-05"}, {"eval_accuracy": {0: 0.7}}),
            run("c", bert | {"seed": "2"}, {"eval_accuracy": {10: float("nan")}, "epoch": {10: 0.5}}),
            run("d", bert, {"eval_accuracy": {10: 0.3}}, status="FAILED"),
            run("e", bert, {"eval_accuracy": {10: 0.2}}, stage="deleted"),
            run("f", bert, {"f1": {10: 0.2}}),
            run("g", {}, {"eval_accuracy": {0: 0.7}}),
        ]
    )
    assert load("mlflow", script) == 0
    recipe = "learning_rate=2e-05"
    assert rows(CURVES) == [("bert", 1, 0.5, 0.6, 0.55, recipe, 1), ("bert", 2, 1.5, 0.8, 0.75, recipe, 1)]
    assert rows("SELECT train_loss FROM training_curves ORDER BY stage") == [(0.4,), (None,)]
    assert rows(
        RESULTS.replace("FROM", "FROM (FROM").replace(" ORDER", " WHERE NOT isnan(score)) ORDER")
    ) == [
        ("bert", "sst2", 0.75, "test", recipe, 1, 1.5),
        ("gpt2", "sst2", 0.7, "eval_accuracy", recipe, None, None),
    ]
    said = capsys.readouterr().out
    for left_out in ("failed", "no model", "no score"):
        assert left_out in said


def test_mlflow_runs_by_steps_need_to_say_where_epochs_begin(capsys: pytest.CaptureFixture[str]) -> None:
    script = MLFLOW + run("a", {"model": "bert"}, {"val_accuracy": {0: 0.5, 1: 0.6, 2: 0.7}})
    assert load("mlflow", script) != 0
    assert "run a has val_accuracy at step 0 and at others" in capsys.readouterr().err
    assert rows(RESULTS) == []
    for first, expected in (("0", [(1, 0.5), (2, 0.6), (3, 0.7)]), ("1", [(1, 0.6), (2, 0.7)])):
        Path("zoo.db").unlink()
        assert load("mlflow", script, {"NULL::INTEGER": first}) == 0
        assert rows("SELECT epoch, validation FROM training_curves ORDER BY stage") == expected
        assert rows("SELECT score FROM benchmark_results") == [(0.7,)]


@pytest.mark.parametrize(
    ("script", "changes", "said"),
    [
        (run("a", {"model": "m"}, {"f1": {0: 0.5}}), {}, "no run has a metric validation or"),
        (run("a", {"m": "m"}, {"accuracy": {0: 0.5}}), {}, "no run has the parameter model; they have m"),
        (
            run("a", {"model": "m", "seed": 1}, {"accuracy": {0: 0.5}})
            + run("b", {"model": "m", "seed": 1}, {"accuracy": {0: 0.6}}),
            {},
            "several runs of recipe mlflow and seed 1, run a, run b",
        ),
        (
            run("a", {"model": "m"}, {"eval_loss": {0: 0.5}}),
            {"'validation',": "'eval_loss',"},
            "eval_loss is less",
        ),
    ],
)
def test_mlflow_runs_that_would_be_misread_are_refused(
    capsys: pytest.CaptureFixture[str], script: str, changes: dict[str, str], said: str
) -> None:
    assert load("mlflow", MLFLOW + script, changes) != 0
    assert said in capsys.readouterr().err
    assert rows(RESULTS) == []


def trial(
    number: int, state: str, value: float | None, reported: dict[int, float], model: str | None = "1.0"
) -> str:
    choices = '{"attributes": {"choices": ["bert", "gpt2"]}}'
    lines = [f"INSERT INTO trials VALUES ({number}, {number}, 1, '{state}');"]
    if model is not None:
        lines.append(f"INSERT INTO trial_params VALUES ({number}, 'model', {model}, '{choices}');")
    lines.append(f"INSERT INTO trial_params VALUES ({number}, 'lr', 1e-5, '{{\"attributes\": {{}}}}');")
    if value is not None:
        lines.append(f"INSERT INTO trial_values VALUES ({number}, 0, {value}, 'FINITE');")
    lines += [
        f"INSERT INTO trial_intermediate_values VALUES ({number}, {step}, {value}, 'FINITE');"
        for step, value in reported.items()
    ]
    return "\n".join(lines)


STUDY = (
    OPTUNA
    + "INSERT INTO studies VALUES (1, 'sst2'); INSERT INTO study_directions VALUES (1, 'MAXIMIZE', 0);"
    + trial(1, "COMPLETE", 0.7, {1: 0.5, 2: 0.7})
    + trial(2, "COMPLETE", 0.8, {1: 0.6, 2: 0.8})
    + trial(3, "PRUNED", 0.9, {1: 0.9})
    + trial(4, "COMPLETE", 0.6, {}, model="0.0")
    + trial(5, "COMPLETE", 0.6, {}, model=None)
)


def test_of_an_optuna_study_the_best_trials_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert load("optuna", STUDY) == 0
    assert rows(RESULTS) == [
        ("bert", "sst2", 0.6, "accuracy", "tuned", None, None),
        ("gpt2", "sst2", 0.8, "accuracy", "tuned", None, 2.0),
    ]
    assert rows("SELECT model, stage, epoch, validation, recipe FROM training_curves ORDER BY ALL") == [
        ("gpt2", 1, 1.0, 0.6, "tuned"),
        ("gpt2", 2, 2.0, 0.8, "tuned"),
    ]
    said = capsys.readouterr().out
    for left_out in ("pruned", "no model", "not the best"):
        assert left_out in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE study_directions SET direction = 'MINIMIZE';", "the study sst2 minimizes its value"),
        (
            "UPDATE trial_params SET param_name = 'm' WHERE param_name <> 'lr';",
            "attribute model; they have lr, m",
        ),
        ("UPDATE trial_intermediate_values SET step = step - 1;", "reports a value at step 0"),
    ],
)
def test_optuna_studies_that_would_be_misread_are_refused(
    capsys: pytest.CaptureFixture[str], change: str, said: str
) -> None:
    assert load("optuna", STUDY + change) != 0
    assert said in capsys.readouterr().err
    assert rows(RESULTS) == []


def of_optuna(path: str) -> None:
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    optuna.logging.disable_default_handler()

    def objective(trial: object) -> float:
        trial.suggest_float("learning_rate", 1e-5, 1e-3)  # type: ignore[attr-defined]
        trial.set_user_attr("model", "bert")  # type: ignore[attr-defined]
        for epoch in (1, 2):
            trial.report(epoch / 4, epoch)  # type: ignore[attr-defined]
        return 0.5

    optuna.create_study(study_name="sst2", storage=f"sqlite:///{path}", direction="maximize").optimize(
        objective, 1
    )


def of_mlflow(path: str) -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    client = mlflow.tracking.MlflowClient(tracking_uri=f"sqlite:///{path}")
    run = client.create_run(client.create_experiment("sst2")).info.run_id
    client.log_param(run, "model", "bert")
    for step, value in ((100, 0.25), (200, 0.5), (300, float("nan"))):
        client.log_metric(run, "eval_accuracy", value, step=step)
        client.log_metric(run, "epoch", step / 100, step=step)
    client.log_metric(run, "test", 0.5, step=200)
    client.set_terminated(run)


@pytest.mark.parametrize(("name", "write"), [("optuna", of_optuna), ("mlflow", of_mlflow)])
def test_files_that_the_trackers_write_are_read(name: str, write: Callable[[str], None]) -> None:
    write("original.db")
    copy("original.db", f"{name}.db")
    assert main(["zoo.db", "-f", str(EXAMPLES / f"load_{name}.sql")]) == 0
    assert rows("SELECT model, dataset, score FROM benchmark_results") == [("bert", "sst2", 0.5)]
    assert rows("SELECT epoch, validation FROM training_curves ORDER BY stage") == [(1.0, 0.25), (2.0, 0.5)]
