"""How fast a search of the hub is registered: 10,000 models, of a hub on loopback that answers as the real one does.

    python benchmarks/many_models.py [--models 10000] [--latency 0.05]

The hub is a process of its own; each of its answers waits for the latency, in seconds, as one over a network does.
The aim is printed beside the figures: under 3 minutes, with memory that does not grow with the models.
"""

import argparse
import json
import multiprocessing
import os
import re
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil

AIM_SECONDS = 180
CONFIG = {
    "model_type": "bert",
    "architectures": ["BertForMaskedLM"],
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "vocab_size": 30522,
}
SAID = {
    "license": "mit",
    "language": ["de", "en"],
    "tags": ["bert"],
    "base_model": "google-bert/bert-base-uncased",
}
CARD = (
    f"---\n{json.dumps(SAID)[1:-1]}\n---\n# A model\n"
    + "It is like others of its kind, and was trained as they. " * 60
)
FILES = ("README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def serve(models: int, latency: float, ready: Connection) -> None:
    """Answers as the hub does, until the process is ended."""

    def described(name: str) -> dict[str, Any]:
        return {
            "id": name,
            "sha": f"{int(name.rpartition('-')[2]):040x}",
            "downloads": 1000,
            "likes": 3,
            "lastModified": "2026-03-04T05:06:07.000Z",
            "pipeline_tag": "fill-mask",
            "tags": ["transformers", "bert", "de", "license:mit"],
            "cardData": SAID,
            "safetensors": {"parameters": {"F32": 110_000_000, "I64": 512}, "total": 110_000_512},
            "siblings": [{"rfilename": file} for file in FILES],
        }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            time.sleep(latency)
            url = urlsplit(self.path)
            headers = {"Content-Type": "application/json"}
            if url.path == "/api/models":
                asked = parse_qs(url.query)
                begin, size = int(asked.get("cursor", ["0"])[0]), int(asked["limit"][0])
                names = [f"owner/model-{i}" for i in range(models)][begin : begin + size]
                content = json.dumps([described(name) for name in names])
                if begin + size < models:
                    following = f"http://{self.headers['Host']}/api/models?limit={size}&cursor={begin + size}"
                    headers["Link"] = f'<{following}>; rel="next"'
            elif found := re.fullmatch(r"/api/models/(.+)", url.path):
                content = json.dumps(described(found[1]))
            else:
                content = CARD if url.path.endswith("README.md") else json.dumps(CONFIG)
            self.send_response(200)
            for name, value in (headers | {"Content-Length": str(len(content.encode()))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.send(server.server_port)
    server.serve_forever()


class Memory:
    """The memory of this process over time."""

    def __init__(self) -> None:
        self.samples: list[int] = []
        self._end = Event()
        self._thread = Thread(target=self._sample)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _sample(self) -> None:
        process = psutil.Process()
        while not self._end.wait(0.2):
            self.samples.append(process.memory_info().rss)

    def after(self, share: float) -> float:
        """The memory after a share of the time, in MB."""
        return self.samples[int(share * (len(self.samples) - 1))] / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--latency", type=float, default=0.05)
    arguments = parser.parse_args()
    here, there = multiprocessing.Pipe()
    hub = multiprocessing.Process(
        target=serve, args=(arguments.models, arguments.latency, there), daemon=True
    )
    hub.start()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "HF_ENDPOINT": f"http://127.0.0.1:{here.recv()}",
            "HF_HOME": folder,
            "HF_HUB_OFFLINE": "0",
        }
        register(Path(folder, "many.db"), arguments.models)
    hub.terminate()


def register(path: Path, models: int) -> None:
    """Searches and registers so many models, twice, and prints what it took."""
    import modelstore

    with modelstore.connect(path) as store:
        store.execute("CREATE MODELS FROM (SEARCH MODELS WITH (limit = 1))").fetchall()  # loads the libraries
        began = time.perf_counter()
        store.execute(f"CREATE TABLE found AS SEARCH MODELS WITH (limit = {models})")
        print(f"search        {time.perf_counter() - began:6.1f} s")
        began, processor = time.perf_counter(), time.process_time()
        with Memory() as memory:
            store.execute("CREATE MODELS IF NOT EXISTS FROM found").fetchall()
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
        print(f"registration  {seconds:6.1f} s, of processor {processor:.1f} s (aim: {AIM_SECONDS} s)")
        print(
            f"memory        {memory.after(0.1):,.0f} MB after a tenth, {memory.after(1):,.0f} MB at the end"
        )
        began = time.perf_counter()
        store.execute("CREATE MODELS IF NOT EXISTS FROM found").fetchall()
        print(f"again         {time.perf_counter() - began:6.1f} s")
        [(count,)] = store.execute(
            "SELECT count(*) FROM models WHERE list_contains(languages, 'de')"
        ).fetchall()
        assert count == models


if __name__ == "__main__":
    main()
