"""Writes the SQL reference from the descriptions: `python -m modelstore.language.reference > docs/sql.md`."""

from collections.abc import Iterator, Sequence

from modelstore.language import statements
from modelstore.language.description import WITH, Clause, Form, OneOf, Part, Statement, Takes, Word
from modelstore.option_types import OptionType

_HEAD = """\
# SQL reference

<!-- Written by `python -m modelstore.language.reference > docs/sql.md`; change modelstore/language/statements.py. -->

A model store speaks DuckDB SQL and the statements below. SQL that DuckDB parses reaches DuckDB as it is.

- Keywords are case-insensitive. A *name* is an identifier, a `"quoted identifier"` or a `'string'`.
- Any value may be a parameter: `?`, `$1` or `$name`.
- A *table expression* stands wherever a query may: in parentheses in `FROM`, in a common table, under
  `CREATE TABLE … AS`, `INSERT INTO …` and `COPY (…) TO`. Views, macros and prepared statements cannot hold one.
- `EXPLAIN` shows a statement's plan with what each step is expected to cost; `EXPLAIN ANALYZE` runs it and adds what
  each step did cost. `DESCRIBE` lists the columns of a table expression.
"""


def reference() -> str:
    """The SQL reference in Markdown."""
    described = statements.LANGUAGE.statements
    contents = "\n".join(f"- [{one.title}](#{_anchor(one)}): {_sentence(one.help)}" for one in described)
    return "\n".join([_HEAD, contents, "", *("\n".join(_section(one)) for one in described)])


def synopsis(statement: Statement) -> str:
    """How a statement is written, in the usual notation: `[ ]` may be left out, `{ | }` is a choice."""
    return " ".join(_notation(part) for part in statement.parts if part is not WITH or statement.option_types)


def _notation(part: Part) -> str:
    if isinstance(part, Word):
        return part.text if not part.also else f"{{ {' | '.join(part.offered)} }}"
    if isinstance(part, OneOf):
        return f"{{ {' | '.join(_plain(clause) for clause in part.clauses)} }}"
    return _plain(part) if part.required else f"[{_plain(part)}]"


def _plain(clause: Clause) -> str:
    """A clause without its brackets."""
    operand = f"{clause.shown} [, …]" if clause.takes is Takes.NAMES else clause.shown
    if clause.everything:
        operand = f"{{ {operand} | {clause.everything} }}"
    return " ".join(filter(None, [clause.keyword, operand]))


def _section(statement: Statement) -> Iterator[str]:
    yield f"## {statement.title}\n"
    yield f"{statement.help} {statement.details}\n"
    yield f"```text\n{synopsis(statement)}\n```\n"
    yield f"{_standing(statement)}\n"
    options = statement.option_types
    clauses = [clause for clause in statement.clauses if clause.help and (clause is not WITH or options)]
    if clauses:
        yield _table(
            ("clause", "what it says"), [(f"`{_plain(one)}`", _with_choices(one)) for one in clauses]
        )
    if options:
        yield "Options:\n"
        yield _options_table(options)
    if statement.columns:
        yield "Returns:\n"
        rows = [(f"`{column.name}`", column.type, column.help) for column in statement.columns]
        yield _table(("column", "type", "what it is"), rows)
    yield f"```sql\n{statement.example};\n```\n"


def _standing(statement: Statement) -> str:
    """Where a statement may stand, and which of EXPLAIN and DESCRIBE take it."""
    if statement.form is Form.TABLE:
        return "A table expression. `EXPLAIN` and `DESCRIBE` take it."
    return "A statement by itself." + (" `EXPLAIN` takes it." if statement.has_plan else "")


def _with_choices(clause: Clause) -> str:
    if not clause.allowed:
        return clause.help
    return f"{clause.help} One of {', '.join(f'`{choice}`' for choice in clause.allowed)}."


def _options_table(options: dict[str, OptionType]) -> str:
    rows = [(f"`{name}`", _type(option), _default(option), option.help) for name, option in options.items()]
    return _table(("option", "takes", "default", "what it says"), rows)


def _type(option: OptionType) -> str:
    taken = option.expectation()
    if option.choices and option.kind is str:
        taken = ", ".join(f"`'{choice}'`" for choice in option.choices)
    return f"{taken}; or a list" if option.listed else taken


def _default(option: OptionType) -> str:
    if option.default is None:
        return "none"
    if isinstance(option.default, str):
        return f"`'{option.default}'`"
    return f"`{str(option.default).lower()}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells) + "\n"


def _anchor(statement: Statement) -> str:
    return statement.title.lower().replace(" ", "-")


def _sentence(text: str) -> str:
    """A help line without its period and its capital, as it stands after a colon."""
    return text[0].lower() + text[1:].removesuffix(".")


if __name__ == "__main__":
    print(reference(), end="")
