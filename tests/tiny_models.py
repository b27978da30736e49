"""Tiny models, of a few thousand random weights, and easy datasets to fine-tune them on."""

import io
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BartConfig,
    BartForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    ConvNextConfig,
    ConvNextForImageClassification,
    ConvNextImageProcessorPil,
    DistilBertConfig,
    DistilBertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    ResNetConfig,
    ResNetForImageClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    ViTModel,
)

import modelstore
from modelstore.data.task_data import TaskData
from modelstore.libraries import quiet

torch.set_num_threads(1)

# Models that CREATE MODEL registers for text, by kind, and options with which they train in a moment.
TEXT_MODELS = ("bert", "bert_classifier", "distilbert", "albert")
TINY = "recipe = 'tiny', epochs = 2, learning_rate = 5e-3, batch_size = 16, max_length = 32"
TINY_STAGES = f"{TINY}, stages_per_epoch = 2, device = 'cpu'"

FILLER = ["the", "a", "film", "plot", "actor", "scene", "music", "ending", "story", "camera"]
FILLER += ["on", "in", "with", "of", "and", "was", "were", "very", "quite"]
GOOD, BAD = ["good", "great", "fine"], ["bad", "awful", "poor"]
CORPUS = [" ".join([*FILLER, *GOOD, *BAD])] * 3
WIDTH = 32
_SIDE = {"layers": 1, "ffn_dim": 16, "attention_heads": 2}  # of BART, which has two
ALL_INPUTS = ["input_ids", "token_type_ids", "attention_mask"]  # what tokenizers gave before version 5


def _wordpiece() -> PreTrainedTokenizerFast:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = CORPUS[0].split()
    letters = sorted({letter for word in words for letter in word})
    pieces = [*special, *letters, *(f"##{letter}" for letter in letters), *sorted(words)]
    # Listed, as the library's trainer makes another vocabulary in each process.
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = dict(
        zip(["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"], special, strict=True)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=64, model_input_names=ALL_INPUTS, **names
    )


def byte_pairs(roberta: bool) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    special = ["<s>", "<pad>", "</s>", "<unk>"] if roberta else ["<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    if not roberta:
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, eos_token="<|endoftext|>", model_input_names=ALL_INPUTS
        )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_input_names=ALL_INPUTS,
    )


def _text_model(kind: str) -> tuple[Any, PreTrainedTokenizerFast]:
    by_bytes = kind in ("roberta", "bart", "gpt2")
    tokenizer = byte_pairs(roberta=kind != "gpt2") if by_bytes else _wordpiece()
    words = len(tokenizer)
    size = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    if kind == "bert":
        return BertForMaskedLM(BertConfig(vocab_size=words, max_position_embeddings=64, **size)), tokenizer
    if kind == "bert_classifier":
        names = dict(enumerate(["red", "green", "blue"]))
        config = BertConfig(
            vocab_size=words, id2label=names, label2id={name: i for i, name in names.items()}, **size
        )
        return BertForSequenceClassification(config), tokenizer
    if kind == "roberta":  # 20 positions: 18 tokens, as RoBERTa counts
        config = RobertaConfig(vocab_size=words, max_position_embeddings=20, type_vocab_size=1, **size)
        return RobertaForSequenceClassification(config), tokenizer
    if kind == "bart":  # a type of which transformers has no token classifier
        sides = {f"{side}_{what}": of for side in ("encoder", "decoder") for what, of in _SIDE.items()}
        return BartForSequenceClassification(BartConfig(vocab_size=words, d_model=16, **sides)), tokenizer
    if kind == "distilbert":
        config = DistilBertConfig(vocab_size=words, dim=WIDTH, n_layers=2, n_heads=2, hidden_dim=64)
        return DistilBertForMaskedLM(config), tokenizer
    if kind == "albert":
        return AlbertForMaskedLM(AlbertConfig(vocab_size=words, embedding_size=16, **size)), tokenizer
    if kind == "gpt2":
        config = GPT2Config(
            vocab_size=words,
            n_embd=WIDTH,
            n_layer=2,
            n_head=2,
            n_positions=64,
            bos_token_id=0,
            eos_token_id=0,
        )
        return GPT2LMHeadModel(config), tokenizer
    assert kind == "t5"
    config = T5Config(
        vocab_size=words,
        d_model=WIDTH,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        pad_token_id=0,
        eos_token_id=3,
        decoder_start_token_id=0,
    )
    return T5ForConditionalGeneration(config), tokenizer


