"""The limit on the disk that models of the hub take: what is removed to keep to it, and what never is."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_stub import HubStub
from huggingface_hub import snapshot_download

from modelstore.data.fetched_models import LIMIT, in_use
from modelstore.data.hub import must_be_fetched, resolve_model
from modelstore.errors import ModelError, StoreError

Hub = Callable[[str], None]


@pytest.fixture
def add(hub: HubStub, model_path: Callable[[str], Path], tmp_path: Path) -> Hub:
    """Adds a model to the hub, each with a folder, and so a commit, of its own."""

    def add_model(name: str) -> None:
        hub.add(name, shutil.copytree(model_path("bert"), tmp_path / "served" / name))

    return add_model


@pytest.fixture
def bytes_each(model_path: Callable[[str], Path]) -> int:
    return sum(path.stat().st_size for path in model_path("bert").iterdir())


@pytest.fixture
def room_for(bytes_each: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets a limit of so many models."""
    return lambda models: monkeypatch.setenv(LIMIT, str(int(models * bytes_each)))


def use(name: str, at: int) -> None:
    """Fetches a model, or uses it again, at a time."""
    path = resolve_model(name, f"hf://{name}").path
    [note] = Path(os.environ["MODELSTORE_CACHE"]).glob(f"fetched/*/models--{name}@{path.name}")
    os.utime(note, (at, at))


def is_here(name: str) -> bool:
    return not must_be_fetched(f"hf://{name}", "model")


def test_what_was_used_least_recently_goes_first(
    add: Hub, room_for: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    for at, name in enumerate("abcd"):
        add(name)
        use(name, at)
    add("e")
    use("a", 5)
    room_for(3.5)
    with caplog.at_level("INFO"):
        resolve_model("e", "hf://e")
    assert [name for name in "abcde" if is_here(name)] == ["a", "d", "e"]
    assert sum("b, c: removed from the hub's cache to keep to" in message for message in caplog.messages) == 1
    resolve_model("b", "hf://b")  # which is fetched again
    assert [name for name in "abcde" if is_here(name)] == ["a", "b", "e"]


def test_what_is_in_use_or_was_not_fetched_by_modelstore_stays(
    add: Hub, room_for: Callable[[float], None]
) -> None:
    for name in "abcd":
        add(name)
    snapshot_download("a")
    resolve_model("a", "hf://a")
    use("b", 1)
    commit = resolve_model("b", "hf://b").revision
    use("c", 2)
    room_for(2)
    with in_use("b", str(commit)):
        resolve_model("d", "hf://d")
    assert [name for name in "abcd" if is_here(name)] == ["a", "b", "d"]


def test_a_model_without_room_is_refused_and_nothing_is_removed_for_it(
    add: Hub, room_for: Callable[[float], None]
) -> None:
    add("a")
    add("b")
    add("c")
    use("a", 1)
    use("b", 2)
    room_for(1.5)
    commit = str(resolve_model("a", "hf://a").revision)
    with (
        in_use("a", commit),
        pytest.raises(ModelError, match=r"^model hf://c is not fetched, since it takes"),
    ):
        resolve_model("c", "hf://c")
    assert [name for name in "abc" if is_here(name)] == ["a", "b"]
    resolve_model("c", "hf://c")
    assert [name for name in "abc" if is_here(name)] == ["c"]


def test_a_download_that_broke_off_counts_and_can_be_removed(
    add: Hub, hub: HubStub, room_for: Callable[[float], None]
) -> None:
    add("a")
    add("b")
    hub.repositories["models/a"].gated = True
    with pytest.raises(ModelError, match="gated"):
        resolve_model("a", "hf://a")
    room_for(1)
    resolve_model("b", "hf://b")
    hub.repositories["models/a"].gated = False
    resolve_model("a", "hf://a")
    assert [name for name in "ab" if is_here(name)] == ["a"]


def test_another_revision_of_a_repository_stays(
    add: Hub,
    hub: HubStub,
    room_for: Callable[[float], None],
    tmp_path: Path,
    model_path: Callable[[str], Path],
) -> None:
    add("a")
    add("b")
    hub.repositories["models/a"].revisions["old"] = shutil.copytree(model_path("albert"), tmp_path / "old")
    snapshot_download("a", revision="old")
    use("a", 1)
    room_for(1)
    resolve_model("b", "hf://b")
    assert must_be_fetched("hf://a", "model")
    assert not must_be_fetched("hf://a@old", "model")


@pytest.mark.parametrize("text", ["much", "-1", "1 XB"])
def test_a_limit_that_is_no_size_is_refused(add: Hub, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    add("a")
    monkeypatch.setenv(LIMIT, text)
    with pytest.raises(StoreError, match=f"{LIMIT} is '{text}': give a size such as 50GB"):
        resolve_model("a", "hf://a")


def test_notes_that_cannot_be_written_are_needed_for_a_limit_alone(
    add: Hub, room_for: Callable[[float], None]
) -> None:
    for name in "ab":
        add(name)
    folder = Path(os.environ["MODELSTORE_CACHE"])
    folder.mkdir(exist_ok=True)
    (folder / "fetched").touch()
    resolve_model("a", "hf://a")
    room_for(3)
    with pytest.raises(
        ModelError, match=r"^model hf://b is not fetched, since MODELSTORE_CACHE_LIMIT takes notes"
    ):
        resolve_model("b", "hf://b")
    resolve_model("a", "hf://a")


def test_no_limit_removes_nothing(add: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT, raising=False)
    for at, name in enumerate("ab"):
        add(name)
        use(name, at)
    assert is_here("a")
    assert is_here("b")
