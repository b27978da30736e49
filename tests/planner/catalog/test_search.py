"""`SEARCH MODELS`: what the hub is asked for, in which order its answers come, and what prevents them."""

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hub_stub import TOKEN, HubStub
from tiny_models import create_text_dataset
from token_rows import json_lines, tagged_sentences

import modelstore

Store = modelstore.Connection


def offer(hub: HubStub, name: str, task: str, downloads: int, *tags: str, **said: Any) -> None:
    """Has the hub list a model."""
    record = {"pipeline_tag": task, "downloads": downloads, "tags": [task, *tags], "cardData": said}
    hub.add(name, Path("nowhere"), record=record)


@pytest.fixture
def offered(hub: HubStub) -> HubStub:
    offer(hub, "a/bert", "fill-mask", 50, "de", "license:mit", language="de", license="mit")
    offer(hub, "b/sentences", "sentence-similarity", 90, "en", language=["en"])
    offer(
        hub,
        "c/topics",
        "text-classification",
        10,
        "de",
        "base_model:a/bert",
        language="de",
        base_model="a/bert",
    )
    offer(hub, "d/pictures", "image-classification", 70)
    offer(hub, "e/tags", "token-classification", 60)
    offer(hub, "f/voices", "audio-classification", 99)
    return hub


def names(store: Store, statement: str) -> list[str]:
    return [name for name, *_ in store.execute(statement).fetchall()]


def test_what_is_found_is_described(store: Store, hub: HubStub) -> None:
    offer(
        hub, "a/bert", "fill-mask", 50, "pytorch", license="mit", language=["de", "en"], base_model="b/base"
    )
    hub.repositories["models/a/bert"].record |= {
        "likes": 3,
        "lastModified": "2026-03-04T05:06:07.000Z",
        "safetensors": {"parameters": {"F32": 1000, "I64": 512}, "total": 1512},
    }
    rows = store.execute("SEARCH MODELS")
    assert [column[0] for column in rows.description or []] == [
        *("name", "uri", "downloads", "likes", "license", "languages", "task", "base_model", "parameters"),
        *("last_modified", "tags"),
    ]
    asked = datetime(2026, 3, 4, 5, 6, 7)
    assert rows.fetchall() == [
        (
            "a/bert",
            "hf://a/bert",
            50,
            3,
            "mit",
            ["de", "en"],
            "fill-mask",
            "b/base",
            1000,
            asked,
            ["fill-mask", "pytorch"],
        )
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", ["f/voices", "b/sentences", "d/pictures", "e/tags", "a/bert", "c/topics"]),
        ("language = 'de'", ["a/bert", "c/topics"]),
        ("language = 'de', license = 'mit'", ["a/bert"]),
        ("base = 'a/bert'", ["c/topics"]),
        ("base = 'hf://a/bert'", ["c/topics"]),
        ("task = 'fill-mask'", ["a/bert"]),
        ("task = 'summarization'", []),
        ("limit = 2", ["f/voices", "b/sentences"]),
    ],
)
def test_options_say_what_is_searched_for(
    store: Store, offered: HubStub, options: str, found: list[str]
) -> None:
    assert names(store, f"SEARCH MODELS WITH ({options})" if options else "SEARCH MODELS") == found


def test_a_dataset_says_which_tasks_serve_it(store: Store, offered: HubStub, tmp_path: Path) -> None:
    create_text_dataset(store, "texts", 60, 0)
    assert names(store, "SEARCH MODELS FOR texts") == ["b/sentences", "a/bert", "c/topics"]
    assert names(store, "SEARCH MODELS FOR texts WITH (limit = 2)") == ["b/sentences", "a/bert"]
    assert names(store, "SEARCH MODELS FOR texts WITH (task = 'audio-classification')") == ["f/voices"]
    (tmp_path / "ner.jsonl").write_text(json_lines(tagged_sentences(60)))
    store.execute(f"CREATE DATASET ner FROM '{tmp_path / 'ner.jsonl'}'")
    assert "e/tags" in names(store, "SEARCH MODELS FOR ner")
    with pytest.raises(modelstore.NotFoundError, match='no dataset "nothing"'):
        store.execute("SEARCH MODELS FOR nothing")


