"""A small server on loopback that speaks the Hugging Face hub's API: access, limits, broken lines, commits."""

import base64
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest
import yaml

OWNER = "me"  # whose token it is
TOKEN = "hf_SECRETsecretSECRETsecret"


def _opened() -> Event:
    opened = Event()
    opened.set()
    return opened


@dataclass
class Repository:
    """A repository of the hub: what stands at its main branch, and how the server treats requests for it."""

    folder: Path
    revisions: dict[str, Path] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    forbidden: bool = False
    redirects_to: str | None = None
    limits: list[str] = field(default_factory=list)  # of the next requests, the values of Retry-After
    file_limits: list[str] = field(default_factory=list)  # the same, of the next requests for files
    breaks: int = 0  # how many more times a file's line breaks in its middle
    fault: int | None = None
    write_fault: int | None = None  # of the next commit
    record: dict[str, Any] = field(default_factory=dict)  # more of what the API says: downloads, cardData, …
    open: Event = field(default_factory=_opened)  # files are sent once it is set

    def commit(self, revision: str) -> tuple[str, Path] | None:
        """The commit that a branch, tag or commit stands for, and its files."""
        known = {"main": self.folder, **self.revisions}
        commits = {_commit_of(path): path for path in known.values()}
        path = known.get(revision) or commits.get(revision)
        return None if path is None else (_commit_of(path), path)


def _commit_of(path: Path) -> str:
    return hashlib.sha1(str(path).encode()).hexdigest()


