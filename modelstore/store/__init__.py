"""The catalog, the records and the log of selections: the only package that knows their tables."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from modelstore.store.catalog import Catalog
from modelstore.store.clusters import Clusters
from modelstore.store.curves import Curves
from modelstore.store.embeddings import Embeddings
from modelstore.store.priors import Priors
from modelstore.store.proxy_scores import ProxyScores
from modelstore.store.recipes import Recipes
from modelstore.store.results import Results
from modelstore.store.selections import SelectionLog
from modelstore.store.telemetry import Telemetry


class Store:
    """What a database file holds, through one DuckDB connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self.connection = connection
        self.catalog = Catalog(connection)
        self.results = Results(connection)
        self.curves = Curves(connection)
        self.telemetry = Telemetry(connection)
        self.priors = Priors(connection)
        self.proxy_scores = ProxyScores(connection)
        self.clusters = Clusters(connection)
        self.embeddings = Embeddings(connection)
        self.recipes = Recipes(connection)
        self.selections = SelectionLog(connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is stored together or not at all; within an open transaction, its part."""
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
        """Whether the user has a transaction open."""
        # Outside of one, each statement is a transaction of its own, with a number of its own. (Trying BEGIN
        # would abort the one that is open.)
        first, second = (self.connection.execute("SELECT txid_current()").fetchall() for _ in range(2))
        return first == second
