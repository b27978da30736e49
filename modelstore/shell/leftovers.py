"""What the shell says of leftovers as it begins."""

import time

import duckdb

from modelstore.connection import Connection
from modelstore.shell.app import Shell

DAYS = 7.0  # from which on leftovers are worth a line


def offer_leftovers(shell: Shell) -> None:
    """Says how to remove what has lain among the checkpoints for long, where there is any."""
    found = _old_leftovers(shell.connection)
    if not found:
        return
    from modelstore.planner.plan import counted
    from modelstore.sizes import size

    print(
        f"{counted(len(found), 'leftover')} of killed statements or dropped models "
        f"{'takes' if len(found) == 1 else 'take'} {size(sum(found))}: LIST LEFTOVERS shows them, "
        "REMOVE LEFTOVERS removes them.",
        file=shell.messages,
    )


def _old_leftovers(connection: Connection) -> list[int]:
    """The bytes of each leftover that has not been changed for `DAYS`."""
    if not connection.may_have_leftovers:
        return []
    try:
        with connection.cursor() as cursor:
            rows = cursor.execute(f"LIST LEFTOVERS WITH (days = {DAYS})").fetchall()
    except duckdb.Error:  # a person who begins wants no error message
        return []
    return [size for _, _, size, changed in rows if time.time() - changed.timestamp() >= DAYS * 86400]
