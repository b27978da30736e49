"""`CREATE MODELS` and `CREATE DATASETS`: a row for each, whatever becomes of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import torch
from hub_stub import HubStub
from safetensors.torch import load_file

import modelstore
from modelstore.data.hub import resolve_model
from modelstore.planner.catalog import many
from modelstore.planner.contents import UNKNOWN, fault_of_model, origin_of

Store = modelstore.Connection
Paths = Callable[[str], Path]
CARD = "---\nlicense: mit\nlanguage: de\ntags: [bert]\nbase_model: google-bert/bert\n---\n# A model\n"


def folders(path: Path, model_path: Paths, *kinds: str) -> str:
    """A relation of the folders of models."""
    for kind in kinds:
        (path / kind).symlink_to(model_path(kind))
    return f"(SELECT parse_dirpath(file) AS uri FROM glob('{path}/*/config.json') ORDER BY ALL)"


def serve(hub: HubStub, name: str, path: Path, **record: Any) -> None:
    """Serves a model, with the hub's count of its parameters."""
    count = sum(
        tensor.numel()
        for tensor in load_file(path / "model.safetensors").values()
        if tensor.is_floating_point()
    )
    hub.add(name, path, record={"safetensors": {"parameters": {"F32": count}, "total": count}} | record)


def listed(*uris: str) -> str:
    return f"(SELECT unnest({list(uris)}) AS uri)"


def test_folders_are_registered_by_their_names(store: Store, model_path: Paths, tmp_path: Path) -> None:
    relation = folders(tmp_path, model_path, "bert", "vit")
    rows = store.execute(f"CREATE MODELS FROM {relation}").fetchall()
    assert rows == [("bert", "created", None), ("vit", "created", None)]
    store.execute(f"CREATE MODEL alone FROM '{model_path('bert')}'")
    described = "SELECT * EXCLUDE (name, uri, created_at) FROM models WHERE name = ?"
    assert store.execute(described, ["bert"]).fetchall() == store.execute(described, ["alone"]).fetchall()


def test_rows_that_fail_say_why_and_the_others_are_registered(
    store: Store, model_path: Paths, tmp_path: Path
) -> None:
    store.execute(
        f"""CREATE TABLE wanted AS FROM (VALUES
        ('{model_path("bert")}', 'a'), ('{model_path("vit")}', 'A'), ('{tmp_path}', 'b'), (NULL, 'c'), ('', NULL),
        ('hf://', NULL), ('/', NULL), ('no/such/folder/', NULL), ('{model_path("bert")}', 'd')) t(URI, Name)"""
    )
    rows = store.execute("CREATE MODELS FROM wanted").fetchall()
    assert [(name, status) for name, status, _ in rows] == [
        ("a", "created"),
        ("A", "failed"),
        ("b", "failed"),
        ("c", "failed"),
        ("", "failed"),
        ("hf://", "failed"),
        ("/", "failed"),
        ("folder", "failed"),
        ("d", "created"),
    ]
    reasons = [reason for _, status, reason in rows if status == "failed"]
    assert reasons[0] == 'the relation has the name "A" before: give each row its own by a column name'
    assert "has no config.json" in reasons[1]
    assert reasons[2] == "its uri is NULL or empty"
    assert "no name" in reasons[4]
    assert "does not exist" in reasons[6]
    assert store.execute("SELECT name FROM models ORDER BY ALL").fetchall() == [("a",), ("d",)]


