"""What EXPLAIN says of downloads and of the disk."""

from pathlib import Path

import pytest
from tiny_models import TINY

import modelstore
from modelstore.sizes import size

Store = modelstore.Connection
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, which is empty."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder


def cached(hub: Path, name: str, *files: str) -> None:
    repository = hub / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    for file in files:
        (repository / "snapshots" / COMMIT / file).touch()


def lines(store: Store, sql: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = [(row[0], row[1]) for row in store.execute(sql).fetchall()]
    return found


def test_models_that_are_not_in_the_cache_are_to_download(zoo: Store, hub: Path) -> None:
    cached(hub, "owner/here", "config.json", "model.safetensors")
    cached(hub, "owner/partly", "config.json")
    zoo.execute(
        "INSERT INTO models (name, uri, modality, parameters) VALUES ('here', 'hf://owner/here', 'text', 50), "
        "('partly', 'hf://owner/partly@main', 'text', 20e6), ('gone', 'hf://owner/gone', 'text', NULL)"
    )
    [line] = [line for line in lines(zoo, "EXPLAIN SELECT BEST MODEL FOR texts") if "download" in line[0]]
    assert line == ("├─ to download · 2 of 7 models", "at most 80 MB and 1 of unknown size")
    [line] = [line for line in lines(zoo, "EXPLAIN BENCHMARK MODELS ON texts") if "download" in line[0]]
    assert line[0] == "└─ to download · 2 of 7 models"


def test_a_dataset_that_is_not_in_the_cache_is_to_download(zoo: Store, hub: Path) -> None:
    zoo.execute("UPDATE datasets SET uri = 'hf://owner/texts' WHERE name = 'texts'")
    [line] = [line for line in lines(zoo, "EXPLAIN RECALL MODELS FOR texts") if "download" in line[0]]
    assert line == ("└─ to download · dataset texts", "1 of unknown size")


def test_nothing_is_said_of_downloads_where_all_is_here(zoo: Store) -> None:
    assert "download" not in str(lines(zoo, "EXPLAIN SELECT BEST MODEL FOR texts"))


@pytest.mark.parametrize(
    ("strategy", "options", "line", "bytes_a_parameter"),
    [
        # Four rest after each stage, and the next four are saved before those are removed.
        ("brute_force", "epochs = 3", "disk · 8 runs between stages, 1 winner", 8 * 12 + 4),
        ("successive_halving", "epochs = 3", "disk · 3 runs between stages, 1 winner", 3 * 12 + 4),
        ("brute_force", "epochs = 1", "disk · 1 winner", 4),
        ("brute_force", "epochs = 3, tuning = 'frozen'", "disk · 8 runs between stages, 1 winner", 4),
    ],
)
def test_checkpoints_of_resting_runs_and_winners_take_disk(
    zoo: Store, strategy: str, options: str, line: str, bytes_a_parameter: int
) -> None:
    sql = f"EXPLAIN SELECT BEST MODEL FOR texts USING {strategy} WITH ({options})"
    [found] = [found for found in lines(zoo, sql) if "disk" in found[0]]
    [mean] = zoo.execute("SELECT avg(parameters) FROM models WHERE modality = 'text'").fetchone() or ()
    assert found == (f"├─ {line}", size(mean * bytes_a_parameter))


def test_the_disk_is_what_a_selection_leaves_between_its_stages(zoo: Store, tmp_path: Path) -> None:
    sql = f"SELECT BEST MODEL FOR texts WHERE name = 'bert' USING brute_force WITH ({TINY})"
    [(_, said)] = [line for line in lines(zoo, f"EXPLAIN {sql}") if "disk" in line[0]]
    [checkpoint] = zoo.execute(f"SELECT checkpoint FROM ({sql})").fetchone() or ()
    weights = (Path(checkpoint) / "model.safetensors").stat().st_size
    [parameters] = zoo.execute("SELECT parameters FROM models WHERE name = 'bert'").fetchone() or ()
    assert weights == pytest.approx(4 * parameters, rel=0.3)
    assert said == size(parameters * (12 + 4))