class HubStub:
    """The server: repositories by kind and name, such as ``models/bert-base-uncased``."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.page = 1000  # models of a page of the list
        self.list_faults: list[tuple[int, dict[str, str]]] = []  # of the next requests for the list
        self.home = Path(tempfile.mkdtemp())  # of what is written
        self.large: dict[str, bytes] = {}  # large files by their SHA-256
        stub = self

        class Handler(_Handler):
            hub = stub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def add(self, name: str, folder: Path, kind: str = "models", **treated: Any) -> Repository:
        """Serves the files in a folder as a repository."""
        return self.repositories.setdefault(f"{kind}/{name}", Repository(folder, **treated))


class _Handler(BaseHTTPRequestHandler):
    hub: HubStub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or the body waits 40 ms, for the client to acknowledge the headers

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        self._write(self.rfile.read(int(self.headers["Content-Length"])))

    do_PUT = do_POST

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        api = re.fullmatch(r"/api/(models|datasets)/(.+?)(?:/(revision|tree)/(.+))?", path)
        file = re.fullmatch(r"/(datasets/)?(.+?)/resolve/([^/]+)/(.+)", path)
        if path == "/api/models":
            self._list()
        elif path == "/api/whoami-v2":
            self._send(b'{"name": "me"}', {}) if self._is_authorized else self._error(401)
        elif api:
            self._api(api[1], api[2], api[3], api[4])
        elif file:
            self._file("datasets" if file[1] else "models", file[2], file[3], file[4])
        else:
            self._error(404)

    @property
    def _is_authorized(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _repository(self, kind: str, name: str) -> Repository | None:
        """The repository, if the request may read it; else the error is sent."""
        repository = self.hub.repositories.get(f"{kind}/{name}")
        if repository is None or (repository.private and not self._is_authorized):
            self._error(404 if self._is_authorized else 401, "RepoNotFound")
        elif repository.redirects_to is not None:
            self.send_response(307)
            self.send_header("Location", self.path.replace(name, repository.redirects_to, 1))
            self._end(b"")
        elif repository.fault is not None:
            self._error(repository.fault)
        elif repository.limits:
            self._error(429, None, {"Retry-After": repository.limits.pop(0)})
        elif repository.forbidden:
            self._error(403)
        else:
            return repository
        return None

    def _api(self, kind: str, name: str, what: str | None, revision: str | None) -> None:
        repository = self._repository(kind, name)
        if repository is None:
            return
        found = repository.commit((revision or "main").removesuffix("/"))
        if found is None:
            self._error(404, "RevisionNotFound")
            return
        commit, folder = found
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [str(path.relative_to(folder)) for path in files]
        if what == "tree":
            answer: Any = [
                {"type": "file", "path": name, "size": path.stat().st_size, "oid": _digest(path)}
                for name, path in zip(names, files, strict=True)
            ]
        else:
            siblings: list[dict[str, Any]] = [{"rfilename": name} for name in names]
            if "blobs=true" in urlsplit(self.path).query.lower():
                for file, path in zip(siblings, files, strict=True):
                    file["size"] = path.stat().st_size
            answer = {"id": name, "sha": commit, "siblings": siblings}
            answer |= {"private": repository.private, "gated": repository.gated, "tags": [], "downloads": 0}
            answer |= repository.record
        self._send(json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _list(self) -> None:
        """The models with all tags of the query, as it orders them, a page at a time."""
        if self.hub.list_faults:
            status, headers = self.hub.list_faults.pop(0)
            self._error(status, None, headers)
            return
        asked = parse_qs(urlsplit(self.path).query)
        found = [
            {"id": key.removeprefix("models/"), **repository.record}
            for key, repository in self.hub.repositories.items()
            if key.startswith("models/")
        ]
        wanted = {*asked.get("filter", [])}
        found = [one for one in found if wanted <= {*one.get("tags", [])}]
        if "pipeline_tag" in asked:
            found = [one for one in found if one.get("pipeline_tag") == asked["pipeline_tag"][0]]
        order, begin = asked["sort"][0], int(asked.get("cursor", ["0"])[0])
        found.sort(key=lambda one: one.get(order, 0), reverse=True)
        size = min(int(asked["limit"][0]), self.hub.page)
        headers = {"Content-Type": "application/json"}
        if begin + size < len(found):
            query = urlencode(asked | {"cursor": [str(begin + size)]}, doseq=True)
            headers["Link"] = f'<{self.hub.endpoint}/api/models?{query}>; rel="next"'
        self._send(json.dumps(found[begin : begin + size]).encode(), headers)

    def _file(self, kind: str, name: str, revision: str, file: str) -> None:
        repository = self._repository(kind, name)
        if repository is None:
            return
        if repository.file_limits:
            self._error(429, None, {"Retry-After": repository.file_limits.pop(0)})
            return
        if repository.gated and not self._is_authorized:
            self._error(401, "GatedRepo")
            return
        found = repository.commit(revision)
        if found is None:
            self._error(404, "RevisionNotFound")
            return
        commit, folder = found
        path = folder / file
        if not path.is_file():
            self._error(404, "EntryNotFound")
            return
        headers = {"ETag": f'"{_digest(path)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if self.command == "GET":
            repository.open.wait(30)
        content, status = path.read_bytes(), 200
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            headers["Content-Range"] = f"bytes {asked[1]}-{len(content) - 1}/{len(content)}"
            content, status = content[int(asked[1]) :], 206
        broken = self.command == "GET" and repository.breaks > 0 and len(content) > 2000
        repository.breaks -= broken
        self._send(content, headers, status, cut=len(content) // 2 if broken else None)

    # --- writing

    def _write(self, content: bytes) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if found := re.fullmatch(r"/large/(\w+)", path):
            assert hashlib.sha256(content).hexdigest() == found[1]
            self.hub.large[found[1]] = content
            self._send(b"", {})
        elif path == "/api/validate-yaml":
            self._validate(json.loads(content)["content"])
        elif not self._is_authorized:
            self._error(401)
        elif path == "/api/repos/create":
            self._create(json.loads(content))
        elif found := re.fullmatch(r"/api/models/(.+)/(preupload|commit)/main", path):
            self._write_to(found[1], found[2], content)
        elif found := re.fullmatch(r"/(.+)\.git/info/lfs/objects/batch", path):
            self._write_to(found[1], "batch", content)
        else:
            self._error(404)

    def _validate(self, card: str) -> None:
        try:
            yaml.safe_load(card.split("---\n")[1] if card.startswith("---\n") else "")
        except yaml.YAMLError:
            self._json({"errors": [{"message": "no YAML"}]}, 400)
        else:
            self._json({"errors": [], "warnings": []})

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] != OWNER:
            self._error(403)
        elif f"models/{name}" in self.hub.repositories:
            self._error(409)
        else:
            folder = self.hub.home / name / "0"
            folder.mkdir(parents=True)
            self.hub.add(name, folder, private=asked.get("visibility") == "private")
            self._json({"url": f"{self.hub.endpoint}/{name}"})

    def _write_to(self, name: str, what: str, content: bytes) -> None:
        repository = self._repository("models", name)
        if repository is None:
            return
        if name.split("/")[0] != OWNER:
            self._error(403)
        elif what == "preupload":
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith((".safetensors", ".bin")) else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(content)["files"]
            ]
            self._json({"files": files})
        elif what == "batch":
            objects = [self._place_of(one) for one in json.loads(content)["objects"]]
            self._json({"transfer": "basic", "objects": objects})
        elif repository.write_fault is not None:
            fault, repository.write_fault = repository.write_fault, None
            self._error(fault)
        else:
            self._commit(name, repository, [json.loads(line) for line in content.splitlines()])

    def _place_of(self, large: dict[str, Any]) -> dict[str, Any]:
        if large["oid"] in self.hub.large:
            return large
        return large | {"actions": {"upload": {"href": f"{self.hub.endpoint}/large/{large['oid']}"}}}

    def _commit(self, name: str, repository: Repository, lines: list[dict[str, Any]]) -> None:
        """Makes a folder of the files as they are after a commit, whose name is that of the commit."""
        number = len(list((self.hub.home / name).glob("*")))
        folder = shutil.copytree(repository.folder, self.hub.home / name / str(number))
        for line in lines:
            value = line["value"]
            if line["key"] == "deletedFile":
                (folder / value["path"]).unlink()
            elif line["key"] != "header":
                (folder / value["path"]).parent.mkdir(parents=True, exist_ok=True)
                is_large = line["key"] == "lfsFile"
                data = self.hub.large[value["oid"]] if is_large else base64.b64decode(value["content"])
                (folder / value["path"]).write_bytes(data)
        repository.folder = folder
        oid = _commit_of(folder)
        self._json({"commitUrl": f"{self.hub.endpoint}/{name}/commit/{oid}", "commitOid": oid})

    def _json(self, answer: Any, status: int = 200) -> None:
        self._send(json.dumps(answer).encode(), {"Content-Type": "application/json"}, status)

    def _error(self, status: int, code: str | None = None, headers: dict[str, str] | None = None) -> None:
        self._send(b"{}", {**({"X-Error-Code": code} if code else {}), **(headers or {})}, status)

    def _send(
        self, content: bytes, headers: dict[str, str], status: int = 200, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self._end(content, cut)

    def _end(self, content: bytes, cut: int | None = None) -> None:
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True


def _digest(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextmanager
def running() -> Iterator[HubStub]:
    """A stub that serves within the block."""
    stub = HubStub()
    thread = Thread(target=stub.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.server.shutdown()
        stub.server.server_close()
        shutil.rmtree(stub.home)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStub]:
    """An empty hub, which the client in this process talks to, with a cache of its own and no token."""
    import huggingface_hub.constants as client

    with running() as stub:
        monkeypatch.setattr(client, "ENDPOINT", stub.endpoint)
        monkeypatch.setattr(
            client, "HUGGINGFACE_CO_URL_TEMPLATE", stub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(client, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(client, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(client, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("MODELSTORE_CACHE", str(tmp_path / "cache"))
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield stub
