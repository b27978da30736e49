"""Decoders as classifiers: the logits of a text do not depend on the padding, here or in transformers alone."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers as hf
from tiny_models import byte_pairs

from modelstore.libraries import quiet
from modelstore.training.inputs.loading import load_preprocessor
from modelstore.training.kernels.replacement import use_kernels
from modelstore.training.loading import load_for_training

TEXTS = [
    "the good film",
    "the bad plot and the awful music in a poor scene of the story",
    "a fine ending",
    "the",
]
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
HEADS = {"num_key_value_heads": 2, "head_dim": 16}
ENDS = {"bos_token_id": 0, "eos_token_id": 0}
OPT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "ffn_dim": 64,
    "word_embed_proj_dim": 32,
}
MODERNBERT = {"cls_token_id": 0, "sep_token_id": 0, "max_position_embeddings": 64}

MODELS: dict[str, Callable[[int], hf.PreTrainedModel]] = {
    "llama": lambda n: hf.LlamaForCausalLM(hf.LlamaConfig(vocab_size=n, **SIZE, **HEADS, **ENDS)),
    "qwen2": lambda n: hf.Qwen2ForCausalLM(hf.Qwen2Config(vocab_size=n, **SIZE, num_key_value_heads=2)),
    "gpt2": lambda n: hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=n, n_embd=32, n_layer=2, n_head=2, **ENDS)),
    "modernbert": lambda n: hf.ModernBertForMaskedLM(
        hf.ModernBertConfig(vocab_size=n, **SIZE, **ENDS, **MODERNBERT, pad_token_id=0)
    ),
    "gemma2": lambda n: hf.Gemma2ForCausalLM(hf.Gemma2Config(vocab_size=n, **SIZE, **HEADS)),
    "opt": lambda n: hf.OPTForCausalLM(hf.OPTConfig(vocab_size=n, max_position_embeddings=64, **OPT)),
    "bloom": lambda n: hf.BloomForCausalLM(hf.BloomConfig(vocab_size=n, hidden_size=32, n_layer=2, n_head=2)),
    "xlnet": lambda n: hf.XLNetLMHeadModel(
        hf.XLNetConfig(vocab_size=n, d_model=32, n_layer=2, n_head=2, d_inner=64)
    ),
}


@pytest.fixture
def decoder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a tiny decoder, whose files say how to pad."""

    def make(kind: str, **tokenizer_settings: object) -> Path:
        path, tokenizer = tmp_path / kind, byte_pairs(roberta=False)
        with torch.random.fork_rng([]), quiet():
            torch.manual_seed(0)
            MODELS[kind](len(tokenizer)).save_pretrained(path)
            tokenizer.save_pretrained(path)
        change(path / "tokenizer_config.json", **tokenizer_settings)
        return path

    return make


def change(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def logits(network: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.inference_mode():
        return network(**batch).logits


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pad", ["none", -1, 3])
@pytest.mark.parametrize("kind", MODELS)
def test_a_texts_logits_alone_are_those_in_a_padded_batch(
    kind: str, pad: object, side: str, decoder: Callable[..., Path], tmp_path: Path
) -> None:
    path = decoder(kind, padding_side=side)
    if kind != "modernbert" or pad == 3:  # its config does not take -1 or none
        change(path / "config.json", pad_token_id=None if pad == "none" else pad)
    torch.manual_seed(0)
    network, _ = load_for_training("m", path, "text", ("a", "b", "c"))
    use_kernels(network)
    preprocessor = load_preprocessor("m", path, "text", network.eval(), 64)
    inputs = preprocessor.encode(pa.table({"text": TEXTS}))  # type: ignore[attr-defined]
    alone = torch.cat([logits(network, inputs.batch(np.array([row]))) for row in range(len(TEXTS))])
    torch.testing.assert_close(logits(network, inputs.batch(np.arange(len(TEXTS)))), alone, atol=1e-5, rtol=0)
    assert (alone[0] - alone[1]).abs().max() > 1e-6

    with quiet():  # what a user loads is the same
        network.save_pretrained(tmp_path / "saved")
        preprocessor.save(tmp_path / "saved")
        saved = hf.AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
        tokenizer = hf.AutoTokenizer.from_pretrained(tmp_path / "saved")
    tokens = tokenizer(TEXTS, padding=True, return_tensors="pt")
    batch = {name: values for name, values in tokens.items() if name in inputs.batch(np.array([0]))}
    torch.testing.assert_close(logits(saved, batch), alone, atol=1e-5, rtol=0)


def test_the_configs_padding_token_is_used_where_the_tokenizer_has_none(decoder: Callable[..., Path]) -> None:
    path = decoder("llama")
    change(path / "config.json", pad_token_id=3)
    network, _ = load_for_training("m", path, "text", ("a", "b"))
    preprocessor = load_preprocessor("m", path, "text", network, 64)
    assert preprocessor.tokenizer.pad_token_id == 3  # type: ignore[attr-defined]
    change(path / "tokenizer_config.json", pad_token="<|endoftext|>")
    preprocessor = load_preprocessor("m", path, "text", network, 64)
    assert network.config.pad_token_id == preprocessor.tokenizer.pad_token_id == 0  # type: ignore[attr-defined]


def test_a_padding_token_without_embedding_is_replaced(decoder: Callable[..., Path]) -> None:
    """As where a token was added to a decoder's tokenizer, and the decoder was not resized."""
    path = decoder("llama")
    tokenizer = hf.AutoTokenizer.from_pretrained(path)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(path)
    network, _ = load_for_training("m", path, "text", ("a", "b"))
    assert tokenizer.pad_token_id == network.config.vocab_size
    preprocessor = load_preprocessor("m", path, "text", network, 64)
    inputs = preprocessor.encode(pa.table({"text": TEXTS}))  # type: ignore[attr-defined]
    assert network.config.pad_token_id == 0
    assert torch.isfinite(logits(network.eval(), inputs.batch(np.arange(len(TEXTS))))).all()
