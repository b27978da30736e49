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


def test_the_example_loads_a_wide_csv_with_scores_as_people_write_them() -> None:
    Path("matrix.csv").write_text('dataset,bert,gpt2\nsst2,93.2%,-\nelo,"1,234 ± 5",+2\n')
    with loaded("load_wide_csv.sql") as store:
        assert store.execute("SELECT * EXCLUDE recipe FROM performance_matrix ORDER BY ALL").fetchall() == [
            ("bert", "elo", 1234.0),
            ("bert", "sst2", 0.932),
            ("gpt2", "elo", 2.0),
        ]


def evaluation(epoch: float, **scores: float) -> dict[str, float]:
    named = {f"eval_{name}": score for name, score in scores.items()}
    return {"epoch": epoch, "step": round(10 * epoch), "eval_runtime": 1.5, **named}


def logged(epoch: float, loss: float) -> dict[str, float]:
    return {"epoch": epoch, "step": round(10 * epoch), "loss": loss, "learning_rate": 5e-5}


def write_state(folder: str, history: list[dict[str, float]], step: int = 30) -> None:
    path = Path("runs", folder, "trainer_state.json")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"best_metric": None, "global_step": step, "log_history": history}))


def refused(capsys: pytest.CaptureFixture[str], name: str, changes: dict[str, str] | None = None) -> str:
    """What an example says that loads nothing."""
    script = changed(name, changes or {})
    assert main(["zoo.db", "-f", str(script)]) != 0
    with modelstore.connect("zoo.db") as store:
        for table in ("benchmark_results", "training_curves"):
            assert store.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    return capsys.readouterr().err


def changed(name: str, changes: dict[str, str]) -> Path:
    """An example with its first lines as a user would write them."""
    text = (EXAMPLES / name).read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = Path(name)
    path.write_text(text)
    return path


def test_the_example_loads_a_folder_of_trainer_states() -> None:
    for model, accuracies in (("bert", (0.6, 0.8, 0.7)), ("gpt2", (0.5, 0.55))):
        history: list[dict[str, float]] = []
        for epoch, accuracy in enumerate(accuracies, 1):
            history += [logged(epoch - 0.5, 1.0 / epoch), evaluation(epoch, accuracy=accuracy, loss=0.4)]
        history.append(
            {"epoch": float(len(accuracies)), "train_loss": 0.5, "train_runtime": 12.5, "step": 30}
        )
        write_state(f"{model}/sst2", history)
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


def test_trainer_states_in_all_their_kinds() -> None:
    ends = [evaluation(1, accuracy=0.5), evaluation(2, accuracy=0.7)]
    write_state("before/d", [evaluation(0, accuracy=0.9), *ends])
    write_state("often/d", [evaluation(epoch, accuracy=epoch / 3) for epoch in (0.4, 0.8, 1.2, 1.6, 2.0)])
    write_state("checkpoints/d/checkpoint-900", ends[:1], step=900)
    write_state("checkpoints/d/checkpoint-1000", ends, step=1000)
    # The best weights are loaded at the end and evaluated once more.
    write_state(
        "best/d", [evaluation(1, accuracy=0.8), evaluation(2, accuracy=0.6), evaluation(2, accuracy=0.8)]
    )
    write_state("broken/d", [*ends, logged(2.5, float("nan")), evaluation(3, accuracy=float("nan"))])
    with loaded("load_trainer_states.sql") as store:
        points = "SELECT stage, epoch, validation FROM training_curves WHERE model = ? ORDER BY stage"
        for model in ("before", "checkpoints", "broken"):
            assert store.execute(points, [model]).fetchall() == [(1, 1.0, 0.5), (2, 2.0, 0.7)]
        assert store.execute(points, ["best"]).fetchall() == [(1, 1.0, 0.8), (2, 2.0, 0.6)]
        assert [epoch for _, epoch, _ in store.execute(points, ["often"]).fetchall()] == [
            0.4,
            0.8,
            1.2,
            1.6,
            2,
        ]
        assert store.execute("SELECT model, score FROM performance_matrix ORDER BY model").fetchall() == [
            ("before", 0.7),
            ("best", 0.8),
            ("checkpoints", 0.7),
            ("often", pytest.approx(2 / 3)),
        ]
        # A stage of one epoch lies between two points of the run that was evaluated more often.
        rows = store.execute(
            "SELECT model, validation FROM (SELECT BEST 2 MODELS FOR d FROM "
            "(VALUES ('before'), ('often')) AS t(name) USING brute_force "
            "WITH (recipe = 'trainer', executor = 'replay', epochs = 1))"
        ).fetchall()
        assert dict(rows) == {"before": 0.5, "often": pytest.approx(1 / 3)}


def test_trainer_states_without_the_named_metric_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    script = "load_trainer_states.sql"
    default = "['eval_accuracy', 'eval_matthews_correlation']"
    write_state("bert/mnli", [evaluation(1, mm_accuracy=0.8, loss=0.3), evaluation(1, m_accuracy=0.7)])
    said = refused(capsys, script)
    assert "runs/bert/mnli/trainer_state.json has no eval_accuracy or eval_matthews_correlation" in said
    assert "have eval_loss, eval_m_accuracy, eval_mm_accuracy: name one" in said
    assert "eval_loss is less where a model is better" in refused(capsys, script, {default: "['eval_loss']"})
    named = {default: "['eval_mm_accuracy']", "test_metric = NULL::TEXT": "test_metric = 'eval_m_accuracy'"}
    assert main(["zoo.db", "-f", str(changed(script, named))]) == 0
    with modelstore.connect("zoo.db") as store:
        assert store.execute("SELECT validation, test FROM training_curves").fetchall() == [(0.8, 0.7)]
        assert store.execute("SELECT score, metric FROM benchmark_results").fetchall() == [
            (0.7, "m_accuracy")
        ]


