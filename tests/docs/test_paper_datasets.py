"""`examples/paper_datasets.sql`, run against the stub with a few rows in the layouts of the real datasets."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_stub import HubStub
from pages import ROOT
from tiny_models import image_rows, pair_rows

import modelstore
from modelstore.options import DatasetOptions
from modelstore.shell.main import main

SCRIPT = ROOT / "examples" / "paper_datasets.sql"
STATEMENT = re.compile(
    r"^CREATE DATASET IF NOT EXISTS '?(?P<name>[\w-]+)'? FROM 'hf://(?P<repository>[^/]+/[^/@']+)(?:/(?P<config>[\w-]+))?"
    r"(?:@(?P<revision>[\w/]+))?'(?: WITH \((?P<options>.*)\))?;$",
    re.MULTILINE,
)


def rows_for(options: str, image: bool, seed: int) -> pa.Table:
    """A few rows under the columns that a statement names."""
    rng = np.random.default_rng(seed)
    named = dict(re.findall(r"(\w+) = '(\w+)'", options))
    table = image_rows(60, rng) if image else pair_rows(60, rng)
    if named.get("task") == "regression":
        table = table.set_column(2, "label", pa.array(rng.uniform(0, 5, 60)))
    if not image and "text_pair" not in named:
        table = table.drop_columns(["text_pair"])
    if image:
        pictures = [{"bytes": picture.as_py(), "path": None} for picture in table["image"]]
        table = table.set_column(0, "image", pa.array(pictures))
    return table.rename_columns([named.get(name, name) for name in table.column_names])


def add_repository(hub: HubStub, root: Path, found: re.Match[str], image: bool) -> None:
    """Adds the files of a statement's dataset to its repository: at main, or at the branch of converted files."""
    config, name = found["config"] or "default", found["repository"]
    folder, card = root / name / "files", root / name / "files" / "README.md"
    paths = []
    for seed, split in enumerate(("train", "validation", "test")):
        file = f"{split}/0000.parquet" if found["revision"] else f"{split}-00000-of-00001.parquet"
        (folder / config / file).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows_for(found["options"] or "", image, seed), folder / config / file)
        paths.append(f"  - split: {split}\n    path: {config}/{file}\n")
    if found["revision"]:
        (root / name / "script").mkdir(exist_ok=True)
        hub.add(name, root / name / "script", "datasets").revisions[found["revision"]] = folder
        return
    before = card.read_text().removesuffix("---\n") if card.exists() else "---\nconfigs:\n"
    card.write_text(f"{before}- config_name: {config}\n  data_files:\n{''.join(paths)}---\n")
    hub.add(name, folder, "datasets")


def test_every_dataset_has_one_statement() -> None:
    assert len(STATEMENT.findall(SCRIPT.read_text())) == SCRIPT.read_text().count("CREATE DATASET") == 28


@pytest.mark.skipif("config" not in DatasetOptions.schema(), reason="datasets have no configurations yet")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_script_registers_the_datasets_of_the_paper(
    hub: HubStub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = SCRIPT.read_text()
    for found in STATEMENT.finditer(script):
        add_repository(hub, tmp_path / "repositories", found, found.start() > script.index("-- Images"))
    assert main([str(tmp_path / "zoo.db"), "--continue", "-f", str(SCRIPT)]) == 0, capfd.readouterr().err
    with modelstore.connect(tmp_path / "zoo.db") as store:
        assert store.execute("SELECT count(*) FROM datasets WHERE train_rows = 60").fetchall() == [(28,)]
