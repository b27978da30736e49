"""What the tests share: an empty store in a real DuckDB file, and one with records."""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_stub import hub
from tiny_models import dataset, model_copy, model_path
from token_rows import tagged

import modelstore

__all__ = ["dataset", "hub", "model_copy", "model_path", "tagged"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips tests that need a device which this machine does not have, or a network that is apart from others."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    if item.get_closest_marker("cluster") and [name for _, name in socket.if_nameindex()] != ["lo"]:
        pytest.skip("Ray asks addresses of clouds: run `python tests/in_own_network.py -m pytest -m cluster`")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prepared data of the tests goes to a folder of theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELSTORE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("MODELSTORE_CACHE_SIZE", raising=False)
        yield


def pytest_unconfigure() -> None:
    """Lets go of pytest's import hook, so that nothing of DuckDB's outlives the interpreter.

    Once torch has been imported, the hook that rewrites assertions is never collected. Through its configuration it
    keeps every fixture and the globals of their modules alive, DuckDB's classes among them, and nanobind, by which
    DuckDB is bound to Python, then reports each as leaked. (Torch, DuckDB and a fixture are enough; neither
    modelstore nor DuckDB leaks.)
    """
    hook: Any = __spec__.loader
    if hasattr(hook, "config"):  # not with --assert=plain
        hook.config = None


@pytest.fixture
def opened_copy(tmp_path: Path) -> Iterator[Callable[[Path], modelstore.Connection]]:
    """Opens a copy of a store's file in the test's folder."""
    with ExitStack() as stores:

        def open_copy(file: Path) -> modelstore.Connection:
            return stores.enter_context(modelstore.connect(shutil.copy(file, tmp_path)))

        yield open_copy


@pytest.fixture
def store(empty_file: Path, opened_copy: Callable[[Path], modelstore.Connection]) -> modelstore.Connection:
    """An empty store, in `zoo.db`."""
    return opened_copy(empty_file)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `store`: a copy is opened in less than half the time of making one. Not to be changed."""
    path = tmp_path_factory.mktemp("empty") / "zoo.db"
    modelstore.connect(path).close()
    return path


@pytest.fixture
def recorded(
    recorded_file: Path, opened_copy: Callable[[Path], modelstore.Connection]
) -> modelstore.Connection:
    """Eight models of three kinds with results and curves of four epochs on seven datasets.

    a1–a3 and b1–b3 do alike within their kind; c1 and c2 are unlike everyone. Missing: c2 on d6.
    """
    return opened_copy(recorded_file)


@pytest.fixture(scope="session")
def recorded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `recorded`. Not to be changed."""
    path = tmp_path_factory.mktemp("recorded") / "zoo.db"
    with modelstore.connect(path) as store:
        record(store)
    return path


def record(store: modelstore.Connection) -> None:
    random = np.random.default_rng(0)
    bases = {"a": random.uniform(0.5, 0.9, 7), "b": random.uniform(0.3, 0.7, 7)}
    rows, points = [], []
    for model in ("a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2"):
        scores = bases.get(model[0], random.uniform(0.1, 0.95, 7)) + random.uniform(-0.01, 0.01, 7)
        for number, score in enumerate(scores):
            if (model, number) == ("c2", 6):
                continue
            rows.append((model, f"d{number}", float(score)))
            for stage, share in enumerate((0.6, 0.8, 0.95, 1.0), 1):
                points.append((model, f"d{number}", stage, float(score * share), float(score * share), 2.0))
    store.executemany("INSERT INTO benchmark_results (model, dataset, score) VALUES (?, ?, ?)", rows)
    store.executemany(
        "INSERT INTO training_curves (model, dataset, stage, validation, test, seconds) VALUES (?, ?, ?, ?, ?, ?)",
        points,
    )
    proxies = [(model, "d0", "leep", -0.5 - 0.1 * i) for i, (model, _, _) in enumerate(rows[::7])]
    store.executemany("INSERT INTO proxy_scores (model, dataset, proxy, score) VALUES (?, ?, ?, ?)", proxies)
