"""Queries for files that are no dataset as they are: what an error proposes, for the user to run or to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb

from modelstore.data.conll_files import ConllFile, look_into_conll
from modelstore.data.samples import (
    Column,
    Sample,
    files_of,
    label_column,
    lines_of,
    look_into,
    text_columns,
    text_files,
)
from modelstore.data.split_names import split_of
from modelstore.errors import first_of
from modelstore.options import DatasetOptions
from modelstore.sql_text import file_literal, literal, quoted

NAMED = 5  # files that a message names before it counts the others
_OBJECT = "sample_size = -1, maximum_object_size = 1000000000"


def propose_query(name: str, path: Path, config: str | None = None) -> str:
    """A sentence with a statement that would register the files at ``path``; nothing where none is found.

    Parameters
    ----------
    name
        The dataset's name.
    path
        The file or folder.
    config
        The configuration that was asked for: a folder of its own, if there is one.
    """
    if config is not None and (path / config).is_dir():
        path = path / config
    samples = list(look_into(path))
    tagged = [one for file in files_of(path) if (one := look_into_conll(file)) is not None]
    query = (
        _of_parallel_files(path)
        or _of_objects(path)
        or _of_tagged_tokens(path, tagged)
        or _of_tables(name, path, samples)
    )
    if not query:
        return ""
    statement = query if query.startswith("CREATE") else f"CREATE DATASET {quoted(name)} AS {query}"
    left_out = _left_out(path, [*(one.path for one in samples), *(one.path for one in tagged)], statement)
    return f". This reads it, if the columns are the right ones{left_out}: {statement}"


def _left_out(path: Path, files: Sequence[Path], statement: str) -> str:
    """Which files of a folder a statement does not read."""
    if path.is_file() or f"FROM {literal(path)}" in statement:
        return ""
    names = sorted({file.name for file in files if file_literal(file) not in statement})
    return f" (it leaves out {first_of(names, NAMED)})" if names else ""


def statement_over(name: str, relation: str, options: DatasetOptions) -> str:
    """The statement that registers the rows of a relation with the columns that the options or the roles name."""
    roles = ["image" if options.image else "text", *(["text_pair"] if options.text_pair else []), "label"]
    columns = ", ".join(f"{quoted(getattr(options, role) or role)} AS {role}" for role in roles)
    task = f" WITH (task = {literal(options.task)})" if options.task else ""
    return f"CREATE DATASET {quoted(name)} AS SELECT {columns} FROM {relation}{task}"


def _of_tables(name: str, path: Path, samples: Sequence[Sample]) -> str:
    """Files of rows: those of the shape that most have, train among them."""
    usable = []
    for sample in samples:
        texts = text_columns(sample.columns)
        label = label_column(sample.columns, texts)
        if texts and label is not None:
            usable.append((sample, texts, label))
    if not usable:
        return ""
    counts = Counter(sample.shape for sample in samples)
    with_train = {sample.shape for sample, *_ in usable if sample.split == "train"}
    shape = max((sample.shape for sample, *_ in usable), key=lambda one: (one in with_train, counts[one]))
    alike = [one for one in usable if one[0].shape == shape]
    lead, texts, label = next((one for one in alike if one[0].split == "train"), alike[0])
    options = {"text": texts[0].name, "label": label.name}
    if len(texts) > 1:
        options["text_pair"] = texts[1].name
    unnested = any(one.expression.startswith("unnest") for one in texts)
    only = {one[0].shape for one in usable} == {shape}
    if lead.has_header and only and not unnested and any(role != column for role, column in options.items()):
        return f"CREATE DATASET {quoted(name)} FROM {literal(path)} WITH ({_options(options)})"
    samples = [sample for sample in samples if sample.shape == shape]
    named = {sample.split for sample in samples}
    splits = "train" in named and None not in named
    return " UNION ALL ".join(_select(sample, texts, label, splits) for sample in samples)


def _options(options: dict[str, str]) -> str:
    return ", ".join(f"{key} = {literal(value)}" for key, value in options.items())


def _select(sample: Sample, texts: list[Column], label: Column, with_split: bool) -> str:
    value = f"TRY_CAST({label.expression} AS DOUBLE)" if label.is_score else label.expression
    roles = [f"{texts[0].expression} AS text"]
    if len(texts) > 1:
        roles.append(f"{texts[1].expression} AS text_pair")
    roles.append(f"{value} AS label")
    if with_split:
        roles.append(f"{literal(sample.split)} AS split")
    own = next((one for one in sample.columns if one.name == label.name), label)
    where = "" if own.filled == 1 else f" WHERE {label.expression} IS NOT NULL"
    return f"SELECT {', '.join(roles)} FROM {sample.relation}{where}"


def _of_parallel_files(path: Path) -> str:
    """Texts and labels in files of their own, line by line: train_text.txt and train_labels.txt."""
    files = {file.name.lower(): file for file in text_files(path)}
    parts, splits = [], []
    for name, texts in sorted(files.items()):
        for word in ("labels", "label"):
            labels = next(
                (
                    files[name.replace(t, word)]
                    for t in ("texts", "text", "sentences")
                    if t in name and name.replace(t, word) in files
                ),
                None,
            )
            if labels is not None:
                splits.append(split_of(name.replace("_", "-")))
                parts.append((texts, labels))
                break
    if not parts:
        return ""
    with_split = "train" in splits and None not in splits
    return " UNION ALL ".join(
        f"SELECT t.line AS text, l.line AS label{f', {literal(split)} AS split' if with_split else ''} "
        f"FROM {lines_of(texts)} AS t POSITIONAL JOIN {lines_of(labels)} AS l"
        for (texts, labels), split in zip(parts, splits, strict=True)
    )


def _of_tagged_tokens(path: Path, found: Sequence[ConllFile]) -> str:
    """Files in the manner of CoNLL; where they have several columns of tags, the last one is taken."""
    splits = [one.split_in(path) for one in found]
    if "train" in splits and len(found) > 1:
        return " UNION ALL ".join(one.query(split) for one, split in zip(found, splits, strict=True) if split)
    return " UNION ALL ".join(one.query(None) for one in found)


def _of_objects(path: Path) -> str:
    """A JSON file that is one object, whose values are lists of pairs or of objects: the largest file of a folder."""
    files = [path] if path.is_file() else [*path.rglob("*.json")]
    for file in sorted(files, key=lambda one: (-one.stat().st_size, one)):
        if file.suffix.lower() != ".json":
            continue
        relation = f"read_json({file_literal(file)}, {_OBJECT})"
        with duckdb.connect() as connection:
            try:
                types = {
                    n: str(kind) for n, kind, *_ in connection.execute(f"DESCRIBE FROM {relation}").fetchall()
                }
                [(rows,)] = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()
            except duckdb.Error:
                continue
            lists = {n: kind for n, kind in types.items() if kind == "VARCHAR[][]" or kind.endswith(")[]")}
            if rows == 1 and lists:
                return _unnested(connection, relation, lists)
    return ""


def _unnested(connection: duckdb.DuckDBPyConnection, relation: str, lists: dict[str, str]) -> str:
    splits = {name: split_of(name.replace("_", "-")) for name in lists}
    with_split = "train" in splits.values() and None not in splits.values()
    parts = []
    for name, kind in lists.items():
        rows = f"(SELECT unnest({quoted(name)}) AS item FROM {relation})"
        if kind == "VARCHAR[][]":
            [(first, second)] = connection.execute(
                f"SELECT avg(length(item[1])), avg(length(item[2])) FROM {rows}"
            ).fetchall()
            text, label = ("item[1]", "item[2]") if (first or 0) >= (second or 0) else ("item[2]", "item[1]")
            roles = f"{text} AS text, {label} AS label"
        else:
            roles = "unnest(item)"
        split = f", {literal(splits[name])} AS split" if with_split else ""
        parts.append(f"SELECT {roles}{split} FROM {rows}")
    return " UNION ALL ".join(parts)
