"""What completion offers where."""

import os
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

import modelstore
from modelstore.options import CLUSTERINGS, PROXIES, STRATEGIES, SelectOptions
from modelstore.shell.completion.completer import ModelStoreCompleter
from modelstore.shell.completion.names import Names


class Offered:
    """Completions of a text, whose cursor is at | or at its end; as if Tab were pressed, unless ``typed``."""

    def __init__(self, store: modelstore.Connection):
        self.names = Names(store)
        self.completer = ModelStoreCompleter(self.names)

    def __call__(self, text: str, typed: bool = False) -> list[str]:
        before, _, after = text.partition("|")
        event = CompleteEvent(text_inserted=typed, completion_requested=not typed)
        return [
            found.text
            for found in self.completer.get_completions(Document(before + after, len(before)), event)
        ]


@pytest.fixture
def offered(store: modelstore.Connection) -> Offered:
    store.execute(
        "INSERT INTO models (name, architecture) VALUES ('bert', 'bert'), ('google/vit-base', 'vit'), ('gpt2', '')"
    )
    store.execute("INSERT INTO datasets (name, task) VALUES ('reviews', 'text'), ('glue/sst2', 'text')")
    store.execute("INSERT INTO recipes (name) VALUES ('mine')")
    store.execute(
        "INSERT INTO selections (dataset, method, status) VALUES ('reviews', 'two_phase', 'stopped')"
    )
    store.execute('CREATE TABLE "Odd Name" ("first col" INT, plain DOUBLE)')
    return Offered(store)


def test_a_statement_begins_with_the_words_of_extension_statements_and_duckdbs(offered: Offered) -> None:
    assert "SELECT BEST MODEL FOR" in offered("")
    assert offered("sel")[:2] == ["select best model for", "select"]
    assert "SELECT BEST MODEL FOR" in offered("SELECT 1; SEL")
    assert "PRAGMA" in offered("PRA")
    assert offered("EXPLAIN ANALYZE sel")[0] == "select best model for"


@pytest.mark.parametrize(
    ("begun", "words"),
    [
        ("CREATE ", ["MODEL", "DATASET", "MODELS", "MODELS FROM", "DATASETS", "DATASETS FROM", "TABLE"]),
        ("EXPORT ", ["MODEL", "DATABASE"]),
        (
            "CREATE OR REPLACE ",
            ["MODEL", "DATASET", "MODELS", "DATASETS", "TABLE"],
        ),
        ("DROP ", ["MODEL", "DATASET", "TABLE"]),
        ("DROP MODEL IF ", ["EXISTS"]),
        ("CREATE DATASET IF ", ["NOT EXISTS"]),
        ("INSERT INTO t SELECT BEST 3 ", ["MODEL FOR", "MODELS FOR"]),
        ("FROM (RECALL 10 ", ["MODELS FOR"]),
        ("CLUSTER ", ["MODELS"]),
        ("RESUME ", ["SELECTION"]),
        ("COMPARE ", ["STRATEGIES", "STRATEGIES ON"]),
        ("COMPARE STRATEGIES ", [*STRATEGIES]),
        ("COMPARE STRATEGIES two_phase, ", [*STRATEGIES]),
        ("COMPARE STRATEGIES two_phase ", ["ON"]),
        ("SUGGEST 3 ", ["BENCHMARKS"]),
        ("SUGGEST BENCHMARKS ", ["FOR MODEL"]),
        ("SIMILAR ", ["DATASETS TO"]),
        ("SIMILAR DATASETS ", ["TO"]),
        ("SIMILAR DATASETS TO reviews USING ", ["embedding", "results", "task2vec"]),
        ("SUGGEST BENCHMARKS FOR ", ["MODEL"]),
        ("SUGGEST BENCHMARKS FOR MODEL ", ["bert"]),
    ],
)
def test_the_words_that_a_begun_statement_goes_on_with(
    offered: Offered, begun: str, words: list[str]
) -> None:
    assert offered(begun, typed=True)[: len(words)] == words


def test_nothing_is_offered_for_a_number(offered: Offered) -> None:
    assert offered("SELECT 1") == []
    assert offered("RESUME SELECTION 1") == ["1"]


def test_inside_with_are_the_options_that_are_not_given_yet(offered: Offered) -> None:
    names = [text.removesuffix(" = ") for text in offered("SELECT BEST MODEL FOR reviews WITH (", typed=True)]
    assert names == list(SelectOptions.schema())
    after = offered("SELECT BEST MODEL FOR reviews WITH (executor = 'replay', rec")
    assert after == ["recipe = ", "recipes = ", "recall = "]
    assert "executor = " not in offered("SELECT BEST MODEL FOR reviews WITH (executor = 'replay', ")
    assert offered("CLUSTER MODELS WITH (sim") == ["similarity = "]
    assert offered("CREATE DATASET d FROM 'x.csv' WITH (text_") == ["text_pair = "]


