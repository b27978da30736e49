"""What a new extension statement takes: its description and its planner function. All else follows from them."""

import pyarrow as pa
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

import modelstore
from modelstore.language import nodes, statements
from modelstore.language.description import Clause, Column, Form, Language, Statement, Takes, Word
from modelstore.language.reference import reference
from modelstore.options import RecallOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import Cost, Plan
from modelstore.planner.result_schema import schema_of
from modelstore.shell.completion.completer import ModelStoreCompleter
from modelstore.shell.completion.highlighting import styled
from modelstore.shell.completion.names import Names

MANNERS = ("aloud", "mutely")
ADMIRE = Statement(
    syntax=(
        Word("ADMIRE"),
        Clause("count", Takes.COUNT, shown="n", expected="a number"),
        Word("CHECKPOINTS"),
        Clause("models", Takes.NAMES, "OF", required=True, shown="model", expected="a name", names="model"),
        Clause("where", Takes.PREDICATE, "WHERE", shown="predicate", expected="a predicate"),
        Clause(
            "manner", Takes.NAME, "USING", shown="manner", expected="a manner", choices=f"{__name__}:MANNERS"
        ),
    ),
    form=Form.TABLE,
    planner=f"{__name__}:bind_admire",
    options="modelstore.options:RecallOptions",
    columns=(Column("model", "VARCHAR", "the model"), Column("praise", "DOUBLE", "how much praise it gets")),
    help="Admires checkpoints.",
    details="It trains nothing.",
    example="ADMIRE 3 CHECKPOINTS OF bert",
)


class Admire(Plan):
    schema = schema_of(ADMIRE)

    def __init__(self, models: list[str], praise: float):
        self._models, self._praise = models, praise

    def describe(self) -> str:
        return f"ADMIRE CHECKPOINTS OF {', '.join(self._models)}"

    def expected(self) -> Cost:
        return Cost(f"{len(self._models)} admired")

    def likely_models(self) -> list[str]:
        return self._models

    def run(self) -> pa.Table:
        return pa.table({"model": self._models, "praise": [self._praise] * len(self._models)}, self.schema)


def bind_admire(context: StatementContext, node: nodes.Extension) -> Admire:
    options = context.given_options(node, RecallOptions)
    names = [context.name_of(name) for name in node.args["models"]]
    count = context.count_of(node.args["count"]) if node.args["count"] else 1
    return Admire(names, float(count * options.get("recall", 1)))


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the statement among the others."""
    monkeypatch.setattr(statements, "LANGUAGE", Language((*statements.LANGUAGE.statements, ADMIRE)))


def completions(store: modelstore.Connection, text: str) -> list[str]:
    event = CompleteEvent(completion_requested=True)
    found = ModelStoreCompleter(Names(store)).get_completions(Document(text, len(text)), event)
    return [one.text for one in found]


def test_a_new_statement_is_found_and_run_also_inside_a_query(store: modelstore.Connection) -> None:
    assert store.execute("ADMIRE 2 CHECKPOINTS OF a, 'b/c'").fetchall() == [("a", 2.0), ("b/c", 2.0)]
    rows = store.execute(
        "SELECT model FROM (ADMIRE ? CHECKPOINTS OF a, b WITH (recall = 3)) ORDER BY 1 DESC", [1]
    )
    assert rows.fetchall() == [("b",), ("a",)]


def test_sql_that_only_looks_like_a_new_statement_is_duckdbs(store: modelstore.Connection) -> None:
    assert store.execute("SELECT admire FROM (VALUES (1)) checkpoints(admire)").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("ADMIRE CHECKPOINTS", "ends too early: expected OF"),
        ("ADMIRE CHECKPOINTS OF a USNG aloud", 'did you mean "USING"'),
        ("ADMIRE 2 CHEKPOINTS OF a", 'did you mean "CHECKPOINTS"'),
        ("ADMRE CHECKPOINTS OF a", 'near "ADMRE" .did you mean "ADMIRE"'),
        ("EXPLAIN ADMIRR CHECKPOINTS OF a", 'near "ADMIRR" .did you mean "ADMIRE"'),
        ("CREATE VIEW v AS ADMIRE CHECKPOINTS OF a", "a view cannot hold this statement"),
    ],
)
def test_a_misspelt_new_statement_is_recognised(store: modelstore.Connection, sql: str, message: str) -> None:
    with pytest.raises(modelstore.ExtensionSyntaxError, match=message):
        store.execute(sql)


def test_a_new_statement_s_options_are_checked(store: modelstore.Connection) -> None:
    with pytest.raises(modelstore.OptionError, match='did you mean "recall"'):
        store.execute("ADMIRE CHECKPOINTS OF a WITH (recal = 3)")


def test_a_new_statement_is_completed(store: modelstore.Connection) -> None:
    store.execute("INSERT INTO models (name) VALUES ('bert'), ('vit')")
    assert completions(store, "ADMIR") == ["ADMIRE CHECKPOINTS OF"]
    assert completions(store, "ADMIRE 3 ") == ["CHECKPOINTS OF"]
    assert completions(store, "ADMIRE CHECKPOINTS ") == ["OF"]
    assert completions(store, "ADMIRE CHECKPOINTS OF ") == ["bert", "vit"]
    assert completions(store, "ADMIRE CHECKPOINTS OF bert, v") == ["vit"]
    assert completions(store, "ADMIRE CHECKPOINTS OF bert ") == ["WHERE", "USING", "WITH ("]
    assert completions(store, "ADMIRE CHECKPOINTS OF bert USING ") == ["aloud", "mutely"]
    assert completions(store, "FROM (ADMIRE CHECKPOINTS OF bert WITH (rec") == [
        "recall = ",
        "recipe = ",
        "recipes = ",
    ]


def test_a_new_statement_s_words_are_highlighted() -> None:
    styles = {text: style for style, text in styled("ADMIRE 2 CHECKPOINTS OF of_this")}
    assert {word for word, style in styles.items() if style == "class:sql.extension"} == {
        "ADMIRE",
        "CHECKPOINTS",
        "OF",
    }


def test_a_new_statement_is_explained(store: modelstore.Connection) -> None:
    plan = [("ADMIRE CHECKPOINTS OF a", "1 admired")]
    assert store.execute("EXPLAIN ADMIRE CHECKPOINTS OF a").fetchall() == plan
    around = store.execute("EXPLAIN SELECT * FROM (ADMIRE CHECKPOINTS OF a)").fetchall()
    assert "ADMIRE CHECKPOINTS OF a" in around[0][1]
    with pytest.raises(modelstore.OptionError, match=r"EXPLAIN takes .* and ADMIRE"):
        store.execute("EXPLAIN DROP MODEL m")


def test_a_new_statement_is_described(store: modelstore.Connection) -> None:
    rows = store.execute("DESCRIBE ADMIRE CHECKPOINTS OF a").fetchall()
    assert [row[:2] for row in rows] == [("model", "VARCHAR"), ("praise", "DOUBLE")]


def test_a_new_statement_is_in_the_reference() -> None:
    page = reference()
    assert (
        "ADMIRE [n] CHECKPOINTS OF model [, …] [WHERE predicate] [USING manner] [WITH (option = value, …)]"
        in page
    )
    assert "| `praise` | DOUBLE | how much praise it gets |" in page
