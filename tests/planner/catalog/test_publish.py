"""PUBLISH MODEL, by a small hub of our own: what goes there, and one sentence for each thing that prevents it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import duckdb
import pytest
from hub_stub import TOKEN, HubStub, Repository

import modelstore
from modelstore.connection.best_model import BestModel
from modelstore.data import hub_upload
from modelstore.data.hub_client import LONGEST_WAIT
from modelstore.errors import ModelError, NotFoundError

Paths = Callable[[str], Path]
Store = modelstore.Connection
TO = "PUBLISH MODEL bert TO 'hf://me/bert'"
OF_BERT = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


@pytest.fixture
def folder(model_copy: Paths) -> Path:
    return model_copy("bert")


@pytest.fixture
def published(store: Store, folder: Path, hub: HubStub, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with a model, and a token for the hub."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    store.execute(f"CREATE MODEL bert FROM '{folder}'")
    return store


def on_hub(hub: HubStub, name: str = "me/bert") -> Repository:
    return hub.repositories[f"models/{name}"]


def files_of(repository: Repository) -> dict[str, bytes]:
    folder = repository.folder
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refusal(store: Store, sql: str = TO, error: type[duckdb.Error] = ModelError) -> str:
    with pytest.raises(error) as caught:
        store.execute(sql)
    said = str(caught.value)
    assert TOKEN not in said
    assert "\n" not in said
    return said


def test_a_model_goes_to_a_new_repository_and_can_be_registered_from_there(
    published: Store, folder: Path, hub: HubStub
) -> None:
    [(model, uri, revision)] = published.execute(TO).fetchall()
    assert (model, uri) == ("bert", "hf://me/bert")
    repository = on_hub(hub)
    assert repository.commit("main")[0] == revision  # type: ignore[index]
    assert not repository.private
    assert files_of(repository) == {name: (folder / name).read_bytes() for name in OF_BERT}
    assert sum("/commit/" in request for request in hub.requests) == 1
    published.execute(f"CREATE MODEL again FROM 'hf://me/bert@{revision}'")
    assert published.execute("SELECT count(DISTINCT parameters) FROM models").fetchall() == [(1,)]


def test_a_private_repository_is_made(published: Store, hub: HubStub) -> None:
    published.execute(f"{TO} WITH (private = true)").fetchall()
    assert on_hub(hub).private


def test_only_what_belongs_to_the_model_is_published(published: Store, folder: Path, hub: HubStub) -> None:
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Mine\n")
    (folder / "LICENSE").write_text("as you like")
    (folder / "vocab.txt").write_text("a\nb\n")
    for name in (
        ".env",
        "optimizer.pt",
        "training_args.bin",
        "trainer_state.json",
        "notes.txt",
        "model.fp16.safetensors",
        "pytorch_model.bin",
        "checkpoint-5/model.safetensors",
        ".cache/config.json",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"not to be published")
    published.execute("CREATE OR REPLACE MODEL bert FROM ?", [str(folder)])
    published.execute(TO).fetchall()
    found = files_of(on_hub(hub))
    assert set(found) == OF_BERT | {"README.md", "LICENSE", "vocab.txt"}
    assert b"not to be published" not in found.values()


def test_the_card_of_a_repository_is_left_alone_where_the_model_has_none(
    published: Store, hub: HubStub, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    for name in ("README.md", "model-00001-of-00002.safetensors", "model.safetensors.index.json", "data.bin"):
        (tmp_path / "theirs" / name).write_text("of an earlier model")
    (tmp_path / "theirs" / "model.safetensors").write_text("of an earlier model")
    hub.add("me/bert", tmp_path / "theirs")
    published.execute(TO).fetchall()
    # Weights of the earlier model would be loaded with the new ones, or instead.
    assert set(files_of(on_hub(hub))) == OF_BERT | {"README.md", "data.bin"}


def test_publishing_again_uploads_no_weights_and_changes_what_changed(
    published: Store, folder: Path, hub: HubStub
) -> None:
    published.execute(TO).fetchall()
    (folder / "README.md").write_text("# Better said\n")
    published.execute(TO).fetchall()
    assert sum(request.startswith("PUT") for request in hub.requests) == 1
    assert files_of(on_hub(hub))["README.md"] == b"# Better said\n"


@pytest.mark.parametrize("name", ["tokenizer.json", "README.md"])
def test_a_file_elsewhere_is_not_published(
    published: Store, folder: Path, hub: HubStub, tmp_path: Path, name: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"secret")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    assert "leads out of the model's directory" in refusal(published)
    assert not hub.repositories


def test_what_a_snapshot_of_the_hub_links_to_is_its_own(
    store: Store, folder: Path, hub: HubStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("theirs/bert", folder)
    store.execute("CREATE MODEL fetched FROM 'hf://theirs/bert'")
    assert refusal(store, "PUBLISH MODEL fetched TO 'hf://me/bert'") == (
        'the model "fetched" is on the hub already, at hf://theirs/bert'
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    [snapshot] = Path(os.environ["MODELSTORE_CACHE"]).parent.glob("hub/*/snapshots/*")
    assert (snapshot / "config.json").is_symlink()
    store.execute(f"CREATE MODEL local FROM '{snapshot}'")
    store.execute("PUBLISH MODEL local TO 'hf://me/bert'").fetchall()
    assert set(files_of(on_hub(hub))) == OF_BERT


def test_what_is_wrong_is_said_before_anything_is_asked_of_the_hub(published: Store, hub: HubStub) -> None:
    for address in (
        "me/bert",
        "hf://bert",
        "hf://me/bert@main",
        "hf://me/bert/more",
        "/tmp/bert",
        "hf://../bert",
    ):
        assert "write hf://owner/name" in refusal(published, f"PUBLISH MODEL bert TO '{address}'")
    refusal(published, "PUBLISH MODEL gone TO 'hf://me/bert'", NotFoundError)
    published.execute("INSERT INTO models (name, uri) VALUES ('vote', '/x/vote.json'), ('record', NULL)")
    assert "is an ensemble of several models" in refusal(published, "PUBLISH MODEL vote TO 'hf://me/bert'")
    assert "nothing to publish" in refusal(published, "PUBLISH MODEL record TO 'hf://me/bert'")
    assert not hub.repositories
    assert not [request for request in hub.requests if not request.startswith("GET")]


def test_weights_that_have_changed_are_refused(published: Store, folder: Path, hub: HubStub) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_dropout_prob": 0.5}))
    assert "have changed since it was registered" in refusal(published)


def test_nothing_leaves_where_external_access_is_off(published: Store, hub: HubStub) -> None:
    published.execute("SET enable_external_access = false")
    said = refusal(published, error=duckdb.PermissionException)
    assert "hf://me/bert" in said
    assert not hub.requests


def test_without_a_token_it_is_said_where_to_get_one(
    published: Store, hub: HubStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert refusal(published) == (
        'the model "bert" is not published: hf://me/bert takes only what someone who is logged in publishes: make a '
        f"token that may write on {hub.endpoint}/settings/tokens, and log in with it (hf auth login, or HF_TOKEN)"
    )
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "does not accept your token" in refusal(published)
    assert not hub.repositories


def test_offline_mode_is_obeyed(published: Store, hub: HubStub, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants as client

    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    assert "offline mode is on" in refusal(published)


def test_a_repository_of_someone_else_is_not_written(published: Store, hub: HubStub, tmp_path: Path) -> None:
    assert "cannot be written by your token" in refusal(published, "PUBLISH MODEL bert TO 'hf://you/bert'")
    (tmp_path / "theirs").mkdir()
    hub.add("you/bert", tmp_path / "theirs")
    assert "cannot be written by your token" in refusal(published, "PUBLISH MODEL bert TO 'hf://you/bert'")


def test_what_is_to_be_private_does_not_go_where_all_may_read(
    published: Store, hub: HubStub, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    hub.add("me/bert", tmp_path / "mine")
    assert "is a public repository already" in refusal(published, f"{TO} WITH (private = true)")
    assert not files_of(on_hub(hub))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (500, "has a fault (HTTP 500)"),
        (412, "was changed by someone else"),
        (413, "refuses what is published"),
    ],
)
def test_faults_of_the_hub_are_said(
    published: Store, hub: HubStub, tmp_path: Path, fault: int, said: str
) -> None:
    (tmp_path / "mine").mkdir()
    hub.add("me/bert", tmp_path / "mine").write_fault = fault
    assert said in refusal(published)
    assert not files_of(on_hub(hub))
    published.execute(TO).fetchall()
    assert set(files_of(on_hub(hub))) == OF_BERT


def test_limits_are_waited_for(published: Store, hub: HubStub, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    repository = hub.add("me/bert", tmp_path / "mine", limits=["1"])
    published.execute(TO).fetchall()
    repository.limits.append(str(LONGEST_WAIT * 10))
    assert f"try again in {LONGEST_WAIT * 10} s" in refusal(published)


def test_a_card_with_broken_metadata_is_refused_before_weights_are_committed(
    published: Store, folder: Path, hub: HubStub
) -> None:
    (folder / "README.md").write_text("---\nlicense: [\n---\n")
    assert "Invalid metadata in README.md" in refusal(published)
    assert not files_of(on_hub(hub))


def test_no_hub_is_said(published: Store, hub: HubStub) -> None:
    hub.server.shutdown()
    hub.server.server_close()
    assert "cannot be reached" in refusal(published)


def test_an_interruption_leaves_the_repository_as_it_was(
    published: Store, hub: HubStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = hub_upload._Source.read

    def interrupted(self: hub_upload._Source, size: int | None = -1, /) -> bytes:
        if str(self.name).endswith(".safetensors") and any(
            "preupload" in request for request in hub.requests
        ):
            thread = Thread(target=published.interrupt)
            thread.start()
            thread.join()
        return read(self, size)

    with monkeypatch.context() as patch:
        patch.setattr(hub_upload._Source, "read", interrupted)
        with pytest.raises(duckdb.InterruptException):
            published.execute(TO)
    assert not files_of(on_hub(hub))
    published.execute(TO).fetchall()
    assert set(files_of(on_hub(hub))) == OF_BERT


def best(checkpoint: Path | None) -> BestModel:
    return BestModel(
        "bert", "default", 0.9, 0.8, 2.0, 1.0, None if checkpoint is None else str(checkpoint), 7
    )


def test_a_winner_is_published_from_python(published: Store, folder: Path, hub: HubStub) -> None:
    address = best(folder).push_to_hub("me/bert", private=True)
    repository = on_hub(hub)
    assert repository.private
    assert address == f"hf://me/bert@{repository.commit('main')[0]}"  # type: ignore[index]
    assert set(files_of(repository)) == OF_BERT


def test_what_is_no_one_model_is_not_published_from_python(hub: HubStub, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="was a replay"):
        best(None).push_to_hub("me/bert")
    (tmp_path / "vote.json").write_text("{}")
    with pytest.raises(ModelError, match="is several models: publish each"):
        best(tmp_path / "vote.json").push_to_hub("me/bert")
    assert not hub.requests