@pytest.mark.parametrize(
    ("folder", "history", "said"),
    [
        ("owner/bert/d", [evaluation(1, accuracy=0.5)], "runs/owner/bert/d/trainer_state.json is not where"),
        ("bert/d", [], "runs/bert/d/trainer_state.json has no log_history"),
        ("bert/d", [logged(1, 0.5)], "its evaluations have nothing"),
        (
            "bert/e",
            [evaluation(1, matthews_correlation=0.5)],
            "different metrics, eval_accuracy, eval_matthews",
        ),
    ],
)
def test_a_trainer_state_that_does_not_go_with_the_others_is_refused(
    capsys: pytest.CaptureFixture[str], folder: str, history: list[dict[str, float]], said: str
) -> None:
    write_state("gpt2/e", [evaluation(1, accuracy=0.5)])
    write_state(folder, history)
    assert said in refused(capsys, "load_trainer_states.sql")


LEADERBOARD = """Model,SST-2,,CoLA,Average
,acc,f1,mcc,
bert,93.2%,92.8%,63.59 ± 0.91,-
"<a href='x'>gpt2</a>",94 %,,"-",88
t5,—,1%,+2,"1,234"
"""


def test_the_example_loads_a_leaderboard() -> None:
    Path("leaderboard.csv").write_text(LEADERBOARD)
    with loaded("load_leaderboard.sql") as store:
        assert store.execute(
            "SELECT model, dataset, score, metric FROM benchmark_results ORDER BY ALL"
        ).fetchall() == [
            ("bert", "CoLA", 63.59, "mcc"),
            ("bert", "SST-2", 0.932, "acc"),
            ("gpt2", "SST-2", 0.94, "acc"),
            ("t5", "CoLA", 2.0, "mcc"),
        ]


def test_a_leaderboard_with_its_datasets_in_the_second_row_and_two_scores_a_cell() -> None:
    Path("leaderboard.csv").write_text(
        "Task,x,Sentiment,Acceptability\nModel,Rank,sst2,cola\n"
        "bert,1.2@@1.2,63.59 ± 0.91 / 75.27 ± 0.64@@63.59,-@@-1\ngpt2,2,60.1 ± 0.5 / 70.0 ± 1@@60.1,5 / 6\n"
    )
    changes = {
        "dataset_row = 1": "dataset_row = 2",
        "metric_row = 2": "metric_row = NULL",
        "['SST-2', 'CoLA']": "['sst2', 'cola']",
        "score_part = NULL": "score_part = 1",
    }
    assert main(["zoo.db", "-f", str(changed("load_leaderboard.sql", changes))]) == 0
    with modelstore.connect("zoo.db") as store:
        assert store.execute(
            "SELECT model, dataset, score FROM performance_matrix ORDER BY ALL"
        ).fetchall() == [
            ("bert", "sst2", 63.59),
            ("gpt2", "cola", 5.0),
            ("gpt2", "sst2", 60.1),
        ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("94 %", "94", "on SST-2, some scores have a % sign, and 94 in row 4 has none"),
        ("+2", "about 2", '"about 2" is no score'),
        ("+2", '"0,93"', '"0,93" is no score'),
        ("+2", "5/6", '"5/6" holds 2 scores: say which'),
        (
            "SST-2",
            "SST",
            'no column of leaderboard.csv has the dataset "SST-2" with one of the metrics; the headers',
        ),
        ("t5", "bert", ", in rows 3, 5: settings of one model"),
    ],
)
def test_a_leaderboard_that_would_be_misread_is_refused(
    capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    Path("leaderboard.csv").write_text(LEADERBOARD.replace(old, new))
    assert said in refused(capsys, "load_leaderboard.sql")


TRACKED = """Name,State,model,dataset,learning_rate,seed,eval/accuracy
1,finished,bert,sst2,2e-05,0,0.91
2,crashed,bert,sst2,5e-05,0,0.52
3,finished,bert,sst2,5e-05,0,71%
4,Finished,bert,sst2,2e-05,1,0.93
5,finished,gpt2,sst2,2e-05,,
6,failed,gpt2,sst2,2e-05,,0.2
7,,gpt2,sst2,2e-05,,0.4
"""


def test_the_example_loads_the_finished_runs_of_a_tracker(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs.csv").write_text(TRACKED)
    with loaded("load_tracker.sql") as store:
        said = capsys.readouterr().out
        for left_out in ("crashed", "failed", "no score", "no state"):
            assert left_out in said
        assert store.execute(
            "SELECT model, recipe, score FROM performance_matrix ORDER BY ALL"
        ).fetchall() == [
            ("bert", "lr=2e-05", pytest.approx(0.92)),
            ("bert", "lr=5e-05", 0.71),
        ]


def test_runs_of_a_tracker_that_differ_in_another_setting_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("runs.csv").write_text(TRACKED + "8,finished,bert,sst2,2e-05,1,0.5\n")
    assert "several runs of recipe lr=2e-05 and seed 1, in rows 4, 8" in refused(capsys, "load_tracker.sql")
