"""SQLAlchemy's dialect: transactions, parameters, reflection, types, and the errors that its users see."""

import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import modelstore

sa = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
if "modelstore" not in sa.dialects.registry.impls:
    sa.dialects.registry.register("modelstore", "modelstore.clients.sqlalchemy_dialect", "Dialect")


@pytest.fixture
def engine() -> Iterator[Any]:
    made = sa.create_engine("modelstore://")
    yield made
    made.dispose()


@pytest.fixture
def recorded_engine(recorded: modelstore.Connection) -> Iterator[Any]:
    [(path,)] = recorded.execute("SELECT path FROM duckdb_databases() WHERE NOT internal").fetchall()
    recorded.close()
    made = sa.create_engine(f"modelstore:///{path}")
    yield made
    made.dispose()


def test_statements_of_a_store_run_with_parameters(recorded_engine: Any) -> None:
    with recorded_engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT model FROM (RECALL :k MODELS FOR :target) ORDER BY rank"),
            {"k": 2, "target": "d0"},
        ).all()
        assert len(rows) == 2
        result = connection.execute(
            sa.text("SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = :epochs)"), {"epochs": 2}
        )
        assert {"model", "validation", "selection"} <= {*result.keys()}
        assert len(result.all()) == 1


def test_what_is_not_committed_is_undone(tmp_path: Path) -> None:
    engine = sa.create_engine(f"modelstore:///{tmp_path / 'zoo.db'}")
    insert = sa.text("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m', 'd', :score)")
    scores = sa.text("SELECT score FROM benchmark_results ORDER BY score")
    with engine.connect() as connection:
        connection.execute(insert, {"score": 0.1})
    with engine.connect() as connection:
        connection.execute(insert, {"score": 0.2})
        connection.commit()
        connection.execute(insert, {"score": 0.3})
        connection.rollback()
    with engine.connect() as connection:
        connection.execute(insert, {"score": 0.4})
        with pytest.raises(sa.exc.DatabaseError):
            connection.execute(sa.text("SELECT error('no')"))
    with engine.begin() as connection:
        connection.execute(insert, [{"score": 0.5}, {"score": 0.6}])
    with engine.connect() as connection:
        assert connection.scalars(scores).all() == [0.2, 0.5, 0.6]
    engine.dispose()
    with modelstore.connect(tmp_path / "zoo.db", read_only=True) as store:  # the file is free again
        assert store.execute("SELECT count(*) FROM benchmark_results").fetchone() == (3,)


def test_a_statement_that_commits_by_itself_runs_first_or_under_autocommit(
    recorded_engine: Any, model_path: Callable[[str], Path]
) -> None:
    benchmark = sa.text("BENCHMARK MODELS ON t")  # of which the result is on record
    change = sa.text("CREATE TABLE changed (a INTEGER)")
    with recorded_engine.begin() as connection:
        connection.execute(sa.text("CREATE MODEL bert FROM :path"), {"path": str(model_path("bert"))})
        connection.execute(
            sa.text(
                "CREATE DATASET t AS SELECT 'a b' || i AS text, 'c' || i % 2 AS label FROM range(40) AS r(i)"
            )
        )
        connection.execute(
            sa.text(
                "INSERT INTO benchmark_results (model, dataset, score, seed) VALUES ('bert', 't', 0.5, 0)"
            )
        )
    with recorded_engine.connect() as connection:
        assert connection.execute(benchmark).one().status == "skipped"  # nothing has changed yet
        connection.execute(change)
        with pytest.raises(sa.exc.OperationalError, match="cannot run inside BEGIN: COMMIT first") as caught:
            connection.execute(benchmark)
        assert str(caught.value.orig).count("\n") == 0
        connection.rollback()
    with recorded_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(change)
        assert connection.execute(benchmark).one().status == "skipped"
        connection.rollback()  # which undoes nothing
    with recorded_engine.connect() as connection:  # the pool's connection has transactions again
        assert sa.inspect(connection).has_table("changed")
        assert connection.get_isolation_level() == "SNAPSHOT"
        connection.execute(sa.text("DROP TABLE changed"))
        connection.rollback()
        assert sa.inspect(connection).has_table("changed")


def test_the_rows_of_a_statement_outlast_the_next_one(engine: Any) -> None:
    with engine.connect() as connection:
        seen = []
        for (number,) in connection.execution_options(yield_per=2).execute(sa.text("FROM range(5)")):
            seen += [number, connection.scalar(sa.text("SELECT 10 * :n"), {"n": number})]
    assert seen == [0, 0, 1, 10, 2, 20, 3, 30, 4, 40]


