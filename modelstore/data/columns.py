"""What a dataset's columns are for, and the task and metric that follow from them."""

from __future__ import annotations

from collections.abc import Mapping

from modelstore.data.working_table import PREPARED, SOURCE, WorkingTable
from modelstore.errors import OptionError, did_you_mean
from modelstore.options import DatasetOptions

ROLES = ("text", "text_pair", "image", "label", "split")
_CLASS_METRICS = ("accuracy", "f1_macro", "matthews")
_REAL_TYPES = ("FLOAT", "DOUBLE", "DECIMAL")
_INPUT_OF_TASK = {
    "image_classification": "image",
    "text_classification": "text",
    "text_pair_classification": "text_pair",
}


def find_columns(table: WorkingTable, types: Mapping[str, str], options: DatasetOptions) -> dict[str, str]:
    """The names of the columns by role, as the options name them or the roles themselves do.

    Raises
    ------
    DatasetError
        If a column that is needed is missing, or the inputs are ambiguous.
    """
    by_lower = {column.lower(): column for column in types}
    columns: dict[str, str] = {}
    for role in ROLES:
        asked: str | None = getattr(options, role)
        if asked is not None and asked.lower() not in by_lower:
            near = did_you_mean(asked, list(types))
            raise table.error(f'there is no column "{asked}"{near}; its columns are {", ".join(types)}')
        if (asked or role).lower() in by_lower:
            columns[role] = by_lower[(asked or role).lower()]
    if "label" not in columns:
        raise table.error(f"no column label; name it by WITH (label = '…'): {', '.join(types)}")
    if "image" in columns and options.image is None and "text" in columns:
        raise table.error("it has both a text and an image column: select one of them")
    if "image" not in columns and "text" not in columns:
        raise table.error(
            f"no column text or image; name it by WITH (text = '…') or (image = '…'): {', '.join(types)}"
        )
    if "image" in columns:
        return {role: column for role, column in columns.items() if role not in ("text", "text_pair")}
    if options.task == "text_classification":
        columns.pop("text_pair", None)
    return columns


def infer_task(
    table: WorkingTable, types: Mapping[str, str], columns: Mapping[str, str], options: DatasetOptions
) -> str:
    """The task that the options name, else the one that the columns suggest.

    Raises
    ------
    DatasetError
        If the task that was asked for needs a column that is not there.
    """
    if types[columns["label"]].startswith(_REAL_TYPES):
        inferred = "regression"
    elif "image" in columns:
        inferred = "image_classification"
    else:
        inferred = "text_pair_classification" if "text_pair" in columns else "text_classification"
    task = options.task or inferred
    needed = _INPUT_OF_TASK.get(task)
    if needed is not None and needed not in columns:
        raise table.error(f"it has no {needed} column, so its task cannot be {task}")
    return task


def infer_metric(table: WorkingTable, task: str, options: DatasetOptions) -> str:
    """The metric that the options name, else the task's own.

    Raises
    ------
    OptionError
        If the metric does not fit the task.
    """
    regression = task == "regression"
    metric = options.metric or ("pearson" if regression else "accuracy")
    if regression == (metric in _CLASS_METRICS):
        right = "pearson or spearman" if regression else "accuracy, f1_macro or matthews"
        raise OptionError(
            f'the metric {metric} does not fit the task {task} of dataset "{table.dataset}": use {right}'
        )
    return metric


def copy_columns(
    table: WorkingTable, types: Mapping[str, str], columns: Mapping[str, str], task: str
) -> None:
    """Makes the table `PREPARED`: the columns under their roles, ``given_split``, an empty ``split`` and ``row``.

    Raises
    ------
    DatasetError
        If a column cannot hold what its role needs.
    """
    fields = [_field(table, role, column, types[column], task) for role, column in columns.items()]
    if "split" not in columns:
        fields.append("NULL::VARCHAR AS given_split")
    table.run(
        f"CREATE OR REPLACE TEMP TABLE {PREPARED} AS "
        f"SELECT {', '.join(fields)}, NULL::VARCHAR AS split, row_number() OVER () AS row FROM {SOURCE}"
    )


def _field(table: WorkingTable, role: str, column: str, kind: str, task: str) -> str:
    """The SQL that makes a column under its role from one of type ``kind``."""
    source = '"' + column.replace('"', '""') + '"'
    if role == "image" and kind.startswith("STRUCT"):
        return f"{source}.bytes AS image"
    if role == "image" and kind in ("BLOB", "VARCHAR"):
        return f"{source} AS image"
    if role == "image":
        raise table.error(f"its image column is of type {kind}: images are bytes (BLOB) or a path (VARCHAR)")
    if role == "label" and task == "regression":
        return f"TRY_CAST({source} AS DOUBLE) AS label"
    return f"{source}::VARCHAR AS {'given_split' if role == 'split' else role}"
