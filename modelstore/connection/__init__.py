"""The Python DB API: connections to a model store."""

from modelstore.connection.connection import Connection, connect

__all__ = ["Connection", "connect"]