def test_the_connections_of_an_engine_in_memory_share_its_database(engine: Any) -> None:
    with engine.begin() as one:
        one.execute(sa.text("CREATE TABLE t AS SELECT 1 AS a"))
    with engine.connect() as one, engine.connect() as other:
        assert one.scalar(sa.text("FROM t")) == other.scalar(sa.text("FROM t")) == 1
    other_engine = sa.create_engine("modelstore://")
    assert not sa.inspect(other_engine).has_table("t")
    other_engine.dispose()


def test_a_url_says_how_to_open_the_file(tmp_path: Path) -> None:
    path = tmp_path / "zoo.db"
    modelstore.connect(path).close()
    engine = sa.create_engine(
        f"modelstore:///{path}?read_only=true&wait=0.5&threads=1&checkpoints=/elsewhere"
    )
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_setting('threads')")) == 1
        with pytest.raises(sa.exc.DatabaseError, match="read-only"):
            connection.execute(sa.text("CREATE TABLE t (a INT)"))
    engine.dispose()
    with pytest.raises(sa.exc.ArgumentError, match="write modelstore:///zoo"):
        sa.create_engine("modelstore://zoo.db")


def test_tables_are_reflected(engine: Any) -> None:
    statements = """
        CREATE SCHEMA other;
        CREATE TABLE "Parent Table" (id INTEGER PRIMARY KEY, "a b" DECIMAL(10, 2) DEFAULT 1.5, UNIQUE ("a b"));
        CREATE TABLE child (x INTEGER, y VARCHAR NOT NULL CHECK (y <> ''), z DOUBLE[][], s STRUCT(a INTEGER),
            e ENUM ('p', 'q'), j JSON, t TIMESTAMPTZ, n INTEGER GENERATED ALWAYS AS (x + 1),
            FOREIGN KEY (x) REFERENCES "Parent Table" (id));
        CREATE UNIQUE INDEX by_y ON child (y, x);
        CREATE INDEX by_lower ON child (lower(y));
        COMMENT ON TABLE child IS 'of a parent';
        COMMENT ON COLUMN child.y IS 'not empty';
        CREATE TABLE other.elsewhere (a INTEGER);
        CREATE TEMP TABLE passing (a INTEGER);
        CREATE VIEW seen AS SELECT y FROM child
    """
    with engine.connect() as connection:
        for statement in statements.split(";"):
            connection.exec_driver_sql(statement)
        found = sa.inspect(connection)
        assert {"models", "Parent Table", "child"} <= {*found.get_table_names()}
        assert "passing" not in found.get_table_names()
        assert found.get_temp_table_names() == ["passing"]
        assert {"main", "other"} <= {*found.get_schema_names()}
        assert found.get_table_names(schema="other") == ["elsewhere"]
        assert "seen" in found.get_view_names()
        assert "SELECT y FROM child" in found.get_view_definition("seen")
        assert [found.has_table(name) for name in ("child", "CHILD", "passing", "seen", "none")] == [
            True,
            True,
            True,
            True,
            False,
        ]
        assert not found.has_table("child", schema="other")
        columns = {column["name"]: column for column in found.get_columns("child")}
        assert {name: str(column["type"]) for name, column in columns.items()} | {"z": "", "e": ""} == {
            "x": "INTEGER",
            "y": "VARCHAR",
            "z": "",
            "s": "NULL",
            "e": "",
            "j": "JSON",
            "t": "DATETIME",
            "n": "INTEGER",
        }
        assert (columns["z"]["type"].dimensions, columns["e"]["type"].enums) == (2, ["p", "q"])
        assert columns["t"]["type"].timezone
        assert (columns["y"]["nullable"], columns["y"]["comment"]) == (False, "not empty")
        assert "x + 1" in columns["n"]["computed"]["sqltext"]
        [id_column, price] = found.get_columns("Parent Table")
        assert (id_column["nullable"], price["default"]) == (False, "1.5")
        assert (price["type"].precision, price["type"].scale) == (10, 2)
        assert found.get_pk_constraint("Parent Table")["constrained_columns"] == ["id"]
        assert found.get_pk_constraint("child")["constrained_columns"] == []
        assert [one["column_names"] for one in found.get_unique_constraints("Parent Table")] == [["a b"]]
        [key] = found.get_foreign_keys("child")
        assert (key["referred_table"], key["referred_columns"]) == ("Parent Table", ["id"])
        assert len(found.get_check_constraints("child")) == 1
        lower, by_y = found.get_indexes("child")
        assert (by_y["column_names"], by_y["unique"]) == (["y", "x"], True)
        assert (lower["column_names"], lower["unique"]) == ([None], False)
        assert found.get_table_comment("child") == {"text": "of a parent"}
        with pytest.raises(sa.exc.NoSuchTableError):
            found.get_columns("none")
        tables = sa.MetaData()
        tables.reflect(connection)
        assert tables.tables["models"].primary_key.columns.keys() == ["name"]


