"""Rows of token classification: a list of tokens and a list of as many tags each.

The tokens are the column ``text`` of `PREPARED`, and the tags its column ``label``: both of type VARCHAR[].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from modelstore.data.columns import order_fields, split_fields
from modelstore.data.label_lists import element_of, is_list
from modelstore.data.source import HIDDEN, SPLIT_COLUMN
from modelstore.data.working_table import EACH_LABEL, PREPARED, SOURCE, WorkingTable
from modelstore.errors import did_you_mean, first_of
from modelstore.options import DatasetOptions
from modelstore.sql_text import literal, quoted
from modelstore.udfs.entity_f1 import has_entity_tags

TOKENS, TAGS = "tokens", "tags"  # the names of the columns where no option says another
_NAMES = {"text": (TOKENS, "text"), "label": (TAGS, "label")}
TASK = "token_classification"
_SEPARATOR = "chr(31)"  # between tokens, where they are one text to compare
_NAMED = 5
_BLANKS = 1.0  # within a token, on average: more are in sentences
_TEXTS = ("VARCHAR", "JSON", "ENUM", "UUID", "BOOLEAN")
_WHOLE_NUMBERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
)


def are_tokens(types: Mapping[str, str], options: DatasetOptions) -> bool:
    """Whether the columns of these types are tokens and tags, or the options say so."""
    if options.task is not None:
        return options.task == TASK
    names = {column.lower(): column for column in types if column not in HIDDEN}
    if options.image is not None or (
        options.text is None and options.label is None and _is_text(types, names)
    ):
        return False
    tokens = _column(names, "text", options)
    # Where these are no lists, or there are no lists of tags, the error says what would be right.
    return tokens is not None and (is_list(types[tokens]) or {TOKENS, TAGS} <= names.keys())


def _is_text(types: Mapping[str, str], names: Mapping[str, str]) -> bool:
    """Whether the usual columns of another task are there: a text or an image that is no list, and a label."""
    inputs = [names[role] for role in ("text", "image") if role in names]
    return "label" in names and any(not is_list(types[column]) for column in inputs)


def _column(names: Mapping[str, str], role: str, options: DatasetOptions) -> str | None:
    """The column of a role: the one that an option names, else by its usual names."""
    asked: str | None = getattr(options, role)
    wanted = _NAMES[role] if asked is None else (asked,)
    return next((names[name.lower()] for name in wanted if name.lower() in names), None)


def find_token_columns(
    table: WorkingTable, types: Mapping[str, str], options: DatasetOptions
) -> dict[str, str]:
    """The names of the columns by role: ``text`` for the tokens, ``label`` for the tags, perhaps ``split``.

    Raises
    ------
    DatasetError
        If a column is missing, or holds no lists.
    """
    shown = [column for column in types if column not in HIDDEN]
    names = {column.lower(): column for column in shown}
    if options.image is not None or options.text_pair is not None:
        other = "image" if options.image is not None else "text_pair"
        raise table.error(f"token classification reads lists of tokens alone: leave the option {other} out")
    if "image" in names and options.text is None and options.task is None:
        raise table.error(
            "it has both a tokens and an image column: name the one to read, "
            f"WITH (text = {literal(_column(names, 'text', options) or TOKENS)}) "
            f"or WITH (image = {literal(names['image'])})"
        )
    columns: dict[str, str] = {}
    for role, what in (("text", TOKENS), ("label", TAGS)):
        asked: str | None = getattr(options, role)
        found = _column(names, role, options)
        if found is None:
            listed = ", ".join(shown)
            if asked is not None:
                near = did_you_mean(asked, shown)
                raise table.error(f'there is no column "{asked}"{near}; its columns are {listed}')
            like = [c for c in shown if is_list(types[c]) and c not in columns.values()]
            ways = " or ".join(f"WITH ({role} = {literal(column)})" for column in like[:_NAMED])
            more = f"name it by {ways or f'WITH ({role} = …)'}: {listed}"
            raise table.error(f"no column {what}, the list of a row's {what}; {more}")
        columns[role] = found
    _check_lists(table, types, columns)
    asked = options.split
    if asked is not None and asked.lower() not in names and SPLIT_COLUMN not in types:
        near = did_you_mean(asked, shown)
        raise table.error(f'there is no column "{asked}"{near}; its columns are {", ".join(shown)}')
    if SPLIT_COLUMN in types and (asked is None or asked.lower() not in names):
        columns["split"] = SPLIT_COLUMN
    elif (asked or "split").lower() in names:
        columns["split"] = names[(asked or "split").lower()]
    return columns


def _check_lists(table: WorkingTable, types: Mapping[str, str], columns: Mapping[str, str]) -> None:
    """Raises ``DatasetError`` where tokens or tags are no lists of texts, or of texts and numbers."""
    tokens, tags = columns["text"], columns["label"]
    if not is_list(types[tokens]):
        raise table.error(
            f'its column "{tokens}" is of type {types[tokens]}, and token classification needs lists of tokens: '
            f"{_as_lists(table, columns)}"
        )
    if not is_list(types[tags]):
        raise table.error(
            f'its column "{tokens}" holds lists and "{tags}" one value a row: token classification needs a tag for '
            "each token, and to classify whole texts, a query joins the tokens: "
            f"SELECT array_to_string({quoted(tokens)}, ' ') AS text, {quoted(tags)} AS label"
        )
    for column, kinds, what in (
        (tokens, _TEXTS, "texts"),
        (tags, (*_TEXTS, *_WHOLE_NUMBERS), "texts or whole numbers"),
    ):
        if not element_of(types[column]).startswith(kinds) or is_list(element_of(types[column])):
            field = f"list_transform({quoted(column)}, lambda one: one.field)"
            more = f", which a query makes of a field: {field}" if "STRUCT" in types[column] else ""
            raise table.error(
                f'its column "{column}" is of type {types[column]}: it must be a list of {what}{more}'
            )


def _as_lists(table: WorkingTable, columns: Mapping[str, str]) -> str:
    """A query that makes lists of tokens and tags that are written as texts, by how the first of them are written."""
    tokens, tags = quoted(columns["text"]), quoted(columns["label"])
    [(listed,)] = table.run(f"SELECT starts_with(trim(any_value({tokens})::VARCHAR), '[') FROM {SOURCE}")
    if listed:
        return f"a query reads the lists, SELECT {tokens}::VARCHAR[] AS tokens, {tags}::VARCHAR[] AS tags"
    split = f"string_split({tokens}, ' ') AS tokens, string_split({tags}, ' ') AS tags"
    return f"a query splits the texts, SELECT {split}"


def copy_token_columns(
    table: WorkingTable,
    types: Mapping[str, str],
    columns: Mapping[str, str],
    class_names: Mapping[str, tuple[str, ...]],
    seed: int,
    contents: bool,
) -> None:
    """Makes the table `PREPARED` in one pass over `SOURCE`, with the columns that `copy_columns` makes.

    Parameters
    ----------
    table
        The dataset's rows.
    types
        The types of the columns of `SOURCE`.
    columns
        Their names by role.
    class_names
        The names of tags of columns that hold their positions.
    seed
        Another seed orders the rows otherwise.
    contents
        Whether tokens are kept; otherwise they are true or NULL.
    """
    tokens = _texts(columns["text"], types[columns["text"]])
    tags = _tags(columns["label"], types[columns["label"]], class_names.get(columns["label"], ()))
    whole = f"array_to_string({tokens}, {_SEPARATOR})"
    fields = [
        f"{tokens if contents else f'CASE WHEN {tokens} IS NOT NULL THEN true END'} AS text",
        f"{tags} AS label",
        f"len({tokens}) AS tokens",
        f"len(list_filter({tokens}, lambda token: token IS NOT NULL)) AS filled",
        rf"len(regexp_extract_all(array_to_string({tokens}, chr(31)), '\S\s+\S'))::UINTEGER AS blanks",
        *split_fields(columns),
        "row_number() OVER () AS row",
        *order_fields(whole, seed),
        f"md5_number_lower({whole}) AS digest",
        f"strlen({whole})::UINTEGER AS bytes",
    ]
    table.run(f"CREATE OR REPLACE TEMP TABLE {PREPARED} AS SELECT {', '.join(fields)} FROM {SOURCE}")


def _texts(column: str, kind: str) -> str:
    """The SQL of a list of texts; of JSON's values, without their quotes."""
    if kind.startswith("JSON"):
        return f"list_transform({quoted(column)}, lambda value: value ->> '$')"
    return f"{quoted(column)}::VARCHAR[]"


