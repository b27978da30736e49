"""What the parser makes of an extension statement: sqlglot expressions, which the planner reads.

A query, relation or predicate inside a statement stays the text that the user wrote (`Raw`): it is DuckDB's, and is
passed on as it is.
"""

from sqlglot import exp

from modelstore.language.description import Statement


class Raw(exp.Expression):
    """A span of the user's own SQL: ``this`` its text, ``start`` and ``end`` where it stands."""

    arg_types = {"this": True, "start": True, "end": True}


class Parameter(exp.Expression):
    """`?` (``this`` is its number, from 1, as text), `$1` or `$name`."""

    arg_types = {"this": True, "start": True, "end": True}


class Name(exp.Expression):
    """A model's, dataset's, strategy's or proxy's name, or a `Parameter` that gives it."""

    arg_types = {"this": True, "start": True, "end": True}


class Value(exp.Expression):
    """A literal's Python value in ``this`` (or a `Parameter`)."""

    arg_types = {"this": False, "start": True, "end": True}


class ValueList(exp.Expression):
    """`[…]`: a list of `Value` and `Parameter`."""

    arg_types = {"expressions": True, "start": True, "end": True}


class Option(exp.Expression):
    """`name = value` inside `WITH (…)`."""

    arg_types = {"this": True, "value": True}


class Extension(exp.Expression):
    """An extension statement.

    ``statement`` is its description, and every clause of the description is an argument by its own name: a bool of
    a clause that takes nothing, a list of names or options (empty where none is written), else a node or None.
    """

    arg_types = {"statement": True}

    @property
    def statement(self) -> Statement:
        """The description of the statement."""
        described = self.args["statement"]
        assert isinstance(described, Statement)
        return described


class Explain(exp.Expression):
    """`EXPLAIN [ANALYZE]` of an extension statement."""

    arg_types = {"this": True, "analyze": False}
