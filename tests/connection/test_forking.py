"""A process that is forked after connect leaves its parent's connections, files and workers alone."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def run(code: str, path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_connection_of_the_parent_says_so_in_a_child_which_ends_without_touching_the_file(
    tmp_path: Path,
) -> None:
    lines = run(
        """
        import os, sys
        import modelstore
        con = modelstore.connect(sys.argv[1])
        cursor = con.cursor()
        con.execute("CREATE TABLE t AS SELECT 1 AS a")
        child = os.fork()
        if child == 0:
            for do in (
                lambda: con.execute("SELECT 1"), lambda: con.execute("SHOW MODELS"), cursor.fetchone,
                lambda: con.execute("CLUSTER MODELS"), con.cursor, lambda: con.sql("SELECT 1"),
                lambda: modelstore.connect(sys.argv[1]), con.interrupt,
            ):
                try:
                    do()
                    print("passed")
                except modelstore.Error as error:
                    print("fork" in str(error))
            con.close()
            modelstore.connect().close()
            sys.exit(0)  # which closes what is open
        assert os.waitpid(child, 0)[1] == 0
        con.execute("INSERT INTO t VALUES (2)")
        con.close()
        con = modelstore.connect(sys.argv[1])
        print(con.execute("SELECT sum(a) FROM t").fetchall())
        """,
        tmp_path / "zoo.db",
    )
    assert lines == ["True"] * 8 + ["[(3,)]"]


def test_a_file_that_was_closed_before_the_fork_can_be_opened_in_the_child(tmp_path: Path) -> None:
    lines = run(
        """
        import os, sys
        import modelstore
        modelstore.connect(sys.argv[1]).close()
        child = os.fork()
        if child == 0:
            with modelstore.connect(sys.argv[1]) as con:
                print(con.execute("SELECT count(*) FROM models").fetchall(), flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """,
        tmp_path / "zoo.db",
    )
    assert lines == ["[(0,)]"]