def test_names_that_are_taken_stay_are_replaced_or_fail(
    store: Store, model_path: Paths, tmp_path: Path
) -> None:
    relation = folders(tmp_path, model_path, "bert")
    store.execute(f"CREATE MODELS FROM {relation}")
    store.execute("INSERT INTO proxy_scores (model, dataset, proxy, score) VALUES ('bert', 'd', 'leep', -1)")
    (tmp_path / "vit").symlink_to(model_path("vit"))
    assert store.execute(f"CREATE MODELS IF NOT EXISTS FROM {relation}").fetchall() == [
        ("bert", "exists", None),
        ("vit", "created", None),
    ]
    assert store.execute(f"CREATE MODELS FROM {relation}").fetchall() == [
        (
            name,
            "failed",
            f'there is a model "{name}" already: use CREATE OR REPLACE MODELS, or CREATE MODELS IF NOT EXISTS',
        )
        for name in ("bert", "vit")
    ]
    assert store.execute("SELECT count(*) FROM proxy_scores").fetchone() == (1,)
    rows = store.execute(
        f"CREATE OR REPLACE MODELS FROM (SELECT uri, 'BERT' AS name FROM {relation} LIMIT 1)"
    )
    assert rows.fetchall() == [("BERT", "replaced", None)]
    assert store.execute("SELECT name FROM models ORDER BY ALL").fetchall() == [("BERT",), ("vit",)]
    assert store.execute("SELECT count(*) FROM proxy_scores").fetchone() == (0,)


def test_the_relation_is_any(store: Store, model_path: Paths, tmp_path: Path) -> None:
    file = tmp_path / "wanted.csv"
    file.write_text(f"uri,name\n{model_path('bert')},from a file\n")
    for query in (
        f"CREATE MODELS FROM '{file}'",
        f"CREATE MODELS FROM (WITH t AS (SELECT '{model_path('bert')}' AS uri, 'common' AS name) FROM t)",
        "CREATE MODELS FROM (SELECT $uri AS uri, 'given' AS name)",
        "CREATE MODELS FROM (SELECT name AS model, uri, name || ' again' AS name FROM models WHERE name = 'given')",
    ):
        parameters = {"uri": str(model_path("bert"))} if "$" in query else None
        assert store.execute(query, parameters).fetchall()[0][1] == "created"
    assert store.execute("SELECT name FROM models ORDER BY ALL").fetchall() == [
        ("common",),
        ("from a file",),
        ("given",),
        ("given again",),
    ]
    assert store.execute("CREATE MODELS FROM (SELECT uri FROM models LIMIT 0)").fetchall() == []
    with pytest.raises(duckdb.BinderException, match=r"a column uri, .* this relation has name, task"):
        store.execute("CREATE MODELS FROM (SELECT name, task FROM datasets)")
    with pytest.raises(duckdb.CatalogException, match="nothing_there"):
        store.execute("CREATE DATASETS FROM nothing_there")


def test_it_stays_out_of_transactions_and_of_read_only_files(store: Store, tmp_path: Path) -> None:
    store.execute("BEGIN")
    store.execute("CREATE TABLE t AS SELECT 'a' AS uri")
    with pytest.raises(modelstore.StoreError, match=r"CREATE MODELS commits .* COMMIT first"):
        store.execute("CREATE MODELS FROM t")
    store.execute("COMMIT")
    store.close()
    with (
        modelstore.connect(tmp_path / "zoo.db", read_only=True) as read_only,
        pytest.raises(modelstore.StoreError, match="CREATE DATASETS stores"),
    ):
        read_only.execute("CREATE DATASETS FROM t")


def test_models_on_the_hub_are_described_without_their_weights(
    store: Store, hub: HubStub, model_copy: Paths
) -> None:
    path = model_copy("bert_classifier")
    (path / "README.md").write_text(CARD)
    said = {"license": "mit", "language": "de", "tags": ["bert"], "base_model": "google-bert/bert"}
    serve(hub, "me/tiny", path, cardData=said, downloads=7, lastModified="2026-03-04T05:06:07.000Z")
    rows = store.execute("CREATE MODELS FROM (SELECT 'hf://me/tiny' AS uri)").fetchall()
    assert rows == [("me/tiny", "created", None)]
    assert {request for request in hub.requests if "resolve" in request} == {
        f"GET /me/tiny/resolve/{store_commit(hub, 'me/tiny')}/{name}" for name in ("config.json", "README.md")
    }
    store.execute("CREATE MODEL whole FROM 'hf://me/tiny'")
    described = "SELECT * EXCLUDE (name, created_at) FROM models WHERE name = ?"
    assert store.execute(described, ["me/tiny"]).fetchall() == store.execute(described, ["whole"]).fetchall()
    assert store.execute(
        "SELECT license, languages, downloads FROM models WHERE name = 'whole'"
    ).fetchall() == [("mit", ["de"], 7)]


