"""The page of a store: what it shows, that it asks for nothing, and that no text of others becomes a part of it."""

import base64
import hashlib
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_pages import Parsed, read, scores_of

import modelstore
from modelstore.report import matrix as drawn
from modelstore.visible import visible

ROOT = Path(modelstore.__file__).parent
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# What ends or begins something in HTML, JavaScript, JSON, a template or a line; what turns text around; long names.
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "'\"><svg onload=alert(2)>",
    "{{data}}",
    "a\u2028b\u202ec\x01\nd",
    "__proto__",
    "x" * 3000,
    "模型" * 90,
    "שלום עולם",
    "😀 ${x}`\\u0041",
    " ",
    "",
)


@pytest.fixture(scope="module")
def selected(recorded_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store with clusters, selections, registered models and results of a second recipe; and its page."""
    folder = tmp_path_factory.mktemp("page")
    with modelstore.connect(shutil.copy(recorded_file, folder)) as store:
        store.execute(
            "INSERT INTO models (name, architecture, parameters) VALUES ('a1', 'bert', 1000), ('new', NULL, NULL)"
        )
        store.execute(
            "INSERT INTO datasets (name, task, train_rows) VALUES ('d0', 'text_classification', 50)"
        )
        store.execute(
            "INSERT INTO benchmark_results (model, dataset, score, recipe) VALUES ('a1', 'd0', 0.5, 'lora')"
        )
        store.execute("CLUSTER MODELS")
        for method in ("probability_of_improvement", "brute_force"):
            store.execute(f"SELECT BEST MODEL FOR d0 USING {method} WITH (executor = 'replay', epochs = 4)")
        store.report(folder / "page.html")
        yield store, read(folder / "page.html")


def rows_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    names = [title for title, _ in table["columns"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]


def check_asks_for_nothing(page: Parsed) -> None:
    [policy] = [
        one.attributes["content"] or ""
        for one in page.all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        [element] = [one for one in page.all(tag) if one.attributes.get("type") is None]
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    for element in page.elements:
        assert not element.attributes.keys() & {"src", "srcset", "action", "data", "style"}, element
        assert not any(name.startswith("on") for name in element.attributes), element
        if "href" in element.attributes:
            assert (element.attributes["href"] or "").startswith(("#", "data:,")), element
    [style] = page.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_the_page_is_one_file_that_asks_for_nothing(selected: Any) -> None:
    check_asks_for_nothing(selected[1])


def test_the_page_is_built_of_named_sections(selected: Any) -> None:
    page: Parsed = selected[1]
    [html], [main] = page.all("html"), page.all("main")
    assert html.attributes["lang"] == "en"
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    headings = {one.attributes.get("id"): one.text for one in page.all("h2")}
    for section in page.all("section"):
        assert headings[section.attributes["aria-labelledby"]]
    links = [one.attributes["href"] for one in page.all("a")]
    assert links[0] == f"#{main.attributes['id']}"
    assert {f"#{one.attributes['id']}" for one in page.all("section")} == set(links[1:])
    assert page.all("noscript")


def test_the_matrix_is_that_of_the_records_by_cluster_and_mean(selected: Any) -> None:
    store, page = selected
    shown, scores = page.data["heat_map"], scores_of(page.data["heat_map"])
    cells = {
        (model, dataset): score
        for model, dataset, score in store.execute(
            "SELECT model, dataset, score FROM performance_matrix WHERE recipe = 'default'"
        ).fetchall()
    }
    assert (page.data["recipe"], page.data["other_recipes"]) == ("default", ["lora"])
    for row, model in enumerate(shown["models"]):
        for column, dataset in enumerate(shown["datasets"]):
            known = cells.pop((model, dataset), None)
            assert np.isnan(scores[row, column]) if known is None else abs(scores[row, column] - known) < 1e-5
    assert not cells
    clusters = dict(store.execute("SELECT model, cluster FROM model_clusters").fetchall())
    assert shown["clusters"] == [clusters[model] for model in shown["models"]]
    assert shown["clusters"] == sorted(shown["clusters"])
    means = np.nanmean(scores, axis=1)
    for cluster in clusters.values():
        of = means[np.array(shown["clusters"]) == cluster]
        assert list(of) == sorted(of, reverse=True)


def test_of_more_models_and_datasets_the_best_are_shown_and_the_others_counted(
    selected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = selected
    monkeypatch.setattr(drawn, "MODELS", 3)
    monkeypatch.setattr(drawn, "DATASETS", 6)
    store.report(tmp_path / "page.html")
    shown = read(tmp_path / "page.html").data["heat_map"]
    best = store.execute(
        "SELECT model FROM performance_matrix WHERE recipe = 'default' AND dataset <> 'd6' GROUP BY model "
        "ORDER BY avg(score) DESC LIMIT 3"
    ).fetchall()  # d6 has the fewest models
    assert {(model,) for model in shown["models"]} == set(best)
    assert (shown["of_models"], shown["of_datasets"]) == (8, 7)


def test_a_race_has_the_decisions_with_their_forecasts_and_reasons(selected: Any) -> None:
    store, page = selected
    races = {race["selection"]: race for race in page.data["races"]}
    assert list(races) == [2, 1]
    for number, race in races.items():
        told = {(arm["name"], point[0]): point[1:] for arm in race["arms"] for point in arm["points"]}
        logged = store.execute(
            "SELECT model, stage, validation, predicted, deviation, action, reason FROM selection_stages "
            "WHERE selection = ?",
            [number],
        ).fetchall()
        assert len(told) == len(logged)
        for model, stage, *scores, action, reason in logged:
            *shown, what, why = told[model, stage]
            assert (what, why) == (action, reason)
            assert shown == [score and pytest.approx(score, rel=1e-6) for score in scores]
        assert race["ends"] == [1, 2, 3, 4]
    assert races[1]["arms"][0]["points"][-1][4] == "won"
    lasted = [arm["points"][-1][0] for arm in races[1]["arms"]]
    assert lasted == sorted(lasted, reverse=True)


def test_what_a_selection_cost_stands_beside_brute_force(selected: Any) -> None:
    store, page = selected
    brute, race = (one["cost"] for one in page.data["races"])
    [(epochs, seconds)] = store.execute("SELECT epochs, seconds FROM selections WHERE id = 1").fetchall()
    assert (race["epochs"], race["seconds"]) == (epochs, seconds)
    # Eight models, four epochs each; an epoch of the selection took two seconds.
    assert (race["brute_epochs"], race["brute_seconds"]) == (32, 64)
    assert (brute["epochs"], brute["seconds"]) == (32, 64)
    shares = {row["selection"]: row["of brute force"] for row in rows_of(page.data["selections"])}
    assert shares == {1: pytest.approx(epochs / 32), 2: 1}


def test_tables_have_what_is_registered_and_what_is_on_record(selected: Any) -> None:
    store, page = selected
    models = {row["model"]: row for row in rows_of(page.data["models"])}
    means = dict(
        store.execute(
            "SELECT model, avg(score) FROM performance_matrix WHERE recipe = 'default' GROUP BY model"
        ).fetchall()
    )
    assert {name: row["mean score"] for name, row in models.items()} == {
        name: pytest.approx(mean, abs=1e-6) for name, mean in means.items()
    } | {"new": None}
    assert [row["registered"] for name, row in models.items() if name in ("a1", "b1", "new")] == [
        True,
        False,
        True,
    ]
    assert models["a1"]["architecture"] == "bert"
    datasets = {row["dataset"]: row for row in rows_of(page.data["datasets"])}
    best = store.execute(
        "SELECT dataset, arg_max(model, score), count(*) FROM performance_matrix WHERE recipe = 'default' GROUP BY 1"
    ).fetchall()
    assert {(name, row["best model"], row["models"]) for name, row in datasets.items()} == set(best)
    assert datasets["d0"]["train rows"] == 50


def test_a_recipe_can_be_named(selected: Any, tmp_path: Path) -> None:
    store, _ = selected
    store.report(tmp_path / "page.html", recipe="lora")
    shown = read(tmp_path / "page.html").data["heat_map"]
    assert (shown["models"], shown["datasets"], scores_of(shown).tolist()) == (["a1"], ["d0"], [[0.5]])
    with pytest.raises(
        modelstore.NotFoundError, match=r'no score of the recipe "lara" to report \(did you mean "lora"\?\)'
    ):
        store.report(tmp_path / "page.html", recipe="lara")


def test_an_empty_store_has_a_page(store: modelstore.Connection, tmp_path: Path) -> None:
    store.report(tmp_path / "page.html")
    page = read(tmp_path / "page.html")
    check_asks_for_nothing(page)
    data = page.data
    assert set(data["counts"].values()) == {0}
    assert (data["races"], data["heat_map"], data["tree"]) == ([], None, None)
    assert all(data[table]["rows"] == [] for table in ("selections", "models", "datasets", "proxies"))


@pytest.fixture
def hostile(store: modelstore.Connection) -> modelstore.Connection:
    """A store in which every text may be code."""
    for place, name in enumerate(HOSTILE):
        store.execute(
            "INSERT INTO models (name, architecture, modality, card) VALUES ($1, $1, $1, $1)", [name]
        )
        store.execute("INSERT INTO datasets (name, task, metric) VALUES ($1, $1, $1)", [name])
        store.execute(
            "INSERT INTO benchmark_results (model, dataset, score, recipe) SELECT $1, unnest($2), $3, $4",
            [name, list(HOSTILE), place / 100, HOSTILE[0]],
        )
        store.execute(
            "INSERT INTO proxy_scores (model, dataset, proxy, score) VALUES ($1, $2, $2, $3)",
            [name, HOSTILE[0], place],
        )
        store.execute(
            "INSERT INTO selections (id, dataset, method, status, model, reason, options, epochs, seconds) "
            "VALUES ($1, $2, $2, $2, $2, $2, $2, 'NaN', 'Infinity')",
            [place, name],
        )
        store.execute(
            "INSERT INTO selection_stages (selection, stage, model, validation, predicted, action, reason) "
            "VALUES ($1, 1, $2, $3, 'NaN', $2, $2)",
            [place, name, place / 100],
        )
    store.execute("INSERT INTO benchmark_results (model, dataset, score) VALUES ('m', 'd', 'NaN')")
    return store


def test_names_reasons_and_options_of_others_stay_text(
    hostile: modelstore.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    hostile.report(path)
    page = read(path)
    check_asks_for_nothing(page)
    assert len(page.all("script")) == 2
    assert not page.all("img")
    assert not page.all("svg")
    [data] = [one for one in page.all("script") if one.attributes.get("type")]
    assert not set("<>&\u2028\u2029\x01\u202e") & set(data.text)
    seen = {visible(name) for name in HOSTILE}
    assert {row["model"] for row in rows_of(page.data["models"])} >= seen
    assert {race["arms"][0]["points"][0][5] for race in page.data["races"]} == seen


@pytest.mark.parametrize(
    "options",
    [
        "null",
        "[1]",
        '{"epochs": "5"}',
        '{"epochs": [1, 2]}',
        '{"epochs": 1e308}',
        '{"epochs": 5, "stages": 1}',
    ],
)
def test_a_selection_of_an_unknown_origin_has_no_brute_force(
    store: modelstore.Connection, tmp_path: Path, options: str
) -> None:
    store.execute("INSERT INTO selections (id, options, epochs) VALUES (1, ?, 3)", [options])
    store.execute("INSERT INTO selection_stages (selection, stage, model) VALUES (1, 1, 'm')")
    store.report(tmp_path / "page.html")
    [race] = read(tmp_path / "page.html").data["races"]
    assert (race["cost"]["epochs"], race["cost"]["brute_epochs"], race["ends"]) == (3, None, [])


def test_pairs_of_model_and_recipe_are_arms_of_their_own(
    store: modelstore.Connection, tmp_path: Path
) -> None:
    store.execute("INSERT INTO selections (id, options, recipes) VALUES (1, '{\"epochs\": 2}', '[]')")
    store.execute(
        "INSERT INTO selection_stages (selection, stage, model, recipe, validation, action) "
        "VALUES (1, 1, 'm', 'a', 0.5, 'kept'), (1, 1, 'm', 'b', 0.4, 'dropped'), (1, 2, 'm', 'a', 0.6, 'won')"
    )
    store.report(tmp_path / "page.html")
    [race] = read(tmp_path / "page.html").data["races"]
    assert [arm["name"] for arm in race["arms"]] == ["m · a", "m · b"]
    assert race["cost"]["arms"] == 2


def test_a_report_is_an_html_file_and_replaces_nothing_else(
    store: modelstore.Connection, tmp_path: Path
) -> None:
    with pytest.raises(modelstore.StoreError, match=r'a report is a \.html file, not ".*zoo\.db"'):
        store.report(tmp_path / "zoo.db")
    with pytest.raises(modelstore.StoreError, match=r"cannot be written: No such file or directory"):
        store.report(tmp_path / "nowhere" / "page.html")


def test_a_report_shows_what_an_open_transaction_has_changed(
    store: modelstore.Connection, tmp_path: Path
) -> None:
    store.execute("BEGIN; INSERT INTO models (name) VALUES ('m')")
    store.report(tmp_path / "page.html")
    store.rollback()
    assert read(tmp_path / "page.html").data["counts"]["models"] == 1


def test_the_files_of_a_page_are_part_of_the_package() -> None:
    declared = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))
    patterns = declared["tool"]["setuptools"]["package-data"]["modelstore.report"]
    files = [path for path in (ROOT / "report").rglob("*.*") if path.suffix not in (".py", ".pyc")]
    assert files
    for file in files:
        name = file.relative_to(ROOT / "report").as_posix()
        assert any(fnmatch(name, pattern) for pattern in patterns), name


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
def test_a_browser_draws_hostile_names_and_says_nothing(
    hostile: modelstore.Connection, tmp_path: Path
) -> None:
    hostile.report(tmp_path / "page.html")
    done = subprocess.run(
        [
            str(BROWSER),
            *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"),
            *("--virtual-time-budget=20000", f"--user-data-dir={tmp_path / 'profile'}"),
            (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    body = Parsed(done.stdout)
    assert len(body.all("script")) == 2
    assert not body.all("img")
    assert len(body.all("table")) >= 4
    assert len([one for one in body.all("li") if "border-left" in (one.attributes.get("style") or "")]) == 1
