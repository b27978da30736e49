"""Pretrains one small model, from a specification and data to a complete directory in the Hugging Face layout.

Text models predict masked words (causal ones the next word) and, at the same time, which two spans follow each
other in a passage; the second trains the part of the network that a classifier reads. Image models classify the
labels of their source. Any of them may then be fine-tuned on a source task, and is saved with the head for it.
"""

import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

from modelstore.demo import architectures
from modelstore.demo.architectures import CAUSAL, POSITIONS
from modelstore.demo.words import SPANS, MaskedWords, Spans, adjacency_loss, entropy, evaluate_words
from modelstore.libraries import quiet


@dataclass(frozen=True)
class Spec:
    """What a model is, and how it is trained."""

    name: str
    architecture: str
    source: str
    hidden: int = 96
    layers: int = 2
    heads: int = 4
    vocabulary: int = 2048
    steps: int = 200
    tokens: int = 2048  # in a batch of text
    batch: int = 64  # of images
    learning_rate: float = 1.5e-3
    seed: int = 0
    head: str | None = None  # the source task to fine-tune on
    head_epochs: int = 3

    @property
    def modality(self) -> str:
        return "image" if self.architecture in architectures.IMAGE else "text"


@dataclass(frozen=True)
class Examples:
    """Labelled texts, or labelled images, uint8 (n, side, side, 3)."""

    labels: Sequence[str]
    texts: Sequence[str] = ()
    images: np.ndarray | None = None


@dataclass(frozen=True)
class Outcome:
    """The loss of pretraining on held-out data in nats, and the loss of predicting by frequency alone."""

    loss: float
    baseline: float


def complete(directory: Path) -> bool:
    """Whether a model is in ``directory``; the card is written last, so with it the model is complete."""
    return (directory / "README.md").is_file()


@contextmanager
def written_whole(directory: Path) -> Iterator[Path]:
    """A folder that is renamed to ``directory`` when all of it is written: a killed build leaves no partial model."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if directory.exists():  # another program left it, without a card
            shutil.rmtree(directory)
        os.replace(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    warm = max(1, steps // 10)
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, max(0.02, (steps - step) / max(1, steps - warm)))
    )


def _optimise(
    parameters: list[nn.Parameter], losses: Iterator[Tensor], steps: int, rate: float, title: str
) -> None:
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    schedule = _schedule(optimizer, steps)
    for loss in tqdm(losses, total=steps, desc=title, leave=False, disable=None):
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def _card(spec: Spec, model: nn.Module, story: str) -> str:
    parameters = sum(p.numel() for p in model.parameters())
    return (
        f"---\nlibrary_name: transformers\ntags:\n- {spec.architecture}\n- {spec.modality}\n---\n\n"
        f"# {spec.name}\n\nA small {spec.architecture} model ({spec.layers} layers, {spec.hidden} wide, "
        f"{parameters:,} parameters). {story}\n"
    )


def _save_encoder(model: Any, folder: Path) -> None:
    """Saves the model without its head, and without the labels of that head in its configuration."""
    model.config.num_labels = 2  # the default, which is not written
    model.base_model.save_pretrained(folder)


# ---- text


def train_words(spec: Spec, corpus: Sequence[str]) -> tuple[MaskedWords, PreTrainedTokenizerFast, Outcome]:
    """Pretrains a text model and its tokenizer on the passages of a corpus."""
    torch.manual_seed(spec.seed)
    tokenizer = architectures.train_tokenizer(spec.architecture, corpus, spec.vocabulary)
    passages = tokenizer(list(corpus), add_special_tokens=False, verbose=False)["input_ids"]
    passages = [passage for passage in passages if len(passage) >= 12]
    kept = max(1, len(passages) // 20)
    config = architectures.text_config(
        spec.architecture, len(tokenizer), spec.hidden, spec.layers, spec.heads
    )
    model = MaskedWords(config)
    model.start_from_counts(passages[kept:])
    causal = spec.architecture in CAUSAL
    training = Spans(passages[kept:], tokenizer, causal, spec.tokens, spec.seed)
    testing = Spans(passages[:kept], tokenizer, causal, spec.tokens, seed=1)

    def losses() -> Iterator[Tensor]:
        model.eval()  # without dropout: a training this short does not overfit
        for step in range(spec.steps):
            words, embeddings = model(*training.batch(SPANS[step % len(SPANS)]))
            yield words + 0.5 * adjacency_loss(embeddings)

    _optimise(list(model.parameters()), losses(), spec.steps, spec.learning_rate, spec.name)
    return model, tokenizer, Outcome(evaluate_words(model, testing), entropy(passages))


def tune_text(spec: Spec, folder: Path, tokenizer: PreTrainedTokenizerFast, task: Examples) -> nn.Module:
    """Fine-tunes the encoder in ``folder`` as a classifier on a source task."""
    labels, targets = _indexed(task.labels)
    torch.manual_seed(spec.seed)
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(folder, **_label_maps(labels))

    def losses() -> Iterator[Tensor]:
        model.train()
        for rows in _epochs(len(targets), 32, spec.head_epochs, spec.seed):
            inputs = tokenizer(
                [task.texts[row] for row in rows],
                truncation=True,
                max_length=POSITIONS // 2,
                padding=True,
                return_tensors="pt",
            )
            yield F.cross_entropy(model(**inputs).logits, targets[rows])

    steps = spec.head_epochs * math.ceil(len(targets) / 32)
    _optimise(list(model.parameters()), losses(), steps, 5e-4, f"{spec.name} on {spec.head}")
    return model


def pretrain_text(
    spec: Spec, corpus: Sequence[str], directory: Path, task: Examples | None = None
) -> Outcome | None:
    """Pretrains a text model and writes it to ``directory``; None where it exists already."""
    if complete(directory):
        return None
    with quiet(), written_whole(directory) as folder:
        pretrained, tokenizer, outcome = train_words(spec, corpus)
        model = pretrained.classifier.base_model
        _save_encoder(pretrained.classifier, folder)
        tokenizer.save_pretrained(folder)
        objective = "guessing the next word" if spec.architecture in CAUSAL else "guessing masked words"
        story = (
            f"Its word embeddings were started from co-occurrence counts, the rest from random weights; "
            f"pretrained for {spec.steps} steps on {len(corpus):,} passages of {spec.source}, "
            f"by {objective} and by telling which spans are adjacent. Its loss on words of "
            f"held-out passages is {outcome.loss:.2f} nats; guessing by frequency alone has {outcome.baseline:.2f}."
        )
        if task is not None:
            model = tune_text(spec, folder, tokenizer, task)
            model.save_pretrained(folder)
            story += f" Then fine-tuned to classify {spec.head} ({len(set(task.labels))} classes)."
        (folder / "README.md").write_text(_card(spec, model, story), encoding="utf-8")
    return outcome


# ---- images


def _label_maps(labels: Sequence[str]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}


def _indexed(labels: Sequence[str]) -> tuple[list[str], Tensor]:
    names = sorted(set(labels))
    return names, torch.tensor([names.index(label) for label in labels])


def _epochs(rows: int, batch: int, epochs: int, seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        yield from torch.randperm(rows, generator=generator).split(batch)


def pixels(images: np.ndarray) -> Tensor:
    """Images as the image processor prepares them: (n, 3, side, side), from -1 to 1."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _jittered(batch: Tensor, random: np.random.Generator) -> Tensor:
    """Augments a batch: shifts it by a few pixels, changes the contrast and adds noise."""
    shift = tuple(int(value) for value in random.integers(-3, 4, 2))
    contrast = torch.from_numpy(random.uniform(0.6, 1.2, (len(batch), 1, 1, 1))).float()
    noise = torch.from_numpy(random.normal(0, 0.05, batch.shape)).float()
    return torch.roll(batch, shift, dims=(2, 3)) * contrast + noise


