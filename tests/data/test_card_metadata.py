"""The metadata of cards: what is read of those that others wrote, whatever is in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelstore.data.card_metadata import MOST_YAML, CardMetadata, read_metadata


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (None, CardMetadata()),
        ("", CardMetadata()),
        ("# No metadata\n\nlicense: mit\n", CardMetadata()),
        ("---\nlicense: mit\nlanguage: en\n---\n# A model", CardMetadata("mit", languages=("en",))),
        ("\ufeff---\r\nlicense: mit\r\n---\r\n", CardMetadata("mit")),
        (
            "---\nlicense: [apache-2.0]\nlanguage:\n- en\n- no\n---",
            CardMetadata("apache-2.0", None, None, ("en", "no")),
        ),
        (
            "---\nlicense: other\nlicense_name: gemma\nlicense_link: LICENSE\n---\n",
            CardMetadata("other", "gemma", "LICENSE"),
        ),
        ("---\nlicense: [mit, gpl-3.0]\n---\n", CardMetadata()),
        ("---\nlicense: {a: b}\nlanguage: {}\n---\n", CardMetadata()),
        (
            "---\nlanguage: multilingual\ntags: bert\n---\n",
            CardMetadata(languages=("multilingual",), tags=("bert",)),
        ),
        (
            "---\ntags: [a, 1, null, b, a, {c: d}]\nbase_model: [owner/name]\n---\n",
            CardMetadata(tags=("a", "b"), base_model="owner/name"),
        ),
        ("---\ntags: 3\nbase_model: [a/b, c/d]\nlanguage: 4\nlicense: 5\n---\n", CardMetadata()),
        (
            '---\nlicense: "mit\\ntags: [evil]"\nlanguage: [1, null, de]\n---\n',
            CardMetadata(languages=("de",)),
        ),
        (f"---\nlicense: {'x' * 1000}\n---\n", CardMetadata()),
        ("---\nlicense: mit\n  bad: [\n---\n", CardMetadata()),
        ("---\n- license\n- mit\n---\n", CardMetadata()),
        ("---\nlicense: !!python/object:os.system [true]\n---\n", CardMetadata()),
        (f"---\nlicense: {'[' * 5000}\n---\n", CardMetadata()),
        (f"---\nlicense: mit\nmore: {'y' * MOST_YAML}\n---\n", CardMetadata()),
    ],
)
def test_what_a_card_says(card: str | None, said: CardMetadata) -> None:
    assert read_metadata(card) == said


@given(st.text())
def test_no_card_is_an_error(block: str) -> None:
    found = read_metadata(f"---\n{block}\n---\n")
    assert found.license is None or found.license.isprintable()
