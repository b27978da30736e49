"""Makes `predict`, `predict_proba` and `embed` known to DuckDB.

DuckDB's functions in Python have no overloads and do not know which connection calls them. So the functions that
people call are macros of each connection, by the number of their arguments, over functions of the database instance
that take any arguments: the connection's session first, then the device.
"""

from collections.abc import Callable
from typing import Any

import duckdb

from modelstore.planner.prediction.session import PredictionSession
from modelstore.sql_text import in_full, literal
from modelstore.udfs.register import create_function

DEVICE = "modelstore_device"  # the session's variable that says where models run
_ARGUMENTS = ("model, text", "model, text, text_pair")
# The text of a list of labels reads as VARCHAR[] again, whatever is in them: DuckDB writes it.
_TEXT = "UNION(label VARCHAR, labels VARCHAR[])"
_RESULTS = {"predict": _TEXT, "predict_proba": "MAP(VARCHAR, DOUBLE)", "embed": "FLOAT[]"}


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the functions in the database instance of ``connection``, as `modelstore.udfs.register.register`."""
    for name, function in _FUNCTIONS.items():
        create_function(connection, f"_{name}", function, None, _RESULTS[name])


def begin_session(connection: duckdb.DuckDBPyConnection, session: PredictionSession) -> None:
    """Makes the macros of one connection."""
    connection.sql(";".join(_macro(name, session) for name in _RESULTS))  # which leaves no result open


def _macro(name: str, session: PredictionSession) -> str:
    given = f"{literal(session.key)}, getvariable({literal(DEVICE)})::VARCHAR"
    cast = "::VARCHAR" if name == "predict" else ""
    bodies = (f"({arguments}) AS system.main._{name}({given}, {arguments}){cast}" for arguments in _ARGUMENTS)
    return in_full(f"CREATE OR REPLACE TEMP MACRO {name} {', '.join(bodies)}")


def _late(name: str) -> Callable[..., Any]:
    """The function of that name in `rows`, imported when DuckDB first calls it."""

    def function(*columns: Any) -> Any:
        from modelstore.planner.prediction.rows import FUNCTIONS

        return FUNCTIONS[name](*columns)

    return function


# These live as long as the process, as those of `modelstore.udfs.register` do.
_FUNCTIONS = {name: _late(name) for name in _RESULTS}
