"""The F1 score of entities that are marked by the tags of words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_OUTSIDE = ("O", "_")  # the position and the type of the tag "O"
_BEFORE = ("O", "")  # those before the first word of all
_NO_ENTITY = ("O", ".")  # positions outside of entities
# A word ends the entity of the word before it, or starts one, by the positions of both, whatever their types.
_ENDING = {"BB", "BS", "BO", "IB", "IS", "IO"}
_STARTING = {"EE", "EI", "SE", "SI", "OE", "OI"}


def entity_f1(predicted: NDArray, truth: NDArray, lengths: NDArray, tags: Sequence[str]) -> float:
    """The micro-averaged F1 score of entities: one counts as found if its type, first and last word all agree.

    Parameters
    ----------
    predicted, truth : (n,) array of int
        The tags of the words of all sentences, one sentence after another, as positions in ``tags``; -1 for a word
        without a tag, which is outside of entities.
    lengths : (sentences,) array of int
        The words of each sentence; they sum to n.
    tags : sequence of str
        The names of the tags: ``O`` outside of entities, and ``B-PER``, ``I-PER``, ``E-PER`` or ``S-PER`` in one of
        the type PER. A sentence may mix IOB1, BIO and BIOES.

    Returns
    -------
    float
        In [0, 1]; 0 where neither side has an entity.

    Notes
    -----
    The definition is that of ``f1_score`` of seqeval 1.2.2 in its default mode (Nakayama, "seqeval: A Python
    framework for sequence labeling evaluation", 2018), which follows the script conlleval of CoNLL-2000: an ``I-PER``
    after ``O`` or after another type starts an entity. A tag without a prefix is one as well, split after its first
    letter: words of one such type in a row are one entity.

    Examples
    --------
    The place is found; of the person, only the first word:

    >>> tags = ["B-LOC", "B-PER", "I-PER", "O"]
    >>> entity_f1(np.array([1, 3, 3, 0]), np.array([1, 2, 3, 0]), np.array([4]), tags)
    0.5
    """
    found, real = (entities(side, lengths, tags) for side in (predicted, truth))
    count = len(found) + len(real)
    return 2 * len(np.intersect1d(found, real, assume_unique=True)) / count if count else 0.0


def entities(codes: NDArray, lengths: NDArray, tags: Sequence[str]) -> NDArray[np.int64]:
    """The entities of some sentences, each as a number that its first word, its last word and its type decide.

    Parameters
    ----------
    codes, lengths, tags
        One side of what `entity_f1` takes.

    Returns
    -------
    (entities,) array of int
        Each once, ascending.
    """
    parts = [*map(_parts, tags), _OUTSIDE, _BEFORE]
    types = _kinds(tags)
    type_codes = np.searchsorted(types, [kind for _, kind in parts])
    ends, starts = _transitions([place for place, _ in parts], type_codes)
    outside, before = len(tags), len(tags) + 1
    now = np.insert(np.where(codes < 0, outside, codes), np.cumsum(lengths), outside)
    last = np.concatenate([[before], now[:-1]])
    places = np.arange(len(now), dtype=np.int64)
    latest_start = np.maximum.accumulate(np.where(starts[last, now], places, 0))
    ending = np.flatnonzero(ends[last, now])
    extent = latest_start[ending - 1] * len(now) + ending - 1
    return np.unique(extent * len(types) + type_codes[last[ending]])


def entity_types(tags: Sequence[str]) -> list[str]:
    """The types of entities that tags mark, in order; ``_`` of tags that are prefixes alone.

    Examples
    --------
    >>> entity_types(["O", "B-PER", "I-PER", "B-LOC"])
    ['LOC', 'PER']
    """
    return sorted({kind for place, kind in map(_parts, tags) if place not in _NO_ENTITY})


def entity_places(
    found: NDArray[np.int64], lengths: NDArray, tags: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where entities are, and of which type.

    Parameters
    ----------
    found : (entities,) array of int
        What `entities` returns.
    lengths, tags
        What it took.

    Returns
    -------
    tuple of (entities,) array of int
        The sentence of each, and the position of its type in `entity_types`.

    Examples
    --------
    >>> tags, lengths = ["B-LOC", "B-PER", "I-PER", "O"], np.array([1, 3])
    >>> sentences, types = entity_places(entities(np.array([0, 3, 1, 2]), lengths, tags), lengths, tags)
    >>> sentences.tolist(), types.tolist()
    ([0, 1], [0, 1])
    """
    kinds = _kinds(tags)
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    # By the last word: of a word that ends an entity which none has started, the first is stale.
    last = found // len(kinds) % (starts[-1] + lengths[-1] + 1)
    place = {kind: number for number, kind in enumerate(entity_types(tags))}
    place_of = np.array([place.get(kind, -1) for kind in kinds])
    return np.searchsorted(starts, last, side="right") - 1, place_of[found % len(kinds)]


def has_entity_tags(tags: Sequence[str]) -> bool:
    """Whether tags mark entities: each is ``O`` or has a prefix, as in ``B-PER``, or is such a prefix alone.

    Examples
    --------
    >>> has_entity_tags(["B-PER", "I-PER", "O"]), has_entity_tags(["NOUN", "VERB"]), has_entity_tags(["O"])
    (True, False, False)
    """
    marking = [tag for tag in tags if tag != "O"]
    return bool(marking) and all(tag[:1] in set("BIESLU") and tag[1:2] in ("", "-") for tag in marking)


def _kinds(tags: Sequence[str]) -> NDArray[np.str_]:
    """The types of tags, of the tag outside of entities and of what is before the first word, each once."""
    return np.unique([kind for _, kind in [*map(_parts, tags), _OUTSIDE, _BEFORE]])


def _parts(tag: str) -> tuple[str, str]:
    """A tag's position in its entity, and the entity's type."""
    return (tag[0], tag[1:].split("-", maxsplit=1)[-1] or "_") if tag else _OUTSIDE


def _transitions(positions: Sequence[str], types: NDArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether a tag ends the entity of the tag before it, and whether it starts one: (tag before, tag)."""
    kinds = np.array(positions)
    pairs = np.char.add(kinds[:, None], kinds[None, :])
    differ = types[:, None] != types[None, :]
    inside = ~np.isin(kinds, _NO_ENTITY)
    ends = np.isin(kinds, ["E", "S"])[:, None] | np.isin(pairs, list(_ENDING)) | (inside[:, None] & differ)
    starts = (
        np.isin(kinds, ["B", "S"])[None, :] | np.isin(pairs, list(_STARTING)) | (inside[None, :] & differ)
    )
    return ends, starts
