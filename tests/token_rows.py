"""Sentences whose entities tiny models learn at once: persons of two words, places of one."""

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from tiny_models import FILLER

from modelstore.data.task_data import TaskData

TAGS = ("B-LOC", "B-PER", "I-PER", "O")


def tagged_sentence(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Two to fourteen words and their tags."""
    words: list[str] = []
    tags: list[str] = []
    for _ in range(rng.integers(2, 8)):
        drawn = rng.random()
        if drawn < 0.2:
            words += ["good", "great"]
            tags += ["B-PER", "I-PER"]
        elif drawn < 0.35:
            words, tags = [*words, "awful"], [*tags, "B-LOC"]
        else:
            words, tags = [*words, str(rng.choice(FILLER))], [*tags, "O"]
    return words, tags


def tagged_sentences(count: int, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    rng = np.random.default_rng(seed)
    return [tagged_sentence(rng) for _ in range(count)]


def json_lines(
    sentences: list[tuple[list[str], list[str]]], tokens: str = "tokens", tags: str = "tags"
) -> str:
    return "".join(json.dumps({tokens: words, tags: given}) + "\n" for words, given in sentences)


def conll_lines(
    sentences: list[tuple[list[str], list[str]]], pattern: str = "{word} {tag}\n", start: int = 0
) -> str:
    """A line a token and a blank line after each sentence; a pattern may have the sentence's number ``{n}``."""
    return "".join(
        "".join(pattern.format(word=word, tag=tag, n=n) for word, tag in zip(words, tags, strict=True)) + "\n"
        for n, (words, tags) in enumerate(sentences, start)
    )


def token_table(count: int, seed: int) -> pa.Table:
    sentences = tagged_sentences(count, seed)
    ids = [[TAGS.index(tag) for tag in tags] for _, tags in sentences]
    return pa.table({"text": [words for words, _ in sentences], "label": pa.array(ids, pa.list_(pa.int64()))})


@pytest.fixture(scope="session")
def tagged() -> Callable[..., TaskData]:
    """Such a dataset as training takes it."""

    def make(rows: int = 160, metric: str = "f1_entity") -> TaskData:
        tables = (token_table(n, seed) for seed, n in enumerate((rows, 40, 40)))
        return TaskData("tagged", "token_classification", metric, "text", TAGS, *tables)

    return make
