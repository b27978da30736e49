"""The rows of `CREATE MODELS FROM relation` and `CREATE DATASETS FROM relation`: what is to be registered."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from modelstore.data.file_kinds import DATA_ENDINGS
from modelstore.data.hub import is_on_hub, repository_of
from modelstore.data.remote import is_remote, without_scheme
from modelstore.language import nodes
from modelstore.planner.context import StatementContext
from modelstore.sql_text import folded


@dataclass(frozen=True)
class Row:
    """A model or dataset to be registered; ``fault`` says why it cannot be, None where it can.

    Without a fault, neither name nor uri is empty.
    """

    name: str
    uri: str
    fault: str | None = None


def read_rows(context: StatementContext, relation: nodes.Raw, kind: str) -> list[Row]:
    """Reads the columns ``uri`` and ``name`` of a relation.

    Parameters
    ----------
    context
        The statement's context.
    relation
        The relation.
    kind
        ``model`` or ``dataset``.

    Raises
    ------
    duckdb.Error
        If it cannot be read, or has no column ``uri``.
    """
    source = context.text(relation.args["start"], relation.args["end"])
    tables, values = context.with_tables(), context.parameters_in(relation)
    try:
        columns = context.query(f"{tables}SELECT * FROM {source}\nLIMIT 0", values).description or []
        names = [column[0].lower() for column in columns]
        if "uri" not in names:
            message = (
                f"Binder Error: {kind}s are registered from a column uri, and a column name names them; this "
                f"relation has {', '.join(column[0] for column in columns)}"
            )
            raise duckdb.BinderException(context.at(message, relation))
        name = "name::VARCHAR" if "name" in names else "NULL"
        found = context.query(f"{tables}SELECT uri::VARCHAR, {name} FROM {source}\n", values).fetchall()
    except duckdb.Error as error:
        raise context.relocated(error, relation) from None
    return list(_checked(found, kind))


def default_name(uri: str, kind: str) -> str:
    """The name of a model or dataset that was given none.

    Examples
    --------
    >>> default_name("hf://owner/name@v2", "model"), default_name("zoo/bert/", "model")
    ('owner/name', 'bert')
    >>> default_name("data/reviews.csv.gz", "dataset")
    'reviews'
    """
    if is_on_hub(uri):
        return repository_of(uri) or ""
    path = uri if is_remote(uri) else os.path.abspath(os.path.expanduser(without_scheme(uri)))
    name = os.path.basename(path.rstrip("/"))
    if kind == "dataset":
        name = name.removesuffix(".gz").removesuffix(".zst")
        ending = next((one for one in DATA_ENDINGS if name.lower().endswith(one)), "")
        name = name[: len(name) - len(ending)]
    return name


def _checked(found: list[tuple[str | None, str | None]], kind: str) -> Iterator[Row]:
    taken: set[str] = set()
    for uri, name in found:
        if not uri:
            yield Row(name or "", "", "its uri is NULL or empty")
            continue
        name = name or default_name(uri, kind)
        if not name:
            yield Row("", uri, f"its uri {uri[:200]} ends in no name: give it one by a column name")
        elif folded(name) in taken:
            yield Row(
                name,
                uri,
                f'the relation has the name "{name}" before: give each row its own by a column name',
            )
        else:
            taken.add(folded(name))
            yield Row(name, uri)
