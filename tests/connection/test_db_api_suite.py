"""The published DB API 2.0 compliance suite (Stuart Bishop's, public domain), on a file and in memory."""

from pathlib import Path
from typing import Any

import dbapi20
import pytest

import modelstore


class Suite(dbapi20.DatabaseAPI20Test):  # type: ignore[misc]
    __test__ = False  # run below, on two kinds of database
    driver = modelstore

    def tearDown(self) -> None:
        """Each test has a database of its own: there is nothing to drop."""

    def test_nextset(self) -> None:
        """Optional in PEP 249, and DuckDB has none: the suite asks drivers to say so here."""

    def test_setoutputsize(self) -> None:
        """DuckDB needs no hint; `test_setoutputsize_basic` holds that giving one does no harm."""

    def test_non_idempotent_close(self) -> None:
        """As in DuckDB, closing again does nothing; the suite says that "reasonable persons differ" about it."""


@pytest.mark.parametrize("place", ["file", "memory"])
@pytest.mark.parametrize("name", sorted(name for name in dir(Suite) if name.startswith("test_")))
def test_the_suite_passes(name: str, place: str, tmp_path: Path) -> None:
    suite: Any = Suite(name)
    suite.connect_args = (str(tmp_path / "suite.db") if place == "file" else ":memory:",)
    suite.setUp()
    getattr(suite, name)()
