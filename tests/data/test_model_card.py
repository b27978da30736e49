"""The text of a model's card: it stays valid YAML and markdown, whatever names and labels hold."""

from dataclasses import replace
from itertools import pairwise

import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from modelstore.data.card_metadata import CardMetadata
from modelstore.data.model_card import MOST_ROWS, Base, Card, Choice, Contender, Data, Scores
from modelstore.visible import visible_on_one_line

CARD = Card(
    Base("bert", "google-bert/bert-base-uncased", CardMetadata("apache-2.0", languages=("en",))),
    Data(
        name="reviews",
        repository=None,
        config=None,
        task="text_classification",
        metric="f1_macro",
        modality="text",
        labels=("bad", "good"),
        rows={"train": 1200, "validation": 150, "test": 150},
        columns={"text": "text", "label": "label"},
    ),
    Scores(epoch=2.0, validation=0.93, test=0.91, interval=(0.875, 0.94)),
    "default",
    {"epochs": 3, "learning_rate": 3e-5, "max_length": 128, "gradient_checkpointing": False},
    Choice(
        rank=1,
        strategy="value_of_information",
        candidates=40,
        contenders=[
            Contender("bert", 3, 0.93, "won", None),
            Contender("roberta", 1, 0.81, "dropped", "an epoch more is worth 0.0002, less than its price"),
            Contender("gpt2", 1, None, "failed", "the loss is not finite"),
        ],
        epochs=12.5,
        seconds=83.25,
        brute_force=120.0,
    ),
)
HOSTILE = (
    "---\nlicense: mit\n---\n",
    "a|b`c``d",
    "```\n# x",
    '"quoted": {[&*!',
    "<script>",
    "\u2028\x85\x00",
    " ",
    "\\|",
    "](x)",
)
names = st.one_of(
    st.text(min_size=1), st.sampled_from(HOSTILE), st.text("`|\\\n -#:[](){}<>*_&!%@'\"", min_size=1)
)


def metadata(card: Card) -> dict[str, object]:
    text = card.text()
    assert text.startswith("---\n")
    return yaml.safe_load(text[4:].split("\n---\n", 1)[0])


def rendered(card: Card) -> tuple[list[str], list[list[str]], list[str]]:
    """The headings, the cells of all rows of tables, and the code in text."""
    body = ModelCard(card.text()).text
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    rows: list[list[str]] = []
    for token, after in pairwise(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            rows[-1].append("".join(child.content for child in after.children or []))
    code = [
        child.content for token in tokens for child in token.children or [] if child.type == "code_inline"
    ]
    assert not any(child.type == "html_inline" for token in tokens for child in token.children or [])
    assert not any(token.type == "html_block" for token in tokens)
    return headings, rows, code


def test_the_metadata_say_what_the_hub_asks_for() -> None:
    found = metadata(CARD)
    assert found | {"model-index": None} == {
        "language": ["en"],
        "license": "apache-2.0",
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["modelstore"],
        "base_model": "google-bert/bert-base-uncased",
        "base_model_relation": "finetune",
        "metrics": ["f1"],
        "model-index": None,
    }
    data = ModelCard(CARD.text()).data
    assert data.model_name == "bert-finetuned-reviews"
    [result] = data.eval_results
    assert (result.dataset_name, result.dataset_split, result.metric_value) == ("reviews", "test", 0.91)
    assert (result.metric_type, result.metric_args) == ("f1", {"average": "macro"})


def test_what_the_base_does_not_say_is_not_invented() -> None:
    card = replace(CARD, base=Base("mine", None, CardMetadata()))
    assert (
        not {"license", "license_name", "language", "base_model", "base_model_relation"}
        & metadata(card).keys()
    )
    assert "names no licence" in card.text()


def test_a_dataset_of_the_hub_is_named_by_its_repository() -> None:
    card = replace(CARD, data=replace(CARD.data, repository="nyu-mll/glue", config="sst2"))
    assert metadata(card)["datasets"] == ["nyu-mll/glue"]
    [result] = ModelCard(card.text()).data.eval_results
    assert (result.dataset_type, result.dataset_name, result.dataset_config) == (
        "nyu-mll/glue",
        "reviews",
        "sst2",
    )
    assert "(https://huggingface.co/datasets/nyu-mll/glue), configuration `sst2`" in card.text()


def test_the_text_says_how_the_model_was_chosen() -> None:
    headings, rows, _ = rendered(CARD)
    assert headings[1:] == ["Use", "Scores", "Data", "Training", "How it was chosen"]
    assert ["test", "0.9100", "0.8750 to 0.9400"] in rows
    assert ["roberta", "1", "0.8100", "dropped", "an epoch more is worth 0.0002, less than its price"] in rows
    assert ["gpt2", "1", "", "failed", "the loss is not finite"] in rows
    assert "40 candidates, of which it trained 2. That took 12.5 epochs and 83.25 s" in CARD.text()
    assert "takes 120 epochs" in CARD.text()


@pytest.mark.parametrize(("interval", "said"), [(None, False), ((0.9, 0.95), False), ((1.0, 1.0), True)])
def test_an_interval_without_width_is_explained(interval: tuple[float, float] | None, said: bool) -> None:
    text = replace(CARD, scores=replace(CARD.scores, interval=interval)).text()
    assert ("It has no width" in text) is said
    assert ("bootstrap" in text) is (interval is not None)


def test_long_lists_are_cut() -> None:
    many = tuple(f"label {number}" for number in range(MOST_ROWS + 5))
    contenders = [Contender(name, 1, 0.5, "dropped", None) for name in many]
    card = replace(
        CARD, data=replace(CARD.data, labels=many), choice=replace(CARD.choice, contenders=contenders)
    )
    assert f"Labels, {len(many)}: " in card.text()
    assert card.text().count(" and 5 more.") == 2
    assert len(rendered(card)[1]) == MOST_ROWS + 1 + 3 + 5


@settings(max_examples=150, deadline=None)
@given(names, names, names, names)
def test_whatever_names_hold_yaml_and_markdown_stay_whole(
    base: str, data: str, label: str, reason: str
) -> None:
    contenders = [Contender(base, 1, 0.5, "dropped", reason)]
    card = replace(
        CARD,
        base=Base(base, None, CardMetadata("mit")),
        data=replace(CARD.data, name=data, config=data, labels=(label, "good")),
        recipe=data,
        choice=replace(CARD.choice, contenders=contenders),
    )
    found = metadata(card)
    assert found["license"] == "mit"
    assert set(found) == {
        "language",
        "license",
        "library_name",
        "pipeline_tag",
        "tags",
        "metrics",
        "model-index",
    } - {"language"}
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == shown(data)
    assert found["model-index"][0]["name"] == f"{shown(base)}-finetuned-{shown(data)}"
    headings, rows, code = rendered(card)
    assert headings[1:] == ["Use", "Scores", "Data", "Training", "How it was chosen"]
    assert [len(row) for row in rows] == [3] * 3 + [2] * 5 + [5] * 2
    assert {shown(base), shown(data), shown(label)} <= set(code)
    assert rows[-1] == [shown(base), "1", "0.5000", "dropped", shown(reason)]


def shown(name: str) -> str:
    return visible_on_one_line(name if len(name) <= 200 else name[:199] + "…")
