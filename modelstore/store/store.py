"""The whole store: its parts, and transactions over them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from modelstore.errors import StoreError
from modelstore.memo import Memo
from modelstore.store.catalog import Catalog
from modelstore.store.clusters import Clusters
from modelstore.store.curves import Curves
from modelstore.store.embeddings import Embeddings
from modelstore.store.expectations import Expectations
from modelstore.store.fingerprints import Fingerprints
from modelstore.store.proxy_scores import ProxyScores
from modelstore.store.recipes import Recipes
from modelstore.store.results import Results
from modelstore.store.selections import SelectionLog
from modelstore.store.telemetry import Telemetry
from modelstore.store.transactions import in_transaction
from modelstore.store.units import Units


class Store:
    """What a database holds, as Python values; its queries run on the connection, and replace its open result.

    Parameters
    ----------
    connection
        The DuckDB connection that all parts share.
    memo
        What was derived from the records before; None for nothing.

    Examples
    --------
    >>> import modelstore
    >>> with modelstore.connect() as connection:
    ...     connection.store.catalog.model_names()
    []
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, memo: Memo | None = None):
        self.connection = connection
        self.catalog = Catalog(connection)
        self.results = Results(connection)
        self.curves = Curves(connection)
        self.telemetry = Telemetry(connection)
        self.proxy_scores = ProxyScores(connection)
        self.clusters = Clusters(connection)
        self.embeddings = Embeddings(connection)
        self.expectations = Expectations(connection)
        self.fingerprints = Fingerprints(connection)
        self.recipes = Recipes(connection)
        self.selections = SelectionLog(connection)
        self.units = Units(connection)
        self.memo = memo or Memo()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Stores all that the block writes, or none of it; inside an open transaction, as a part of that."""
        if self.in_transaction():
            yield
            return
        try:
            self.connection.execute("BEGIN")
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.TransactionException):  # a Ctrl-C may come before BEGIN or after COMMIT
                self.connection.execute("ROLLBACK")
            raise

    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return in_transaction(self.connection)

    def is_read_only(self) -> bool:
        """Whether the database is open for reading alone."""
        [(read_only,)] = self.connection.execute(
            "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
        ).fetchall()
        return bool(read_only)

    def check_current(self) -> None:
        """Checks that `USE` has not made another database the current one. Raises ``StoreError``."""
        [(store, current)] = self.connection.execute(
            "SELECT database_name, current_database() FROM duckdb_tables() WHERE table_name = 'modelstore_version' "
            "ORDER BY database_name <> current_database() LIMIT 1"
        ).fetchall()
        if store != current:
            raise StoreError(
                f'the current database is "{current}", which is no model store: USE "{store}" first'
            )
