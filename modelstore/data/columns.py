"""What a dataset's columns are for, and the task and metric that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modelstore.data.label_lists import MULTI_LABEL, is_list, label_list, written_list
from modelstore.data.source import FOLDER_COLUMN, HIDDEN, SPLIT_COLUMN
from modelstore.data.split_names import HELD_OUT, SPLIT_OF_NAME
from modelstore.data.working_table import PREPARED, SOURCE, WorkingTable
from modelstore.errors import OptionError, did_you_mean
from modelstore.options import DatasetOptions
from modelstore.sql_text import literal, quoted
from modelstore.tasks import CLASS, LABELS, NUMBER, TASKS, Target, target_of

INPUTS = ("text", "text_pair", "image")
ROLES = (*INPUTS, "label", "split")


def roles_missing(columns: Iterable[str], options: DatasetOptions) -> list[str]:
    """What a table of these columns lacks: ``label``, ``text``, ``image``, or what an option names."""
    known = {column.lower() for column in columns}

    def has(role: str) -> bool:
        return (getattr(options, role) or role).lower() in known

    asked = [role for role in ROLES if getattr(options, role) is not None and not has(role)]
    inputs = (
        [] if has("text") or has("image") or "tokens" in known or {"text", "image"} & set(asked) else ["text"]
    )
    label = [] if has("label") or "tags" in known or "label" in asked else ["label"]
    return [*asked, *inputs, *label]


def find_columns(table: WorkingTable, types: Mapping[str, str], options: DatasetOptions) -> dict[str, str]:
    """The names of the columns by role, as the options name them or the roles themselves do.

    Raises
    ------
    DatasetError
        If a column that is needed is missing, or the inputs are ambiguous.
    """
    shown = [column for column in types if column not in HIDDEN]
    by_lower = {column.lower(): column for column in shown}
    columns: dict[str, str] = {}
    for role in ROLES:
        asked: str | None = getattr(options, role)
        if role == "split" and SPLIT_COLUMN in types and (asked or "split").lower() not in by_lower:
            asked = None  # what the names of files say is kept under this role too
        if asked is not None and asked.lower() not in by_lower:
            near = did_you_mean(asked, shown)
            raise table.shape_error(f'there is no column "{asked}"{near}; its columns are {_listed(shown)}')
        if (asked or role).lower() in by_lower:
            columns[role] = by_lower[(asked or role).lower()]
    if SPLIT_COLUMN in types and options.split is None:
        columns["split"] = SPLIT_COLUMN
    if "label" not in columns:
        lists = [column for column in shown if is_list(types[column])]
        more = f" ({', '.join(lists)}: lists; those of labels are multi-label classification)"
        if len(lists) > 1:
            pair = f"WITH (text = {literal(lists[0])}, label = {literal(lists[1])})"
            more = f" ({', '.join(lists)}: lists; for token classification name both, such as {pair})"
        raise table.shape_error(
            f"no column label; name it by WITH (label = '…'): {_listed(shown)}{more if lists else ''}"
        )
    if "image" in columns and "text" in columns and (options.image is None) == (options.text is None):
        raise table.error(
            "it has both a text and an image column: name the one to read, "
            f"WITH (text = '{columns['text']}') or WITH (image = '{columns['image']}')"
        )
    if "image" not in columns and "text" not in columns:
        raise table.shape_error(
            f"no column text or image; name it by WITH (text = '…') or (image = '…'): {_listed(shown)}"
        )
    if "image" in columns and options.text is None:
        return {role: column for role, column in columns.items() if role not in ("text", "text_pair")}
    columns.pop("image", None)
    if options.task == "text_classification":
        columns.pop("text_pair", None)
    return columns


def _listed(columns: list[str]) -> str:
    return ", ".join(column if len(column) <= 60 else column[:57] + "…" for column in columns)


def infer_task(
    table: WorkingTable,
    types: Mapping[str, str],
    columns: Mapping[str, str],
    options: DatasetOptions,
    target: Target,
) -> str:
    """The task that the options name, else the one that the columns suggest.

    Parameters
    ----------
    table
        The dataset's rows.
    types
        The types of the columns of `SOURCE`.
    columns
        The names of the columns by role.
    options
        What was asked for.
    target
        What the labels look like: lists can only be predicted as label sets, and nothing else can.

    Raises
    ------
    DatasetError
        If the task that was asked for does not go with the labels, or needs a column that is not there.
    """
    if target is not CLASS:
        inferred = next(name for name, task in TASKS.items() if task.target is target)
    elif "image" in columns:
        inferred = "image_classification"
    else:
        inferred = "text_pair_classification" if "text_pair" in columns else "text_classification"
    task = options.task or inferred
    asked, column = target_of(task), columns["label"]
    if target is LABELS and asked is not LABELS:
        what, more = "label", f", or all of them, WITH (task = '{MULTI_LABEL}')"
        if asked is NUMBER:
            what, more = "number", "; several are not predicted together"
        raise table.error(
            f'its column "{column}" holds lists ({types[column]}), and the task {task} takes one {what} a row: '
            f"predict one of them by a query, {quoted(column)}[1] AS label{more}"
        )
    if asked is LABELS and target is not LABELS:
        raise table.error(
            f'the task {task} needs lists of labels, and its column "{column}" is of type {types[column]}: make '
            f"lists by a query, [{quoted(column)}] AS label"
        )
    needed = TASKS[task].input
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
    metrics = target_of(task).metrics
    metric = options.metric or metrics[0]
    if metric not in metrics:
        right = f"{', '.join(metrics[:-1])} or {metrics[-1]}"
        raise OptionError(
            f'the metric {metric} does not fit the task {task} of dataset "{table.dataset}": use {right}'
        )
    return metric


def copy_columns(
    table: WorkingTable,
    types: Mapping[str, str],
    columns: Mapping[str, str],
    class_names: Mapping[str, tuple[str, ...]],
    options: DatasetOptions,
    contents: bool,
) -> None:
    """Makes the table `PREPARED` in one pass over `SOURCE`.

    Its columns are those of the inputs; ``label`` as text, or a list of texts; ``split``, NULL where ``given_split``
    (what the column of splits says, if there is one) is no split; ``row``, the number of the row from 1;
    ``order_test`` and ``order_validation``, which order the rows of train to be held out; ``digest``, equal for equal
    inputs; and ``bytes``, the length of the texts.

    Parameters
    ----------
    table
        The dataset's rows.
    types
        The types of the columns of `SOURCE`.
    columns
        Their names by role.
    class_names
        The names of classes of columns that hold their positions.
    options
        The task that was asked for, and the seed: another one orders the rows otherwise.
    contents
        Whether texts and images are kept. Without them a row takes some 50 bytes, and the inputs are only true or
        NULL: the table is small, whatever the size of the files.

    Raises
    ------
    DatasetError
        If a column cannot hold what its role needs.
    """
    inputs = {role: _input(table, role, columns[role], types) for role in INPUTS if role in columns}
    content, *second = inputs.values()
    whole = " || chr(31) || ".join(inputs.values())
    column = columns["label"]
    label = _label(table, column, types[column], class_names.get(column, ()), options)
    kept = (
        inputs
        if contents
        else {role: f"CASE WHEN {sql} IS NOT NULL THEN true END" for role, sql in inputs.items()}
    )
    fields = [
        *(f"{sql} AS {role}" for role, sql in kept.items()),
        f"{label} AS label",
        *split_fields(columns),
        "row_number() OVER () AS row",
        *order_fields(content, options.seed),
        f"md5_number_lower({whole if second else content}) AS digest",
        f"{'0' if 'image' in inputs else f'strlen({whole})'}::UINTEGER AS bytes",
    ]
    table.run(f"CREATE OR REPLACE TEMP TABLE {PREPARED} AS SELECT {', '.join(fields)} FROM {SOURCE}")


def order_fields(content: str, seed: int) -> list[str]:
    """The SQL of ``order_test`` and ``order_validation``, from the SQL of a row's content.

    An MD5 orders the rows: the same in every version of DuckDB, whatever the rows' order.
    """
    digits = {split: f"left(md5(md5({content}) || '{seed}/{split}'), 16)" for split in HELD_OUT}
    return [f"('0x' || {number})::UBIGINT AS order_{split}" for split, number in digits.items()]


def split_fields(columns: Mapping[str, str]) -> list[str]:
    """The SQL of ``split``, and of ``given_split`` where a column or the names of files say it."""
    kind = "ENUM('train', 'validation', 'test')"
    if "split" not in columns:
        return [f"'train'::{kind} AS split"]
    given = f"{quoted(columns['split'])}::VARCHAR"
    cases = " ".join(f"WHEN '{word}' THEN '{split}'" for word, split in SPLIT_OF_NAME.items())
    split = f"(CASE lower(trim({given})) {cases} END)::{kind} AS split"
    return [split] if columns["split"] == SPLIT_COLUMN else [split, f"{given} AS given_split"]


def _input(table: WorkingTable, role: str, column: str, types: Mapping[str, str]) -> str:
    """The SQL of a text or an image."""
    source, kind = quoted(column), types[column]
    if role != "image":
        if is_list(kind):
            raise table.shape_error(
                f'its column "{column}" holds lists ({kind}), and texts are one a row: lists of tokens are for '
                "task = 'token_classification'"
            )
        if kind == "JSON":
            raise table.error(
                f'its column "{column}" holds lists or objects in some rows: texts are one a row'
            )
        if kind.startswith(("STRUCT", "MAP", "UNION", "BLOB")):
            raise table.error(f'its column "{column}" is of type {kind}: a text is a VARCHAR')
        return f"{source}::VARCHAR"
    if kind.startswith("STRUCT") and "bytes" in kind.lower():
        return _image_of_struct(table, source, types)
    if kind == "BLOB":
        return source
    if kind == "VARCHAR":
        return _image_path(source, types)
    raise table.error(f"its image column is of type {kind}: images are bytes (BLOB) or a path (VARCHAR)")


def _image_of_struct(table: WorkingTable, source: str, types: Mapping[str, str]) -> str:
    """The image of the library's STRUCT(bytes, path): the bytes, or the path where no row has bytes."""
    [(with_bytes, without)] = table.run(
        f"SELECT count({source}.bytes), count(*) FILTER (WHERE {source}.bytes IS NULL) FROM {SOURCE}"
    )
    if with_bytes and without:
        raise table.error(
            f"{without:,} of {with_bytes + without:,} images have no bytes but a path, the others bytes: "
            "register those with bytes and those with a path apart, or read all by a query"
        )
    return f"{source}.bytes" if with_bytes else _image_path(f"{source}.path", types)


