"""How long a report takes to make, how large it is, and how long a browser takes to open it.

    python benchmarks/report_page.py [MODELSxDATASETS …]

By default stores of 1,000 x 100 and 10,000 x 100, with clusters, a hundred replayed selections and a proxy. The time
to open is that of Chromium, from the start of the navigation to the page's `load` event, which comes when its data is
read and its tables are made: the median of five loads. It is left out, with the reason, where there is no Chromium.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa

import modelstore

SIZES = ("1000x100", "10000x100")
SELECTIONS, ARMS, STAGES = 100, 40, 5
LOADS = 5
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def fill(store: modelstore.Connection, models: int, datasets: int) -> None:
    """Stores families of models with scores, one cell in ten empty; selections, and a proxy on each dataset."""
    random = np.random.default_rng(0)
    family = random.integers(0, models // 8, models)
    base = random.uniform(0.3, 0.9, (models // 8, datasets))
    scores = np.clip(base[family] + random.normal(0, 0.02, (models, datasets)), 0, 1)
    row, column = np.nonzero(random.random(scores.shape) > 0.1)
    cells = pa.table(
        {
            "model": pa.array([f"organisation-{one % 90}/model-of-some-length-{one}" for one in row]),
            "dataset": pa.array([f"dataset-{one}" for one in column]),
            "score": scores[row, column],
        }
    )
    store.register("cells", cells)
    store.execute("INSERT INTO benchmark_results (model, dataset, score) FROM cells")
    store.execute(
        "INSERT INTO models (name, architecture, modality, parameters) "
        "SELECT DISTINCT model, 'bert', 'text', 110000000 FROM cells"
    )
    store.execute(
        "INSERT INTO proxy_scores (model, dataset, proxy, score) SELECT model, dataset, 'logme', score FROM cells "
        "WHERE hash(model) % 10 = 0"
    )
    store.execute(
        "INSERT INTO selections (id, dataset, method, status, options, epochs, seconds) "
        "SELECT range, 'dataset-0', 'value_of_information', 'done', '{\"epochs\": 5}', 60, 600 FROM range(1, ?)",
        [SELECTIONS + 1],
    )
    store.execute(
        "INSERT INTO selection_stages (selection, stage, model, validation, predicted, deviation, action, reason) "
        "SELECT selection, stage, name, random(), 0.8, 0.05, if(stage = 6 - (place % 5), 'dropped', 'kept'), "
        "'predicted 0.7212 ± 0.0312, 0.112 behind another model; an epoch more is worth 0.0003, less than 0.0015' "
        "FROM range(1, $n + 1) AS s(selection), range(1, $stages + 1) AS t(stage), "
        "(SELECT name, row_number() OVER () AS place FROM models LIMIT $arms) WHERE stage <= 6 - (place % 5)",
        {"n": SELECTIONS, "stages": STAGES, "arms": ARMS},
    )
    store.execute("CLUSTER MODELS")


def seconds_to_open(browser: str, page: Path) -> float:
    """The median seconds from the start of a navigation to its `load` event, by the browser's own clock."""
    probe = page.with_name("probe.html")
    text = page.read_text("utf-8")
    # The page forbids scripts that are not its own, so the probe leaves its policy out; all else is as it is.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text, count=1)
    script = "addEventListener('load', () => { document.title = 'opened ' + performance.now(); });"
    probe.write_text(text.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    taken = []
    for _ in range(LOADS):
        done = subprocess.run(
            [browser, *FLAGS, f"--user-data-dir={page.parent / 'profile'}", "--dump-dom", probe.as_uri()],
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.search(r"<title>opened ([\d.]+)</title>", done.stdout)
        assert found is not None, "the page did not open"
        taken.append(float(found[1]) / 1000)
    return median(taken)


def main(sizes: list[str]) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"time to open is left out: there is none of {', '.join(BROWSERS)} here")
    print(
        f"{'models x datasets':>18} {'made in, s':>11} {'of processor, s':>16} {'size, MB':>9} {'opened in, s':>13}"
    )
    for size in sizes:
        models, datasets = map(int, size.split("x"))
        with tempfile.TemporaryDirectory() as folder, modelstore.connect(Path(folder, "zoo.db")) as store:
            fill(store, models, datasets)
            page = Path(folder, "page.html")
            began, used = time.perf_counter(), time.process_time()
            store.report(page)
            made, processor = time.perf_counter() - began, time.process_time() - used
            opened = "" if browser is None else f"{seconds_to_open(browser, page):.2f}"
            print(
                f"{size:>18} {made:11.1f} {processor:16.1f} {page.stat().st_size / 1e6:9.2f} {opened:>13}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:] or list(SIZES))
