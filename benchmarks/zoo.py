"""The zoo that validates the store: small models pretrained on varied sources, some fine-tuned after.

    python benchmarks/zoo.py --data DATA --out FOLDER [--processes 2]

DATA holds packages/*.parquet and images/*.parquet, one file a task. Only rows of a train split that are in no
other task's held-out rows are learned from, and the labels of the target tasks never are.
"""

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from modelstore.demo import images, prose
from modelstore.demo.building import Job, build_all
from modelstore.demo.pretrain import Examples, Spec

TARGETS = ("use", "suite", "section_en", "installed_size", "letter", "icon_category")
FOREIGN = ("section_it", "section_da", "section_fr", "language")
GLYPHS = ("letter", "script", "printed_digit")
HEAD_ROWS = 1500

BASE = Spec("", "bert", "", steps=1300, tokens=1024, learning_rate=2e-3)
# name: (architecture, source, changes)
TEXT: dict[str, tuple[str, str, dict[str, object]]] = {
    "bert-descriptions": ("bert", "descriptions", {"hidden": 128, "vocabulary": 3000}),
    "bert-descriptions-small": ("bert", "descriptions", {"hidden": 64, "seed": 1}),
    "distilbert-descriptions": ("distilbert", "descriptions", {"hidden": 128}),
    "roberta-descriptions": ("roberta", "descriptions", {}),
    "albert-descriptions": ("albert", "descriptions", {"hidden": 128, "vocabulary": 3000}),
    "electra-descriptions": ("electra", "descriptions", {}),
    "gpt2-descriptions": ("gpt2", "descriptions", {}),
    "bert-italian": ("bert", "italian", {"vocabulary": 3000}),
    "bert-danish": ("bert", "danish", {}),
    "roberta-french": ("roberta", "french", {}),
    "bert-mixed": ("bert", "mixed", {"hidden": 128, "vocabulary": 4000}),
    "bert-documentation": ("bert", "documentation", {}),
    "distilbert-documentation": ("distilbert", "documentation", {"seed": 1}),
    "gpt2-documentation": ("gpt2", "documentation", {}),
    "bert-code": ("bert", "code", {}),
    "gpt2-code": ("gpt2", "code", {"hidden": 64}),
    "bert-scrambled": ("bert", "scrambled", {"steps": 800}),
    "bert-role": ("bert", "descriptions", {"seed": 2, "head": "role"}),
    "roberta-uitoolkit": ("roberta", "descriptions", {"seed": 2, "head": "uitoolkit"}),
    "distilbert-implemented-in": ("distilbert", "descriptions", {"seed": 3, "head": "implemented_in"}),
    "electra-interface": ("electra", "descriptions", {"seed": 3, "head": "interface"}),
    "distilbert-italian-section": ("distilbert", "italian", {"head": "section_it"}),
    "distilbert-french-section": ("distilbert", "french", {"head": "section_fr"}),
    "electra-language": ("electra", "mixed", {"vocabulary": 3000, "head": "language"}),
}
IMAGE: dict[str, tuple[str, str, dict[str, object]]] = {
    "vit-photos": ("vit", "photos", {"hidden": 128, "steps": 800}),
    "convnext-photos-turned": ("convnext", "photos-turned", {"hidden": 128, "steps": 600}),
    "resnet-digits": ("resnet", "digits", {"hidden": 128, "steps": 500, "head": "digits"}),
    "vit-glyphs": ("vit", "glyphs-turned", {"hidden": 128, "steps": 1000}),
    "resnet-script": ("resnet", "glyphs-turned", {"hidden": 128, "steps": 400, "head": "script"}),
    "convnextv2-style": ("convnextv2", "glyphs-turned", {"hidden": 128, "steps": 600, "head": "font_style"}),
    "swin-photos": ("swin", "photos", {"hidden": 128, "steps": 400, "learning_rate": 1e-3}),
    "deit-printed-digit": ("deit", "digits", {"hidden": 128, "steps": 800, "head": "printed_digit"}),
}


def specs() -> list[Spec]:
    return [
        replace(BASE, name=name, architecture=architecture, source=source, **changes)
        for name, (architecture, source, changes) in (TEXT | IMAGE).items()
    ]


