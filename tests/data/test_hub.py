"""Uris of models and datasets: paths of this machine, and addresses on the hub."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelstore.data.dataset_hub import DatasetRef, resolve_dataset
from modelstore.data.hub import ModelRef, ModelRefs, absolute_uri, resolve_model
from modelstore.errors import DatasetError, ModelError

COMMIT = "0123456789012345678901234567890123456789"
Paths = Callable[[str], Path]


def test_a_model_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere does not exist: give a local directory"):
        resolve_model("m", str(tmp_path / "nowhere"))
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="file is not a directory"):
        resolve_model("m", str(tmp_path / "file"))


@pytest.mark.parametrize(
    "uri", ["hf://", "hf://a/b/c", "hf://a b/c", "hf://a/b@", "hf://a--b/c", "hf://name@"]
)
def test_a_malformed_address_is_refused(uri: str) -> None:
    with pytest.raises(ModelError, match="is no address on the hub: write hf://owner/name or"):
        resolve_model("m", uri)


def test_the_catalog_keeps_an_address_as_it_is_and_makes_a_path_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert absolute_uri("hf://someone/tiny@v2") == "hf://someone/tiny@v2"
    assert absolute_uri("model") == absolute_uri("~/model") == str(tmp_path / "model")


def test_a_uri_is_resolved_once_and_only_when_its_model_is_needed(model_copy: Paths, tmp_path: Path) -> None:
    path = model_copy("bert")
    models = ModelRefs({"here": str(path), "gone": str(tmp_path / "gone")})
    found = models["here"]
    assert found == ModelRef("here", path)
    path.rename(tmp_path / "moved")
    assert models["here"] is found
    assert list(models) == ["here", "gone"]
    with pytest.raises(ModelError, match="gone does not exist"):
        models["gone"]


def test_a_model_on_the_hub_is_read_through_its_cache(model_path: Paths, tmp_path: Path) -> None:
    """Offline, in a process of its own since the client reads its settings once."""
    repository = tmp_path / "hub" / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / COMMIT).symlink_to(model_path("bert"))
    program = (
        "from modelstore.data.hub import resolve_model\n"
        "from modelstore.data.model_info import inspect_model\n"
        "model = resolve_model('tiny', 'hf://someone/tiny')\n"
        "print(model.name, model.revision, inspect_model(model).architecture)\n"
        "try: resolve_model('other', 'hf://someone/other@v2')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    first, second = ran.stdout.splitlines()
    assert first == f"tiny {COMMIT} BertForMaskedLM"
    assert second.startswith(
        "ModelError model hf://someone/other@v2 cannot be fetched from the hub, nor is it"
    )
    assert ran.stderr == ""


def test_a_dataset_of_this_machine_has_no_revision(tmp_path: Path) -> None:
    assert resolve_dataset("d", str(tmp_path)) == DatasetRef("d", tmp_path, None)
    with pytest.raises(DatasetError, match="there is no file or directory"):
        resolve_dataset("d", str(tmp_path / "nothing"))


def test_a_dataset_on_the_hub_is_read_through_its_cache(tmp_path: Path) -> None:
    """Offline, in a process of its own since the client reads its settings once."""
    repository = tmp_path / "hub" / "datasets--someone--reviews"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "train.csv").write_text("text,label\na,x\n")
    program = (
        "from modelstore.data.dataset_hub import resolve_dataset\n"
        "print([file.name for file in resolve_dataset('d', 'hf://someone/reviews').path.iterdir()])\n"
        "try: resolve_dataset('other', 'hf://someone/other')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    first, second = ran.stdout.splitlines()
    assert first == "['train.csv']"
    assert second.startswith("DatasetError dataset hf://someone/other cannot be fetched from the hub")
    assert ran.stderr == ""
