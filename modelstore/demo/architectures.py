"""Configurations of small transformers, with their tokenizers and image processors."""

from collections.abc import Sequence
from typing import Any

import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, PreTrainedTokenizerFast

POSITIONS = 128  # tokens that a model reads at most
INITIAL_RANGE = 0.06
SIDE = 32  # images are SIDE × SIDE
PAD, UNKNOWN, FIRST, LAST, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
CAUSAL = ("gpt2",)
TEXT = ("bert", "distilbert", "roberta", "albert", "electra", "deberta-v2", "mobilebert", "gpt2")
IMAGE = ("vit", "deit", "convnext", "convnextv2", "resnet", "swin")


def text_config(architecture: str, vocabulary: int, hidden: int, layers: int, heads: int) -> Any:
    """The configuration of a text model.

    Raises
    ------
    ValueError
        If the architecture is not one of `TEXT`.
    """
    inner = 4 * hidden
    # The usual 0.02 suits widths near 768; a model as narrow as these would need most of its training to grow.
    common = {"vocab_size": vocabulary, "pad_token_id": 0, "initializer_range": INITIAL_RANGE}
    encoder = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": POSITIONS,
    }
    options: dict[str, Any]
    match architecture:
        case "bert" | "electra":
            options = encoder | ({"embedding_size": hidden} if architecture == "electra" else {})
        case "roberta":  # its positions start after those of the padding
            options = encoder | {"max_position_embeddings": POSITIONS + 2, "type_vocab_size": 2}
        case "albert":
            options = encoder | {"embedding_size": hidden // 2}
        case "mobilebert":
            options = encoder | {
                "embedding_size": hidden // 2,
                "intra_bottleneck_size": hidden // 2,
                "true_hidden_size": hidden // 2,
                "num_feedforward_networks": 2,
                "intermediate_size": 2 * hidden,
                "normalization_type": "layer_norm",
            }
        case "deberta-v2":
            options = encoder | {
                "relative_attention": True,
                "pos_att_type": ["p2c", "c2p"],
                "position_buckets": 32,
                "share_att_key": True,
                "norm_rel_ebd": "layer_norm",
                "type_vocab_size": 2,
                "pooler_hidden_size": hidden,
            }
        case "distilbert":
            options = {
                "dim": hidden,
                "n_layers": layers,
                "n_heads": heads,
                "hidden_dim": inner,
                "max_position_embeddings": POSITIONS,
            }
        case "gpt2":
            options = {"n_embd": hidden, "n_layer": layers, "n_head": heads, "n_positions": POSITIONS}
            options |= {"bos_token_id": 2, "eos_token_id": 3}
        case _:
            raise ValueError(f"no such text architecture: {architecture}; there are {', '.join(TEXT)}")
    return AutoConfig.for_model(architecture, **common, **options)


def image_config(architecture: str, hidden: int, layers: int, heads: int) -> Any:
    """The configuration of an image model whose last stage is ``hidden`` wide; ViT and DeiT have 8 × 8 patches.

    Raises
    ------
    ValueError
        If the architecture is not one of `IMAGE`.
    """
    options: dict[str, Any]
    stages = [hidden // 4, hidden // 2, hidden]
    match architecture:
        case "vit" | "deit":
            options = {
                "hidden_size": hidden,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "intermediate_size": 4 * hidden,
                "image_size": SIDE,
                "patch_size": 8,
                # DeiT has two classifiers; without a name the auto class cannot choose.
                "architectures": [f"{'ViT' if architecture == 'vit' else 'DeiT'}ForImageClassification"],
            }
        case "convnext" | "convnextv2":
            options = {"num_stages": 3, "hidden_sizes": stages, "depths": [1, 1, layers], "patch_size": 2}
            options |= {"image_size": SIDE}
        case "resnet":
            options = {"embedding_size": hidden // 4, "hidden_sizes": stages, "depths": [1, 1, layers]}
            options |= {"layer_type": "basic"}
        case "swin":
            options = {
                "image_size": SIDE,
                "patch_size": 4,
                "embed_dim": hidden // 2,
                "depths": [1, layers],
                "num_heads": [heads // 2, heads],
                "window_size": 4,
            }
        case _:
            raise ValueError(f"no such image architecture: {architecture}; there are {', '.join(IMAGE)}")
    return AutoConfig.for_model(architecture, **options)


def train_tokenizer(architecture: str, passages: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Trains a tokenizer on a corpus: byte-level BPE for GPT-2 and RoBERTa, as published; else WordPiece."""
    special = [PAD, UNKNOWN, FIRST, LAST, MASK]
    trainer: Any
    if architecture in ("gpt2", "roberta"):
        tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocabulary, special_tokens=special, limit_alphabet=200, show_progress=False
        )
    tokenizer.train_from_iterator(passages, trainer)
    # A causal model classifies by its last token, which is always the same one this way.
    first = "" if architecture in CAUSAL else f"{FIRST}:0 "
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first}$A:0 {LAST}:0",
        pair=f"{first}$A:0 {LAST}:0 $B:1 {LAST}:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (FIRST, LAST)],
    )
    # GPT-2 and DistilBERT have no segments; GPT-2 would take their ids for token ids.
    segments = ["token_type_ids"] if architecture not in ("gpt2", "distilbert") else []
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=POSITIONS,
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=FIRST,
        sep_token=LAST,
        mask_token=MASK,
        bos_token=FIRST,
        eos_token=LAST,
        model_input_names=["input_ids", *segments, "attention_mask"],
    )


def image_processor() -> Any:
    """The image processor of every model: pixels become numbers in [-1, 1]. It needs no torchvision."""
    kind = getattr(transformers, "ViTImageProcessorPil", transformers.ViTImageProcessor)
    return kind(size={"height": SIDE, "width": SIDE})