def test_values_come_back_as_they_were_stored(engine: Any) -> None:
    values = {
        "score": 1 / 3,
        "price": decimal.Decimal("1.25"),
        "at": dt.datetime(2026, 5, 4, 3, 2, 1),
        "on": dt.date(2026, 5, 4),
        "long": dt.timedelta(hours=3, seconds=2),
        "key": uuid.uuid4(),
        "raw": b"\x00\xff",
        "flag": True,
        "tree": {"a": {"b": [1, "x"]}},
        "numbers": [1, 2, None],
        "kind": "q",
        "select": "a 'reserved' word \\ and :more ?",
        "pivot": None,
    }
    types = [
        sa.Float,
        sa.Numeric(10, 2),
        sa.DateTime,
        sa.Date,
        sa.Interval,
        sa.Uuid,
        sa.LargeBinary,
        sa.Boolean,
    ]
    types += [sa.JSON, sa.ARRAY(sa.Integer), sa.Enum("p", "q", name="kinds"), sa.Text, sa.String(3)]
    table = sa.Table("t", sa.MetaData(), *map(sa.Column, values, types))
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), values)
        assert connection.execute(table.select()).mappings().one() == values
        tree = table.c.tree
        for number in (tree["a"]["b"][0], tree[("a", "b", 0)]):
            assert connection.scalar(sa.select(number.as_integer() + 1).where(number.as_integer() == 1)) == 2
        assert connection.scalar(sa.select(tree["a"]["b"])) == [1, "x"]
        assert (
            connection.scalar(sa.select(table.c.kind).where(table.c.select.regexp_match("reser.ed"))) == "q"
        )
        assert connection.scalar(sa.select(sa.literal(5).bitwise_xor(3))) == 6
        assert connection.scalar(sa.select(sa.literal(5) / 2)) == 2.5
        assert connection.execute(table.update().values(flag=False)).rowcount == 1


def test_objects_are_mapped(engine: Any) -> None:
    orm = pytest.importorskip("sqlalchemy.orm")
    base = orm.declarative_base()
    columns = {
        "id": sa.Column(sa.Integer, sa.Sequence("notes_id"), primary_key=True),
        "text": sa.Column(sa.String, nullable=False),
    }
    note = type("Note", (base,), {"__tablename__": "notes", **columns})
    base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add_all([note(text=f"note {number}") for number in range(3)])
        session.commit()
        second = session.scalars(sa.select(note).where(note.text == "note 1").with_for_update()).one()
        assert second.id == 2
        second.text = "changed"
        session.commit()
        session.delete(second)
        session.commit()
        assert session.scalars(sa.select(note.text).order_by(note.id)).all() == ["note 0", "note 2"]
        assert session.scalar(sa.Sequence("notes_id")) == 4
        session.begin_nested()
        with pytest.raises(sa.exc.NotSupportedError, match="savepoint, which DuckDB does not have"):
            session.execute(sa.text("SELECT 1"))


def test_pandas_writes_and_reads_tables(engine: Any) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "a": [1, 2**40],
            "b": [1 / 3, None],
            "c": ["x", None],
            "d": pandas.date_range("2026-01-01", periods=2),
        }
    )
    frame.to_sql("frames", engine, index=False)
    frame.to_sql("frames", engine, index=False, if_exists="append")
    read = pandas.read_sql("frames", engine)
    assert list(read["a"]) == [1, 2**40] * 2
    assert (read["b"][0], read["d"][1]) == (1 / 3, frame["d"][1])
    frame.to_sql("frames", engine, index=False, if_exists="replace")
    rows = pandas.read_sql(sa.text("SELECT a FROM frames WHERE a > :least"), engine, params={"least": 1})
    assert list(rows["a"]) == [2**40]
    assert [len(part) for part in pandas.read_sql("FROM range(5)", engine, chunksize=2)] == [2, 2, 1]


def test_polars_writes_and_reads_tables(engine: Any) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, 2**40], "b": [1 / 3, None]})
    frame.write_database("frames", engine)
    assert polars.read_database("FROM frames", engine).equals(frame)