def test_then_their_values(offered: Offered) -> None:
    start = "FROM (SELECT BEST MODEL FOR reviews WITH ("
    assert offered(start + "executor = ", typed=True) == ["'torch'", "'replay'", "'ray'"]
    assert offered(start + "executor = 're") == ["'replay'"]
    assert offered(start + "register = ") == ["true", "false"]
    assert offered(start + "epochs = ") == ["5"]
    assert offered(start + "recipe = ") == ["'default'", "'mine'"]
    assert offered(start + "device = ") == ["'auto'", "'cpu'", "'cuda'"]
    assert offered("CLUSTER MODELS WITH (encoder = be") == ["'bert'"]
    assert offered(start + "epochs = 3") == []
    assert offered(start + "epochs = 3 ") == [",", ")"]
    assert offered(start + "epochs ") == ["="]


def test_a_list_has_values_of_its_option(offered: Offered) -> None:
    start = "SELECT BEST MODEL FOR reviews WITH ("
    assert offered(start + "recipes = ") == ["["]
    assert offered(start + "recipes = [") == ["'default'", "'mine'"]
    assert offered(start + "recipes = ['default', ") == ["'default'", "'mine'"]
    assert offered(start + "tuning = ['full', 'lo") == ["'lora'"]
    assert offered(start + "tuning = ['full' ") == [",", "]"]
    assert offered(start + "tuning = ['full', 'lora'] ") == [",", ")"]
    assert offered(start + "tuning = ['full', 'lora'], rec") == ["recipe = ", "recipes = ", "recall = "]


def test_public_records_are_offered_and_their_recipes_once_they_are_there(
    offered: Offered, store: modelstore.Connection
) -> None:
    assert "IMPORT RECORDS" in offered("IMP")
    assert offered("IMPORT ") == ["RECORDS"]
    assert offered("IMPORT RECORDS ") == ["euroeval", "paper_nlp", "paper_cv", "ALL"]
    assert offered("IMPORT RECORDS pap") == ["paper_nlp", "paper_cv"]
    assert "RECORDS" in offered("SHOW ")
    start = "RECALL 2 MODELS FOR reviews WITH (recipe = "
    assert offered(start) == ["'default'", "'mine'"]
    store.execute("IMPORT RECORDS paper_cv")
    assert offered(start) == ["'default'", "'mine'", "'paper_cv'"]


def test_datasets_models_strategies_and_proxies_stand_where_they_belong(offered: Offered) -> None:
    assert offered("SELECT BEST MODEL FOR ", typed=True) == ["'glue/sst2'", "reviews"]
    assert offered("select best 3 models for rev") == ["reviews"]
    assert offered("BENCHMARK MODELS ON reviews, ") == ["'glue/sst2'", "reviews"]
    assert offered("BENCHMARK MODELS ON A") == ["ALL DATASETS"]
    assert offered("DROP MODEL ", typed=True)[:3] == ["bert", "'google/vit-base'", "gpt2"]
    assert offered("DROP MODEL vit") == ["'google/vit-base'"]
    assert offered("DROP DATASET rev") == ["reviews"]
    assert offered("RESUME SELECTION ", typed=True) == ["1"]
    assert offered("SELECT BEST MODEL FOR reviews USING ") == list(STRATEGIES)
    assert offered("RECALL 10 MODELS FOR reviews USING leep, ") == list(PROXIES)
    assert offered("CLUSTER MODELS USING ") == list(CLUSTERINGS)


def test_a_string_that_is_compared_with_a_model_or_dataset_is_one(offered: Offered) -> None:
    assert offered("SELECT BEST MODEL FOR reviews WHERE name = 'b") == ["'bert'", "'google/vit-base'"]
    assert offered("SELECT BEST MODEL FOR reviews WHERE name IN ('bert', 'gp") == ["'gpt2'"]
    assert offered("FROM datasets WHERE name = 're") == ["'reviews'"]
    assert offered('FROM "Odd Name" WHERE name = \'be') == []
    assert offered("SELECT * FROM benchmark_results WHERE model = 'bert' AND dataset = 'glue") == [
        "'glue/sst2'"
    ]


def test_the_clauses_that_may_follow(offered: Offered) -> None:
    assert offered("SELECT BEST MODEL FOR reviews ") == ["FROM", "WHERE", "USING", "WITH ("]
    assert offered("SELECT BEST MODEL FOR reviews USING two_phase ") == ["WITH ("]
    assert offered("SELECT BEST MODEL FOR reviews WITH ") == ["("]
    assert offered("CREATE MODEL m ") == ["FROM", "WITH ("]
    assert offered("select best mo") == ["model for", "models for"]


def test_predicates_have_the_columns_of_models(offered: Offered) -> None:
    assert offered("SELECT BEST MODEL FOR reviews WHERE par") == ["parameters"]
    assert "architecture" in offered("SELECT BEST MODEL FOR reviews WHERE parameters < 2e6 AND ")


