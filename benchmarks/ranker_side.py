"""TransformerRanker in a process of its own environment: the other side of transformer_ranker.py, and of gpu.py."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent

Scores = dict[str, dict[str, float]]  # by proxy and model
Seconds = tuple[float, float]  # by the clock, and of the processor


@contextmanager
def worker(python: Path, log: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that answers by TransformerRanker, by the Python of its environment."""
    # -P: the package of that name, not this script.
    command = [str(python), "-P", str(HERE / "transformer_ranker_worker.py")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.kill()


def ask(process: subprocess.Popen[str], request: dict[str, Any], log: str) -> tuple[Seconds, Scores]:
    """Seconds, and scores by proxy and model, for a request as transformer_ranker_worker.py takes it."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(json.dumps(request), file=process.stdin, flush=True)
    reply = process.stdout.readline()
    if not reply:
        raise SystemExit("TransformerRanker stopped:\n" + Path(log).read_text()[-2000:])
    answer = json.loads(reply)
    return tuple(answer["seconds"]), {
        proxy: {Path(model).name: score for model, score in scores.items()}
        for proxy, scores in answer["scores"].items()
    }