def _tags(column: str, kind: str, names: tuple[str, ...]) -> str:
    """The SQL of a list of tags as texts; NULL for one that is blank, or a negative number: no tag."""
    tags = _texts(column, kind)
    if kind.startswith(_WHOLE_NUMBERS):
        tag = f"([{', '.join(map(literal, names))}])[tag::BIGINT + 1]" if names else "tag"
        return f"list_transform({tags}, lambda tag: CASE WHEN tag::DOUBLE >= 0 THEN {tag} END)"
    return f"list_transform({tags}, lambda tag: nullif(trim(tag), ''))"


def check_are_words(table: WorkingTable, columns: Mapping[str, str], options: DatasetOptions) -> None:
    """Raises ``DatasetError`` where what is taken for tokens are texts of several words, and no task is named."""
    if options.task is not None:
        return
    [(blanks, tokens)] = table.run(f"SELECT sum(blanks), sum(tokens) FROM {PREPARED}")
    if tokens and blanks > _BLANKS * tokens:
        raise table.shape_error(
            f'its column "{columns["text"]}" holds lists of texts of several words: for classes of texts, a query '
            "makes a row of each; if they are tokens, WITH (task = 'token_classification')"
        )


def drop_untagged_splits(table: WorkingTable) -> list[str]:
    """Removes a validation or test split in which no token has a tag; a notice of each."""
    notices = []
    for split in ("validation", "test"):
        [(rows, tagged)] = table.run(
            "SELECT count(*), count(*) FILTER (WHERE list_aggregate(label, 'count') > 0) "
            f"FROM {PREPARED} WHERE split = ?",
            [split],
        )
        if rows and not tagged:
            table.run(f"DELETE FROM {PREPARED} WHERE split = ?", [split])
            notices.append(f"none of the {rows:,} rows of {split} has tags: the split counts as missing")
    return notices


