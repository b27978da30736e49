"""A store that is begun on a full disk, or while the process is killed, can be opened later."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import modelstore

BEGIN_AT_EVERY_SIZE = """
import os, sys
from pathlib import Path
import duckdb, modelstore
folder = Path(sys.argv[1])
filler, path = folder / "filler", folder / "zoo.db"
for free in [*range(0, 65536, 4096), *range(65536, 1 << 20, 65536)]:
    filler.write_bytes(b"")
    state = os.statvfs(folder)
    filler.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - free)))
    try:
        modelstore.connect(path).close()
    except modelstore.StoreError as error:
        assert "the disk is full" in str(error), error
    filler.unlink()
    with modelstore.connect(path) as store:
        store.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m', 'd', 0.5)")
    with modelstore.connect(path) as store:
        assert store.execute("SELECT count(*) FROM benchmark_results").fetchall() == [(1,)]
    assert {one.name for one in folder.iterdir()} <= {"zoo.db", "zoo.db.wal"}, list(folder.iterdir())
    for left in folder.iterdir():
        left.unlink()
print("done")
"""


def test_a_store_begun_on_a_really_full_disk_is_opened_when_there_is_space(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(BEGIN_AT_EVERY_SIZE)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = f"mount -t tmpfs -o size=4m tmpfs '{disk}' && exec '{sys.executable}' '{script}' '{disk}'"
    try:
        probe = subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        pytest.skip("this machine has no unshare")
    if probe.returncode:
        pytest.skip("this user may not mount a small disk in a namespace of its own")
    result = subprocess.run(["unshare", "-rm", "sh", "-c", mounted], capture_output=True, text=True)
    assert result.stdout == "done\n", result.stderr


@pytest.mark.parametrize("size", [0, 12, 4096, 8192, 12287])
def test_a_file_that_ends_within_its_header_is_begun_anew(tmp_path: Path, size: int) -> None:
    path = tmp_path / "zoo.db"
    duckdb.connect(str(path)).close()
    path.write_bytes(path.read_bytes()[:size])
    with modelstore.connect(path) as store:
        assert store.execute("SELECT count(*) FROM models").fetchall() == [(0,)]
    assert [one.name for one in tmp_path.iterdir()] == ["zoo.db"]


@pytest.mark.parametrize("content", [b"hello", b"x" * 8192, b"\0" * 4096])
def test_a_short_file_of_another_kind_is_refused_and_left_as_it_was(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(modelstore.StoreError):
        modelstore.connect(path)
    assert path.read_bytes() == content


def test_a_file_that_another_process_begins_just_now_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    path.write_bytes(b"")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); "
            "print('held', flush=True); sys.stdin.read()",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(modelstore.StoreError):
        modelstore.connect(path)
    assert path.read_bytes() == b""
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()
    modelstore.connect(path).close()


def test_the_lock_of_an_open_store_outlives_another_connection(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    with modelstore.connect(path), modelstore.connect(path):
        code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        taken = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True)
        assert taken.returncode != 0


def test_a_store_is_begun_through_a_link_and_with_settings_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "zoo.db")
    with modelstore.connect(tmp_path / "link.db", config={"default_order": "desc"}) as store:
        assert store.execute("SELECT count(*) FROM models").fetchall() == [(0,)]
    assert (tmp_path / "link.db").is_symlink()
    assert (tmp_path / "zoo.db").is_file()


def test_a_disk_that_fills_up_within_the_migrations_leaves_a_file_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelstore.store import database

    def full() -> list[tuple[int, str]]:
        known = migrations()
        return [*known[:3], (known[3][0], "SELECT error('Could not write file: No space left on device')")]

    migrations = database.migrations
    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", full)
        with pytest.raises(modelstore.StoreError, match="the disk is full; free space there"):
            modelstore.connect(tmp_path / "zoo.db")
    with modelstore.connect(tmp_path / "zoo.db") as store:
        assert store.execute("SELECT count(*) FROM models").fetchall() == [(0,)]
