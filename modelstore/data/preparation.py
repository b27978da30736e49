"""A dataset's rows in the form that training takes, step by step; DuckDB does the work in temporary tables.

The result is the table `PREPARED` with the columns ``text`` and perhaps ``text_pair``, or ``image``; ``label`` (a
string, a double for regression, or a list of strings for multi-label and token classification); ``split``; and
``row``, the number of the row from 1.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from modelstore.arrow_tables import registered
from modelstore.data import token_rows
from modelstore.data.access import check_file, is_restricted
from modelstore.data.bounded_files import read_bounded
from modelstore.data.columns import (
    copy_columns,
    find_columns,
    holds_label_lists,
    infer_metric,
    infer_task,
)
from modelstore.data.findings import find_overlaps, find_suspicious
from modelstore.data.label_lists import find_labels, read_label_lists
from modelstore.data.labels import convert_labels, describe_labels, explain_labels
from modelstore.data.proposals import propose_query, statement_over
from modelstore.data.row_checks import (
    check_numbers,
    check_rows,
    check_split_column,
    check_values,
    count_rows,
    explain_split_column,
    find_classes,
)
from modelstore.data.shape_error import ShapeError
from modelstore.data.source import HIDDEN
from modelstore.data.sources import open_source
from modelstore.data.split_names import HELD_OUT
from modelstore.data.splits import (
    check_given_splits,
    drop_unlabelled_splits,
    find_missing_splits,
    make_splits,
)
from modelstore.data.tabular_files import explain_read_error
from modelstore.data.task_data import TaskData
from modelstore.data.working_table import PREPARED, SOURCE, WorkingTable
from modelstore.errors import DatasetError, OptionError
from modelstore.interruption import check
from modelstore.options import DatasetOptions
from modelstore.sql_text import in_full
from modelstore.tasks import CLASS, LABELS, NUMBER, TAGS, target_of

MOST_IMAGE = 500_000_000  # bytes of an encoded image
# What DuckDB raises for files that are damaged, or whose values do not go together.
_UNREADABLE = (
    duckdb.InvalidInputException,
    duckdb.IOException,
    duckdb.SerializationException,
    duckdb.ConversionException,
    duckdb.BinderException,
    duckdb.TypeMismatchException,
)

# The SQL of what `TaskData` has for a label.
_ID_OF_TARGET = {
    NUMBER: "label",
    CLASS: "(list_position($labels, label) - 1)::BIGINT AS label",
    LABELS: "list_sort([list_position($labels, one) - 1 FOR one IN label])::BIGINT[] AS label",
    TAGS: "[list_position($labels, one) - 1 FOR one IN label]::BIGINT[] AS label",
}


@dataclass(frozen=True)
class Prepared:
    """What a dataset turned out to be.

    Parameters
    ----------
    task, metric, modality
        As in `TaskData`.
    labels
        The names of classes or labels by id; empty for regression.
    columns
        The names that the columns had, by role.
    rows
        The number of rows by split.
    notices
        What was inferred, left out or is suspicious.
    """

    task: str
    metric: str
    modality: str
    labels: tuple[str, ...]
    columns: dict[str, str]
    rows: dict[str, int]
    notices: tuple[str, ...] = ()

    @property
    def inputs(self) -> list[str]:
        """The columns of `PREPARED` that a model reads."""
        return [role for role in ("text", "text_pair", "image") if role in self.columns]


def prepare_query(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    query: str,
    options: DatasetOptions,
    parameters: Any = None,
    execute: Callable[[str, Any], Any] | None = None,
) -> Prepared:
    """Makes the table `PREPARED` from the rows of a query, which runs once.

    Parameters
    ----------
    connection
        Where the temporary tables are made.
    name
        The dataset's name, for error messages.
    query
        The rows.
    options
        What the columns are for, where their names do not say so.
    parameters
        The query's parameters.
    execute
        Runs the query; None for the connection's own ``execute``.

    Raises
    ------
    DatasetError
        If the rows cannot be trained on.
    OptionError
        If the metric does not fit the task.
    """
    (execute or connection.execute)(
        f"CREATE OR REPLACE TEMP TABLE {SOURCE} AS FROM (\n{query}\n)", parameters or []
    )
    try:
        return _prepare(WorkingTable(connection, name), options, {}, contents=True)
    finally:
        _drop(connection, f"TABLE IF EXISTS {SOURCE}")


def prepare_files(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    path: Path,
    options: DatasetOptions,
    contents: bool = True,
) -> Prepared:
    """Makes the table `PREPARED` from a file or folder, whose rows are streamed into it.

    Parameters
    ----------
    connection
        Where the temporary tables are made.
    name
        The dataset's name, for error messages.
    path
        The file or folder.
    options
        What the columns are for, where their names do not say so, and the configuration.
    contents
        Whether texts and images are kept in `PREPARED`: they are needed for training, not for registering.

    Raises
    ------
    DatasetError
        If the rows cannot be read or trained on. Where a query could read them, the message has it.
    OptionError
        If the metric does not fit the task.
    """
    try:
        source = open_source(path, options)
        with registered(connection, source.tables):
            try:
                connection.execute(f"CREATE OR REPLACE TEMP VIEW {SOURCE} AS FROM (\n{source.query}\n)")
                prepared = _prepare(WorkingTable(connection, name), options, source.class_names, contents)
            finally:
                _drop(connection, f"VIEW IF EXISTS {SOURCE}")
    except ShapeError as error:
        raise DatasetError(f"{error}{propose_query(name, path, options.config)}") from None
    except (DatasetError, OptionError):
        raise
    except OSError as error:
        raise DatasetError(
            f'dataset "{name}": "{error.filename or path}" cannot be read: {error.strerror}'
        ) from None
    except _UNREADABLE as error:
        reason = explain_read_error(error, lambda relation: statement_over(name, relation, options))
        raise DatasetError(f'dataset "{name}": {reason}') from None
    return replace(prepared, notices=(*source.notices, *prepared.notices))


def _prepare(
    table: WorkingTable, options: DatasetOptions, class_names: Mapping[str, tuple[str, ...]], contents: bool
) -> Prepared:
    types = table.column_types()
    if token_rows.are_tokens(types, options):
        return _prepare_tokens(table, types, options, class_names, contents)
    columns = find_columns(table, types, options)
    copy_columns(table, types, columns, class_names, options, contents)
    check_rows(table)
    check_split_column(table, columns)
    check_given_splits(table, columns)
    column, kind = columns["label"], types[columns["label"]]
    are_lists = holds_label_lists(kind, options)
    notices = [*explain_split_column(types, columns), *drop_unlabelled_splits(table, are_lists)]
    described = None if are_lists else describe_labels(table, kind)
    task = infer_task(table, types, columns, options, described.target if described else LABELS)
    target = target_of(task)
    metric = infer_metric(table, task, options)
    names = class_names.get(column, ())
    if described is None:
        notices += read_label_lists(table, column, kind, names)
    else:
        convert_labels(table, described, column, task)
    check_values(table, columns, task, 0 if are_lists else len(names))
    missing = find_missing_splits(table)
    notices += find_overlaps(table, [split for split in HELD_OUT if split not in missing])
    notices += make_splits(table, missing, target)
    notices += find_overlaps(table, missing)
    may_be_numbers = target is CLASS and described is not None and described.may_be_regression
    rows = count_rows(table, may_be_numbers)
    labels: tuple[str, ...] = ()
    if target is NUMBER:
        check_numbers(table)
    elif target is CLASS:
        labels = find_classes(table, names, may_be_numbers)
    else:
        labels, said = find_labels(table, names)
        notices += said
    if described is not None:
        notices += explain_labels(described, task, options.task, columns)
    notices += find_suspicious(table, target)
    modality = "image" if "image" in columns else "text"
    named = {role: column for role, column in columns.items() if column not in HIDDEN}
    return Prepared(task, metric, modality, labels, named, rows, tuple(notices))


def _prepare_tokens(
    table: WorkingTable,
    types: Mapping[str, str],
    options: DatasetOptions,
    class_names: Mapping[str, tuple[str, ...]],
    contents: bool,
) -> Prepared:
    columns = token_rows.find_token_columns(table, types, options)
    token_rows.copy_token_columns(table, types, columns, class_names, options.seed, contents)
    check_rows(table)
    check_split_column(table, columns)
    check_given_splits(table, columns)
    notices = token_rows.drop_untagged_splits(table)
    token_rows.check_lengths(table, types, columns, options)
    token_rows.check_are_words(table, columns, options)
    notices += token_rows.leave_out_incomplete(table)
    missing = find_missing_splits(table)
    notices += find_overlaps(table, [split for split in HELD_OUT if split not in missing])
    notices += make_splits(table, missing, TAGS)
    notices += find_overlaps(table, missing)
    rows = count_rows(table, are_numbers=False)
    labels = token_rows.find_tags(table, class_names.get(columns["label"], ()))
    metric = infer_metric(table, token_rows.TASK, token_rows.with_metric(labels, options))
    notices += token_rows.explain_metric(labels, metric, options)
    notices += [*find_suspicious(table, TAGS), *token_rows.find_suspicious_tags(table, labels, metric)]
    named = {role: column for role, column in columns.items() if column not in HIDDEN}
    return Prepared(token_rows.TASK, metric, "text", labels, named, rows, tuple(notices))


def digest_of_rows(connection: duckdb.DuckDBPyConnection) -> str:
    """A digest of the rows of `PREPARED`, in whatever order; of an image that is a path, only the path counts."""
    sql = (
        "SELECT md5(concat_ws(' ', count(*), sum(number::HUGEINT))) FROM "
        f"(SELECT md5_number_lower(concat_ws(chr(31), split, digest, label)) AS number FROM {PREPARED})"
    )
    [(digest,)] = connection.execute(in_full(sql)).fetchall()
    return str(digest)


def rows_to_keep(prepared: Prepared) -> str:
    """A query for the rows of `PREPARED` in the order of their content.

    So the same rows are kept and train alike, whatever order a query without ORDER BY gave them.
    """
    as_text = "::VARCHAR" if target_of(prepared.task) is TAGS else ""
    keys = ", ".join(f"md5({role}{as_text})" for role in prepared.inputs)
    columns = f"{', '.join(prepared.inputs)}, label, split::VARCHAR AS split"
    return in_full(f"SELECT {columns} FROM {PREPARED} ORDER BY {keys}, label, row")


def discard(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops the table `PREPARED`."""
    _drop(connection, f"TABLE IF EXISTS {PREPARED}")


