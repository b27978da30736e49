"""The formulas in SQL, on a database file: each must give what it gives in Python."""

import threading

import duckdb
import numpy as np
import pytest

from modelstore.udfs.hscore import hscore
from modelstore.udfs.knn import knn_accuracy
from modelstore.udfs.leep import leep
from modelstore.udfs.logme import logme
from modelstore.udfs.nleep import nleep
from modelstore.udfs.register import register
from modelstore.udfs.silhouette import silhouette
from modelstore.udfs.similarity import model_similarity

ON_FEATURES = {"nleep": nleep, "logme": logme, "hscore": hscore, "knn_accuracy": knn_accuracy}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def connection(path):
    with duckdb.connect(path) as connection:
        register(connection)
        yield connection


def value(connection, query, parameters=()):
    ((result,),) = connection.execute(f"SELECT {query}", parameters).fetchall()
    return result


def test_similarity_of_every_pair_of_a_matrix_with_missing_cells(connection):
    random = np.random.default_rng(0)
    cells = [[None if random.random() < 0.4 else random.random() for _ in range(6)] for _ in range(9)]
    connection.execute("CREATE TABLE matrix (model INTEGER, scores DOUBLE[])")
    connection.executemany("INSERT INTO matrix VALUES (?, ?)", list(enumerate(cells)))
    rows = connection.execute(
        "SELECT a.model, b.model, k, model_similarity(a.scores, b.scores, k)"
        " FROM matrix a, matrix b, (VALUES (1), (3)) AS _(k)"
    ).fetchall()
    assert len(rows) == 9 * 9 * 2
    for a, b, k, similarity in rows:
        assert similarity == pytest.approx(model_similarity(cells[a], cells[b], k))


def test_similarity_is_null_without_a_dataset_in_common_or_without_an_argument(connection):
    assert value(connection, "model_similarity([1, NULL], [NULL, 1], 5)") is None
    assert value(connection, "model_similarity([], [], 5)") is None
    for arguments in ("NULL, [1], 5", "[1], NULL, 5", "[1], [1], NULL"):
        assert value(connection, f"model_similarity({arguments})") is None


def test_each_row_has_its_own_k(connection):
    rows = connection.execute(
        "SELECT model_similarity([0.5, 0.9], [0.1, 0.7], k) FROM (VALUES (2), (1), (NULL), (2)) AS _(k)"
    ).fetchall()
    assert rows == [(pytest.approx(0.7),), (pytest.approx(0.6),), (None,), (pytest.approx(0.7),)]


def test_similarity_of_lists_of_unequal_lengths_row_by_row(connection):
    rows = connection.execute(
        "SELECT model_similarity(a, b, 2) FROM (VALUES"
        " ([0.5], [0.1]), (NULL, [0.3]), ([0.5, 0.9, 0.1], [0.5, 0.7, 0.1]), ([], [])) AS _(a, b)"
    ).fetchall()
    assert rows == [(pytest.approx(0.6),), (None,), (pytest.approx(0.9),), (None,)]


def test_leep_takes_labels_of_any_sort(connection):
    theta = [[0.7, 0.3], [0.2, 0.8], [0.6, 0.4]]
    expected = leep(theta, [0, 1, 1])
    for labels in (
        "[0, 1, 1]",
        "['a', 'b', 'b']",
        "[false, true, true]",
        "[0, 1, 1]::UTINYINT[]",
        "['a', 'b', 'b']::ENUM('a', 'b')[]",
        "[0.0, 1.0, 1.0]",
    ):
        assert value(connection, f"leep($1, {labels})", [theta]) == pytest.approx(expected)
    assert value(connection, "leep($1, $2)", [theta, ["a", "b", "b"]]) == pytest.approx(expected)
    assert value(connection, "leep($1, $2)", [theta, [0, 1, 1]]) == pytest.approx(expected)


