"""The hub, by a small server of our own: what is fetched, and one sentence for each thing that prevents it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hub_stub import TOKEN, HubStub
from safetensors.torch import load_file

from modelstore.data import hub_client
from modelstore.data.fingerprint import fingerprint
from modelstore.data.hub import resolve_model
from modelstore.data.hub_client import HubError
from modelstore.data.hub_download import fetch
from modelstore.data.model_info import inspect_model
from modelstore.data.sentence_transformers import pooling_of
from modelstore.errors import ModelError

Paths = Callable[[str], Path]


def fetched(uri: str) -> set[str]:
    """The names of the files that a model has after it is fetched."""
    path = resolve_model("m", uri).path
    assert inspect_model(resolve_model("m", uri)).parameters
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


def refusal(uri: str) -> str:
    """The sentence by which a model is refused."""
    with pytest.raises(ModelError) as caught:
        resolve_model("m", uri)
    sentence = str(caught.value)
    assert sentence.startswith(f"model {uri} ")
    assert "\n" not in sentence
    assert TOKEN not in sentence
    return sentence


@pytest.mark.parametrize("name", ["bert-base-uncased", "someone/tiny.v1_2"])
def test_a_model_is_fetched_with_and_without_an_owner(name: str, hub: HubStub, model_path: Paths) -> None:
    hub.add(name, model_path("bert"))
    model = resolve_model("m", f"hf://{name}")
    assert model.revision is not None
    assert len(model.revision) == 40
    assert fetched(f"hf://{name}") == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_an_old_name_leads_to_the_new_one(hub: HubStub, model_path: Paths) -> None:
    hub.add("google-bert/bert-base-uncased", model_path("bert"))
    hub.add("bert-base-uncased", model_path("bert"), redirects_to="google-bert/bert-base-uncased")
    assert "model.safetensors" in fetched("hf://bert-base-uncased")


def test_a_revision_is_fetched(hub: HubStub, model_path: Paths) -> None:
    repository = hub.add("tiny", model_path("bert"), revisions={"v2": model_path("bert_classifier")})
    assert inspect_model(resolve_model("m", "hf://tiny")).labels == ()
    assert inspect_model(resolve_model("m", "hf://tiny@v2")).labels == ("red", "green", "blue")
    commit = resolve_model("m", "hf://tiny@v2").revision
    assert commit != resolve_model("m", "hf://tiny").revision
    assert resolve_model("m", f"hf://tiny@{commit}").revision == commit
    assert refusal("hf://tiny@v3") == (
        f"model hf://tiny@v3 has no revision v3: see {hub.endpoint}/tiny/tree/main for its branches and tags"
    )
    repository.revisions.clear()


def test_only_what_is_read_is_fetched(hub: HubStub, model_copy: Paths) -> None:
    path = model_copy("bert")
    weights = load_file(path / "model.safetensors")
    torch.save(weights, path / "pytorch_model.bin")
    for name in ("tf_model.h5", "flax_model.msgpack", "model.fp16.safetensors", "training_args.bin"):
        (path / name).write_bytes(b"x" * 10)
    for name in ("onnx/model.onnx", "checkpoint-5/model.safetensors", "runs/events.json"):
        (path / name).parent.mkdir()
        (path / name).write_bytes(b"x" * 10)
    hub.add("full", path)
    assert fetched("hf://full") == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    (path / "model.safetensors").unlink()
    hub.add("pickled", path)
    assert "model.safetensors" in fetched("hf://pickled")
    [folder] = (Path(os.environ["MODELSTORE_CACHE"]) / "models").iterdir()
    assert not [
        request for request in hub.requests if "pickled" in request and request.endswith((".h5", ".onnx"))
    ]
    assert folder.name == resolve_model("m", "hf://pickled").path.name


def test_pickled_shards_are_fetched(hub: HubStub, model_copy: Paths) -> None:
    path = model_copy("bert")
    weights = load_file(path / "model.safetensors")
    halves = {f"pytorch_model-0000{i}-of-00002.bin": sorted(weights)[i - 1 :: 2] for i in (1, 2)}
    for shard, names in halves.items():
        torch.save({name: weights[name] for name in names}, path / shard)
    index = {"weight_map": {name: shard for shard, names in halves.items() for name in names}}
    (path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (path / "model.safetensors").unlink()
    hub.add("shards", path)
    assert {name for name in fetched("hf://shards") if name.endswith(".safetensors")} == {
        "pytorch_model-00001-of-00002.safetensors",
        "pytorch_model-00002-of-00002.safetensors",
    }


def test_a_sentence_transformer_is_fetched_with_its_folders(hub: HubStub, model_copy: Paths) -> None:
    path = model_copy("bert")
    (path / "0_Transformer").mkdir()
    (path / "1_Pooling").mkdir()
    for file in [file for file in path.iterdir() if file.is_file()]:
        file.rename(path / "0_Transformer" / file.name)
    (path / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    modules = [
        {"idx": 0, "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (path / "modules.json").write_text(json.dumps(modules))
    hub.add("sentence-transformers/tiny", path)
    assert "model.safetensors" in fetched("hf://sentence-transformers/tiny")
    found = resolve_model("m", "hf://sentence-transformers/tiny").path
    assert pooling_of(found) == ("cls",)


def test_an_adapter_is_fetched_with_its_base(hub: HubStub, model_path: Paths, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForSequenceClassification

    from modelstore.libraries import quiet

    with quiet():
        base = AutoModelForSequenceClassification.from_pretrained(model_path("bert_classifier"))
        config = peft.LoraConfig(task_type="SEQ_CLS", r=2, base_model_name_or_path="tiny-bert")
        peft.get_peft_model(base, config).save_pretrained(tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": "tiny-bert"}))
    hub.add("me/lora", tmp_path / "adapter")
    with pytest.raises(
        ModelError, match=r"base model of the adapter .* model hf://tiny-bert is not on the hub"
    ):
        resolve_model("m", "hf://me/lora")
    hub.add("tiny-bert", model_path("bert_classifier"))
    assert "model.safetensors" in fetched("hf://me/lora")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("tf_model.h5", "has weights of TensorFlow only (tf_model.h5)"),
        ("notes.txt", "has no weights: a model.safetensors or pytorch_model.bin file is wanted"),
    ],
)
def test_a_model_without_weights_is_refused_before_anything_is_fetched(
    file: str, sentence: str, hub: HubStub, model_copy: Paths
) -> None:
    path = model_copy("bert")
    (path / "model.safetensors").rename(path / file)
    hub.add("tf", path)
    assert sentence in refusal("hf://tf")
    assert not [request for request in hub.requests if "/resolve/" in request]


def test_a_model_that_is_not_there_is_named_with_its_page(hub: HubStub) -> None:
    assert refusal("hf://someone/none") == (
        "model hf://someone/none is not on the hub, or it is private and you are not logged in as one who may read "
        f"it: see {hub.endpoint}/someone/none, and log in (hf auth login, or HF_TOKEN)"
    )


def test_a_private_model_needs_a_token(
    hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/private", model_path("bert"), private=True)
    assert f"see {hub.endpoint}/me/private, and log in" in refusal("hf://me/private")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert "model.safetensors" in fetched("hf://me/private")


def test_a_gated_model_names_the_page_to_visit(
    hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("meta/gated", model_path("bert"), gated=True)
    assert refusal("hf://meta/gated") == (
        f"model hf://meta/gated is gated: ask for access on {hub.endpoint}/meta/gated, and log in (hf auth login, or "
        "HF_TOKEN)"
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert "model.safetensors" in fetched("hf://meta/gated")


def test_a_token_without_the_right_is_not_shown(
    hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("me/forbidden", model_path("bert"), forbidden=True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert f"your token has no right to read it: ask for access on {hub.endpoint}" in refusal(
        "hf://me/forbidden"
    )
    repository = hub.add("me/forbidden", model_path("bert"))
    repository.forbidden, repository.fault = False, 401
    assert f"does not accept your token: make a new one on {hub.endpoint}/settings/tokens" in refusal(
        "hf://me/forbidden"
    )


def test_a_rate_limit_is_waited_for(hub: HubStub, model_path: Paths) -> None:
    hub.add("busy", model_path("bert"), limits=["0", "1"], file_limits=["0", "0"])
    assert "model.safetensors" in fetched("hf://busy")


def test_a_long_rate_limit_is_said(hub: HubStub, model_path: Paths) -> None:
    hub.add("busy", model_path("bert"), limits=["3600"])
    assert "limits the rate of requests: try again in 3600 s, or log in" in refusal("hf://busy")
    hub.add("files", model_path("bert"), file_limits=["3600"] * 50)
    assert "limits the rate of requests: try again in 3600 s" in refusal("hf://files")
    repository = hub.add("busier", model_path("bert"), limits=["0"] * 50)
    assert "limits the rate of requests: try again later, or log in" in refusal("hf://busier")
    assert len(repository.limits) == 50 - hub_client.WAITS - 1


def test_a_fault_of_the_hub_is_said(hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = hub.add("tiny", model_path("bert"), fault=503)
    assert "the hub has a fault (HTTP 503): try again later" in refusal("hf://tiny")
    repository.fault = None
    first = resolve_model("m", "hf://tiny")
    repository.fault = 503
    assert resolve_model("m", "hf://tiny") == first  # from the cache


@pytest.mark.slow
def test_a_line_that_breaks_in_the_middle_of_a_file_is_resumed(hub: HubStub, model_path: Paths) -> None:
    hub.add("tiny", model_path("bert"), breaks=2)
    path = resolve_model("m", "hf://tiny").path
    assert (path / "model.safetensors").read_bytes() == (
        model_path("bert") / "model.safetensors"
    ).read_bytes()


def test_a_download_that_breaks_off_is_said_and_continued(
    hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fetched before the break is no model."""
    from huggingface_hub import file_download

    fetch_file = file_download.http_get

    def fail(url: str, *arguments: object, **options: object) -> None:
        if url.endswith("model.safetensors"):
            raise OSError("Consistency check failed: file should be of size 9 but has size 3")
        fetch_file(url, *arguments, **options)  # type: ignore[arg-type]

    hub.add("tiny", model_path("bert"))
    with monkeypatch.context() as patch:
        patch.setattr(file_download, "http_get", fail)
        sentence = refusal("hf://tiny")
    assert "(Consistency check failed: file should be of size 9 but has size 3)" in sentence
    assert "run the statement again, what was fetched is kept" in sentence
    asked = len(hub.requests)
    assert "model.safetensors" in fetched("hf://tiny")
    assert not [one for one in hub.requests[asked:] if one == "GET tokenizer.json"]