def train_images(model: nn.Module, task: Examples, spec: Spec, steps: int) -> Outcome:
    """Trains a classifier on nine tenths of the images, and measures its loss on the last tenth."""
    if task.images is None:
        raise ValueError(f"{spec.name} learns from images, and its source has none")
    _, targets = _indexed(task.labels)
    random = np.random.default_rng(spec.seed)
    order = torch.from_numpy(random.permutation(len(targets)))
    test, train = order[: len(order) // 10], order[len(order) // 10 :]
    images = pixels(task.images)

    def losses() -> Iterator[Tensor]:
        model.train()
        for _ in range(steps):
            rows = train[torch.from_numpy(random.integers(0, len(train), spec.batch))]
            yield F.cross_entropy(model(pixel_values=_jittered(images[rows], random)).logits, targets[rows])

    _optimise(list(model.parameters()), losses(), steps, spec.learning_rate, spec.name)
    model.eval()
    with torch.no_grad():
        parts = [
            F.cross_entropy(model(pixel_values=images[rows]).logits, targets[rows], reduction="sum")
            for rows in test.split(128)
        ]
    return Outcome(float(sum(parts)) / len(test), entropy([targets.tolist()]))


def pretrain_image(
    spec: Spec, source: Examples, directory: Path, task: Examples | None = None
) -> Outcome | None:
    """Pretrains an image model and writes it to ``directory``; None where it exists already.

    With ``spec.head`` and no task, the head of the pretraining is kept.
    """
    if complete(directory):
        return None
    with quiet(), written_whole(directory) as folder:
        torch.manual_seed(spec.seed)
        config = architectures.image_config(spec.architecture, spec.hidden, spec.layers, spec.heads)
        labels, _ = _indexed(source.labels)
        config.update(_label_maps(labels))
        model = AutoModelForImageClassification.from_config(config)
        outcome = train_images(model, source, spec, spec.steps)
        story = (
            f"Pretrained from random weights for {spec.steps} steps on {len(source.labels):,} images of "
            f"{spec.source} ({len(labels)} classes). Its loss on held-out images is {outcome.loss:.2f} nats; "
            f"guessing by frequency alone has {outcome.baseline:.2f}."
        )
        if task is not None:
            _save_encoder(model, folder)
            model = AutoModelForImageClassification.from_pretrained(
                folder, **_label_maps(_indexed(task.labels)[0])
            )
            train_images(model, task, spec, spec.head_epochs * math.ceil(len(task.labels) / spec.batch))
            story += f" Then fine-tuned to classify {spec.head} ({len(set(task.labels))} classes)."
        if spec.head:
            model.save_pretrained(folder)
        else:
            _save_encoder(model, folder)
        architectures.image_processor().save_pretrained(folder)
        (folder / "README.md").write_text(_card(spec, model, story), encoding="utf-8")
    return outcome
