"""TransformerRanker's side of transformer_ranker.py, run by the Python of its own environment.

Each line of the standard input is a request in JSON: a task's rows (texts, labels), the models' directories, a batch
size, a device and an estimator, or "both". Each line of the standard output is the answer: seconds by the
clock and of the processor, and scores by directory.

"both" is what it offers no command for: one pass of its Embedder a model, and its two estimators on that.
"""

import json
import logging
import sys
import time
from contextlib import redirect_stdout

import torch
from datasets import Dataset, DatasetDict
from transformer_ranker import TransformerRanker
from transformer_ranker.embedder import Embedder
from transformer_ranker.estimators import HScore, LogME


def rank(request: dict) -> dict[str, dict[str, float]]:
    rows = Dataset.from_dict({"text": request["texts"], "label": request["labels"]})
    ranker = TransformerRanker(DatasetDict({"train": rows}), text_column="text", label_column="label")
    if len(ranker.texts) != len(request["texts"]):
        raise SystemExit("TransformerRanker left some of the rows out")
    if request["estimator"] != "both":
        found = ranker.run(
            models=request["models"],
            estimator=request["estimator"],
            batch_size=request["batch_size"],
            device=request["device"],
        )
        return {request["estimator"]: found.scores}
    scores: dict[str, dict[str, float]] = {"hscore": {}, "logme": {}}
    for model in request["models"]:
        embedder = Embedder(
            model, layer_ids="all", layer_mean=True, sentence_pooling="mean", device=request["device"]
        )
        rows = embedder.embed(ranker.texts, batch_size=request["batch_size"], show_progress=False)
        features = torch.stack([row[0] for row in rows])
        scores["hscore"][model] = HScore().fit(features, ranker.labels)
        scores["logme"][model] = LogME().fit(features, ranker.labels)
    return scores


def main() -> None:
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    answers = sys.stdout
    for line in sys.stdin:
        began, worked = time.perf_counter(), time.process_time()
        with redirect_stdout(sys.stderr):
            scores = rank(json.loads(line))
        seconds = (time.perf_counter() - began, time.process_time() - worked)
        print(json.dumps({"seconds": seconds, "scores": scores}), file=answers, flush=True)


if __name__ == "__main__":
    main()
