"""Fingerprints of files: others whenever the files are."""

import os
from pathlib import Path

import huggingface_hub
import pytest

from modelstore.data.fingerprint import fingerprint


def test_a_fingerprint_changes_with_any_file_and_with_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    weights = folder / "inner" / "weights"
    (folder / "config").write_text("{}")

    def now() -> str | None:
        return fingerprint(str(folder), "model")

    seen = [now()]
    for change in (
        lambda: weights.write_bytes(b"one"),
        lambda: weights.write_bytes(b"three"),
        lambda: os.utime(weights, ns=(0, 1)),
        lambda: weights.rename(folder / "weights"),
    ):
        change()
        seen.append(now())
    assert len(set(seen)) == 5
    (folder / "config").read_text()
    assert now() == seen[-1]
    assert fingerprint(str(folder / "weights"), "dataset") not in seen


def test_there_is_none_of_what_is_not_there(tmp_path: Path) -> None:
    assert fingerprint(str(tmp_path), "model") is None
    assert fingerprint(str(tmp_path / "gone"), "model") is None
    assert fingerprint("hf://nobody/nothing", "dataset") is None


def test_of_the_hub_it_is_that_of_the_commit_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    for commit in ("a" * 40, "b" * 40):
        (repository / "snapshots" / commit).mkdir(parents=True)
        config = repository / "snapshots" / commit / "config.json"
        config.write_text("{}")
        os.utime(config, (0, 0))
    found = []
    for commit in ("a" * 40, "b" * 40):
        (repository / "refs" / "main").write_text(commit)
        found.append(fingerprint("hf://someone/tiny", "model"))
        assert found[-1] == fingerprint(f"hf://someone/tiny@{commit}", "model")
    assert None not in found
    assert len(set(found)) == 2
