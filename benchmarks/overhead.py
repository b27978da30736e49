"""What ordinary SQL costs through a model store, beside DuckDB itself: `SELECT 1` in a loop.

    python benchmarks/overhead.py

The two take turns, so that whatever else the machine does slows both; the ratio is of the medians of their rounds.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import duckdb

import modelstore

ROUNDS, LOOPS = 200, 100
LOOP_BODIES: dict[str, Callable[[Any], Any]] = {
    "execute": lambda connection: connection.execute("SELECT 1"),
    "execute, fetchone": lambda connection: connection.execute("SELECT 1").fetchone(),
    "execute, fetchall": lambda connection: connection.execute("SELECT 1").fetchall(),
    "a parameter, fetchall": lambda connection: connection.execute("SELECT ?", [1]).fetchall(),
    "`SELECT i FROM t` of 100 rows, fetchall": lambda connection: connection.execute(
        "SELECT i FROM t"
    ).fetchall(),
}


def seconds(body: Callable[[Any], Any], connection: Any) -> float:
    began = time.perf_counter()
    for _ in range(LOOPS):
        body(connection)
    return (time.perf_counter() - began) / LOOPS


def main() -> None:
    print("| loop of `SELECT 1` | duckdb | modelstore | ratio |\n| --- | --- | --- | --- |")
    with duckdb.connect() as plain, modelstore.connect() as ours:
        for connection in (plain, ours):
            connection.execute("CREATE TABLE t AS FROM range(100) t(i)")
        for name, body in LOOP_BODIES.items():
            times: dict[Any, list[float]] = {plain: [], ours: []}
            for round_number in range(ROUNDS):
                for connection in (plain, ours) if round_number % 2 else (ours, plain):
                    times[connection].append(seconds(body, connection))
            base, found = (statistics.median(times[connection]) for connection in (plain, ours))
            print(f"| {name} | {base * 1e6:.1f} µs | {found * 1e6:.1f} µs | {found / base:.3f} |")


if __name__ == "__main__":
    main()