def test_formulas_on_features_row_by_row_of_a_table(connection):
    random = np.random.default_rng(0)
    sets = [(random.normal(size=(n, 3)), random.integers(0, 3, n)) for n in (30, 50)]
    connection.execute("CREATE TABLE sets (id INTEGER, features FLOAT[][], labels INTEGER[])")
    for i, (features, labels) in enumerate(sets):
        connection.execute("INSERT INTO sets VALUES (?, ?, ?)", [i, features.tolist(), labels.tolist()])
    for name, formula in ON_FEATURES.items():
        for labels in ("labels", "labels::VARCHAR[]"):
            found = connection.execute(f"SELECT {name}(features, {labels}) FROM sets ORDER BY id").fetchall()
            expected = [(pytest.approx(formula(np.float32(features), labels)),) for features, labels in sets]
            assert found == expected


def test_features_gathered_by_an_aggregate_from_embeddings(connection):
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(40, 3)), random.integers(0, 2, 40)
    connection.execute("CREATE TABLE embeddings (i INTEGER, embedding DOUBLE[3], label VARCHAR)")
    rows = zip(range(40), features.tolist(), [f"class {label}" for label in labels], strict=True)
    connection.executemany("INSERT INTO embeddings VALUES (?, ?, ?)", list(rows))
    found = value(connection, "hscore(list(embedding ORDER BY i), list(label ORDER BY i)) FROM embeddings")
    assert found == pytest.approx(hscore(features, labels))


def test_logme_of_numbers_that_are_not_integers_is_a_regression(connection):
    features, target = [[1.0], [2.0], [3.0], [4.5]], [1.5, 1.0, 3.5, 4.0]
    regression = pytest.approx(logme(features, target, regression=True))
    assert value(connection, "logme($1, $2)", [features, target]) == regression
    assert value(connection, "logme($1, [1.5, 1.0, 3.5, 4.0])", [features]) == regression
    assert value(connection, "logme($1, [1.5, 1.0, 3.5, 4.0]::FLOAT[])", [features]) == regression
    classes = [1, 1, 2, 2]
    assert value(connection, "logme($1, $2)", [features, classes]) == pytest.approx(logme(features, classes))
    assert value(connection, "logme($1, $2::DOUBLE[])", [features, classes]) == pytest.approx(
        logme(features, classes, regression=True)
    )


def test_silhouette_is_a_function_of_sql(connection):
    distances, labels = [[0.0, 1.0, 4.0], [1.0, 0.0, 3.0], [4.0, 3.0, 0.0]], ["a", "a", "b"]
    assert value(connection, "silhouette($1, $2)", [distances, labels]) == pytest.approx(
        silhouette(distances, labels)
    )
    assert value(connection, "silhouette($1, ['a', 'b', 'c'])", [distances]) is None
    assert value(connection, "silhouette([], [])") is None


@pytest.mark.parametrize("name", ["leep", "silhouette", *ON_FEATURES])
def test_null_arguments_of_sql_functions_give_null(connection, name):
    assert value(connection, f"{name}(NULL, ['a', 'b'])") is None
    assert value(connection, f"{name}([[0.5, 0.5], [0.1, 0.9]], NULL)") is None
    matrix = "[[0, 1, 2], [1, 0, 2], [2, 2, 0]]" if name == "silhouette" else "[[1, 0], [0, 1], [1, 0]]"
    found = connection.execute(
        f"SELECT {name}(m, l) IS NULL FROM (VALUES ({matrix}, [1, 1, 2]), (NULL, [1, 2, 3]),"
        f" ({matrix}, NULL)) AS _(m, l)"
    ).fetchall()
    assert found == [(False,), (True,), (True,)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("leep([[0.5, 0.5], [1.0]], [1, 2])", "rows of one length"),
        ("leep([[0.5, 0.5], NULL], [1, 2])", "row that is NULL"),
        ("leep([[0.5, NULL]], [1])", "probabilities must be finite"),
        ("leep([[0.5, 0.5]], [NULL])", "labels must not be NULL"),
        ("leep([[0.5, 0.5]], ['a', 'b'])", "one label a row"),
        ("leep([], [])", "at least one row"),
        ("leep([[0.5, 0.5]], [0.5])", "labels must be classes"),
        ("hscore([[1, 'nan'::DOUBLE]], [1])", "features must be finite"),
        ("silhouette([[0, 1]], [1])", "must be square"),
        ("model_similarity([1, 2], [1], 5)", "differ in length"),
        ("model_similarity([1], [1], 0)", "k must be at least 1"),
    ],
)
def test_arguments_that_a_formula_refuses_are_an_error_of_duckdb(connection, call, message):
    with pytest.raises(duckdb.InvalidInputException, match=message):
        value(connection, call)


