"""How many tokens a row of a dataset has, from a sample of its texts."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np

from modelstore.arrow_tables import registered
from modelstore.data.hub import is_on_hub, local_path
from modelstore.data.shape_error import ShapeError
from modelstore.data.source import Source
from modelstore.data.sources import open_source
from modelstore.errors import INTERRUPTIONS, DatasetError
from modelstore.options import DatasetOptions
from modelstore.sql_text import quoted
from modelstore.store import Store
from modelstore.store.registered import Dataset, Model
from modelstore.tasks import TAGS, target_of

SAMPLED = 200  # rows
LONGEST = 10_000  # characters of a text that a tokenizer is tried on
READ = 10_000  # rows of a file that the sample is drawn from: a large one is not read to its end
SPECIAL = 2.0  # tokens around a text: the first and the last
USUAL_CHARACTERS = 4.5  # of a token, where no tokenizer can be asked
UNKNOWN_SHARE = 0.5  # of the tokens at which texts are cut, where the rows cannot be read
TOKENIZERS = 6  # different ones that are asked; others count as the mean of these


class TokensPerRow:
    """The mean number of tokens of a dataset's rows, as models of different tokenizers see them.

    Parameters
    ----------
    store
        The store that the datasets are registered in.
    target
        The dataset whose sample the tokenizers are tried on; None where there is none.
    """

    def __init__(self, store: Store, target: Dataset | None):
        self._store = store
        self._target = target
        self._samples: dict[str, list[str]] = {}
        self._characters: dict[str, float | None] = {}

    def of(self, model: Model | None, dataset: Dataset, max_length: int) -> float:
        """The mean tokens of a row of a text dataset, cut at ``max_length``, as a model reads it."""
        texts = self._sample(dataset)
        if not texts:
            return max(1.0, UNKNOWN_SHARE * max_length)
        lengths = np.array([len(text) for text in texts]) / self._characters_of(model)
        return float(np.minimum(lengths + SPECIAL, max_length).mean())

    def _sample(self, dataset: Dataset) -> list[str]:
        if dataset.name not in self._samples:
            self._samples[dataset.name] = _texts_of(self._store, dataset)
        return self._samples[dataset.name]

    def _characters_of(self, model: Model | None) -> float:
        """How many characters a token of a model has."""
        key = _tokenizer_of(model)
        if key is not None and key not in self._characters and len(self._characters) < TOKENIZERS:
            self._characters[key] = _characters_per_token(Path(key), self._texts_to_try)
        known = self._characters.get(key or "")
        return known or self._usual

    @cached_property
    def _texts_to_try(self) -> Sequence[str]:
        return self._sample(self._target) if self._target is not None else []

    @property
    def _usual(self) -> float:
        known = [characters for characters in self._characters.values() if characters]
        return float(np.exp(np.mean(np.log(known)))) if known else USUAL_CHARACTERS


def _texts_of(store: Store, dataset: Dataset) -> list[str]:
    """Some texts, those of a pair as one; none where they cannot be read here and now."""
    if dataset.uri is None:
        kept = Source(
            f"FROM {store.catalog.rows_of(dataset.name)} LIMIT {SAMPLED}"
        )  # they are in random order
        return _sampled(store, kept, _inputs_in({name: name for name in dataset.columns}, dataset.task))
    try:
        path = local_path(dataset.uri, "dataset") if is_on_hub(dataset.uri) else Path(dataset.uri)
        options = DatasetOptions.of({**dataset.columns, "config": dataset.config})
        return _sampled(store, open_source(path, options), _inputs_in(dataset.columns, dataset.task))
    except (OSError, ValueError, ShapeError, DatasetError, duckdb.Error):
        return []  # the files have changed, or are not here: training will say so


def _inputs_in(columns: Mapping[str, str], task: str) -> list[str]:
    """The SQL of each text of a row; tokens are one text."""
    names = [quoted(columns[role]) for role in ("text", "text_pair") if role in columns]
    return (
        [f"array_to_string({name}::VARCHAR[], ' ')" for name in names] if target_of(task) is TAGS else names
    )


def _sampled(store: Store, source: Source, names: Sequence[str]) -> list[str]:
    """Some texts of a source, in order."""
    if not names:
        return []
    with registered(store.connection, source.tables):
        rows = store.connection.execute(
            f"SELECT concat_ws('  ', {', '.join(names)}) FROM (FROM ({source.query}) LIMIT {READ}) "
            f"USING SAMPLE reservoir({SAMPLED} ROWS) REPEATABLE (0)"
        ).fetchall()
    return sorted(text for (text,) in rows if text)


def _tokenizer_of(model: Model | None) -> str | None:
    """The file of a model's tokenizer; None where it has none that can be read without its classes."""
    if model is None or model.uri is None:
        return None
    try:
        file = local_path(model.uri, "model") / "tokenizer.json"
    except (OSError, ValueError):
        return None
    return str(file) if file.is_file() else None


def _characters_per_token(file: Path, texts: Sequence[str]) -> float | None:
    if not texts:
        return None
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        encoded = tokenizer.encode_batch([text[:LONGEST] for text in texts], add_special_tokens=False)
    except INTERRUPTIONS:
        raise
    except BaseException:  # the library raises nothing more specific, and panics are no Exception
        return None
    tokens = sum(len(one.ids) for one in encoded)
    return sum(min(len(text), LONGEST) for text in texts) / tokens if tokens else None
