"""A store for several programs: one waits for another, and readers have a copy."""

import subprocess
import sys
from pathlib import Path

import pytest

import modelstore


def holder(path: Path, seconds: float) -> subprocess.Popen[str]:
    """A process that has a store open for so long."""
    program = (
        f"import modelstore, time; con = modelstore.connect({str(path)!r}); print('open', flush=True); "
        f"time.sleep({seconds}); con.close()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def test_a_file_that_another_process_has_is_waited_for(tmp_path: Path) -> None:
    process = holder(tmp_path / "zoo.db", 0.5)
    with modelstore.connect(tmp_path / "zoo.db", wait=60) as store:
        assert store.execute("SELECT count(*) FROM models").fetchall() == [(0,)]
    assert process.wait(60) == 0


def test_waiting_ends(tmp_path: Path) -> None:
    process = holder(tmp_path / "zoo.db", 60)
    with pytest.raises(modelstore.StoreError, match=r"is open in another process.*wait=60"):
        modelstore.connect(tmp_path / "zoo.db", wait=0.2)
    process.kill()
    process.wait()


def test_a_copy_of_the_database_serves_readers(recorded_file: Path, tmp_path: Path) -> None:
    rank = "RECALL 3 MODELS FOR d0 USING leep"
    with modelstore.connect(recorded_file) as store:
        [(name,)] = store.execute("SELECT current_database()").fetchall()
        store.execute(f"ATTACH '{tmp_path}/snapshot.db' AS snapshot")
        store.execute(f"COPY FROM DATABASE {name} TO snapshot")
        store.execute("DETACH snapshot")
        expected = [store.execute(sql).fetchall() for sql in ("FROM performance_matrix ORDER BY ALL", rank)]
    with modelstore.connect(tmp_path / "snapshot.db", read_only=True) as copy:
        found = [copy.execute(sql).fetchall() for sql in ("FROM performance_matrix ORDER BY ALL", rank)]
    assert found == expected


def test_what_is_no_address_of_a_cluster_is_said_at_once(tmp_path: Path) -> None:
    for address, why in (
        ("ray://head:10001", r"address of Ray's client server.*head:6379"),
        ("head", r"'head' is no address of a Ray cluster: give 'auto', or 'host:port'"),
    ):
        with pytest.raises(modelstore.TrainingError, match=why):
            modelstore.connect(tmp_path / "zoo.db", cluster=address)
    assert not (tmp_path / "zoo.db").exists()
