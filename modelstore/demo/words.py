"""What a text model is pretrained on: batches of adjacent spans with masked words, and their two losses."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from modelstore.demo import architectures
from modelstore.demo.architectures import CAUSAL
from modelstore.demo.cooccurrence import word_factors

MASKED_SHARE = 0.3
SPANS = (
    24,
    48,
    24,
    96,
)  # lengths of the spans, in turn from batch to batch, so that all positions are trained
EMBEDDING = 64  # numbers in the embedding of a span, by which adjacent spans are found


class MaskedWords(nn.Module):
    """A classifier, with a word decoder for its pretraining that shares the weights of the embeddings."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        config.num_labels = EMBEDDING
        self.classifier = AutoModelForSequenceClassification.from_config(config)
        self.causal = config.model_type in CAUSAL
        words = self.classifier.get_input_embeddings().weight
        self.transform = nn.Sequential(
            nn.Linear(config.hidden_size, words.shape[1]), nn.GELU(), nn.LayerNorm(words.shape[1])
        )
        self.bias = nn.Parameter(torch.zeros(words.shape[0]))

    def start_from_counts(self, passages: Sequence[Sequence[int]]) -> None:
        """Starts from the word embeddings and frequencies that counting the passages gives."""
        words = self.classifier.get_input_embeddings().weight
        size, width = words.shape
        factors = word_factors(passages, size, width, architectures.INITIAL_RANGE)
        counts = np.bincount(np.concatenate([np.asarray(p) for p in passages]), minlength=size) + 0.1
        with torch.no_grad():
            words.copy_(torch.from_numpy(factors))
            self.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))

    def forward(self, ids: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The words' loss where ``targets`` is not 0 (padding), and the rows' embeddings, (rows, embedding)."""
        output = self.classifier(
            input_ids=ids, attention_mask=(ids != 0).long(), output_hidden_states=True, return_dict=True
        )
        hidden, wanted = output.hidden_states[-1], targets
        if self.causal:
            hidden, wanted = hidden[:, :-1], targets[:, 1:]
        chosen = wanted != 0
        decoder = self.classifier.get_input_embeddings().weight
        scores = self.transform(hidden[chosen]) @ decoder.T + self.bias
        return F.cross_entropy(scores, wanted[chosen]), F.normalize(output.logits, dim=1)


class Spans:
    """Batches of pairs of adjacent spans, masked, from passages of token ids."""

    def __init__(
        self,
        passages: list[list[int]],
        tokenizer: PreTrainedTokenizerFast,
        causal: bool,
        tokens: int,
        seed: int,
    ) -> None:
        self.passages = passages
        self.random = np.random.default_rng(seed)
        self.causal, self.tokens, self.size = causal, tokens, len(tokenizer)
        self.mask = int(tokenizer.mask_token_id)
        self.first = [] if causal else [int(tokenizer.cls_token_id)]
        self.last = int(tokenizer.sep_token_id)
        # A passage is drawn in proportion to its length.
        lengths = np.array([min(len(passage), 400) for passage in passages], dtype=float)
        self.weights = lengths / lengths.sum()

    def batch(self, length: int) -> tuple[Tensor, Tensor]:
        """Ids and targets, (2 n, length): rows i and n + i are adjacent spans of one passage."""
        rows = max(2, self.tokens // length // 2)
        room = length - len(self.first) - 1
        ids = np.zeros((2 * rows, length), dtype=np.int64)
        for row, index in enumerate(self.random.choice(len(self.passages), rows, p=self.weights)):
            passage = self.passages[index]
            width = min(room, len(passage) // 2)
            start = self.random.integers(0, len(passage) - 2 * width + 1)
            for half in range(2):
                span = passage[start + half * width : start + (half + 1) * width]
                full = [*self.first, *span, self.last]
                ids[row + half * rows, : len(full)] = full
        return self._masked(torch.from_numpy(ids))

    def _masked(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        words = ids > self.mask  # the special tokens come first
        if self.causal:
            return ids, ids * words
        draw = torch.from_numpy(self.random.random(ids.shape))
        chosen = words & (draw < MASKED_SHARE)
        if not chosen.any():
            chosen = words
        masked = torch.where(chosen & (draw < 0.8 * MASKED_SHARE), self.mask, ids)
        other = torch.from_numpy(self.random.integers(self.mask + 1, self.size, ids.shape))
        masked = torch.where(chosen & (draw >= 0.9 * MASKED_SHARE), other, masked)
        return masked, ids * chosen


def adjacency_loss(embeddings: Tensor) -> Tensor:
    """The loss of finding the adjacent span of each row among all rows; ``embeddings`` (2 n, embedding)."""
    first, second = embeddings.chunk(2)
    similarity = first @ second.T / 0.1
    right = torch.arange(len(first))
    return (F.cross_entropy(similarity, right) + F.cross_entropy(similarity.T, right)) / 2


def entropy(passages: Sequence[Sequence[int]]) -> float:
    """The entropy of the words' frequencies in nats: the loss of predicting by frequency alone."""
    counts = np.array(list(Counter(word for passage in passages for word in passage).values()), dtype=float)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


@torch.no_grad()
def evaluate_words(model: MaskedWords, spans: Spans, batches: int = 12) -> float:
    """The mean loss of the words over some batches, in nats."""
    model.eval()
    return math.fsum(float(model(*spans.batch(48))[0]) for _ in range(batches)) / batches
