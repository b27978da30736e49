"""What is read of a model stays in its directory, whatever its author has put there."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import modelstore
from modelstore.data.confinement import check_links, without_files_elsewhere

Store = modelstore.Connection
Copy = Callable[[str], Path]


@pytest.mark.parametrize(
    "name", ["README.md", "config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]
)
def test_a_file_that_is_a_link_out_of_the_directory_is_refused(
    name: str, store: Store, model_copy: Copy, tmp_path: Path
) -> None:
    path, secret = model_copy("bert"), tmp_path / "secret"
    file = path / name
    if file.exists():
        file.rename(secret)  # so that it would be read as it is
    else:
        secret.write_text("the password")
    file.symlink_to(secret)
    with pytest.raises(modelstore.ModelError, match="leads out of the model's directory"):
        store.execute(f"CREATE MODEL m FROM '{path}'")
    assert store.execute("SELECT count(*) FROM models").fetchone() == (0,)


def test_links_of_links_and_folders_that_are_links_are_followed_before_they_are_judged(
    model_copy: Copy, tmp_path: Path
) -> None:
    path, outside = model_copy("bert"), tmp_path / "outside"
    (path / "inner").mkdir()
    (path / "inner" / "README.md").write_text("a card")
    (path / "README.md").symlink_to("inner/README.md")
    (path / "modules").symlink_to("inner")
    check_links(path)
    outside.mkdir()
    (path / "1_Pooling").symlink_to(outside)
    with pytest.raises(modelstore.ModelError, match="1_Pooling"):
        check_links(path)
    (path / "1_Pooling").unlink()
    (path / "inner" / "config.json").symlink_to("../../outside")
    with pytest.raises(modelstore.ModelError, match="inner"):
        check_links(path)


def test_a_snapshot_of_the_hub_may_link_to_its_blobs_alone(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--a--b" / "snapshots" / ("0" * 40)
    blobs = tmp_path / "models--a--b" / "blobs"
    other = tmp_path / "models--c--d"
    for folder in (snapshot, blobs, other):
        folder.mkdir(parents=True)
    (blobs / "1").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/1")
    check_links(snapshot)
    (other / "token").write_text("hf_")
    (snapshot / "README.md").symlink_to("../../../models--c--d/token")
    with pytest.raises(modelstore.ModelError, match="README"):
        check_links(snapshot)


def test_a_model_whose_own_path_is_a_link_is_a_model(store: Store, model_copy: Copy, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(model_copy("bert"))
    store.execute(f"CREATE MODEL m FROM '{tmp_path / 'link'}'")


def test_files_elsewhere_that_a_tokenizer_names_are_not_read(
    store: Store, model_copy: Copy, tmp_path: Path
) -> None:
    path = model_copy("bert")
    (tmp_path / "secret").write_text("the password")
    file = path / "tokenizer_config.json"
    settings = json.loads(file.read_text()) | {"vocab_file": "../secret", "merges_file": "/etc/passwd"}
    file.write_text(json.dumps(settings | {"special_tokens_map_file": "/etc/passwd"}))
    found = without_files_elsewhere(path, settings)
    assert found is not None
    assert not {"vocab_file", "merges_file"} & set(found)
    assert without_files_elsewhere(path, {"vocab_file": "vocab.txt", "name_or_path": "/etc/passwd"}) is None
    store.execute(f"CREATE MODEL m FROM '{path}'")


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "experts_implementation"])
def test_an_implementation_of_attention_that_a_config_names_is_never_fetched(
    key: str, store: Store, model_copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import modeling_utils
    from transformers.integrations import hub_kernels

    from modelstore.training.loading import load_for_features

    def fetch(*arguments: object, **options: object) -> None:
        raise AssertionError(f"fetched {arguments}")

    monkeypatch.setattr(hub_kernels, "get_kernel", fetch)
    monkeypatch.setattr(modeling_utils, "lazy_import_flash_attention", fetch)
    path = model_copy("bert")
    file = path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: "someone/kernel"}))
    loaded = load_for_features("m", path, "text", with_head=False)
    assert loaded.network.config._attn_implementation == "sdpa"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to another user")
def test_a_cache_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    from modelstore.data import cache

    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path))
    (tmp_path / "prepared").mkdir()
    os.chown(tmp_path / "prepared", 12345, 12345)
    computed = [cache.load_or_compute("a", lambda: pa.table({"a": [1]})) for _ in range(2)]
    assert computed[0].equals(computed[1])
    assert list((tmp_path / "prepared").iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_cache_folder_that_others_may_write_to_is_not_used_and_that_is_said_once(
    mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    import pyarrow as pa

    from modelstore.data import cache
    from modelstore.progress import shown_by

    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path))
    (tmp_path / "prepared").mkdir()
    (tmp_path / "prepared").chmod(mode)
    said: list[str] = []
    with shown_by(SimpleNamespace(notify=said.append)):  # type: ignore[arg-type]
        for _ in range(2):
            cache.load_or_compute("a", lambda: pa.table({"a": [1]}))
    assert list((tmp_path / "prepared").iterdir()) == []
    assert len(said) == 1
    assert "can be written to by other users" in said[0]


def test_a_forged_entry_of_the_cache_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest alone could be computed by whoever writes the entry; its secret is the user's."""
    import pyarrow as pa

    from modelstore.data import cache

    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "theirs"))
    cache.load_or_compute("a", lambda: pa.table({"a": [666]}))
    forged = (tmp_path / "theirs" / "prepared" / "a.arrow").read_bytes()
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "mine"))
    cache.load_or_compute("b", lambda: pa.table({"a": [1]}))
    (tmp_path / "mine" / "prepared" / "a.arrow").write_bytes(forged)
    assert cache.load_or_compute("a", lambda: pa.table({"a": [1]}))["a"].to_pylist() == [1]
    assert (tmp_path / "mine" / "key").stat().st_mode & 0o777 == 0o600


def test_a_converted_model_is_not_taken_from_a_folder_that_others_may_write_to(
    store: Store, model_copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "models").mkdir(parents=True)
    (tmp_path / "cache" / "models").chmod(0o777)
    path = model_copy("bert")
    (path / "config.json").write_bytes(b"\xef\xbb\xbf" + (path / "config.json").read_bytes())
    with pytest.raises(modelstore.ModelError, match="can be written to by other users"):
        store.execute(f"CREATE MODEL m FROM '{path}'")
