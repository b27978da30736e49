"""Selections among models that are known by their records alone, and come from the hub when their turns do."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hub_stub import HubStub
from tiny_models import create_dataset, text_rows
from watched_training import before_each_stage, trained_stages

import modelstore
from modelstore.planner.select.fetching import AHEAD

Store = modelstore.Connection
Copies = Callable[[str], Path]
SELECT = "SELECT BEST MODEL FOR texts"
SHORT = "epochs = 1, learning_rate = 5e-3, batch_size = 16, max_length = 32, device = 'cpu'"
POOLED = f"recipes = ['default', 'paper_nlp'], {SHORT}"


@pytest.fixture(scope="module")
def texts_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store with a dataset, and no model."""
    path = tmp_path_factory.mktemp("texts") / "texts.db"
    with modelstore.connect(path) as store:
        create_dataset(store, "texts", text_rows(60, np.random.default_rng(0)))
    return path


@pytest.fixture(scope="module")
def cache() -> str:
    """The folder of the cache that all tests share."""
    return os.environ["MODELSTORE_CACHE"]


@pytest.fixture
def texts(
    texts_file: Path,
    cache: str,
    opened_copy: Callable[[Path], Store],
    hub: HubStub,
    monkeypatch: pytest.MonkeyPatch,
) -> Store:
    """A store with the dataset ``texts`` and no model, and an empty hub."""
    monkeypatch.setenv("MODELSTORE_CACHE", cache)  # where this machine's speed is remembered
    return opened_copy(texts_file)


def named(*names: str) -> str:
    return f"FROM (VALUES {', '.join(f'({name!r})' for name in names)}) AS candidates(name)"


def record(store: Store, scores: dict[str, float]) -> None:
    """Results of a recipe of public records, the same on each of 30 datasets."""
    store.executemany(
        "INSERT INTO benchmark_results (model, dataset, score, recipe) SELECT ?, 'd' || n, ? - n / 1000, 'paper_nlp' "
        "FROM range(30) AS t(n)",
        list(scores.items()),
    )


def plan(store: Store, sql: str) -> dict[str, str]:
    return {row[0].lstrip("├─└│ "): row[1] for row in store.execute(f"EXPLAIN {sql}").fetchall()}


def outcomes(store: Store) -> dict[str, tuple[str, str | None]]:
    """What became of each model in the first stage."""
    rows = store.execute("SELECT model, action, reason FROM selection_stages WHERE stage = 1").fetchall()
    return {model: (action, reason) for model, action, reason in rows}


def fetched(hub: HubStub) -> set[str]:
    """The repositories that files were asked of."""
    asked = [request.split(" /")[1] for request in hub.requests if "/resolve/" in request]
    return {path.split("/resolve/")[0] for path in asked}


def test_the_recalled_models_are_fetched_registered_and_trained(
    texts: Store, hub: HubStub, model_path: Copies, caplog: pytest.LogCaptureFixture
) -> None:
    scores = {f"owner/bert-{n}": 0.5 + n / 20 for n in range(8)} | {"albert": 0.95}
    for name in scores:
        hub.add(name, model_path("albert" if name == "albert" else "bert"))
    record(texts, scores)
    source = "FROM (SELECT DISTINCT model FROM performance_matrix WHERE recipe = 'paper_nlp')"
    with caplog.at_level("INFO"):
        [row] = texts.execute(f"{SELECT} {source} WITH ({POOLED}, recall = 2)").fetchall()
    assert row[1] in ("albert", "owner/bert-7")
    assert fetched(hub) == {"albert", "owner/bert-7"}
    registered = texts.execute("SELECT name, uri, base FROM models ORDER BY name").fetchall()
    assert registered[0] == ("albert", "hf://albert", None)
    assert ("owner/bert-7", "hf://owner/bert-7", None) in registered
    assert [base for *_, base in registered if base] == [row[1]]
    assert texts.execute("SELECT count(*) FROM benchmark_results WHERE model = 'albert'").fetchone() == (30,)
    [said] = [one for one in caplog.messages if "up to" in one]
    assert said.startswith("up to 2 models, ")
    assert "kB from the hub; " in said
    assert sum("2 candidates are not registered" in one for one in caplog.messages) == 1


