"""A disk that is really full: a small file system in memory, with room for a random number of bytes more."""

import atexit
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from attacks import script
from attacks.interrupted import outcome, undisturbed, wait
from attacks.trial import Attack, Trial

MEGABYTE = 2**20


def _prepare(folder: Path) -> Callable[[int], Trial]:
    disk = Path(
        tempfile.mkdtemp(prefix="full-disk-")
    )  # not in the folder, which is removed while this is mounted
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        sys.exit("a full disk needs the right to mount: run under unshare --mount --map-root-user")
    atexit.register(_unmount, disk)
    original = script.build(folder)
    states, _ = undisturbed(original, folder)

    def trial(number: int) -> Trial:
        chance = random.Random(number)
        for one in disk.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        store = script.copied(original, disk / "store")
        free = shutil.disk_usage(disk).free
        room = int(chance.uniform(0, 6) * MEGABYTE)
        with (disk / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(free - room, 1))
        process = script.start(store, folder)
        if not wait(lambda: not process.is_alive()):
            process.kill()
            return Trial("a full disk makes it wait for ever")
        (disk / "ballast").unlink()
        return outcome(store, folder, states)

    return trial


def _unmount(disk: Path) -> None:
    subprocess.run(["umount", str(disk)], check=False)
    disk.rmdir()


FULL_DISK = Attack("a disk that is full after up to 6 MB", 50, _prepare)