def store_commit(hub: HubStub, name: str) -> str:
    found = hub.repositories[f"models/{name}"].commit("main")
    assert found is not None
    return found[0]


def test_weights_are_fetched_when_they_are_needed(store: Store, hub: HubStub, model_path: Paths) -> None:
    serve(hub, "me/tiny", model_path("bert_classifier"))
    store.execute("CREATE MODELS FROM (SELECT 'hf://me/tiny' AS uri)")
    assert not any("safetensors" in request for request in hub.requests)
    files = "SELECT state IS NULL, contents IS NULL FROM fingerprints WHERE kind = 'model'"
    assert store.execute(files).fetchall() == [(True, True)]
    labels = store.execute("SELECT predict('me/tiny', 'good') IN ('red', 'green', 'blue')").fetchall()
    assert labels == [(True,)]
    assert any("safetensors" in request for request in hub.requests)


def test_what_the_hub_does_not_count_is_counted(store: Store, hub: HubStub, model_copy: Paths) -> None:
    path = model_copy("bert")
    hub.add("header", path)
    rows = store.execute("CREATE MODELS FROM (SELECT 'hf://header' AS uri)").fetchall()
    assert rows == [("header", "created", None)]
    ranges = [request for request in hub.requests if "model.safetensors" in request]
    assert ranges
    store.execute(f"CREATE MODEL here FROM '{path}'")
    assert store.execute("SELECT count(DISTINCT parameters) FROM models").fetchone() == (1,)


def test_pickled_weights_are_fetched_at_once(store: Store, hub: HubStub, model_copy: Paths) -> None:
    path = model_copy("bert")
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    hub.add("pickled", path)
    assert store.execute(f"CREATE MODELS FROM {listed('hf://pickled')}").fetchall() == [
        ("pickled", "created", None)
    ]
    assert store.execute("SELECT parameters > 1000 FROM models").fetchone() == (True,)


def test_each_fault_of_the_hub_is_a_row(store: Store, hub: HubStub, model_copy: Paths) -> None:
    path = model_copy("bert")
    serve(hub, "good", path)
    hub.add("gated", path, gated=True)
    hub.add("broken", path, fault=503)
    hub.add("limited", path, limits=["3600"])
    other = path.parent / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    (other / "model.safetensors").write_bytes(b"")
    hub.add("speech", other, record={"safetensors": {"parameters": {"F32": 1}, "total": 1}})
    pickled = path.parent / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    (pickled / "pytorch_model.bin").write_bytes(b"")
    hub.add("pickled-speech", pickled)
    bare = path.parent / "bare"
    bare.mkdir()
    (bare / "pytorch_model.bin").write_bytes(b"")
    hub.add("bare", bare)
    listed_names = (
        "good",
        "gated",
        "broken",
        "limited",
        "speech",
        "pickled-speech",
        "bare",
        "none",
        "a/b/c/d",
    )
    rows = store.execute(
        f"CREATE MODELS FROM {listed(*(f'hf://{name}' for name in listed_names))}"
    ).fetchall()
    assert [status for _, status, _ in rows] == ["created", *["failed"] * 8]
    assert not any("pytorch_model" in request for request in hub.requests)
    for (_, _, reason), said in zip(
        rows[1:],
        (
            *(
                "is gated",
                "HTTP 503",
                "in 3600 s",
                "neither a text nor",
                "neither a text nor",
                "no config.json",
            ),
            *("not on the hub", "no address"),
        ),
        strict=True,
    ):
        assert said in reason
        assert "\n" not in reason
        assert reason.startswith("model hf://")