def _image_model(kind: str) -> tuple[Any, Any]:
    square = ViTImageProcessorPil(size={"height": 16, "width": 16})
    if kind in ("vit", "vit_classifier"):
        config = ViTConfig(
            image_size=16,
            patch_size=4,
            hidden_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            num_labels=3,
        )
        return (ViTModel if kind == "vit" else ViTForImageClassification)(config), square
    if kind == "resnet":
        config = ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=5
        )
        return ResNetForImageClassification(config), square
    assert kind == "convnext"
    config = ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, patch_size=2, num_labels=4)
    return ConvNextForImageClassification(config), ConvNextImageProcessorPil(size={"shortest_edge": 16})


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of a model by its kind, made when first asked for. Not to be changed: see `model_copy`."""
    root = tmp_path_factory.mktemp("models")

    def make(kind: str) -> Path:
        path = root / kind
        if not path.exists():
            image = kind in ("vit", "vit_classifier", "resnet", "convnext")
            with torch.random.fork_rng([]), quiet():
                torch.manual_seed(0)
                network, preprocessor = _image_model(kind) if image else _text_model(kind)
                network.save_pretrained(path)
                preprocessor.save_pretrained(path)
        return path

    return make


@pytest.fixture
def model_copy(model_path: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A directory of a model that a test may spoil."""

    def copy(kind: str) -> Path:
        return shutil.copytree(model_path(kind), tmp_path / f"spoilt_{kind}")

    return copy


def sentence(rng: np.random.Generator, *words: str) -> str:
    """`words` among filler, of three to ten words in all."""
    chosen = [*rng.choice(FILLER, rng.integers(2, 9)).tolist(), *words]
    return " ".join(rng.permutation(chosen).tolist())


def text_rows(rows: int, rng: np.random.Generator) -> pa.Table:
    labels = rng.integers(0, 2, rows)
    texts = [sentence(rng, rng.choice([BAD, GOOD][label])) for label in labels]
    return pa.table({"text": texts, "label": pa.array(labels, pa.int64())})


def create_dataset(store: modelstore.Connection, name: str, rows: pa.Table) -> None:
    """Creates or replaces a dataset of these rows."""
    store.register("rows", rows)
    store.execute(f"CREATE OR REPLACE DATASET {name} AS SELECT * FROM rows")
    store.unregister("rows")


def save_store(path: Path, models: Mapping[str, Path], datasets: Mapping[str, pa.Table]) -> Path:
    """Makes the file of a store with these models and datasets, for tests to copy; returns its path."""
    with modelstore.connect(path) as store:
        for name, folder in models.items():
            store.execute(f"CREATE MODEL {name} FROM '{folder}'")
        for name, rows in datasets.items():
            create_dataset(store, name, rows)
    return path


def create_text_dataset(store: modelstore.Connection, name: str, rows: int, seed: int) -> None:
    create_dataset(store, name, text_rows(rows, np.random.default_rng(seed)))


def pair_rows(rows: int, rng: np.random.Generator) -> pa.Table:
    """The label is told by the second text alone."""
    labels = rng.integers(0, 2, rows)
    first = [sentence(rng) for _ in labels]
    second = [sentence(rng, rng.choice([BAD, GOOD][label])) for label in labels]
    return pa.table({"text": first, "text_pair": second, "label": pa.array(labels, pa.int64())})