def scrambled(passages: Sequence[str]) -> list[str]:
    """The same words in random order: nothing is left to learn but how frequent each is."""
    words = [word for passage in passages for word in passage.split()]
    random.Random(0).shuffle(words)
    return [" ".join(words[start : start + 60]) for start in range(0, len(words), 60)]


@cache
def rows(file: Path) -> dict[str, list]:
    return pq.read_table(file).to_pydict()


class Sources:
    """What models learn from, out of the train splits."""

    def __init__(self, data: Path) -> None:
        self.files = {file.stem: file for file in sorted(data.glob("*/*.parquet"))}
        if not self.files:
            raise SystemExit(f"no tasks in {data}: it should hold packages/*.parquet and images/*.parquet")
        self.held_out = {
            value
            for file in self.files.values()
            for column in ("text", "image")
            for value, split in zip(rows(file).get(column, ()), rows(file)["split"], strict=False)
            if split != "train"
        }

    def _train(self, task: str, column: str) -> list[int]:
        """The rows of a task's train split that no task tests on."""
        values, splits = rows(self.files[task])[column], rows(self.files[task])["split"]
        return [
            row
            for row, (value, split) in enumerate(zip(values, splits, strict=True))
            if split == "train" and value not in self.held_out
        ]

    def _texts(self, *tasks: str) -> list[str]:
        found = [rows(self.files[t])["text"][row] for t in tasks for row in self._train(t, "text")]
        return list(dict.fromkeys(found))

    def passages(self, source: str) -> tuple[str, ...]:
        match source:
            case "descriptions" | "scrambled":
                english = [
                    t for t, f in self.files.items() if f.parent.name == "packages" and t not in FOREIGN
                ]
                texts = self._texts(*english)
                return tuple(scrambled(texts) if source == "scrambled" else texts)
            case "italian" | "danish" | "french":
                return tuple(self._texts(f"section_{source[:2]}"))
            case "mixed":
                return tuple(self._texts(*FOREIGN, "section_en"))
            case "documentation":
                return tuple(
                    text for name in ("numeric", "learning", "standard") for text in prose.corpus(name)
                )
        return prose.corpus(source)

    def examples(self, task: str) -> Examples:
        if task in TARGETS:
            raise ValueError(f"{task} is a target: its labels are not for learning from")
        table = rows(self.files[task])
        column = "image" if "image" in table else "text"
        chosen = self._train(task, column)[:HEAD_ROWS]
        labels = [table["label"][row] for row in chosen]
        if column == "image":
            return Examples(labels, images=np.stack([images.from_png(table["image"][row]) for row in chosen]))
        return Examples(labels, texts=[table["text"][row] for row in chosen])

    def pictures(self, source: str) -> Examples:
        match source:
            case "digits":
                grey, digit = images.digits()
                return Examples([str(value) for value in digit], images=images.coloured(grey, 0))
            case "photos":
                crops, photo, cell = images.photo_crops(4000, 0)
                return Examples([f"{a} {b}" for a, b in zip(photo, cell, strict=True)], images=crops)
            case "photos-turned":
                crops = images.photo_crops(4000, 0)[0]
            case _:  # "glyphs-turned"; a quarter turn is seen without knowing what the glyph is
                pngs = [
                    rows(self.files[task])["image"][row]
                    for task in GLYPHS
                    for row in self._train(task, "image")
                ]
                crops = np.stack([images.from_png(data) for data in dict.fromkeys(pngs)])
        turned, turns = images.rotated(crops, 0)
        return Examples(turns, images=turned)

    def job(self, spec: Spec) -> Job:
        own = spec.head is None or spec.head == spec.source  # without a head, or with the pretraining's
        task = None if own else self.examples(str(spec.head))
        if spec.modality == "image":
            return Job(spec, self.pictures(spec.source), task)
        return Job(spec, self.passages(spec.source), task)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    start = time.perf_counter()
    for built in build_all(specs(), Sources(arguments.data).job, arguments.out, arguments.processes):
        loss, baseline = built.outcome.loss, built.outcome.baseline
        print(f"{built.name:32} loss {loss:.2f}, by frequency {baseline:.2f}, {built.seconds:.0f} s")
    print(f"{len(specs())} models in {arguments.out}, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