def test_a_model_that_recall_ranks_feeds_a_selection(texts: Store, hub: HubStub, model_path: Copies) -> None:
    record(texts, {f"owner/m{n}": 0.5 + n / 20 for n in range(5)})
    hub.add("owner/m4", model_path("bert"))
    on_record = "(SELECT DISTINCT model FROM performance_matrix)"
    recalled = f"(RECALL 1 MODEL FOR texts FROM {on_record} WITH (recipe = 'paper_nlp'))"
    assert texts.execute(f"{SELECT} FROM {recalled} WITH ({SHORT})").fetchall()[0][1] == "owner/m4"


def test_others_train_while_a_model_is_on_its_way(texts: Store, hub: HubStub, model_path: Copies) -> None:
    names = [f"owner/{letter}" for letter in "abcdef"]
    late, *_ = [hub.add(name, model_path("bert")) for name in names]
    late.open.clear()
    ahead: list[int] = []

    def note(run: Any) -> None:
        if not ahead:
            ahead.append(len(fetched(hub) - {run.model}))
            late.open.set()

    with before_each_stage(note), trained_stages() as stages:
        texts.execute(f"{SELECT} {named(*names)} USING brute_force WITH ({SHORT})")
    assert stages[0] == ("owner/b", 1)
    assert sorted(stages) == [(name, 1) for name in names]
    assert ahead[0] <= AHEAD


def test_a_model_that_cannot_be_fetched_or_trained_drops_out_with_its_reason(
    texts: Store, hub: HubStub, model_path: Copies, model_copy: Copies
) -> None:
    with_code = model_copy("bert")
    config = json.loads((with_code / "config.json").read_text())
    (with_code / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "code.Model"}}))
    hub.add("owner/code", with_code)
    hub.add("owner/gated", model_path("bert"), gated=True)
    hub.add("owner/images", model_path("vit"))
    hub.add("owner/good", model_path("bert"))
    names = named("owner/code", "owner/gated", "owner/good", "owner/images", "owner/gone")
    [row] = texts.execute(f"{SELECT} {names} WITH ({SHORT})").fetchall()
    assert row[1] == "owner/good"
    found = outcomes(texts)
    reasons = {model: reason for model, (action, reason) in found.items() if action == "failed"}
    assert set(reasons) == {"owner/code", "owner/gated", "owner/images", "owner/gone"}
    for model, part in {
        "owner/code": "needs Python code of its own",
        "owner/gated": "is gated",
        "owner/images": "is a model of images, and the target's rows are texts",
        "owner/gone": "is not on the hub",
    }.items():
        assert str(reasons[model]).startswith(f"model hf://{model} ")
        assert part in str(reasons[model])
    registered = {name for (name,) in texts.execute("SELECT name FROM models").fetchall()}
    assert registered == {"owner/good", "owner/good-finetuned-texts"}


def test_where_all_fail_one_sentence_says_so(texts: Store) -> None:
    with pytest.raises(
        modelstore.TrainingError, match=r"^none of the models could be trained: model hf://gone is"
    ):
        texts.execute(f"{SELECT} {named('gone', 'owner/gone')} WITH ({SHORT})")
    assert texts.execute("SELECT status FROM selections").fetchone() == ("failed",)


def test_a_name_that_no_repository_can_have_is_no_model_of_the_hub(texts: Store, hub: HubStub) -> None:
    with pytest.raises(modelstore.ModelError, match='the model "my model" has no weights to train'):
        texts.execute(f"{SELECT} {named('my model')} WITH ({SHORT})")
    assert hub.requests == []


def test_a_selection_that_waits_for_a_model_can_be_interrupted_and_resumed(
    texts: Store, hub: HubStub, model_path: Copies
) -> None:
    late = hub.add("owner/late", model_path("bert"))
    hub.add("owner/early", model_path("bert"))
    late.open.clear()

    def interrupt() -> None:
        has_begun.wait(20)
        while "owner/late" not in fetched(hub):
            time.sleep(0.01)
        time.sleep(0.2)  # now nothing trains
        texts.interrupt()

    has_begun = threading.Event()
    interrupting = threading.Thread(target=interrupt, daemon=True)
    with before_each_stage(lambda run: has_begun.set()):
        interrupting.start()
        with pytest.raises(duckdb.InterruptException, match="RESUME SELECTION 1 goes on"):
            texts.execute(f"{SELECT} {named('owner/early', 'owner/late')} USING brute_force WITH ({SHORT})")
    interrupting.join()
    assert [name for (name,) in texts.execute("SELECT name FROM models").fetchall()] == ["owner/early"]
    late.open.set()
    [row] = texts.execute("RESUME SELECTION 1").fetchall()
    assert row[1] in ("owner/early", "owner/late")
    assert set(outcomes(texts)) == {"owner/early", "owner/late"}


