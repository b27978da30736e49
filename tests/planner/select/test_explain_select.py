"""`EXPLAIN SELECT BEST`: the time and memory that it expects from records and weights, and those it measures."""

import re

from tiny_models import TINY

import modelstore
from modelstore.sizes import size

Store = modelstore.Connection


def test_explain_expects_what_records_say(zoo: Store) -> None:
    zoo.execute(f"BENCHMARK MODELS ON others WITH ({TINY})")
    sql = "EXPLAIN SELECT BEST MODEL FOR texts USING two_phase WITH (recipe = 'tiny', recall = 2)"
    rows = zoo.execute(sql).fetchall()
    assert rows[0][1].startswith("5 epochs, ")  # two models, one of them to the end, and four scored
    assert re.fullmatch(r"5 epochs, .* s, [0-9.]+ [kM]B", rows[0][1])
    assert rows[3] == ("│     └─ models", "4")
    assert rows[-1][0].startswith("└─ no regret to expect yet")
    assert re.fullmatch(r"4 scored, 2 epochs, [0-9.]+ s by a probe", rows[2][1])
    zoo.execute("RECALL 4 MODELS FOR others")
    zoo.execute("UPDATE proxy_scores SET seconds = 20")
    rows = zoo.execute(sql).fetchall()
    assert rows[2][1] == "4 scored, 2 epochs, 1 min 20"  # on a dataset of the same size


def test_explain_expects_and_measures_memory(zoo: Store) -> None:
    sql = f"SELECT BEST MODEL FOR texts USING brute_force WITH ({TINY})"
    rows = zoo.execute(f"EXPLAIN ANALYZE {sql}").fetchall()
    sizes = [
        n
        for (n,) in zoo.execute(
            "SELECT parameters FROM models WHERE modality = 'text' AND base IS NULL"
        ).fetchall()
    ]
    expected = 16 * max(sizes) + 12 * (sum(sizes) - max(sizes))
    assert re.fullmatch(rf"4 models, 8 epochs, [0-9.]+ s by a probe, {size(expected)}", rows[1][1])
    assert re.fullmatch(r"4 models, 8 epochs, .* s, [0-9.]+ [kM]B", rows[1][2])
    assert re.fullmatch(r"8 epochs, .* s, [0-9.]+ [kM]B", rows[0][2])
