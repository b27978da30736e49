"""The demonstration's models and tasks, built from texts and images that come with the dependencies."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from modelstore.demo import images, prose, tasks
from modelstore.demo.building import Built, Job, build_all
from modelstore.demo.pretrain import Examples, Spec

TEXT = Spec("", "bert", "", steps=400, tokens=1024, vocabulary=1500, learning_rate=2e-3)
IMAGE = Spec("", "vit", "", steps=300)

SPECS = (
    # The same corpus for two seeds and a related architecture: these should end up in one cluster.
    replace(TEXT, name="bert-numeric", source="numeric"),
    replace(TEXT, name="bert-numeric-reseeded", source="numeric", seed=1),
    replace(
        TEXT, name="distilbert-numeric-package", architecture="distilbert", source="numeric", head="package"
    ),
    replace(TEXT, name="bert-learning", source="learning"),
    replace(TEXT, name="roberta-learning-kind", architecture="roberta", source="learning", head="kind"),
    replace(TEXT, name="electra-prose-topic", architecture="electra", source="prose", head="topic"),
    replace(TEXT, name="gpt2-standard", architecture="gpt2", source="standard", hidden=64),
    # A poor model for prose: it saw nothing but code.
    replace(TEXT, name="bert-code", source="code", hidden=64),
    replace(IMAGE, name="vit-digits", source="digits", head="digits"),
    replace(IMAGE, name="resnet-digits-turned", architecture="resnet", source="digits-turned", head="turns"),
    replace(IMAGE, name="vit-photos", source="photos", head="photos"),
    replace(IMAGE, name="deit-noise", architecture="deit", source="noise", head="noise", steps=60),
)


def pictures(source: str) -> Examples:
    """Labelled images to pretrain on; of the digits only those that no task tests on."""
    grey, digits = images.digits()
    mine = np.array([not prose.held_out(tasks.digit_key(index)) for index in range(len(grey))])
    coloured = images.coloured(grey[mine], 0)
    random = np.random.default_rng(0)
    match source:
        case "digits":
            return Examples([str(digit) for digit in digits[mine]], images=coloured)
        case "digits-turned":
            turned, turns = images.rotated(coloured, 0)
            return Examples(turns, images=turned)
        case "photos":
            crops, photos, cells = images.photo_crops(2000, 0)
            return Examples([f"{a} {b}" for a, b in zip(photos, cells, strict=True)], images=crops)
        case "noise":  # labels that cannot be learned: a model that knows nothing
            noise = random.integers(0, 256, (1000, images.SIDE, images.SIDE, 3), dtype=np.uint8)
            return Examples([str(label) for label in random.integers(0, 4, 1000)], images=noise)
    raise ValueError(f"there is no source of images {source}")


def build(folder: Path, processes: int = 2, specs: tuple[Spec, ...] = SPECS) -> list[Built]:
    """Writes ``folder``/tasks/*.parquet and ``folder``/models/*; files and models that exist already are kept."""
    for name in tasks.TASKS:
        tasks.write(folder / "tasks", name)

    def job(spec: Spec) -> Job:
        if spec.modality == "image":
            return Job(spec, pictures(spec.source))
        task = tasks.training_examples(tasks.write(folder / "tasks", spec.head)) if spec.head else None
        return Job(spec, prose.corpus(spec.source), task)

    return build_all(specs, job, folder / "models", processes)