def test_a_registered_model_whose_files_were_removed_is_fetched_again(
    texts: Store, hub: HubStub, model_path: Copies, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.add("owner/bert", model_path("bert"))
    hub.add("owner/albert", model_path("albert"))
    for name in ("bert", "albert"):
        texts.execute(f"CREATE MODEL {name} FROM 'hf://owner/{name}'")
    shutil.rmtree(tmp_path / "hub" / "models--owner--bert")
    with caplog.at_level("INFO"):
        texts.execute(f"{SELECT} USING brute_force WITH ({SHORT})")
    assert {action for action, _ in outcomes(texts).values()} == {"won", "dropped"}
    assert sum(message.startswith("up to 1 model, ") for message in caplog.messages) == 1
    assert not any("not registered" in message for message in caplog.messages)


def test_a_winner_whose_run_is_on_record_comes_to_be_trained(
    texts: Store, hub: HubStub, model_path: Copies, tmp_path: Path
) -> None:
    hub.add("owner/bert", model_path("bert"))
    select = f"{SELECT} {named('owner/bert')} WITH ({SHORT})"
    texts.execute(select)
    for name in ("owner/bert", "owner/bert-finetuned-texts"):
        texts.execute("DROP MODEL ?", [name])
    shutil.rmtree(next(tmp_path.glob("*.checkpoints")))
    [row] = texts.execute(select).fetchall()
    assert Path(row[7]).is_dir()
    bases = texts.execute("SELECT name, base FROM models ORDER BY name").fetchall()
    assert bases == [("owner/bert", None), ("owner/bert-finetuned-texts", "owner/bert")]


@pytest.mark.parametrize("option", ["pareto = 'memory'", "pareto = 'parameters'", "latency_weight = 0.1"])
def test_what_costs_count_for_is_registered_first(option: str, texts: Store, hub: HubStub) -> None:
    with pytest.raises(
        modelstore.NotFoundError, match=r"owner/a: known by records alone.*CREATE MODELS FROM"
    ):
        texts.execute(f"SELECT BEST MODEL FOR texts {named('owner/a')} WITH ({option})")
    assert fetched(hub) == set()


def test_many_models_without_results_are_not_fetched_unasked(texts: Store, hub: HubStub) -> None:
    record(texts, {"other": 0.5})
    names = [f"owner/m{n}" for n in range(30)]
    with pytest.raises(modelstore.MissingRecordError) as caught:
        texts.execute(f"{SELECT} {named(*names)} WITH ({SHORT})")
    assert str(caught.value) == (
        "30 of the 30 candidates would be fetched from the hub, and no result of recipe default says which are worth "
        "it: WITH (recipes = ['default', 'paper_nlp']) reads public records, WITH (recall = 30) trains all of "
        "them"
    )
    assert hub.requests == []


def test_the_plan_says_what_is_fetched_and_under_which_licenses(
    texts: Store, hub: HubStub, model_path: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    bytes_ = sum(path.stat().st_size for path in model_path("bert").iterdir())
    record(texts, {f"owner/m{n}": 0.5 + n / 100 for n in range(30)})
    for number in range(26, 30):
        hub.add(
            f"owner/m{number}", model_path("bert"), record={"tags": ["license:mit"] if number < 29 else []}
        )
    source = "FROM (SELECT DISTINCT model FROM performance_matrix)"
    sql = f"{SELECT} {source} WITH ({POOLED}, recall = 5)"
    by_default = plan(texts, f"{SELECT} {source} WITH ({POOLED})")
    assert any("coarse recall · top 10 of 30" in line for line in by_default)
    [(line, cost)] = [item for item in plan(texts, sql).items() if item[0].startswith("from the hub")]
    assert line.startswith(
        "from the hub · 5 of 5 models on record alone; the hub has no owner/m25; licenses: 3 mit, 1 none; "
    )
    assert line.endswith("GB of disk left")
    assert cost == f"{4 * bytes_ / 1e3:.0f} kB"
    assert fetched(hub) == set()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    [(line, cost)] = [item for item in plan(texts, sql).items() if item[0].startswith("from the hub")]
    assert "licenses" not in line
    assert cost == "5 of unknown size"