@pytest.mark.parametrize("name", ["leep", "silhouette", *ON_FEATURES])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("[[0.5, 0.5], [1.0]], [1, 2]", "rows of one length"),
        ("[[0.5, 0.5], NULL], [1, 2]", "row that is NULL"),
        ("[[0.5, NULL], [0.5, 0.5]], [1, 2]", "must be finite"),
        ("[[0.5, 'nan'::DOUBLE], [0.5, 0.5]], [1, 2]", "must be finite"),
        ("[[0.5, 0.5], [0.5, 0.5]], [1, NULL]", "labels must not be NULL"),
        ("[[0.5, 0.5], [0.5, 0.5]], [1]", "one label a row|one target a row"),
        ("[[]], ['a']", "at least one row and one column"),
    ],
)
def test_every_formula_refuses_what_has_no_meaning(connection, name, arguments, message):
    with pytest.raises(duckdb.InvalidInputException, match=message):
        value(connection, f"{name}({arguments})")


def test_registering_again_and_on_other_connections_to_the_instance_is_harmless(path, connection):
    register(connection)
    with duckdb.connect(path) as other, connection.cursor() as cursor:
        for each in (other, cursor):
            assert value(each, "model_similarity([1.0], [0.5], 5)") == 0.5  # known there already
            register(each)
            assert value(each, "model_similarity([1.0], [0.5], 5)") == 0.5


def test_functions_outlive_the_connection_that_registered_them(path):
    first = duckdb.connect(path)
    register(first)
    with duckdb.connect(path) as second:
        first.close()
        assert value(second, "leep([[1.0, 0.0], [0.0, 1.0]], ['a', 'b'])") == 0
        register(second)
        assert value(second, "model_similarity([1.0], [0.5], 5)") == 0.5


def test_a_read_only_file_has_the_functions_and_the_file_itself_does_not(path):
    with duckdb.connect(path) as connection:
        register(connection)
        connection.execute("CREATE TABLE t AS SELECT [[1.0, 0.0], [0.0, 1.0]] AS p, ['a', 'b'] AS y")
    with duckdb.connect(path, read_only=True) as connection:
        with pytest.raises(duckdb.CatalogException):
            value(connection, "leep(p, y) FROM t")
        register(connection)
        assert value(connection, "leep(p, y) FROM t") == 0


def test_threads_that_register_at_once_all_succeed(path):
    failures = []

    def work(connection):
        try:
            register(connection)
            assert value(connection, "model_similarity([1.0], [0.5], 5)") == 0.5
        except Exception as error:
            failures.append(error)

    with duckdb.connect(path) as root:
        threads = [threading.Thread(target=work, args=(root.cursor(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_many_rows_in_several_chunks_and_threads(connection):
    connection.execute(
        "CREATE TABLE many AS SELECT [i % 7 / 7, NULL, i % 3 / 3] AS a, [i % 5 / 5, 1.0, 0.0] AS b"
        " FROM range(300_000) t(i)"
    )
    expected = "1 - greatest(abs(a[1] - b[1]), a[3])"
    wrong = value(
        connection, f"count(*) FROM many WHERE abs(model_similarity(a, b, 1) - ({expected})) > 1e-12"
    )
    assert wrong == 0
    assert value(connection, "count(model_similarity(a, b, 1)) FROM many") == 300_000


def test_duckdb_settings_of_its_arrow_output_change_nothing(connection):
    for setting in ("arrow_large_buffer_size", "produce_arrow_string_view", "arrow_output_list_view"):
        connection.execute(f"SET {setting} = true")
        assert value(connection, "leep([[1.0, 0.0], [0.0, 1.0]], ['a', 'b'])") == 0
        assert value(connection, "model_similarity([1.0, NULL], [0.5, 1.0], 5)") == 0.5
        connection.execute(f"RESET {setting}")
