"""Lists of tokens and tags as datasets: from files, folders and queries, and what is refused or said."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from registering import refusal, register, register_as_proposed, write
from token_rows import TAGS, conll_lines, json_lines, tagged_sentences

import modelstore

Store = modelstore.Connection
SENTENCES = tagged_sentences(60)
NAMED = "text = 'words', label = 'ner_tags'"


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def with_columns(**more: Any) -> list[dict[str, Any]]:
    return [{"tokens": words, "tags": tags, **more} for words, tags in SENTENCES]


def changed(place: int, **values: Any) -> list[dict[str, Any]]:
    rows = with_columns()
    rows[place] = {**rows[place], **values}
    return rows


def test_lists_of_tokens_and_tags_are_token_classification(store: Store, tmp_path: Path) -> None:
    found = register(store, write(tmp_path, {"train.jsonl": json_lines(SENTENCES)}))
    assert (found.task, found.data.metric, found.labels) == ("token_classification", "f1_entity", list(TAGS))
    assert sum(found.sizes) == len(SENTENCES)
    assert found.said("rows of train are held out")
    assert not found.said("stratified")
    text, label = (found.data.train[name].to_pylist() for name in ("text", "label"))
    original = {tuple(words): tags for words, tags in SENTENCES}
    assert all(
        [found.labels[i] for i in ids] == original[tuple(words)]
        for words, ids in zip(text, label, strict=True)
    )


def test_other_names_are_mapped(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {"a.jsonl": json_lines(SENTENCES, "words", "ner_tags")})
    assert "WITH (text = 'words', label = 'ner_tags')" in refusal(store, root / "a.jsonl")
    assert register(store, root / "a.jsonl", NAMED).labels == list(TAGS)
    only_tags = write(tmp_path / "b", {"a.jsonl": json_lines(SENTENCES, "tokens", "ner_tags")})
    assert "no column tags" in (message := refusal(store, only_tags))
    assert "WITH (label = 'ner_tags')" in message
    assert register(store, only_tags, "label = 'ner_tags'").labels == list(TAGS)


def test_a_query_and_its_file_train_alike(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path, {"a.jsonl": json_lines(SENTENCES)}) / "a.jsonl"
    file, query = register(store, path), register(store, f"SELECT * FROM '{path}'")
    assert (file.labels, file.sizes) == (query.labels, query.sizes)
    for split in ("train", "validation", "test"):
        rows = [sorted(map(str, one.data.split(split).to_pylist())) for one in (file, query)]
        assert rows[0] == rows[1]


@pytest.mark.parametrize("kind", ["parquet", "saved", "card"])
def test_names_of_classes_in_lists_are_the_tags(store: Store, tmp_path: Path, kind: str) -> None:
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    tags = datasets.List(datasets.ClassLabel(names=names))
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "ner_tags": tags})
    rows = [{"tokens": words, "ner_tags": [names.index(t) for t in given]} for words, given in SENTENCES]
    made = datasets.Dataset.from_list(rows, features=features)
    if kind == "parquet":
        made.to_parquet(tmp_path / "train.parquet")
    elif kind == "saved":
        made.save_to_disk(tmp_path)
    else:
        card = "---\ndataset_info:\n  features:\n  - name: tokens\n    sequence: string\n  - name: ner_tags\n"
        card += "    sequence:\n      class_label:\n        names:\n"
        card += "".join(f"          '{i}': {name}\n" for i, name in enumerate(names)) + "---\n"
        write(tmp_path, {"README.md": card, "train.jsonl": lines(rows)})
    found = register(store, tmp_path, "label = 'ner_tags'")
    assert (found.data.metric, found.labels) == ("f1_entity", ["O", "B-PER", "I-PER", "B-LOC"])


def test_numbers_without_names_are_tags_scored_by_accuracy(store: Store, tmp_path: Path) -> None:
    rows = [{"tokens": words, "tags": [TAGS.index(t) for t in tags]} for words, tags in SENTENCES]
    found = register(store, write(tmp_path, {"a.jsonl": lines(rows)}))
    assert (found.data.metric, found.labels) == ("accuracy", ["0", "1", "2", "3"])
    assert found.said("no prefixes such as B- and I-", "accuracy over tokens")


def test_parts_of_speech_are_scored_by_accuracy_unless_f1_is_asked_for(store: Store) -> None:
    query = "SELECT ['the', 'film' || i] AS tokens, ['DET', 'NOUN'] AS tags FROM range(40) t(i)"
    assert register(store, query).data.metric == "accuracy"
    assert register(store, query, "metric = 'f1_entity'").data.metric == "f1_entity"
    assert "use f1_entity or accuracy" in refusal(store, query, "metric = 'matthews'")


def test_entities_may_be_scored_by_accuracy(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {"a.jsonl": json_lines(SENTENCES)})
    found = register(store, root, "metric = 'accuracy'")
    assert found.data.metric == "accuracy"
    assert not found.said("prefixes")


@pytest.mark.parametrize("tags", [["O"], [], ["O"] * 99])
def test_lists_of_unequal_length_are_refused_with_their_row(
    store: Store, tmp_path: Path, tags: list[str]
) -> None:
    message = refusal(store, write(tmp_path, {"a.jsonl": lines(changed(7, tokens=["a", "b"], tags=tags))}))
    assert f'row 8 has 2 tokens in "tokens" and {len(tags)} tags in "tags"' in message


def test_labels_of_texts_beside_tokens_are_told_from_tags(store: Store, tmp_path: Path) -> None:
    rows = [
        {"text": f"text {i}", "tokens": ["text", str(i)], "topics": ["a", "b", "c"][: i % 3 + 1]}
        for i in range(40)
    ]
    root = write(tmp_path, {"a.jsonl": lines(rows)})
    message = refusal(store, root, "label = 'topics'")
    assert "row 1 has 2 tokens" in message
    assert "labels of the texts in text, WITH (task = 'multi_label_classification')" in message
    found = register(store, root, "label = 'topics', task = 'multi_label_classification'")
    assert found.task == "multi_label_classification"


def test_rows_without_tokens_or_with_one_missing_are_left_out(store: Store, tmp_path: Path) -> None:
    rows = with_columns()
    rows[3] = {"tokens": [], "tags": []}
    rows[5] = {"tokens": None, "tags": ["O"]}
    rows[8] = {"tokens": ["a", "b"], "tags": ["O", None]}
    rows[9] = {"tokens": ["a", None], "tags": ["O", "O"]}
    rows[10] = {"tokens": ["a"], "tags": None}
    rows[11] = {"tokens": ["a", "b"], "tags": ["O", " "]}
    found = register(store, write(tmp_path, {"a.jsonl": lines(rows)}))
    assert sum(found.sizes) == len(rows) - 6
    [said] = [notice for notice in found.notices if "left out" in notice]
    assert "6 of 60 rows are left out, 2 without tokens and 4 with a token or a tag missing" in said
    assert "the first is row 4" in said


def test_a_test_split_without_tags_counts_as_missing(store: Store, tmp_path: Path) -> None:
    untagged = [{"tokens": words, "tags": [-1] * len(words)} for words, _ in SENTENCES]
    tagged = [{"tokens": words, "tags": [TAGS.index(t) for t in tags]} for words, tags in SENTENCES]
    files = {"train.jsonl": lines(tagged), "test.jsonl": lines(untagged)}
    found = register(store, write(tmp_path, files))
    assert found.said("none of the 60 rows of test has tags")
    assert sum(found.sizes) == 60


def test_a_split_without_entities_is_said(store: Store, tmp_path: Path) -> None:
    nothing = [{"tokens": ["nothing", str(i)], "tags": ["O", "O"]} for i in range(10)]
    files = {"train.jsonl": json_lines(SENTENCES), "test.jsonl": lines(nothing)}
    assert register(store, write(tmp_path, files)).said("test has no entity", "its score is 0")


def test_a_tag_that_train_lacks_is_said(store: Store, tmp_path: Path) -> None:
    rare = [{"tokens": ["x", str(i)], "tags": ["B-NEW", "O"]} for i in range(3)]
    found = register(
        store, write(tmp_path, {"train.jsonl": json_lines(SENTENCES), "test.jsonl": lines(rare)})
    )
    assert found.labels == [*TAGS[:1], "B-NEW", *TAGS[1:]]
    assert found.said("no token in train has the tags 'B-NEW' (3 in test)")


def test_one_tag_is_nothing_to_learn(store: Store) -> None:
    query = "SELECT ['the', 'film' || i] AS tokens, ['O', 'O'] AS tags FROM range(40) t(i)"
    assert "every tag in train is 'O'" in refusal(store, query)


def test_other_columns_of_any_name_do_not_matter(store: Store, tmp_path: Path) -> None:
    more = {"tag": "x", "token": 1, "value": [1], "id": "7", "line": "y", "row": 3, "text": "the whole text"}
    found = register(store, write(tmp_path, {"a.jsonl": lines(with_columns(**more))}))
    assert (found.task, sum(found.sizes)) == ("token_classification", 60)


def test_a_text_and_a_label_beside_tokens_are_a_text_classification(store: Store, tmp_path: Path) -> None:
    rows = [{**row, "text": f"text {i}", "label": "ab"[i % 2]} for i, row in enumerate(with_columns())]
    root = write(tmp_path, {"a.jsonl": lines(rows)})
    assert register(store, root).task == "text_classification"
    assert register(store, root, "task = 'token_classification'").labels == list(TAGS)
    assert register(store, root, "text = 'tokens', label = 'tags'").labels == list(TAGS)


def test_texts_and_numbers_among_tokens_are_texts(store: Store, tmp_path: Path) -> None:
    rows = [{"tokens": [*words, 1994, "x"], "tags": [*tags, "O", "O"]} for words, tags in SENTENCES]
    found = register(store, write(tmp_path, {"a.jsonl": lines(rows)}))
    assert all(words[-2:] == ["1994", "x"] for words in found.data.train["text"].to_pylist())


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ("tokens, 'x' AS tags", "", 'its column "tokens" holds lists and "tags" one value a row'),
        ("[1, 2] AS tokens, tags[1:2] AS tags", "", "must be a list of texts"),
        ("tokens, list_transform(tags, lambda t: 0.5) AS tags", "", "a list of texts or whole numbers"),
        ("list_transform(tokens, lambda t: {'field': t}) AS tokens, tags", "", "lambda one: one.field"),
        ("[tokens] AS tokens, [tags] AS tags", "", "must be a list of texts"),
        ("array_to_string(tokens, ' ') AS tokens, array_to_string(tags, ' ') AS tags", "", "string_split"),
        ("tokens::VARCHAR AS tokens, tags::VARCHAR AS tags", "", '"tokens"::VARCHAR[] AS tokens'),
        ("tokens, tags, ''::BLOB AS image", "", "both a tokens and an image column"),
        ("tokens, tags, ''::BLOB AS image", "image = 'image', task = 'token_classification'", "option image"),
        ("tokens, tags", "text = 'word'", 'there is no column "word"'),
        ("tokens, tags", "split = 'part'", 'there is no column "part"'),
        ("tokens, tags", "task = 'text_classification'", "no column label"),
        (
            "[array_to_string(tokens, ' ')] AS tokens, tags[1:1] AS tags",
            "",
            "lists of texts of several words",
        ),
    ],
)
def test_what_is_no_list_of_tokens_or_tags_is_refused(
    store: Store, tmp_path: Path, columns: str, options: str, said: str
) -> None:
    path = write(tmp_path, {"a.jsonl": json_lines(SENTENCES)}) / "a.jsonl"
    assert said in refusal(store, f"SELECT {columns} FROM '{path}'", options)


@pytest.mark.parametrize("query", ["string_split", "::VARCHAR[]"])
def test_the_proposed_query_makes_the_lists(store: Store, tmp_path: Path, query: str) -> None:
    path = write(tmp_path, {"a.jsonl": json_lines(SENTENCES)}) / "a.jsonl"
    as_text = "array_to_string({0}, ' ') AS {0}" if query == "string_split" else "{0}::VARCHAR AS {0}"
    written = f"(SELECT {as_text.format('tokens')}, {as_text.format('tags')} FROM '{path}')"
    proposed = refusal(store, f"SELECT * FROM {written}").rpartition(", SELECT ")[2]
    assert query in proposed
    assert register(store, f"SELECT {proposed} FROM {written}").labels == list(TAGS)


# --- files in the manner of CoNLL

FIRST = "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n# CD B-NP O\n"


def conll(count: int, pattern: str = "{word}{n} NN B-NP {tag}\n", start: int = 0) -> str:
    """Sentences of which no two are alike."""
    return conll_lines(SENTENCES[:count], pattern, start)


def test_conll_files_are_read_by_the_proposed_query(store: Store, tmp_path: Path) -> None:
    begin = f"-DOCSTART- -X- -X- O\n\n{FIRST}\n"
    files = {
        "eng.train": begin + conll(40),
        "eng.testa": conll(10, start=100),
        "eng.testb": conll(12, start=200),
    }
    found = register_as_proposed(store, write(tmp_path, files))
    assert (found.task, found.data.metric, found.sizes) == ("token_classification", "f1_entity", (41, 10, 12))
    assert set(found.labels) == {*TAGS, "B-ORG"}
    assert ["EU", "rejects", "#"] in found.data.train["text"].to_pylist()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.conll", conll(40).replace("\n", "\r\n")),
        ("a.bio", conll(40, "{word}{n}\t{tag}\n")),
        ("a.tsv", conll(40, "{word}{n}\t{tag}\n")),
        ("a.txt", "\n\n" + conll(40).rstrip()),
        ("a.conll", conll(40).replace("\n\n", "\n \n\n")),
        ("train.txt", conll(40, "ﬁ\u00a0x{word}{n}\u2028 {tag}\n")),
        ("a.conll", "".join(f"# id {i} domain=x\n{conll(1, start=i)}" for i in range(40))),
    ],
)
def test_a_conll_file_of_any_spelling_is_read(store: Store, tmp_path: Path, name: str, text: str) -> None:
    found = register_as_proposed(store, write(tmp_path, {name: text}) / name)
    assert sum(found.sizes) == 40
    assert set(found.labels) <= set(TAGS)


def test_folders_say_the_split_of_conll_files_and_others_are_left_out(store: Store, tmp_path: Path) -> None:
    files = {"train/a.txt": conll(30), "devel.tsv": conll(8, "{word}{n}\t{tag}\n", 100), "x.txt": conll(9)}
    assert "it leaves out x.txt" in refusal(
        store, write(tmp_path, {**files, "test/b.txt": conll(7, start=200)})
    )
    assert register_as_proposed(store, tmp_path).sizes == (30, 8, 7)


def test_universal_dependencies_give_words_and_parts_of_speech(store: Store, tmp_path: Path) -> None:
    sentence = "# text = vamos\n1-2\tvamos\t_\t_\t_\t_\t_\t_\t_\t_\n1\tva{0}\tir\tVERB\t_\t_\t0\troot\t_\t_\n"
    sentence += "2\tmos\tnos\tPRON\t_\t_\t1\tobj\t_\t_\n\n"
    text = "".join(sentence.format(i) for i in range(40))
    found = register_as_proposed(store, write(tmp_path, {"es-ud-train.conllu": text}))
    assert (found.labels, found.data.metric) == (["PRON", "VERB"], "accuracy")
    assert all(len(words) == 2 for words in found.data.train["text"].to_pylist())


@pytest.mark.parametrize(
    "text",
    [
        "one line here\nand another\n\na third one in it\n",
        "a b\n\na b\n",
        "word\n\nother\n",
        "".join(f"w{i} t{i}\n\n" for i in range(40)),
    ],
)
def test_a_text_with_blank_lines_is_no_conll_file(store: Store, tmp_path: Path, text: str) -> None:
    assert "AS tokens" not in refusal(store, write(tmp_path, {"a.txt": text}))
