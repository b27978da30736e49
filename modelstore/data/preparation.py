"""A dataset's rows in the form that training takes: its columns found, its splits made, its labels checked.

All of it is done by DuckDB in SQL; the result is one table with the columns ``text`` [``text_pair``] or
``image``, ``label`` (a string, or a double for regression) and ``split``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, OptionError, did_you_mean
from modelstore.interruption import check

PREPARED = "temp.modelstore_prepared"
_SOURCE = "temp.modelstore_source"
# The share of a class's (or of all) rows that a missing validation or test split is made of.
HELD_OUT = 0.1
_SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_CLASS_METRICS = ("accuracy", "f1_macro", "matthews")
_REAL_TYPES = ("FLOAT", "DOUBLE", "DECIMAL")


@dataclass(frozen=True)
class Prepared:
    """What a dataset turned out to be: rows by split in ``rows``, ``columns`` by role as they were named."""

    task: str
    metric: str
    modality: str
    labels: tuple[str, ...]
    columns: dict[str, str]
    rows: dict[str, int]

    @property
    def inputs(self) -> list[str]:
        """The columns of `PREPARED` that a model reads."""
        return [role for role in ("text", "text_pair", "image") if role in self.columns]


def prepare(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    query: str,
    options: Mapping[str, Any],
    parameters: Any = None,
    execute: Callable[[str, Any], Any] | None = None,
) -> Prepared:
    """Makes the table `PREPARED` of a query's rows.

    ``execute`` runs the query, where that is not just the connection's.
    ``options``: the columns' names by role, ``task``, ``metric`` and ``seed``, where they were given.
    Raises ``DatasetError`` or ``OptionError`` with what is wrong with the rows.
    """
    (execute or connection.execute)(
        f"CREATE OR REPLACE TEMP TABLE modelstore_source AS FROM (\n{query}\n)", parameters or []
    )
    try:
        return _Preparation(connection, name, options).run()
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {_SOURCE}")


def rows_to_keep(prepared: Prepared) -> str:
    """A query for the rows of `PREPARED` in the order of their content.

    So the same rows are kept, and train, alike in whatever order a query without ORDER BY gave them.
    """
    keys = ", ".join(f"md5({role})" for role in prepared.inputs)
    return f"SELECT {', '.join(prepared.inputs)}, label, split FROM {PREPARED} ORDER BY {keys}, label, row"


def discard(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops the table `PREPARED`."""
    connection.execute(f"DROP TABLE IF EXISTS {PREPARED}")


def task_data(connection: duckdb.DuckDBPyConnection, name: str, prepared: Prepared) -> TaskData:
    """The rows of `PREPARED` as Arrow tables, one a split, labels as class ids."""
    label = "label"
    if prepared.task != "regression":
        label = "(list_position($labels, label) - 1)::BIGINT AS label"
    values: dict[str, Any] = {} if prepared.task == "regression" else {"labels": list(prepared.labels)}
    tables = {}
    for split in ("train", "validation", "test"):
        table = connection.sql(
            f"SELECT {', '.join(prepared.inputs)}, {label} FROM {PREPARED} WHERE split = $split ORDER BY row",
            params={**values, "split": split},
        ).to_arrow_table()
        tables[split] = _with_image_bytes(name, split, table)
    return TaskData(
        name=name,
        task=prepared.task,
        metric=prepared.metric,
        modality=prepared.modality,
        labels=prepared.labels,
        **tables,
    )


def _with_image_bytes(name: str, split: str, table: pa.Table) -> pa.Table:
    """Images that are paths, read from disk."""
    if "image" not in table.column_names or not pa.types.is_string(table.schema.field("image").type):
        return table
    images = []
    for path in table["image"].to_pylist():
        check()
        try:
            images.append(Path(path).expanduser().read_bytes())
        except OSError as error:
            raise DatasetError(
                f'dataset "{name}": the image "{path}" of {split} cannot be read: {error.strerror}'
            ) from None
    position = table.column_names.index("image")
    return table.set_column(position, "image", pa.array(images, pa.binary()))