def test_what_was_fetched_before_serves_without_the_hub(
    store: Store, hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(hub, "here", model_path("bert"))
    store.execute("CREATE MODEL before FROM 'hf://here'")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    rows = store.execute(f"CREATE MODELS FROM {listed('hf://here', 'hf://away')}").fetchall()
    assert rows[0] == ("here", "created", None)
    assert rows[1][1:2] == ("failed",)
    assert "offline mode is on" in rows[1][2]


def test_an_interrupted_statement_keeps_what_is_registered(
    store: Store, hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"m{i:03}" for i in range(100)]
    for name in names:
        serve(hub, name, model_path("bert"))
    described = many.described_model
    calls = iter(range(100))

    def interrupted(*arguments: Any) -> Any:
        if next(calls) == 30:
            raise KeyboardInterrupt
        return described(*arguments)

    relation = listed(*(f"hf://{name}" for name in names))
    with monkeypatch.context() as patch:
        patch.setattr(many, "described_model", interrupted)
        with pytest.raises(KeyboardInterrupt, match="CREATE MODELS IF NOT EXISTS registers the rest"):
            store.execute(f"CREATE MODELS FROM {relation}")
    assert store.execute("SELECT count(*), max(name) FROM models").fetchone() == (30, "m029")
    rows = store.execute(f"CREATE MODELS IF NOT EXISTS FROM {relation}").fetchall()
    assert [status for _, status, _ in rows] == ["exists"] * 30 + ["created"] * 70


def test_files_that_change_after_they_were_fetched_are_noticed(
    store: Store, hub: HubStub, model_path: Paths
) -> None:
    serve(hub, "tiny", model_path("bert"))
    store.execute(f"CREATE MODELS FROM {listed('hf://tiny')}").fetchall()
    model = store.store.catalog.model("tiny")
    assert fault_of_model(store.store, model) is None
    assert store.store.fingerprints.of("model", "tiny") == UNKNOWN
    resolve_model("tiny", "hf://tiny")
    assert origin_of(store.store, "tiny", "d").weights is not None
    assert fault_of_model(store.store, model) is None
    hub.repositories["models/tiny"].folder = model_path("bert_classifier")
    resolve_model("tiny", "hf://tiny")
    fault = fault_of_model(store.store, model)
    assert fault is not None
    assert "have changed since it was registered" in str(fault)


def test_datasets_are_registered_as_one_by_one(store: Store, tmp_path: Path) -> None:
    lines = "\n".join(f"text {i},{'good' if i % 2 else 'bad'}" for i in range(60))
    for name in ("reviews.csv", "letters.CSV"):
        (tmp_path / name).write_text(f"text,label\n{lines}\n")
    (tmp_path / "broken.csv").write_text("text,label\na,b\n")
    relation = f"(SELECT file AS uri FROM glob('{tmp_path}/*.[cC][sS][vV]') ORDER BY ALL)"
    rows = store.execute(f"CREATE DATASETS FROM {relation}").fetchall()
    assert [(name, status) for name, status, _ in rows] == [
        ("broken", "failed"),
        ("letters", "created"),
        ("reviews", "created"),
    ]
    assert "\n" not in rows[0][2]
    rows = store.execute(f"CREATE OR REPLACE DATASETS FROM {relation}").fetchall()
    assert [status for _, status, _ in rows] == ["failed", "replaced", "replaced"]
    rows = store.execute(f"CREATE DATASETS IF NOT EXISTS FROM {relation}").fetchall()
    assert [status for _, status, _ in rows] == ["failed", "exists", "exists"]
    assert store.execute("SELECT name, train_rows FROM datasets ORDER BY ALL").fetchall() == [
        ("letters", 48),
        ("reviews", 48),
    ]


def test_datasets_of_the_hub_are_fetched(store: Store, hub: HubStub, tmp_path: Path) -> None:
    lines = "\n".join(f"text {i},{'good' if i % 2 else 'bad'}" for i in range(60))
    (tmp_path / "train.csv").write_text(f"text,label\n{lines}\n")
    for name in ("me/one", "me/two"):
        hub.add(name, tmp_path, "datasets")
    rows = store.execute(
        f"CREATE DATASETS FROM {listed('hf://me/one', 'hf://me/two', 'hf://me/none')}"
    ).fetchall()
    assert [(name, status) for name, status, _ in rows] == [
        ("me/one", "created"),
        ("me/two", "created"),
        ("me/none", "failed"),
    ]
    assert "is not on the hub" in rows[2][2]
