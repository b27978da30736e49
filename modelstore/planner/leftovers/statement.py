"""`LIST LEFTOVERS` and `REMOVE LEFTOVERS`: files of checkpoints that nobody needs."""

from collections.abc import Sequence

import pyarrow as pa

from modelstore.errors import StoreError
from modelstore.language import nodes
from modelstore.language.statements import LIST_LEFTOVERS
from modelstore.options import LeftoverOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.leftovers.folder import CheckpointsFolder, Leftover
from modelstore.planner.result_schema import schema_of
from modelstore.progress import notify

SCHEMA = schema_of(LIST_LEFTOVERS)


def list_leftovers(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """What nobody needs, a row a file or folder."""
    return _rows(_found(context, statement))


def remove_leftovers(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Removes what nobody needs; its rows say what is gone."""
    if context.read_only:
        raise StoreError(
            "REMOVE LEFTOVERS removes what the store does not need, and the database is open read-only, so that "
            "another process may be training for it: open it for writing"
        )
    if context.store.in_transaction():
        raise StoreError(
            "REMOVE LEFTOVERS cannot run inside BEGIN, since a ROLLBACK brings no file back: COMMIT first"
        )
    removed = []
    for one in _found(context, statement):
        if one.remove():
            removed.append(one)
        else:
            notify(f'"{one.path}" cannot be removed: look at the permissions of its folder')
    return _rows(removed)


def _found(context: StatementContext, statement: nodes.Extension) -> list[Leftover]:
    options = context.options_of(statement, LeftoverOptions)
    folder = CheckpointsFolder(
        context.checkpoints, context.store, options.days, exclusive=not context.read_only
    )
    return list(folder.leftovers())


def _rows(found: Sequence[Leftover]) -> pa.Table:
    rows = [
        {"path": str(one.path), "kind": one.kind, "bytes": one.size, "changed_at": one.changed}
        for one in found
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