def regression_rows(rows: int, rng: np.random.Generator) -> pa.Table:
    """Targets around 1000, so that what is learnt is learnt of standardised ones."""
    signs = rng.integers(0, 2, rows)
    texts = [sentence(rng, rng.choice([BAD, GOOD][sign])) for sign in signs]
    return pa.table({"text": texts, "label": 1000 + 50 * signs + rng.normal(0, 5, rows)})


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def image_rows(rows: int, rng: np.random.Generator) -> pa.Table:
    """Reddish and bluish noise."""
    labels = rng.integers(0, 2, rows)
    pixels = rng.integers(0, 100, (rows, 20, 20, 3), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[:, :, 2 * label] += 120
    return pa.table({"image": [png(image) for image in pixels], "label": pa.array(labels, pa.int64())})


MOODS = {"angry": "bad", "calm": "fine", "glad": "good"}  # each told by a word, which is said twice


def label_ids(rows: int, rng: np.random.Generator) -> list[list[int]]:
    """Any number of labels a row, none too."""
    return [np.flatnonzero(drawn).tolist() for drawn in rng.random((rows, len(MOODS))) < 0.4]


def multi_label_rows(rows: int, rng: np.random.Generator) -> pa.Table:
    labels = label_ids(rows, rng)
    words = list(MOODS.values())
    texts = [sentence(rng, *(words[one] for one in ids * 2)) for ids in labels]
    return pa.table({"text": texts, "label": pa.array(labels, pa.list_(pa.int64()))})


def multi_label_pair_rows(rows: int, rng: np.random.Generator) -> pa.Table:
    """The labels are told by the second text alone."""
    table = multi_label_rows(rows, rng)
    first = pa.array([sentence(rng) for _ in range(rows)])
    return pa.table({"text": first, "text_pair": table["text"], "label": table["label"]})


def multi_label_image_rows(rows: int, rng: np.random.Generator) -> pa.Table:
    """Noise that is brighter in the channel of each label."""
    labels = label_ids(rows, rng)
    pixels = rng.integers(0, 100, (rows, 20, 20, 3), dtype=np.uint8)
    for image, ids in zip(pixels, labels, strict=True):
        image[:, :, ids] += 120
    return pa.table(
        {"image": [png(image) for image in pixels], "label": pa.array(labels, pa.list_(pa.int64()))}
    )


def named_labels(rows: pa.Table) -> pa.Table:
    """Such rows with the names of their labels."""
    names = [[list(MOODS)[one] for one in ids] for ids in rows["label"].to_pylist()]
    return rows.set_column(rows.column_names.index("label"), "label", pa.array(names, pa.list_(pa.string())))


MULTI_LABEL = "multi_label_classification"
KINDS: dict[str, tuple[Any, ...]] = {
    "text": (text_rows, "text_classification", "accuracy", "text", ("bad", "good")),
    "pair": (pair_rows, "text_pair_classification", "f1_macro", "text", ("bad", "good")),
    "regression": (regression_rows, "regression", "pearson", "text", ()),
    "image": (image_rows, "image_classification", "matthews", "image", ("red", "blue")),
    "multi_label": (multi_label_rows, MULTI_LABEL, "f1_micro", "text", tuple(MOODS)),
    "multi_label_pair": (multi_label_pair_rows, MULTI_LABEL, "f1_macro", "text", tuple(MOODS)),
    "multi_label_image": (multi_label_image_rows, MULTI_LABEL, "average_precision", "image", tuple(MOODS)),
}


@pytest.fixture(scope="session")
def dataset() -> Callable[..., TaskData]:
    """An easy dataset by its kind, one of `KINDS`."""

    def make(kind: str, rows: int = 256) -> TaskData:
        draw, task, metric, modality, labels = KINDS[kind]
        rng = np.random.default_rng(7)
        train, validation, test = (draw(n, rng) for n in (rows, 70, 50))
        return TaskData(f"easy_{kind}", task, metric, modality, labels, train, validation, test)

    return make
