"""Checks what stands around extension statements before they run: training must not end in a misspelt column.

DuckDB binds the statement around with empty tables in their places. It finds out too late that the target of
`CREATE TABLE … AS` exists, or that the folder of `COPY … TO` does not: these are looked at here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from modelstore.arrow_tables import unregister
from modelstore.errors import NotFoundError
from modelstore.language import nodes
from modelstore.language.description import Form
from modelstore.language.script import ScriptStatement
from modelstore.language.tokens import Kind, Token, value_of
from modelstore.planner.candidates import check_relation
from modelstore.planner.context import StatementContext
from modelstore.planner.result_schema import schema_of

# What DuckDB raises for statements that it runs and has no plan for.
_HAS_NO_PLAN = (duckdb.ParserException, duckdb.NotImplementedException, duckdb.InterruptException)
_IN_FOLDERS = ("PARTITION_BY", "PER_THREAD_OUTPUT", "FILE_SIZE_BYTES")  # options of COPY that make a folder


def check_surroundings(context: StatementContext, statement: ScriptStatement) -> bool:
    """Checks the statement around its extension statements, as far as that is possible before they have rows.

    Returns
    -------
    bool
        Whether the rows are wanted: `CREATE TABLE IF NOT EXISTS` of a table that is there wants none.

    Raises
    ------
    duckdb.Error
        What DuckDB would raise once they have run.
    """
    if any(_is_command(one.node) for one in statement.embedded):
        return True
    with _trial(context) as probe:
        for one in statement.embedded:
            assert isinstance(one.node, nodes.Extension)
            if any(one.start < start and end <= one.end for start, end in probe.results):
                check_relation(probe.seeing(one.tables), one.node)
            probe.keep((one.start, one.end), schema_of(one.node.statement).empty_table())
        if (statement.tokens[0].start, statement.tokens[-1].end) in probe.results:
            return True
        _bind(probe, statement)
    return _check_target(context, statement.tokens)


def _is_command(node: nodes.Extension | nodes.Explain) -> bool:
    return isinstance(node, nodes.Explain) or node.statement.form is not Form.TABLE


@contextmanager
def _trial(context: StatementContext) -> Iterator[StatementContext]:
    """A block with surroundings of its own, whose tables are dropped at its end."""
    probe = replace(context, results={}, plans={})
    try:
        yield probe
    finally:
        unregister(context.store.connection, probe.results.values())


def _bind(probe: StatementContext, statement: ScriptStatement) -> None:
    text, values = probe.remaining(statement.first, statement.end)
    try:
        probe.query(f"EXPLAIN {text}", values).fetchall()
    except _HAS_NO_PLAN:
        return  # nor can what is wrong with it be said before it runs
    except NotFoundError:
        raise
    except duckdb.Error as error:
        raise probe.as_written(error, statement.first, statement.end, before="EXPLAIN ") from None


def _check_target(context: StatementContext, tokens: tuple[Token, ...]) -> bool:
    if tokens[0].is_word("CREATE"):
        return _check_new_table(context, tokens)
    if tokens[0].is_word("COPY"):
        _check_file(context, tokens)
    return True


def _check_new_table(context: StatementContext, tokens: tuple[Token, ...]) -> bool:
    """Makes the table and takes it back; returns whether it is still to be made."""
    at = next((index for index, token in enumerate(tokens) if token.is_word("TABLE")), None)
    replaces = any(token.is_word("REPLACE") for token in tokens[:at])
    if at is None or (replaces and context.store.in_transaction()):
        return True  # what is replaced would be gone
    begin = at + 1
    may_exist = len(tokens) > begin and tokens[begin].is_word("IF")
    begin += 3 if may_exist else 0
    end = begin
    while end < len(tokens) and not (tokens[end].is_word("AS") or tokens[end].is_operator("(")):
        end += 1
    if end in (begin, len(tokens)):
        return True
    name = context.sql[tokens[begin].start : tokens[end - 1].end]
    kind = " ".join(token.text for token in tokens[:at])
    try:
        _try_table(context, kind, name)
    except duckdb.CatalogException as error:
        if may_exist and "already exists" in str(error):
            return False
        raise
    return True


def _try_table(context: StatementContext, kind: str, name: str) -> None:
    """Makes a table by the words that the statement has for it, and leaves nothing of it."""
    connection = context.store.connection
    trial = f"{kind} TABLE {name} (modelstore_trial INTEGER)"
    if context.store.in_transaction():
        connection.execute(trial)
        connection.execute(f"DROP TABLE {name}")
        return
    connection.execute("BEGIN")
    try:
        connection.execute(trial)
    finally:
        connection.execute("ROLLBACK")


def _check_file(context: StatementContext, tokens: tuple[Token, ...]) -> None:
    """Raises ``duckdb.IOException`` where the folder of the file that COPY writes is not there."""
    depth, at = 0, None
    for index, token in enumerate(tokens):
        depth += token.is_operator("(") - token.is_operator(")")
        if depth == 0 and token.is_word("TO"):
            at = index + 1
            break
    if at is None or at >= len(tokens) or any(token.is_word(*_IN_FOLDERS) for token in tokens[at:]):
        return
    path = _path_at(context, tokens, at)
    if path is None or "://" in path or path.startswith("/dev/"):
        return
    folder = Path(path).expanduser().parent
    if not folder.is_dir():
        raise duckdb.IOException(f'IO Error: Cannot open file "{path}": there is no folder "{folder}"')


def _path_at(context: StatementContext, tokens: tuple[Token, ...], at: int) -> str | None:
    token = tokens[at]
    if token.kind is Kind.STRING:
        return value_of(token)
    if token.is_operator("?"):
        number = sum(one.is_operator("?") for one in tokens[: at + 1])
        value = context.parameters.get(str(number))
    elif token.is_operator("$") and at + 1 < len(tokens):
        value = context.parameters.get(tokens[at + 1].text)
    else:
        value = None
    return value if isinstance(value, str) else None
