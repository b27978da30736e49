"""PEP 249, point by point."""

from collections.abc import Iterator

import pytest

import modelstore


@pytest.fixture
def con() -> Iterator[modelstore.Connection]:
    with modelstore.connect() as connection:
        yield connection


def test_module_globals_and_constructors() -> None:
    assert (modelstore.apilevel, modelstore.paramstyle) == ("2.0", "qmark")
    assert modelstore.threadsafety in (0, 1, 2, 3)
    assert modelstore.Date(2002, 12, 25).isoformat() == "2002-12-25"
    assert modelstore.Timestamp(2002, 12, 25, 13, 45, 30).hour == 13
    assert modelstore.TimeFromTicks(0.0) == modelstore.TimestampFromTicks(0.0).time()
    assert modelstore.Binary(b"x") == b"x"


@pytest.mark.parametrize(
    "name",
    [
        "Warning",
        "Error",
        "InterfaceError",
        "DatabaseError",
        "DataError",
        "OperationalError",
        "IntegrityError",
        "InternalError",
        "ProgrammingError",
        "NotSupportedError",
    ],
)
def test_exceptions_are_attributes_of_module_and_connection(con: modelstore.Connection, name: str) -> None:
    assert getattr(con, name) is getattr(modelstore, name)
    assert issubclass(getattr(modelstore, name), Exception)


def test_description_is_of_queries_alone(con: modelstore.Connection) -> None:
    assert con.description is None
    con.execute("CREATE TABLE t (name VARCHAR)")
    assert con.description is None
    con.execute("INSERT INTO t VALUES ('a'), ('b')")
    assert con.description is None
    assert con.rowcount == 2
    con.execute("SELECT name FROM t")
    assert con.description is not None
    assert [len(column) for column in con.description] == [7]
    con.execute("SELECT 7 AS Count")
    assert con.fetchall() == [(7,)]
    assert con.execute("INSERT INTO t VALUES ('c') RETURNING 1 AS Success").fetchall() == [(1,)]


def test_fetching_without_rows_is_an_error(con: modelstore.Connection) -> None:
    for sql in (None, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)"):
        if sql:
            con.execute(sql)
        for fetch in (con.fetchone, con.fetchmany, con.fetchall):
            with pytest.raises(modelstore.Error, match="no results to fetch"):
                fetch()


def test_fetchmany_takes_arraysize(con: modelstore.Connection) -> None:
    con.execute("FROM range(5)")
    assert con.fetchmany() == [(0,)]
    con.arraysize = 3
    assert con.fetchmany() == [(1,), (2,), (3,)]
    assert con.fetchmany(9) == [(4,)]
    assert con.fetchmany() == []
    assert con.fetchone() is None


def test_executemany_with_sequences_and_mappings(con: modelstore.Connection) -> None:
    con.execute("CREATE TABLE t (a INT)")
    con.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    con.executemany("INSERT INTO t VALUES ($a)", [{"a": 3}])
    assert con.execute("SELECT sum(a) FROM t").fetchone() == (6,)


def test_rollback_outside_a_transaction_does_nothing(con: modelstore.Connection) -> None:
    con.rollback()
    con.execute("BEGIN")
    con.execute("CREATE TABLE t (a INT)")
    con.rollback()
    with pytest.raises(modelstore.Error):
        con.execute("FROM t")
    con.commit()


def test_a_cursor_is_a_connection_of_its_own_to_the_same_database(con: modelstore.Connection) -> None:
    con.execute("CREATE TABLE t AS SELECT 1 AS a")
    cursor = con.cursor()
    assert cursor.description is None
    cursor.execute("SELECT a FROM t")
    assert con.execute("SELECT leep([[0.5, 0.5]], [1])").fetchall() == [(0.0,)]
    assert cursor.fetchall() == [(1,)]
    cursor.setinputsizes((25,))
    cursor.setoutputsize(1000, 0)


def test_a_closed_connection_refuses_everything(con: modelstore.Connection) -> None:
    con.close()
    for call in (con.commit, con.rollback, con.cursor, lambda: con.execute("SELECT 1")):
        with pytest.raises(modelstore.Error):
            call()
    con.close()
