"""A worker for tests, whose jobs are functions of this process."""

from collections.abc import Iterator
from contextlib import contextmanager


class FakeWorker:
    device = "cpu"
    alive = True

    def __init__(self, name: str, ready: bool = True):
        self.name = name
        self.ready = ready
        self.threads: list[int] = []

    @contextmanager
    def using(self, threads: int) -> Iterator[None]:
        self.threads.append(threads)
        yield

    def __repr__(self) -> str:
        return self.name