def _drop(connection: duckdb.DuckDBPyConnection, what: str) -> None:
    """Drops a table or view. Where an error has aborted a transaction, its end does."""
    with suppress(duckdb.TransactionException):
        connection.execute(f"DROP {what}")


def read_task_data(connection: duckdb.DuckDBPyConnection, name: str, prepared: Prepared) -> TaskData:
    """Reads the rows of `PREPARED` as Arrow tables, one for each split, labels as class ids.

    Raises
    ------
    DatasetError
        If an image is a path that cannot be read.
    """
    label, values = _ID_OF_TARGET[target_of(prepared.task)], dict[str, Any]()
    if prepared.labels:
        values["labels"] = list(prepared.labels)
    tables = {}
    for split in ("train", "validation", "test"):
        table = connection.sql(
            in_full(
                f"SELECT {', '.join(prepared.inputs)}, {label} FROM {PREPARED} WHERE split = $split ORDER BY row"
            ),
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
    """The table, with images that are paths read from disk."""
    if "image" not in table.column_names or not pa.types.is_string(table.schema.field("image").type):
        return table
    images = read_images(
        table["image"].to_pylist(), lambda path: f'dataset "{name}": the image "{path}" of {split}'
    )
    position = table.column_names.index("image")
    return table.set_column(position, "image", images)


def read_images(paths: Sequence[str], name_of: Callable[[str], str]) -> pa.Array:
    """The content of images on disk, as binaries.

    Parameters
    ----------
    paths
        Their files; a ``~`` at the beginning is the user's folder.
    name_of
        Says for an error what an image is, by its path.

    Raises
    ------
    DatasetError
        If a file cannot be read.
    """
    images, some_must_not = [], is_restricted()
    for path in map(_without_tilde, paths):
        check()
        if some_must_not:
            check_file(path)
        try:
            images.append(read_bounded(path, MOST_IMAGE))
        except OSError as error:
            raise DatasetError(f"{name_of(path)} cannot be read: {error.strerror}") from None
    return pa.array(images, pa.binary())


def _without_tilde(path: str) -> str:
    return os.path.expanduser(path) if path.startswith("~") else path