def test_pages_are_asked_for_as_they_are_wanted(store: Store, hub: HubStub) -> None:
    hub.page = 3
    for i in range(10):
        offer(hub, f"a/m{i}", "fill-mask", i)
        offer(hub, f"b/m{i}", "feature-extraction", 10 * i)
    create_text_dataset(store, "texts", 60, 0)
    assert names(store, "SEARCH MODELS WITH (limit = 7)") == [f"b/m{i}" for i in range(9, 2, -1)]
    assert len(hub.requests) == 3
    hub.requests.clear()
    found = names(store, "SEARCH MODELS FOR texts WITH (limit = 12)")
    assert found == [f"b/m{i}" for i in range(9, 0, -1)] + ["a/m9", "a/m8", "a/m7"]
    hub.requests.clear()
    assert len(names(store, "SEARCH MODELS FOR texts WITH (limit = 1000)")) == 20


def test_orders_are_checked(store: Store, offered: HubStub) -> None:
    offered.repositories["models/a/bert"].record |= {"likes": 5, "lastModified": "2026-03-04T05:06:07.000Z"}
    assert names(store, "SEARCH MODELS WITH (sort = 'likes', limit = 1)") == ["a/bert"]
    for order in ("last_modified", "created_at", "trending_score"):
        assert len(names(store, f"SEARCH MODELS WITH (sort = '{order}', task = 'fill-mask')")) == 1
    for wrong in ("sort = 'size'", "limit = 0", "limit = 'all'", "language = ''", "tasks = 'fill-mask'"):
        with pytest.raises(modelstore.OptionError):
            store.execute(f"SEARCH MODELS WITH ({wrong})")
    assert len([request for request in offered.requests if "GET" in request]) == 4


def test_it_stands_where_a_query_may(store: Store, offered: HubStub) -> None:
    store.execute("CREATE TABLE found AS SEARCH MODELS WITH (limit = 3)")
    assert store.execute("SELECT count(*) FROM found").fetchone() == (3,)
    asked = len(offered.requests)
    columns = store.execute("DESCRIBE SEARCH MODELS").fetchall()
    assert ("languages", "VARCHAR[]") in [column[:2] for column in columns]
    [plan] = store.execute("EXPLAIN SEARCH MODELS WITH (language = 'de', limit = 5)").fetchall()
    assert plan == ("SEARCH MODELS · de, by downloads", "at most 5 models")
    store.execute("EXPLAIN SELECT name FROM (SEARCH MODELS WITH (limit = 9)) WHERE downloads > 3").fetchall()
    assert len(offered.requests) == asked


def test_what_is_found_is_registered(store: Store, hub: HubStub, model_path: Any) -> None:
    create_text_dataset(store, "texts", 60, 0)
    record = {"pipeline_tag": "fill-mask", "tags": ["de"]}
    for i in range(5):
        hub.add(f"a/m{i}", model_path("bert"), record=record | {"downloads": i})
    rows = store.execute(
        "CREATE MODELS FROM (SEARCH MODELS FOR texts WITH (language = 'de', limit = 2))"
    ).fetchall()
    assert rows == [("a/m4", "created", None), ("a/m3", "created", None)]
    rows = store.execute(
        "CREATE MODELS IF NOT EXISTS FROM (FROM (SEARCH MODELS WITH (limit = 9)) WHERE downloads > 2)"
    ).fetchall()
    assert [status for _, status, _ in rows] == ["exists", "exists"]


def refusal(store: Store) -> str:
    with pytest.raises(modelstore.ModelError) as caught:
        store.execute("SEARCH MODELS")
    said = str(caught.value)
    assert said.startswith("the hub ")
    assert "\n" not in said
    assert TOKEN not in said
    return said


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (401, {}, "does not accept your token"),
        (429, {"Retry-After": "3600"}, "limits the rate of requests: try again in 3600 s"),
        (503, {}, r"has a fault (HTTP 503): try again later"),
        (400, {}, "does not take this search (HTTP 400)"),
    ],
)
def test_each_fault_of_the_hub_is_said(
    store: Store, offered: HubStub, status: int, headers: dict[str, str], said: str
) -> None:
    offered.list_faults.append((status, headers))
    assert said in refusal(store)


def test_a_short_limit_is_waited_for(store: Store, offered: HubStub) -> None:
    offered.list_faults.append((429, {"Retry-After": "0"}))
    assert len(names(store, "SEARCH MODELS")) == 6


def test_without_a_network_it_says_so(
    store: Store, offered: HubStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert "check the connection to http://127.0.0.1:9" in refusal(store)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert refusal(store) == "the hub cannot be searched: offline mode is on (HF_HUB_OFFLINE)"


def test_external_access_is_obeyed(hub: HubStub) -> None:
    with (
        modelstore.connect(config={"enable_external_access": False}) as store,
        pytest.raises(duckdb.PermissionException),
    ):
        store.execute("SEARCH MODELS")
    assert not hub.requests