def test_tables_follow_from_and_join(offered: Offered) -> None:
    assert "models" in offered("SELECT * FROM mod")
    assert '"Odd Name"' in offered("SELECT * FROM models JOIN odd")
    assert "read_csv(" in offered("SELECT * FROM read_c")
    assert "model_clusters" in offered("SELECT * FROM models, model_c")
    assert "SELECT" in offered("FROM (sel".upper())
    assert "plain" in offered('CREATE DATASET d AS SELECT pl| FROM "Odd Name"')


def test_a_schemas_tables_follow_its_name(offered: Offered, store: modelstore.Connection) -> None:
    store.execute(
        "CREATE SCHEMA other; CREATE TABLE other.inside (a INT); CREATE VIEW other.seen AS SELECT 1"
    )
    assert offered("FROM other.") == ["inside", "seen"]


def test_columns_are_of_the_tables_that_the_statement_names(offered: Offered) -> None:
    assert offered("SELECT param| FROM models") == ["parameters"]
    assert offered("SELECT m.ar| FROM models AS m") == ["architecture", "parameters", "card"]
    assert offered('SELECT o."fi| FROM "Odd Name" o') == ['"first col"']
    assert "list_sort(" in offered("SELECT list_so")
    assert "silhouette(" in offered("SELECT silh")


def test_a_table_made_in_an_open_transaction_is_offered(
    offered: Offered, store: modelstore.Connection
) -> None:
    store.execute("BEGIN; CREATE TEMP TABLE fleeting (a INT)")
    offered.names.forget()
    assert "fleeting" in offered("FROM flee")
    store.execute("ROLLBACK")


def test_completion_does_not_disturb_a_transaction(offered: Offered, store: modelstore.Connection) -> None:
    store.execute("BEGIN; INSERT INTO models (name) VALUES ('new')")
    store.execute("CREATE SCHEMA other; USE other")
    for text in (
        "SELECT BEST MODEL FOR ",
        "DROP MODEL ",
        "SELECT * FROM ",
        "SELECT x FROM nowhere WHERE ",
        "RESUME SELECTION ",
    ):
        offered(text)
    store.execute("USE main; COMMIT")
    assert store.execute("SELECT count(*) FROM models WHERE name = 'new'").fetchall() == [(1,)]


def test_files_in_strings(offered: Offered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews.csv").touch()
    (tmp_path / "models" / "bert-tiny").mkdir(parents=True)
    assert offered("CREATE DATASET d FROM 'rev") == ["'reviews.csv'"]
    assert offered("CREATE MODEL m FROM 'mod") == ["'models/"]
    assert offered("CREATE MODEL m FROM 'models/b") == ["'models/bert-tiny/"]
    assert offered("SELECT * FROM read_csv('rev") == ["'reviews.csv'"]
    assert offered("ATTACH 'rev") == ["'reviews.csv'"]
    assert offered("COPY models TO 'nowhere/x") == []
    assert offered(".read rev") == ["reviews.csv"]
    assert offered(f".read {tmp_path}/rev") == [os.path.join(tmp_path, "reviews.csv")]


def test_the_first_steps_have_options(offered: Offered) -> None:
    assert offered(".init --l") == ["--label", "--language"]
    assert offered(".init --data reviews.csv --text text --name r --mod") == ["--models"]


def test_what_models_cost_is_offered_where_there_is_no_relation(offered: Offered) -> None:
    assert offered("RECALL MODELS FOR reviews WHERE latency") == ["latency_ms"]
    assert offered("RECALL MODELS FOR reviews WHERE name = 'x' AND latency") == ["latency_ms"]
    assert offered("RECALL MODELS FOR reviews FROM models WHERE latency") == []
    assert "architecture" in offered("RECALL MODELS FOR reviews FROM models WHERE ")


def test_dot_commands_and_their_arguments(offered: Offered) -> None:
    assert offered(".mo") == [".mode", ".models"]
    assert offered("SELECT 1;\n.mode j") == ["json", "jsonl"]
    assert offered(".timer ") == ["on", "off"]
    assert offered(".curve bert ") == ["glue/sst2", "reviews"]
    assert offered(".curve be") == ["bert"]
    assert offered(".plot curves ") == ["1", "default", "mine"]
    assert offered(".schema odd") == ['"Odd Name"']


def test_nothing_is_offered_in_comments_and_plain_strings(offered: Offered) -> None:
    assert offered("SELECT 1 -- sel") == []
    assert offered("SELECT /* sel") == []
    assert offered("SELECT 'sel") == []


def test_nothing_springs_up_after_a_blank_unless_it_is_particular(offered: Offered) -> None:
    assert offered("SELECT ", typed=True) == []
    assert offered("", typed=True) == []
