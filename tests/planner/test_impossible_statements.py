"""Statements that cannot be done, each with one sentence that says why."""

import pytest

import modelstore

Store = modelstore.Connection


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        (
            "SELECT BEST MODEL FOR d9 WITH (executor = 'replay')",
            modelstore.NotFoundError,
            "training_curves has nothing",
        ),
        ("SELECT BEST MODEL FOR d0", modelstore.NotFoundError, 'no dataset "d0"'),
        (
            "SELECT BEST MODEL FOR d0 USING brute WITH (executor = 'replay')",
            modelstore.OptionError,
            "brute_force",
        ),
        ("SELECT BEST 0 MODELS FOR d0 WITH (executor = 'replay')", modelstore.OptionError, "1 or more"),
        ("RECALL 3 MODELS FOR d0 USING lep", modelstore.OptionError, "the proxies are"),
        ("RECALL 3 MODELS FOR d0 WITH (recipe = 'lora')", modelstore.NotFoundError, 'no recipe "lora"'),
        ("CLUSTER MODELS WHERE name = 'nobody'", modelstore.NotFoundError, "no model meets FROM and WHERE"),
        ("CLUSTER MODELS FROM (SELECT 1 AS x)", modelstore.ProgrammingError, "a column name or model"),
        ("CLUSTER MODELS WHERE nam = 'a'", modelstore.ProgrammingError, 'Candidate bindings: "name"'),
        ("CLUSTER MODELS USING kmeans", modelstore.OptionError, "clusters = n"),
        ("BENCHMARK MODELS ON ALL DATASETS", modelstore.NotFoundError, "no models|no datasets"),
        ("DROP MODEL a1", modelstore.NotFoundError, 'no model "a1"'),
        ("EXPLAIN DROP MODEL a1", modelstore.OptionError, "has no plan"),
    ],
)
def test_an_impossible_statement_raises_an_error_that_says_why(
    recorded: Store, sql: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        recorded.execute(sql)
    assert recorded.execute("SELECT 1").fetchone() == (1,)