class _Preparation:
    """The steps of `prepare`, in order."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, options: Mapping[str, Any]):
        self.connection = connection
        self.name = name
        self.options = options
        described = connection.execute(f"DESCRIBE {_SOURCE}").fetchall()
        self.types = {row[0]: str(row[1]) for row in described}

    def run(self) -> Prepared:
        columns = self._find_columns()
        task = self._infer_task(columns)
        metric = self._infer_metric(task)
        self._normalise(columns, task)
        self._check_rows(columns, task)
        self._make_splits(columns, task)
        labels = self._check_splits(task)
        rows = dict(self._all(f"SELECT split, count(*) FROM {PREPARED} GROUP BY ALL"))
        modality = "image" if "image" in columns else "text"
        return Prepared(task, metric, modality, labels, columns, rows)

    def _all(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values or []).fetchall()

    def _fail(self, problem: str) -> DatasetError:
        return DatasetError(f'dataset "{self.name}": {problem}')

    def _find_columns(self) -> dict[str, str]:
        by_lower = {column.lower(): column for column in self.types}
        columns: dict[str, str] = {}
        for role in ("text", "text_pair", "image", "label", "split"):
            asked = self.options.get(role)
            if asked is not None and asked.lower() not in by_lower:
                near = did_you_mean(asked, list(self.types))
                raise self._fail(
                    f'there is no column "{asked}"{near}; its columns are {", ".join(self.types)}'
                )
            if (asked or role).lower() in by_lower:
                columns[role] = by_lower[(asked or role).lower()]
        if "label" not in columns:
            raise self._fail(f"no column label; name it by WITH (label = '…'): {', '.join(self.types)}")
        if "image" in columns and self.options.get("image") is None and "text" in columns:
            raise self._fail("it has both a text and an image column: select one of them")
        if "image" not in columns and "text" not in columns:
            raise self._fail(
                f"no column text or image; name it by WITH (text = '…') or (image = '…'): {', '.join(self.types)}"
            )
        if "image" in columns:
            columns = {role: column for role, column in columns.items() if role not in ("text", "text_pair")}
        return columns

    def _infer_task(self, columns: dict[str, str]) -> str:
        if "image" in columns:
            inferred = "image_classification"
        else:
            inferred = "text_pair_classification" if "text_pair" in columns else "text_classification"
        if self.types[columns["label"]].startswith(_REAL_TYPES):
            inferred = "regression"
        asked = self.options.get("task") or inferred
        if asked == "text_classification" and "text_pair" in columns:
            columns.pop("text_pair")
        fits = {
            "image_classification": "image",
            "text_classification": "text",
            "text_pair_classification": "text_pair",
        }
        if asked in fits and fits[asked] not in columns:
            raise self._fail(f"it has no {fits[asked]} column, so its task cannot be {asked}")
        return asked

    def _infer_metric(self, task: str) -> str:
        regression = task == "regression"
        metric = self.options.get("metric") or ("pearson" if regression else "accuracy")
        if regression == (metric in _CLASS_METRICS):
            right = "pearson or spearman" if regression else "accuracy, f1_macro or matthews"
            raise OptionError(
                f'the metric {metric} does not fit the task {task} of dataset "{self.name}": use {right}'
            )
        return metric

    def _normalise(self, columns: dict[str, str], task: str) -> None:
        fields = []
        for role, column in columns.items():
            source = '"' + column.replace('"', '""') + '"'
            kind = self.types[column]
            if role == "image" and kind.startswith("STRUCT"):
                fields.append(f"{source}.bytes AS image")
            elif role == "image" and kind in ("BLOB", "VARCHAR"):
                fields.append(f"{source} AS image")
            elif role == "image":
                raise self._fail(
                    f"its image column is of type {kind}: images are bytes (BLOB) or a path (VARCHAR)"
                )
            elif role == "label" and task == "regression":
                fields.append(f"TRY_CAST({source} AS DOUBLE) AS label")
            elif role == "split":
                fields.append(f"{source}::VARCHAR AS given_split")
            else:
                fields.append(f"{source}::VARCHAR AS {role}")
        if "split" not in columns:
            fields.append("NULL::VARCHAR AS given_split")
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE modelstore_prepared AS "
            f"SELECT {', '.join(fields)}, NULL::VARCHAR AS split, row_number() OVER () AS row FROM {_SOURCE}"
        )

    def _check_rows(self, columns: dict[str, str], task: str) -> None:
        [(rows,)] = self._all(f"SELECT count(*) FROM {PREPARED}")
        if not rows:
            raise self._fail("it has no rows")
        for role, column in columns.items():
            field = "given_split" if role == "split" else role
            bad = f"{field} IS NULL"
            if role == "label" and task == "regression":
                bad = "label IS NULL OR NOT isfinite(label)"
            [(missing, first)] = self._all(f"SELECT count(*), min(row) FROM {PREPARED} WHERE {bad}")
            if missing:
                what = "number" if role == "label" and task == "regression" else role
                raise self._fail(
                    f'{missing:,} of {rows:,} rows have no {what} in the column "{column}" (the first is row '
                    f"{first}): leave them out with WHERE, or fill them in"
                )

    def _make_splits(self, columns: dict[str, str], task: str) -> None:
        """Splits as given; a missing validation or test split is made from train, stratified by label."""
        cases = " ".join(f"WHEN '{given}' THEN '{split}'" for given, split in _SPLITS.items())
        self._all(
            f"UPDATE {PREPARED} SET split = CASE lower(given_split) {cases} END WHERE given_split IS NOT NULL"
        )
        unknown = self._all(
            f"SELECT given_split, min(row) FROM {PREPARED} WHERE given_split IS NOT NULL AND split IS NULL "
            "GROUP BY ALL ORDER BY 2 LIMIT 1"
        )
        if unknown:
            value, row = unknown[0]
            raise self._fail(f"the split '{value}' in row {row} is unknown: use train, validation or test")
        self._all(f"UPDATE {PREPARED} SET split = 'train' WHERE given_split IS NULL")
        present = {split for (split,) in self._all(f"SELECT DISTINCT split FROM {PREPARED}")}
        if "train" not in present:
            raise self._fail("it has no rows in the split train")
        missing = [split for split in ("test", "validation") if split not in present]
        for made, split in enumerate(missing):
            # The second is a tenth of the whole too, not of what the first left.
            self._hold_out(split, columns, task, HELD_OUT / (1 - HELD_OUT * made))
        self._all(f"ALTER TABLE {PREPARED} DROP COLUMN given_split")

    def _hold_out(self, split: str, columns: dict[str, str], task: str, share: float) -> None:
        # An MD5 of the content orders the rows: the same in every version of DuckDB, whatever the rows' order.
        content = "image" if "image" in columns else "text"
        seed = int(self.options.get("seed") or 0)
        stratum = "0" if task == "regression" else "label"
        self._all(
            f"""
            UPDATE {PREPARED} SET split = $split FROM (
                SELECT row, row_number() OVER (PARTITION BY {stratum} ORDER BY key, row) AS position,
                       count(*) OVER (PARTITION BY {stratum}) AS size
                FROM (SELECT row, label, md5(md5({content}) || $salt) AS key
                      FROM {PREPARED} WHERE split = 'train')
            ) AS ordered
            WHERE ordered.row = modelstore_prepared.row AND size >= 3
              AND position <= greatest(1, round(size * $share))
            """,
            {"split": split, "salt": f"{seed}/{split}", "share": share},
        )

    def _check_splits(self, task: str) -> tuple[str, ...]:
        """The class names by id, numbers in order of their value; () for regression."""
        counts = dict(self._all(f"SELECT split, count(*) FROM {PREPARED} GROUP BY ALL"))
        for split in ("train", "validation", "test"):
            if not counts.get(split):
                raise self._fail(
                    f"the split {split} is empty: it needs rows of its own, or more rows in train"
                )
        if task == "regression":
            [(low, high)] = self._all(f"SELECT min(label), max(label) FROM {PREPARED} WHERE split = 'train'")
            if low == high:
                raise self._fail(f"every label in train is {low:g}: there is nothing to learn")
            return ()
        rows = self._all(
            f"SELECT label FROM {PREPARED} WHERE split = 'train' GROUP BY label "
            "ORDER BY TRY_CAST(label AS DOUBLE) NULLS LAST, label"
        )
        labels = tuple(label for (label,) in rows)
        if len(labels) < 2:
            raise self._fail(
                f"every label in train is '{labels[0]}': classification needs at least two classes"
            )
        unseen = self._all(
            f"SELECT label, split, count(*) FROM {PREPARED} WHERE NOT list_contains(?, label) "
            "GROUP BY ALL ORDER BY split, label LIMIT 1",
            [list(labels)],
        )
        if unseen:
            label, split, count = unseen[0]
            raise self._fail(
                f"the label '{label}' stands in {count:,} rows of {split} and in none of train: "
                "no model could learn it"
            )
        return labels
