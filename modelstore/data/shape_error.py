"""The error of rows that a query could bring into shape."""

from modelstore.errors import DatasetError


class ShapeError(DatasetError):
    """The rows are not in the columns that a dataset needs, so that the user is offered a query that makes them."""
