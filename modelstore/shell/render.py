"""How a result is written: a box for people, csv, json, jsonl or markdown for programs."""

import csv
import json
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

FORMATS = ("box", "csv", "json", "jsonl", "markdown")
_BATCH = 10_000


def render(result: Any, form: str, out: TextIO) -> None:
    """Writes the rows of a connection's last statement; all but the box are streamed."""
    if form == "box":
        _box(result, out)
        return
    names = [column[0] for column in result.description]
    if form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(["" if value is None else value for value in row] for row in _rows(result))
    elif form == "markdown":
        out.write(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}\n")
        for row in _rows(result):
            out.write("| " + " | ".join(_cell(value) for value in row) + " |\n")
    else:
        _json(result, names, form == "jsonl", out)


def _rows(result: Any) -> Iterator[tuple[Any, ...]]:
    while rows := result.fetchmany(_BATCH):
        yield from rows


def _box(result: Any, out: TextIO) -> None:
    import duckdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that Arrow makes a copy: a box is for results that people read
        table = result.to_arrow_table()
    with duckdb.connect() as plain:
        out.write(str(plain.from_arrow(table)) + "\n")


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def _json(result: Any, names: list[str], lines: bool, out: TextIO) -> None:
    separator = "" if lines else "["
    for row in _rows(result):
        text = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=str)
        out.write(separator + text)
        separator = "\n" if lines else ",\n"
    if lines:
        out.write("\n" if separator else "")
    else:
        out.write("[]\n" if separator == "[" else "]\n")