def test_a_part_of_a_model_in_the_cache_is_named_by_its_address(
    hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as client

    hub.add("tiny", model_path("bert"))
    (resolve_model("m", "hf://tiny").path / "model.safetensors").unlink()
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    assert refusal("hf://tiny").startswith("model hf://tiny has no weights: a model.safetensors or")


def test_a_hub_that_is_not_reached_is_said(
    hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("tiny", model_path("bert"))
    first = resolve_model("m", "hf://tiny")
    import huggingface_hub.constants as client

    monkeypatch.setattr(client, "ENDPOINT", "http://127.0.0.1:9")
    assert resolve_model("m", "hf://tiny") == first
    assert "nor is it in the cache" in refusal("hf://other")
    assert "check the connection to http://127.0.0.1:9" in refusal("hf://other")


def test_offline_mode_reads_the_cache_alone(
    hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as client

    hub.add("tiny", model_path("bert"))
    first = resolve_model("m", "hf://tiny")
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    asked = len(hub.requests)
    assert resolve_model("m", "hf://tiny") == first
    assert resolve_model("m", f"hf://tiny@{first.revision}") == first
    assert "nor is it in the cache: offline mode is on (HF_HUB_OFFLINE)" in refusal("hf://other")
    assert len(hub.requests) == asked


def test_a_full_disk_is_said(hub: HubStub, model_path: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    hub.add("tiny", model_path("bert"))
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.http_get", fail)
        assert "since the disk is full: free space in" in refusal("hf://tiny")
    assert "model.safetensors" in fetched("hf://tiny")


def test_the_fingerprint_of_a_fetched_model_is_that_of_its_files(hub: HubStub, model_copy: Paths) -> None:
    path = model_copy("bert")
    (path / "tf_model.h5").write_bytes(b"not fetched")
    hub.add("tiny", path)
    assert fingerprint("hf://tiny", "model") is None
    resolve_model("m", "hf://tiny")
    assert fingerprint("hf://tiny", "model") is not None


PROGRAM = """
from modelstore.data.hub import resolve_model
from modelstore.data.model_info import inspect_model
model = resolve_model("m", "hf://tiny")
print(inspect_model(model).parameters, len(list(model.path.iterdir())))
"""


@pytest.mark.slow
def test_two_processes_fetch_and_convert_one_model(hub: HubStub, model_copy: Paths, tmp_path: Path) -> None:
    path = model_copy("bert")
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    hub.add("tiny", path)
    environment = os.environ | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [process.communicate() for process in running]
    assert [errors for _, errors in ended] == ["", ""]
    assert ended[0][0] == ended[1][0] != ""
    assert len(list((tmp_path / "cache" / "models").iterdir())) == 1


def test_a_dataset_is_fetched_by_patterns(hub: HubStub, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for name in ("TRAIN.CSV", "test.csv", "script.py"):
        (tmp_path / "files" / name).write_text("text,label\na,x\n")
    hub.add("someone/reviews", tmp_path / "files", kind="datasets")
    path = fetch("someone/reviews", None, "dataset", ["*.[cC][sS][vV]"]).path
    assert {file.name for file in path.iterdir()} == {"TRAIN.CSV", "test.csv"}
    with pytest.raises(HubError, match=rf"is not on the hub, .* see {hub.endpoint}/datasets/none"):
        fetch("none", None, "dataset", ["*.csv"])