def _image_path(source: str, types: Mapping[str, str]) -> str:
    """A path: of an image in a file's row, relative to the file."""
    if FOLDER_COLUMN not in types:
        return source
    absolute = rf"regexp_matches({source}, '^([/~]|[A-Za-z]:[/\\])')"
    return f"CASE WHEN {absolute} THEN {source} ELSE {FOLDER_COLUMN} || '/' || {source} END"


def holds_label_lists(kind: str, options: DatasetOptions) -> bool:
    """Whether labels of a type are lists; texts are written lists where the options say so."""
    return is_list(kind) or (kind == "VARCHAR" and options.task == MULTI_LABEL)


def _label(
    table: WorkingTable, column: str, kind: str, names: tuple[str, ...], options: DatasetOptions
) -> str:
    """The SQL of a label as text; of a number that is not one, NULL; of a position, the class's name."""
    source = quoted(column)
    if holds_label_lists(kind, options):
        return label_list(table, column, kind, names) if is_list(kind) else written_list(table, column)
    if kind == "JSON":
        raise table.error(
            f'its column "{column}" holds lists or objects in some rows: a label is one value a row, or a list of '
            "values in each row for multi-label classification"
        )
    if kind.startswith(("STRUCT", "MAP", "UNION", "BLOB")):
        raise table.error(
            f'its column "{column}" is of type {kind}: a label is a text, a number, or a list of these'
        )
    if kind in ("FLOAT", "DOUBLE"):
        return f"CASE WHEN NOT isnan({source}) THEN {source}::VARCHAR END"
    if names:
        position = f"TRY_CAST({source} AS BIGINT)"
        listed = ", ".join(literal(name) for name in names)
        name = f"([{listed}])[{position} + 1]"
        return f"CASE WHEN {position} IS NULL THEN {source}::VARCHAR WHEN {position} >= 0 THEN {name} END"
    return f"{source}::VARCHAR"
