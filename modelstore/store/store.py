"""The whole store: its parts, and transactions over them."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import duckdb

from modelstore.errors import StoreError
from modelstore.memo import Memo
from modelstore.sql_text import in_full
from modelstore.store.catalog import Catalog
from modelstore.store.clusters import Clusters
from modelstore.store.curves import Curves
from modelstore.store.dataset_embeddings import DatasetEmbeddings
from modelstore.store.doubts import Doubts
from modelstore.store.embeddings import Embeddings
from modelstore.store.expectations import Expectations
from modelstore.store.fingerprints import Fingerprints
from modelstore.store.inference_costs import InferenceCosts
from modelstore.store.overview import Overview
from modelstore.store.proxy_scores import ProxyScores
from modelstore.store.public_results import PublicResults
from modelstore.store.recipes import Recipes
from modelstore.store.repository import store_database
from modelstore.store.results import Results
from modelstore.store.selections import SelectionLog
from modelstore.store.telemetry import Telemetry
from modelstore.store.transactions import in_transaction
from modelstore.store.units import Units
from modelstore.store.winners import Winners

_registering = threading.RLock()


class Store:
    """What a database holds, as Python values; its queries run on the connection, and replace its open result.

    Parameters
    ----------
    connection
        The DuckDB connection that all parts share.
    memo
        What was derived from the records before; None for nothing.
    database
        The name under which the store's database is attached; None: it is found.
    moved
        Where models are that the file has at other uris, which it is not open to be told.

    Examples
    --------
    >>> import modelstore
    >>> with modelstore.connect() as connection:
    ...     connection.store.catalog.model_names()
    []
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        memo: Memo | None = None,
        database: str | None = None,
        moved: Mapping[str, str] | None = None,
    ):
        self.connection = connection
        self.database = database = database or store_database(connection)
        self.catalog = Catalog(connection, database, moved)
        self.results = Results(connection, database)
        self.public_results = PublicResults(connection, database)
        self.curves = Curves(connection, database)
        self.telemetry = Telemetry(connection, database)
        self.inference_costs = InferenceCosts(connection, database)
        self.proxy_scores = ProxyScores(connection, database)
        self.clusters = Clusters(connection, database)
        self.embeddings = Embeddings(connection, database)
        self.dataset_embeddings = DatasetEmbeddings(connection, database)
        self.expectations = Expectations(connection, database)
        self.recipes = Recipes(connection, database)
        self.selections = SelectionLog(connection, database)
        self.winners = Winners(connection, database)
        self.units = Units(connection, database)
        self.doubts = Doubts(connection, database)
        self.fingerprints = Fingerprints(connection, database)
        self.overview = Overview(connection, database)
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

    @contextmanager
    def registration(self) -> Iterator[None]:
        """A `transaction` that gives names in the catalog; other threads of this process wait with theirs.

        A name that is free at its beginning is so at its end, unless a user's own transaction takes it.
        """
        with _registering, self.transaction():
            yield

    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return in_transaction(self.connection)

    def is_read_only(self) -> bool:
        """Whether the database is open for reading alone."""
        [(read_only,)] = self.connection.execute(
            in_full("SELECT readonly FROM duckdb_databases() WHERE database_name = ?"), [self.database]
        ).fetchall()
        return bool(read_only)

    def check_attached(self) -> None:
        """Checks that the store's database has not been detached. Raises ``StoreError``."""
        found = self.connection.execute(
            in_full("SELECT 1 FROM duckdb_databases() WHERE database_name = ?"), [self.database]
        ).fetchall()
        if not found:
            raise StoreError(
                f'the store\'s database "{self.database}" is detached: open it again with modelstore.connect'
            )
