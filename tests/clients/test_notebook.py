"""The magics and tables of notebooks, and the notebook of the examples, run by IPython without a kernel."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import modelstore
from modelstore import html, progress
from modelstore.events import Began, Decided, Decision

ROOT = Path(modelstore.__file__).parent.parent
HOSTILE = "<img src=x onerror=alert(1)>&\x1b[2J"


@pytest.fixture(scope="module")
def ipython() -> Any:
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")
    return interactive.InteractiveShell(colors="nocolor")


@pytest.fixture
def notebook(ipython: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    names = {*ipython.user_ns}
    ipython.run_line_magic("load_ext", "modelstore")
    yield ipython
    ipython.run_line_magic("unload_ext", "modelstore")
    for name in ipython.user_ns.keys() - names:
        del ipython.user_ns[name]


def run(notebook: Any, cell: str) -> Any:
    result = notebook.run_cell(cell)
    result.raise_error()
    return result.result


def refused(notebook: Any, cell: str, capsys: pytest.CaptureFixture[str]) -> str:
    result = notebook.run_cell(cell)
    assert not result.success
    said = "".join(capsys.readouterr())
    assert "Traceback" not in said
    return said


def test_magics_run_each_statement_once_and_return_rows(notebook: Any) -> None:
    run(notebook, "%modelstore --connect zoo.db")
    assert run(notebook, "%modelstore CREATE SEQUENCE counter") is None
    rows = run(
        notebook, "%%modelstore\nSELECT nextval('counter');\nSELECT nextval('counter') AS n, NULL AS none;"
    )
    assert rows.fetchall() == [(2, None)]
    assert rows._repr_html_().count("<em>NULL</em>") == 1
    assert "int64" in repr(rows)
    assert run(notebook, "taken = %modelstore SELECT 5 AS a\n[(five,)] = taken\nfive + len(taken.df())") == 6
    assert run(notebook, "%modelstore INSERT INTO models (name) VALUES ('m')") is None
    run(notebook, "import pandas; frame = pandas.DataFrame({'a': [1, 2]})")
    assert len(run(notebook, "%modelstore FROM frame")) == 2


def test_magics_speak_to_a_connection_of_the_notebook(notebook: Any, recorded: modelstore.Connection) -> None:
    notebook.user_ns["mine"] = recorded
    select = "SELECT BEST MODEL FOR d0 WITH (executor = 'replay', epochs = 2)"
    result = run(notebook, f"%%modelstore mine\n{select}")
    assert len(result) == 1
    assert recorded.execute("SELECT count(*) FROM selections").fetchone() == (1,)
    plan = run(notebook, f"%modelstore EXPLAIN {select}")
    assert 'pre-wrap">└─ ' in plan._repr_html_()  # the blanks of its tree count
    assert run(notebook, "%modelstore EXPLAIN SELECT 1")._repr_html_().startswith("<pre>")
    run(notebook, "%modelstore --connect other.db")
    assert recorded.execute("SELECT 1").fetchone() == (1,)  # it is still open


def test_errors_are_one_sentence(notebook: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no model store is open: %modelstore --connect" in refused(
        notebook, "%modelstore SELECT 1", capsys
    )
    run(notebook, "%modelstore --connect zoo.db")
    for cell, expected in (
        ("%modelstore RECALL 2 MODELS FOR reviews", '"reviews" is no registered dataset'),
        ("%%modelstore\nCREATE TABLE t (a INT);\nSELECT BEST MODL FOR t", "MODL"),
        ("%modelstore FROM nowhere", "nowhere does not exist"),
        ("%modelstore", "takes SQL"),
        ("%modelstore --connect a b", "name of one file or variable"),
        ("%modelstore --connect nowhere/zoo.db", "nowhere/zoo.db"),
    ):
        assert expected in refused(notebook, cell, capsys)
    assert "t does not exist" in refused(notebook, "%modelstore FROM t", capsys)  # the script was read first


def test_an_interrupted_cell_says_so(
    notebook: Any,
    recorded: modelstore.Connection,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: Any, **named: Any) -> None:
        raise KeyboardInterrupt("RESUME SELECTION 3 goes on")

    notebook.user_ns["mine"] = recorded
    monkeypatch.setattr(modelstore.Connection, "sql", interrupted)
    assert "interrupted: RESUME SELECTION 3 goes on" in refused(
        notebook, "%%modelstore mine\nSELECT 1", capsys
    )


def test_no_name_is_read_as_html(notebook: Any, recorded: modelstore.Connection) -> None:
    recorded.execute(
        "INSERT INTO benchmark_results (model, dataset, score) SELECT ?, dataset, 0.99 FROM benchmark_results "
        "WHERE model = 'a1'",
        [HOSTILE],
    )
    recorded.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) VALUES (?, 'd0', 'leep', -0.1)", [HOSTILE]
    )
    notebook.user_ns["mine"] = recorded
    shown = [run(notebook, "%%modelstore mine\nRECALL 9 MODELS FOR d0")._repr_html_()]
    shown.append(recorded.execute("RECALL 9 MODELS FOR d0")._repr_html_() or "")
    relation = recorded.sql("SELECT DISTINCT model FROM benchmark_results")
    shown.append(notebook.display_formatter.format(relation)[0]["text/html"])
    shown.append(modelstore.BestModel(HOSTILE, "default", 0.5, 0.5, 1.0, 1.0, None, 1)._repr_html_())
    shown.append(html.of_rows([HOSTILE], [[{"a": HOSTILE}]], HOSTILE) + html.of_text(HOSTILE))
    for text in shown:
        assert "&lt;img src=x onerror=alert(1)&gt;&amp;" in text
        assert "<img" not in text
        assert "\x1b" not in text


def test_showing_a_connection_takes_no_rows_from_it(recorded: modelstore.Connection) -> None:
    recorded.execute("RECALL 3 MODELS FOR d0")
    assert (recorded._repr_html_() or "").count("<tr>") == 4
    assert len(recorded.fetchall()) == 3
    recorded.execute("FROM range(3)")
    assert recorded._repr_html_() is None
    assert len(recorded.fetchall()) == 3


def test_of_a_long_result_the_first_and_last_rows_are_shown(notebook: Any) -> None:
    run(notebook, "%modelstore --connect zoo.db")
    shown = run(notebook, "%modelstore SELECT range AS n FROM range(1000)")._repr_html_()
    assert "1,000 rows" in shown
    assert shown.count("<tr>") == html.MOST_ROWS + 2
    assert ">999<" in shown
    assert ">500<" not in shown


def test_progress_is_an_output_that_is_updated_and_erased(
    notebook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelstore.clients import notebook as module

    drawn: list[str] = []

    class Handle:
        def display(self, data: dict[str, str], raw: bool) -> None:
            drawn.append(data["text/html"])

        update = display

    monkeypatch.setattr(module, "DisplayHandle", Handle)
    monkeypatch.setattr(module, "EVERY", 0.0)
    notebook.run_line_magic("unload_ext", "modelstore")
    monkeypatch.setattr(notebook, "kernel", object(), raising=False)  # as Jupyter's shell has one
    notebook.run_line_magic("load_ext", "modelstore")
    with progress.progress(4, "embedding <b>", "batch") as bar:
        bar.update(4)
    assert drawn[0].startswith("<pre>embedding &lt;b&gt;:   0%")
    assert drawn[-1] == ""
    progress.emit(Began(("<a>", "b"), 0, 2, 3.0, 1.0))
    assert "  &lt;a&gt;" in drawn[-1]
    kept = Decision(1, "b", 0.5, None, "kept", None)
    progress.emit(Decided((kept, Decision(1, "<a>", 0.4, None, "dropped", None)), 1.0, 1.0))
    assert "dropped at stage 1: &lt;a&gt; 0.4000" in drawn[-1]
    run(notebook, "1 + 1")  # another cell has an output of its own
    progress.emit(Decided((kept,), 0.0, 0.0))
    assert "dropped" in drawn[-1]


def test_the_notebook_of_the_examples_runs(notebook: Any) -> None:
    cells = json.loads((ROOT / "examples" / "tutorial.ipynb").read_text("utf-8"))["cells"]
    results = [run(notebook, "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    [best] = [dict(zip(result.table.column_names, *result, strict=True)) for result in results[5:6]]
    assert best["model"] == "bert-4"
    assert all(not cell.get("outputs") for cell in cells)
