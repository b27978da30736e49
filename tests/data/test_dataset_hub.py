"""Datasets of the hub, read from its cache: addresses, configurations, and what is asked of the hub."""

import os
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants as hub
import pytest
from registering import classes, csv, refusal, register, write

import modelstore
from modelstore.data.dataset_hub import DatasetAddress, dataset_address, resolve_dataset
from modelstore.data.fingerprint import fingerprint
from modelstore.errors import DatasetError

COMMIT = "0123456789012345678901234567890123456789"
Store = modelstore.Connection
CARD = "---\nconfigs:\n- config_name: small\n  data_files: {files}\n- config_name: large\n  data_dir: large\n---\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no network."""
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def snapshot(
    cache: Path, repository: str, files: dict[str, str | bytes], commit: str = COMMIT, ref: str = "main"
) -> Path:
    """Puts a repository into the cache."""
    folder = cache / f"datasets--{repository.replace('/', '--')}"
    write(folder, {f"refs/{ref}": commit})
    return write(folder / "snapshots" / commit, files)


def two_configurations() -> dict[str, str | bytes]:
    return {
        "README.md": CARD.format(files="data/*.csv"),
        "data/train.csv": csv(classes(40)),
        "large/train.csv": csv(classes(80)),
        "large/test.csv": csv(classes(10), start=80),
    }


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("hf://imdb", DatasetAddress("imdb", None, None)),
        ("hf://nyu-mll/glue", DatasetAddress("nyu-mll/glue", None, None)),
        ("hf://datasets/nyu-mll/glue", DatasetAddress("nyu-mll/glue", None, None)),
        ("hf://nyu-mll/glue/mrpc", DatasetAddress("nyu-mll/glue", "mrpc", None)),
        ("hf://nyu-mll/glue/mrpc@v1", DatasetAddress("nyu-mll/glue", "mrpc", "v1")),
        ("hf://nyu-mll/glue@refs/pr/1", DatasetAddress("nyu-mll/glue", None, "refs/pr/1")),
    ],
)
def test_an_address_names_a_repository_a_configuration_and_a_revision(
    uri: str, address: DatasetAddress
) -> None:
    assert dataset_address(uri) == address


@pytest.mark.parametrize("uri", ["hf://", "hf://a//b", "hf://a/b/c/d", "hf://a/b@", "hf:///b"])
def test_a_malformed_address_is_refused(uri: str) -> None:
    with pytest.raises(DatasetError, match="write hf://owner/name, hf://owner/name/config"):
        resolve_dataset("d", uri)


def test_a_configuration_is_named_by_the_address_or_the_option(store: Store, cache: Path) -> None:
    snapshot(cache, "someone/reviews", two_configurations())
    assert register(store, "hf://someone/reviews/large").sizes == (72, 8, 10)
    assert register(store, "hf://someone/reviews", "config = 'large'").sizes == (72, 8, 10)
    assert sum(register(store, "hf://someone/reviews/small").sizes) == 40
    assert "several configurations (large, small)" in refusal(store, "hf://someone/reviews")
    assert "names the configuration large, the option small" in refusal(
        store, "hf://someone/reviews/large", "config = 'small'"
    )


def test_a_name_without_an_owner_and_a_revision_are_found(store: Store, cache: Path) -> None:
    snapshot(cache, "reviews", {"train.csv": csv(classes(40))})
    snapshot(cache, "reviews", {"train.csv": csv(classes(60))}, commit="a" * 40, ref="v2")
    assert sum(register(store, "hf://reviews").sizes) == 40
    assert sum(register(store, "hf://reviews@v2").sizes) == 60
    assert resolve_dataset("d", "hf://reviews@v2").revision == "a" * 40


def test_a_fingerprint_of_a_configuration_is_that_of_its_commit(cache: Path) -> None:
    path = snapshot(cache, "someone/reviews", two_configurations())
    before = fingerprint("hf://someone/reviews/large", "dataset")
    assert before == fingerprint("hf://someone/reviews", "dataset") is not None
    os.utime(path / "README.md", ns=(0, 1))
    assert fingerprint("hf://someone/reviews/large", "dataset") != before


def test_what_is_not_in_the_cache_is_one_sentence(store: Store, cache: Path) -> None:
    message = refusal(store, "hf://someone/nothing")
    assert "dataset hf://someone/nothing cannot be fetched from the hub" in message


@pytest.mark.parametrize(
    ("card", "config", "wanted", "unwanted"),
    [
        (CARD.format(files="data/*.csv"), "small", "data/train.csv", "large/train.csv"),
        (CARD.format(files="data/*.csv"), "large", "large/photos/1.JPG", "data/train.csv"),
        ("# No front matter\n", None, "any/where/Train.CSV.gz", "model.bin"),
        ("---\nlicense: mit\n---\n", "x", "x/train.parquet", "script.py"),
    ],
)
def test_only_the_files_of_the_configuration_are_fetched(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    card: str,
    config: str | None,
    wanted: str,
    unwanted: str,
) -> None:
    from fnmatch import fnmatch

    asked: list[list[str]] = []

    def download(repository: str, **given: Any) -> str:
        asked.append(given["allow_patterns"])
        return str(write(tmp_path, {"README.md": card}))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    resolve_dataset("d", "hf://someone/reviews", config)
    description, files = asked
    assert any(fnmatch("README.md", pattern) for pattern in description)
    assert not any(fnmatch(wanted, pattern) for pattern in description)
    assert any(fnmatch(wanted, pattern) for pattern in files)
    assert not any(fnmatch(unwanted, pattern) for pattern in files)
