"""The Python DB API: connections to a model store."""

from modelstore.connection.connection import Connection
from modelstore.connection.opening import connect

__all__ = ["Connection", "connect"]
