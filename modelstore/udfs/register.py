"""The formulas as DuckDB functions.

| function | arguments |
| --- | --- |
| `model_similarity(a, b, k)` | `DOUBLE[]`, `DOUBLE[]`, `BIGINT`; NULL inside a list is a missing cell |
| `leep(probabilities, labels)` | `DOUBLE[][]`, labels |
| `nleep`, `logme`, `hscore`, `knn_accuracy` `(features, labels)` | `DOUBLE[][]`, labels |
| `silhouette(distances, labels)` | `DOUBLE[][]`, labels |
| `trends_of_curves(datasets, epochs, validations, tests, results, epoch, trends)` | lists by dataset |

Labels are a list of integers, booleans or strings. `logme` with a list of floats or decimals is a regression;
elsewhere they must be whole. The macro `convergence_trends` calls `trends_of_curves`, which gives a list of
trends. An argument that is NULL gives NULL; what a formula refuses is DuckDB's InvalidInputException with the
same message.
"""

import inspect
from collections.abc import Callable
from typing import Any

import duckdb
from duckdb.func import ARROW, SPECIAL

# DuckDB casts a list to the first member of the union that takes it. It has no overloads for Python functions, so
# this is how an argument can have several types.
LABELS = "UNION(flags BOOLEAN[], integers BIGINT[], numbers DOUBLE[], strings VARCHAR[])"
TRENDS = "STRUCT(trend BIGINT, size BIGINT, datasets VARCHAR[], validation DOUBLE, test DOUBLE)[]"


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the functions in the database instance of ``connection``, and so for all its connections.

    Functions that are there stay as they are. Call it outside a transaction, whose rollback would remove
    them, and with no result of the connection unfinished, which DuckDB refuses.
    """
    for name, function, parameters, result in _FUNCTIONS:
        create_function(connection, name, function, parameters, result)


def create_function(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    function: Callable[..., Any],
    parameters: list[Any] | None,
    result: str,
) -> None:
    """Creates a function over Arrow columns, unless it is there; without ``parameters`` it takes any arguments."""
    try:
        connection.create_function(name, function, parameters, result, type=ARROW, null_handling=SPECIAL)
    except (duckdb.CatalogException, duckdb.NotImplementedException) as error:
        # "already exists" in the instance, or "already created" by this connection.
        if "already" not in str(error):
            raise


def _late(name: str, arguments: int) -> Callable[..., Any]:
    """The function of that name in `arrow_functions`, imported when DuckDB first calls it.

    Its imports would take a quarter of the time from the start of the process to an open database.
    """

    def function(*columns: Any) -> Any:
        from .arrow_functions import FUNCTIONS

        return FUNCTIONS[name](*columns)

    # DuckDB compares the number of parameters with that of the types.
    parameters = [inspect.Parameter(f"c{i}", inspect.Parameter.POSITIONAL_ONLY) for i in range(arguments)]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


# These live as long as the process: DuckDB drops its reference to a function when the connection that registered it
# closes, and crashes when another connection of the instance calls it after that.
_FUNCTIONS: tuple[tuple[str, Callable[..., Any], list[Any], str], ...] = (
    ("model_similarity", _late("model_similarity", 3), ["DOUBLE[]", "DOUBLE[]", "BIGINT"], "DOUBLE"),
    (
        "trends_of_curves",
        _late("trends_of_curves", 7),
        ["VARCHAR[]", "DOUBLE[][]", "DOUBLE[][]", "DOUBLE[][]", "DOUBLE[]", "DOUBLE", "BIGINT"],
        TRENDS,
    ),
    *(
        (name, _late(name, 2), ["DOUBLE[][]", LABELS], "DOUBLE")
        for name in ("leep", "nleep", "logme", "hscore", "knn_accuracy", "silhouette")
    ),
)
