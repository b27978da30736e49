"""`CLUSTER MODELS WITH (similarity = 'text')`: cards are embedded by a registered encoder, each once."""

from collections.abc import Callable
from pathlib import Path

import pytest

import modelstore
from modelstore.training import features

Store = modelstore.Connection
CLUSTER = "CLUSTER MODELS WITH (similarity = 'text', encoder = 'encoder', threshold = 1e-6)"


@pytest.fixture
def carded(store: Store, model_path: Callable[[str], Path]) -> Store:
    """Five models: two with one card, two with cards of their own, one without; and the encoder, without one."""
    store.execute(f"CREATE MODEL encoder FROM '{model_path('bert')}'")
    store.executemany(
        "INSERT INTO models (name, card) VALUES (?, ?)",
        [
            ("a", "the film was great"),
            ("b", "the film was great"),
            ("c", "awful music"),
            ("d", "the plot"),
            ("e", ""),
        ],
    )
    return store


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that have been embedded."""
    seen: list[str] = []
    original = features.embed_texts

    def embed(model: str, path: Path, texts: list[str], device: str) -> object:
        seen.extend(texts)
        return original(model, path, texts, device=device)

    monkeypatch.setattr(features, "embed_texts", embed)
    return seen


def clusters(store: Store) -> list[list[str]]:
    rows = store.execute(
        "SELECT list(model ORDER BY model) AS m FROM model_clusters GROUP BY cluster ORDER BY m"
    )
    return [members for (members,) in rows.fetchall()]


def test_models_with_equal_cards_are_one_cluster(carded: Store) -> None:
    row = carded.execute(CLUSTER).fetchone()
    assert row is not None
    assert row[:3] == (3, 4, 2)
    assert clusters(carded) == [["a", "b"], ["c"], ["d"]]


def test_a_card_is_embedded_once(carded: Store, embedded: list[str]) -> None:
    carded.execute(CLUSTER)
    assert sorted(embedded) == ["awful music", "the film was great", "the plot"]
    carded.execute("INSERT INTO models (name, card) VALUES ('f', 'the plot'), ('g', 'good acting')")
    embedded.clear()
    carded.execute(CLUSTER)
    assert embedded == ["good acting"]
    assert clusters(carded) == [["a", "b"], ["c"], ["d", "f"], ["g"]]


def test_a_replaced_encoder_embeds_all_cards_again(
    carded: Store, embedded: list[str], model_path: Callable[[str], Path]
) -> None:
    carded.execute(CLUSTER)
    embedded.clear()
    carded.execute(f"CREATE OR REPLACE MODEL encoder FROM '{model_path('bert')}'")
    carded.execute(CLUSTER)
    assert len(embedded) == 3


def test_similarity_by_text_needs_an_encoder(carded: Store) -> None:
    with pytest.raises(modelstore.OptionError, match="needs a text encoder"):
        carded.execute("CLUSTER MODELS WITH (similarity = 'text')")


def test_text_similarity_clusters_by_the_cards(zoo: Store) -> None:
    zoo.execute(
        "UPDATE models SET card = CASE WHEN modality = 'text' THEN 'good film' ELSE 'bad camera plot' END"
    )
    zoo.execute("CLUSTER MODELS WITH (similarity = 'text', encoder = 'bert', threshold = 0.0001)")
    rows = zoo.execute(
        "SELECT list(model ORDER BY model) FROM model_clusters GROUP BY cluster ORDER BY 1"
    ).fetchall()
    assert rows == [(["albert", "bert", "bert_classifier", "distilbert"],), (["vit", "vit_classifier"],)]
    with pytest.raises(modelstore.OptionError, match="needs a text encoder"):
        zoo.execute("CLUSTER MODELS WITH (similarity = 'text')")
