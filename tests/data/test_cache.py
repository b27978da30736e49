"""Prepared data is kept once for all models that prepare it alike, within the limit, and checked when it is read."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from cache_user import entry, use
from hypothesis import given
from hypothesis import strategies as st

import modelstore
from modelstore.data import cache
from modelstore.data.task_data import TaskData
from modelstore.errors import StoreError
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]
OPTIONS = TrainingOptions(epochs=1, batch_size=16, device="cpu")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path))
    return tmp_path / "prepared"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The entries that are computed, and not read, as it happens."""
    done: list[str] = []
    load_or_compute = cache.load_or_compute

    def counting(name: str, compute: Callable[[], pa.Table]) -> pa.Table:
        def counted() -> pa.Table:
            done.append(name)
            return compute()

        return load_or_compute(name, counted)

    monkeypatch.setattr(cache, "load_or_compute", counting)
    return done


@pytest.mark.parametrize(
    ("models", "kind", "expected"),
    [
        (("bert", "copy of bert"), "text", 2),  # train and validation
        (("bert", "roberta"), "text", 4),
        (("vit", "resnet"), "image", 2),
        (("vit", "convnext"), "image", 4),
    ],
)
def test_a_split_is_prepared_once_for_each_distinct_preprocessor(
    models: tuple[str, ...],
    kind: str,
    expected: int,
    model_path: Paths,
    model_copy: Paths,
    dataset: Datasets,
    folder: Path,
    work: list[str],
) -> None:
    data = dataset(kind, rows=40)
    for model in models:
        path = model_copy("bert") if model == "copy of bert" else model_path(model)
        FineTuning(model, path, data, OPTIONS)
    assert len(work) == len(list(folder.glob("*.arrow"))) == expected


def test_the_data_and_what_cuts_it_tell_entries_apart(
    model_path: Paths, dataset: Datasets, folder: Path, work: list[str]
) -> None:
    data = dataset("text", rows=40)
    FineTuning("bert", model_path("bert"), data, OPTIONS)
    FineTuning("bert", model_path("bert"), data, replace(OPTIONS, max_length=5))
    assert len(work) == 4
    texts = data.train["text"].to_pylist()
    changed = data.train.set_column(0, "text", pa.array([texts[0] + "!", *texts[1:]]))
    FineTuning("bert", model_path("bert"), replace(data, train=changed), OPTIONS)
    assert len(work) == 5
    relabelled = data.train.set_column(1, "label", pa.array([1 - x for x in data.train["label"].to_pylist()]))
    FineTuning("bert", model_path("bert"), replace(data, train=relabelled), OPTIONS)
    assert len(work) == 5


@pytest.mark.parametrize(("model", "kind"), [("bert", "pair"), ("vit", "image")])
def test_inputs_from_the_cache_equal_those_computed(
    model: str, kind: str, model_path: Paths, dataset: Datasets, folder: Path
) -> None:
    data, rows = dataset(kind, rows=40), np.array([7, 0, 31])
    fresh, kept = (
        FineTuning(model, model_path(model), data, OPTIONS).placed.inputs("train") for _ in range(2)
    )
    one, other = fresh.batch(rows), kept.batch(rows)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_an_entry_that_is_damaged_is_computed_again(damage: str, folder: Path) -> None:
    assert cache.load_or_compute("a", lambda: entry(1000)) == entry(1000)
    file = folder / "a.arrow"
    whole = file.read_bytes()
    at = len(whole) // 2
    spoilt = {
        "cut": whole[:at],
        "flipped": whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
        "empty": b"",
    }
    file.write_bytes(spoilt[damage])
    assert cache.load_or_compute("a", lambda: entry(1000)) == entry(1000)
    assert file.read_bytes() == whole
    assert cache.load_or_compute("a", lambda: entry(7)) == entry(1000)  # it is read now


def test_the_entry_used_least_recently_goes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in enumerate("cba"):
        cache.load_or_compute(name, lambda: entry(1000))
        os.utime(folder / f"{name}.arrow", (1e9 - age, 1e9 - age))
    cache.load_or_compute("a", lambda: entry(1000))  # the oldest, and used again
    monkeypatch.setenv("MODELSTORE_CACHE_SIZE", "30kB")
    cache.load_or_compute("d", lambda: entry(1000))
    assert sorted(file.name for file in folder.iterdir()) == ["a.arrow", "c.arrow", "d.arrow"]


@pytest.mark.skipif(sys.platform != "linux", reason="the platform's folder is another")
def test_without_a_setting_the_cache_is_in_the_platforms_folder_for_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELSTORE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "modelstore"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / ".cache" / "modelstore"


def test_nothing_is_kept_that_does_not_fit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in ("0", "7 KB"):
        monkeypatch.setenv("MODELSTORE_CACHE_SIZE", size)
        assert cache.load_or_compute("a", lambda: entry(1000)) == entry(1000)
        assert not folder.exists()
    monkeypatch.setenv("MODELSTORE_CACHE_SIZE", "much")
    with pytest.raises(StoreError, match="MODELSTORE_CACHE_SIZE is 'much': give a size such as 10GB"):
        cache.load_or_compute("a", lambda: entry(1000))


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "file"))
    assert cache.load_or_compute("a", lambda: entry(10)) == entry(10)


def test_clearing_removes_entries_and_nothing_else(folder: Path) -> None:
    modelstore.clear_cache()  # of a folder that is not there
    cache.load_or_compute("a", lambda: entry(10))
    (folder.parent / "other").touch()
    modelstore.clear_cache()
    assert [path.name for path in folder.parent.iterdir()] == ["other"]
    assert cache.load_or_compute("a", lambda: entry(7)) == entry(7)


def test_an_entry_in_use_may_be_removed(folder: Path) -> None:
    cache.load_or_compute("a", lambda: entry(1000))
    table = cache.load_or_compute("a", lambda: entry(7))
    modelstore.clear_cache()
    assert table == entry(1000)


def test_processes_share_a_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSTORE_CACHE_SIZE", "20KB")  # of three entries, two fit
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(use, range(3)) == [True] * 3
    assert {file.suffix for file in folder.iterdir()} == {".arrow"}


@given(st.lists(st.text(max_size=5), min_size=1), st.data())
def test_equal_columns_have_equal_keys_however_they_are_cut(texts: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(texts)))
    chunked = pa.chunked_array([pa.array(texts[:cut], pa.string()), pa.array(texts, pa.string())[cut:]])
    whole = pa.table({"text": pa.array(texts, pa.string())})
    assert cache.key(["x"], pa.table({"text": chunked})) == cache.key(["x"], whole)
    assert cache.key(["y"], whole) != cache.key(["x"], whole)
    moved = [*texts[:-1], texts[-1] + "a"]
    assert cache.key(["x"], pa.table({"text": moved})) != cache.key(["x"], whole)
    if len(texts) > 1 and texts[0]:  # the same bytes, in other rows
        shifted = ["", texts[0] + texts[1], *texts[2:]]
        assert cache.key(["x"], pa.table({"text": shifted})) != cache.key(["x"], whole)
