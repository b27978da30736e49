"""Opens a model store."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelstore.connection.connection import Connection
from modelstore.connection.forking import check_not_inherited
from modelstore.data.remote import path_at
from modelstore.execution.ray_address import check_address
from modelstore.planner.prediction import functions
from modelstore.store.database import find_winners, open_database

if TYPE_CHECKING:
    from modelstore.tracking import Tracker


def connect(
    path: str | Path = ":memory:",
    read_only: bool = False,
    checkpoints: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    cluster: str | None = None,
    wait: float = 0.0,
    tracking: str | None = None,
) -> Connection:
    """Opens a model store, and makes one where there is none.

    Parameters
    ----------
    path
        A DuckDB file; by default a database in memory.
    read_only
        Opens the file for reading alone: other processes may then read it too.
    checkpoints
        The folder that fine-tuned winners are saved in; by default ``<path>.checkpoints``, beside the file. An url
        that fsspec reads, such as ``s3://bucket/folder``, needs ``pip install 'modelstore[remote]'``.
    config
        DuckDB's own settings.
    cluster
        The Ray cluster that trains: ``host:port`` of its head, or ``auto`` for the one that runs on this machine, or
        that the variable ``RAY_ADDRESS`` names. By default, this machine trains by itself.
    wait
        How many seconds to wait for a file that another process has open.
    tracking
        The experiment tracker that selections and benchmarks are logged to as they go on, ``mlflow:<tracking uri>``,
        such as ``mlflow:sqlite:///mlflow.db``; without a uri, MLflow's own settings say where.

    Returns
    -------
    Connection
        Close it, or use it as a context manager.

    Raises
    ------
    StoreError
        The file cannot be opened as a model store, or ``checkpoints`` is an url that nothing installed here reads.
    TrainingError
        ``cluster`` is no address.
    OptionError
        ``tracking`` names no tracker, or its package is not installed.

    Examples
    --------
    >>> import modelstore
    >>> with modelstore.connect() as connection:
    ...     connection.execute("SELECT count(*) FROM models").fetchall()
    [(0,)]
    """
    name = str(path)
    check_not_inherited(name)
    if cluster is not None:
        check_address(cluster)
    tracker = _tracker_at(tracking)
    connection = open_database(name, read_only, dict(config or {}), wait)
    functions.register(connection)
    [(database,)] = connection.execute("SELECT current_database()").fetchall()
    folder = path_at(str(checkpoints) if checkpoints is not None else _checkpoints_of(name))
    moved = find_winners(connection, database, folder, read_only)
    opened = Connection(connection, database, folder, read_only, moved, cluster, tracker)
    opened._file = None if name.startswith(":memory:") else os.path.abspath(name)
    return opened


def _tracker_at(address: str | None) -> "Tracker | None":
    if address is None:
        return None
    from modelstore.tracking import tracker_at

    return tracker_at(address)


def _checkpoints_of(path: str) -> str:
    return "modelstore.checkpoints" if path.startswith(":memory:") else path + ".checkpoints"
