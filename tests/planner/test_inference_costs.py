"""What models cost to use, in WHERE without FROM: read, measured where it matters, and left alone by EXPLAIN."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import modelstore
from modelstore.data.hub import ModelRef
from modelstore.execution.local import LocalWorker
from modelstore.records import InferenceCost

Store = modelstore.Connection
RECALL = "RECALL 9 MODELS FOR texts WHERE {} WITH (device = 'cpu', proxy_rows = 16)"


def put(store: Store, **latencies: float) -> None:
    """Puts latencies on record, as somebody has measured them elsewhere."""
    store.executemany(
        "INSERT INTO inference_costs (model, device, latency_ms) VALUES (?, 'cpu', ?)",
        list(latencies.items()),
    )


def measured(store: Store) -> list[str]:
    rows = store.execute("SELECT model FROM inference_costs WHERE weights IS NOT NULL ORDER BY model")
    return [model for (model,) in rows.fetchall()]


def recalled(store: Store, predicate: str) -> set[str]:
    return {row[1] for row in store.execute(RECALL.format(predicate)).fetchall()}


def test_where_sees_what_is_on_record(zoo: Store) -> None:
    put(zoo, bert=12, bert_classifier=25, distilbert=6, albert=19.5)
    chosen = recalled(zoo, "latency_ms < 20 AND models.architecture ILIKE '%bert%'")
    assert chosen == {"bert", "distilbert", "albert"}
    with pytest.raises(modelstore.NotFoundError, match="no model meets FROM and WHERE"):
        recalled(zoo, '"Latency_ms" < 1')


def test_it_is_measured_only_where_where_cannot_do_without(zoo: Store) -> None:
    put(zoo, bert=1e9)
    predicate = "parameters > 0 AND (name = 'albert' OR latency_ms < 1e6)"
    plan = zoo.execute(f"EXPLAIN {RECALL.format(predicate)}").fetchall()
    [line] = [expected for step, expected in plan if "measure what models cost to use · cpu" in step]
    assert line == "2 models, 2.0 s"
    assert measured(zoo) == []  # EXPLAIN measures nothing
    analyzed = zoo.execute(f"EXPLAIN ANALYZE {RECALL.format(predicate)}").fetchall()
    [(_, expected, actual)] = [row for row in analyzed if "measure what" in row[0]]
    assert (expected, actual.split(",")[0]) == (line, "2 models")
    assert recalled(zoo, predicate) == {"albert", "bert_classifier", "distilbert"}
    [row] = zoo.execute(
        "SELECT device, max_length, latency_ms > 0, rows_per_second > 0, memory FROM inference_costs "
        "JOIN models ON name = model WHERE model = 'distilbert'"
    ).fetchall()
    assert row[:4] == ("cpu", 128, True, True)
    [(weights,)] = zoo.execute("SELECT 4 * parameters FROM models WHERE name = 'distilbert'").fetchall()
    assert weights < row[4] < 10 * weights
    assert measured(zoo) == ["bert_classifier", "distilbert"]


def test_a_model_that_cannot_be_measured_is_left_out_and_the_others_stay(
    zoo: Store, model_copy: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = model_copy("bert")
    zoo.execute(f"CREATE MODEL broken FROM '{folder}'")
    (folder / "model.safetensors").write_bytes(b"nothing")
    with caplog.at_level("INFO"):
        assert "broken" not in recalled(zoo, "latency_ms < 1e6 AND architecture LIKE 'Bert%'")
    [said] = [message for message in caplog.messages if message.startswith("broken")]
    assert "broken is left out: the files of the model" in said
    assert measured(zoo) == ["bert", "bert_classifier"]


def test_what_was_measured_before_an_interruption_stays(zoo: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = LocalWorker.inference_cost

    def interrupted(worker: LocalWorker, model: ModelRef, modality: str, max_length: int) -> InferenceCost:
        if model.name == "bert":
            raise KeyboardInterrupt
        return measure(worker, model, modality, max_length)

    monkeypatch.setattr(LocalWorker, "inference_cost", interrupted)
    with pytest.raises(KeyboardInterrupt):
        zoo.execute("SELECT BEST MODEL FOR texts WHERE latency_ms < 1e6 WITH (device = 'cpu')")
    assert measured(zoo) == ["albert"]
    assert zoo.execute("SELECT count(*) FROM selections").fetchone() == (0,)


def test_figures_are_of_one_length_and_device(zoo: Store) -> None:
    zoo.execute(
        "INSERT INTO inference_costs (model, device, max_length, latency_ms) VALUES "
        "('bert', 'cpu', 128, 1e9), ('bert', 'cpu', 64, 1e-9), ('bert', 'cuda:0', 128, 1e-9)"
    )
    sql = "RECALL MODELS FOR texts WHERE name = 'bert' AND latency_ms < 1 WITH (max_length = {}, device = 'cpu')"
    with pytest.raises(modelstore.NotFoundError):
        zoo.execute(sql.format(128))
    assert len(zoo.execute(sql.format(64)).fetchall()) == 1
    # The newest counts; what is no number of at least 0 does not, but what else its row says.
    zoo.execute("INSERT INTO inference_costs (model, device, latency_ms) VALUES ('bert', 'cpu', 0.5)")
    zoo.execute(
        "INSERT INTO inference_costs (model, device, latency_ms, memory) VALUES ('bert', 'cpu', 'NaN', 7)"
    )
    zoo.execute("INSERT INTO inference_costs (model, device, latency_ms) VALUES ('bert', 'cpu', -3)")
    assert len(zoo.execute(sql.format(128).replace("< 1 ", "= 0.5 AND memory = 7 ")).fetchall()) == 1


def test_the_figures_of_a_model_that_is_replaced_are_forgotten(
    zoo: Store, model_path: Callable[[str], Path]
) -> None:
    assert recalled(zoo, "latency_ms > 0 AND name = 'bert'") == {"bert"}
    zoo.execute("UPDATE inference_costs SET latency_ms = 1e9")
    assert recalled(zoo, "latency_ms = 1e9 AND name = 'bert'") == {"bert"}
    zoo.execute(f"CREATE OR REPLACE MODEL bert FROM '{model_path('bert')}'")  # by itself
    assert recalled(zoo, "latency_ms = 1e9 AND name = 'bert'") == {"bert"}
    zoo.execute(f"CREATE OR REPLACE MODEL BERT FROM '{model_path('albert')}'")
    with pytest.raises(modelstore.NotFoundError):
        recalled(zoo, "latency_ms = 1e9 AND name = 'BERT'")
    assert measured(zoo) == ["BERT"]


def test_what_is_fetched_to_be_measured_is_known_by_its_contents(zoo: Store) -> None:
    zoo.execute("UPDATE fingerprints SET state = NULL, contents = NULL WHERE name = 'albert'")
    assert recalled(zoo, "latency_ms > 0 AND name = 'albert'") == {"albert"}
    agree = "SELECT weights = contents FROM inference_costs JOIN fingerprints ON name = model WHERE kind = 'model'"
    assert zoo.execute(agree).fetchall() == [(True,)]


def test_images_have_no_length(zoo: Store) -> None:
    zoo.execute("RECALL MODELS FOR images WHERE memory < 1e9 AND rows_per_second > 0 WITH (max_length = 7)")
    rows = zoo.execute("SELECT model, max_length, memory > 0 FROM inference_costs ORDER BY ALL").fetchall()
    assert rows == [("vit", None, True), ("vit_classifier", None, True)]


def test_a_device_that_is_not_there_is_one_error(zoo: Store) -> None:
    with pytest.raises(modelstore.TrainingError, match="device 'cuda:99' is not on this machine"):
        zoo.execute("BENCHMARK MODELS WHERE latency_ms < 9 ON texts WITH (device = 'cuda:99')")


def test_a_relation_has_its_own_columns(zoo: Store) -> None:
    put(zoo, bert=12, albert=30)
    joined = "(SELECT name, latency_ms FROM models JOIN inference_costs ON model = name)"
    sql = "RECALL MODELS FOR texts FROM {} WHERE latency_ms < 20 WITH (proxy_rows = 16)"
    assert [row[1] for row in zoo.execute(sql.format(joined)).fetchall()] == ["bert"]
    for names in ("models", "(SELECT name FROM models) AS few"):
        with pytest.raises(
            duckdb.BinderException, match=r"(?s)not found.*has them by JOIN inference_costs.*\^"
        ):
            zoo.execute(f"RECALL 9 MODELS FOR texts FROM {names} WHERE latency_ms < 20")
    with pytest.raises(duckdb.BinderException) as other:
        zoo.execute("RECALL 9 MODELS FOR texts FROM models WHERE latency_s < 20")
    assert "inference_costs" not in str(other.value)


def test_nothing_is_measured_where_it_cannot_be_stored(
    zoo_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with modelstore.connect(zoo_file, read_only=True) as store, pytest.raises(modelstore.NotFoundError):
        store.execute(RECALL.format("latency_ms < 1e6"))
    assert (
        "albert, bert, bert_classifier, distilbert: left out, since inference_costs does not have what WHERE asks of "
        "them on cpu with max_length = 128, and the database is open read-only"
    ) in caplog.messages


def test_a_store_of_an_earlier_version_gets_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelstore import schema
    from modelstore.store import database

    with monkeypatch.context() as patch:
        patch.setattr(database, "migrations", lambda: [one for one in schema.migrations() if one[0] < 20])
        with modelstore.connect(tmp_path / "old.db") as store:
            store.execute("INSERT INTO training_telemetry (model, dataset, device) VALUES ('m', 'd', 'cpu')")
    with modelstore.connect(tmp_path / "old.db") as store:
        assert store.execute("SELECT count(*) FROM inference_costs").fetchone() == (0,)
        assert store.execute("SELECT model FROM training_telemetry").fetchall() == [("m",)]