def check_lengths(
    table: WorkingTable, types: Mapping[str, str], columns: Mapping[str, str], options: DatasetOptions
) -> None:
    """Raises ``DatasetError`` where a row has more tokens than tags, or fewer, and neither list is NULL."""
    rows = table.run(
        f"SELECT count(*) OVER (), row, tokens, len(label) FROM {PREPARED} WHERE tokens <> len(label) "
        "ORDER BY row LIMIT 1"
    )
    if rows:
        count, row, tokens, tags = rows[0]
        others = f", and {count - 1:,} other rows are unequal too" if count > 1 else ""
        raise table.error(
            f'row {row} has {tokens:,} tokens in "{columns["text"]}" and {tags:,} tags in "{columns["label"]}"'
            f"{others}: each token needs one tag{_other_task(types, columns, options)}"
        )


def _other_task(types: Mapping[str, str], columns: Mapping[str, str], options: DatasetOptions) -> str:
    """How to classify the texts that stand beside the tokens, where no task is named."""
    texts = [column for column in types if column.lower() == "text" and column not in columns.values()]
    if not texts or options.task is not None:
        return ""
    return f"; if these are labels of the texts in {texts[0]}, WITH (task = 'multi_label_classification')"


def leave_out_incomplete(table: WorkingTable) -> list[str]:
    """Removes the rows without tokens, and those in which a token or a tag is missing; a notice of how many."""
    bad = "coalesce(tokens, 0) = 0 OR filled < tokens OR coalesce(list_aggregate(label, 'count'), 0) < tokens"
    [(rows, empty, left_out, first)] = table.run(
        f"SELECT count(*), count(*) FILTER (WHERE coalesce(tokens, 0) = 0), count(*) FILTER (WHERE {bad}), "
        f"min(row) FILTER (WHERE {bad}) FROM {PREPARED}"
    )
    if not left_out:
        return []
    if left_out == rows:
        raise table.error(f"none of its {rows:,} rows has tokens and a tag for each")
    table.run(f"DELETE FROM {PREPARED} WHERE {bad}")
    reasons = [f"{empty:,} without tokens"] if empty else []
    reasons += [f"{left_out - empty:,} with a token or a tag missing"] if left_out > empty else []
    return [f"{left_out:,} of {rows:,} rows are left out, {' and '.join(reasons)} (the first is row {first})"]


def find_tags(table: WorkingTable, names: tuple[str, ...]) -> tuple[str, ...]:
    """The tags by id, in the order of ``names`` where there are any; tags that are numbers by their value.

    Raises
    ------
    DatasetError
        If train has fewer than two tags.
    """
    rows = table.labels_by_id(EACH_LABEL, names)
    if sum(in_train for _, in_train in rows) < 2:
        [tag] = [tag for tag, in_train in rows if in_train]
        raise table.error(f"every tag in train is '{tag}': token classification needs at least two")
    return tuple(tag for tag, _ in rows)


def with_metric(labels: tuple[str, ...], options: DatasetOptions) -> DatasetOptions:
    """The options with a metric that fits the tags, where they name none: tags that mark no entities have no F1."""
    if options.metric is not None or has_entity_tags(labels):
        return options
    return replace(options, metric="accuracy")


def explain_metric(labels: tuple[str, ...], metric: str, options: DatasetOptions) -> list[str]:
    """A notice of how the tags are scored, where that may not be what was meant."""
    if not has_entity_tags(labels):
        if options.metric is not None:
            return []
        return [
            "its tags have no prefixes such as B- and I-, which mark entities: the metric is the accuracy over tokens"
        ]
    if metric == "f1_entity" and any(tag.startswith(("L-", "U-")) for tag in labels):
        return [
            "its tags have the prefixes L- or U- (BILOU): neighbouring entities of one type count as one, as in "
            "seqeval's default mode, unless a query writes E- and S- for them"
        ]
    return []


def find_suspicious_tags(table: WorkingTable, labels: tuple[str, ...], metric: str) -> list[str]:
    """Notices of tags that train lacks, and of splits without an entity."""
    notices = []
    unseen = table.run(
        f"SELECT label, min(split), count(*) FROM {EACH_LABEL} "
        "GROUP BY label HAVING NOT bool_or(split = 'train') ORDER BY label"
    )
    if unseen:
        shown = first_of([f"'{tag}' ({count:,} in {split})" for tag, split, count in unseen], _NAMED)
        notices.append(f"no token in train has the tags {shown}: no model can learn them")
    if metric == "f1_entity" and "O" in labels:
        for split in ("train", "validation", "test"):
            [(marked,)] = table.run(
                f"SELECT count(*) FROM {PREPARED} WHERE split = ? "
                "AND len(list_filter(label, lambda tag: tag <> 'O')) > 0",
                [split],
            )
            if not marked:
                notices.append(f"{split} has no entity: every token is 'O' there, and its score is 0")
    return notices
