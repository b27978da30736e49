"""Pictures, in the terminal and in files."""

from pathlib import Path

import pytest

import modelstore
from modelstore.shell.charts import images as plots
from modelstore.shell.charts import terminal as charts
from modelstore.shell.render.messages import ShellError


def test_a_line_chart_puts_points_where_they_belong() -> None:
    drawn = charts.line_chart({"a": [(1, 0.0), (3, 1.0)], "b": [(1, 1.0)]}, width=40, height=8).splitlines()
    assert drawn[0].startswith("   1.000 ┤b")
    assert drawn[0].endswith("a")
    assert drawn[7].startswith("   0.000 ┤a")
    assert drawn[-1].split() == ["1", "3"]


def test_a_line_chart_of_one_point_has_an_axis() -> None:
    assert "a" in charts.line_chart({"a": [(1, 0.5)]}, width=40)


def test_bars_are_as_long_as_their_values() -> None:
    drawn = charts.bars([("one", 10, "10"), ("二", 5, "5"), ("none", 0, "0")], width=40).splitlines()
    assert drawn[0].count("█") == pytest.approx(2 * drawn[1].count("█"), abs=1)
    assert drawn[1].startswith("二   █")
    assert "█" not in drawn[2]


@pytest.fixture
def selected(recorded: modelstore.Connection) -> modelstore.Connection:
    recorded.execute("CLUSTER MODELS")
    return recorded.execute(
        "SELECT BEST MODEL FOR d0 USING successive_halving WITH (executor = 'replay', epochs = 4)"
    )


def test_a_selections_curves_name_who_was_dropped_when_and_why(selected: modelstore.Connection) -> None:
    lines = charts.selection(selected.store, 1).splitlines()
    assert lines[0] == "selection 1: successive_halving for d0, done"
    assert sum("dropped at stage 1: " in line for line in lines) == 4
    assert sum(line.endswith("  won") for line in lines) == 1


def test_a_models_curve_is_the_mean_of_its_runs(store: modelstore.Connection) -> None:
    store.execute(
        "INSERT INTO training_curves (model, dataset, stage, validation, seed) "
        "VALUES ('m', 'd', 1, 0.2, 0), ('m', 'd', 1, 0.4, 1), ('m', 'd', 2, 0.9, 0)"
    )
    drawn = charts.curve(store.store, "m", "d")
    assert "   0.300 ┤a" in drawn
    assert "  a  0.900  validation (default)\n" in drawn


def test_trends_and_clusters(selected: modelstore.Connection) -> None:
    assert charts.trends(selected.store, "a1").count("→") == 1 + 4 * 4
    assert "0.514, 2 datasets\n" in charts.trends(selected.store, "a1")
    sizes = [int(line.rsplit(" ", 1)[1]) for line in charts.clusters(selected.store).splitlines()]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == 8


def test_what_is_not_on_record_is_a_sentence(store: modelstore.Connection) -> None:
    for draw in (
        lambda: charts.selection(store.store, 9),
        lambda: charts.curve(store.store, "m", "d"),
        lambda: charts.trends(store.store, "m"),
        lambda: charts.clusters(store.store),
    ):
        with pytest.raises(ShellError, match=r"there (is|are) no"):
            draw()


def test_pictures_are_written_as_files(selected: modelstore.Connection, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plots.selection(selected.store, 1, tmp_path / "curves.png")
    plots.matrix(selected.store, "default", tmp_path / "matrix.png")
    plots.dendrogram(selected.store, "default", tmp_path / "tree.svg")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "tree.svg").read_text()
    assert "<svg" in text
    assert all(f"<!-- {name} -->" in text for name in ("a1", "b3", "c2"))
