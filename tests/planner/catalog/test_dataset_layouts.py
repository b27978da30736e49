"""Folders as people and the hub lay them out: configurations, splits, descriptions, and what is left out."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from registering import classes, csv, refusal, register, register_as_proposed, write

import modelstore
from modelstore.data.split_names import KEYWORDS

Store = modelstore.Connection


def parquet(path: Path, labels: list[object], start: int = 0, **columns: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [f"good text number {start + i}" for i in range(len(labels))]
    pq.write_table(pa.table({"text": texts, "label": labels, **columns}), path)


def test_the_words_for_splits_are_the_librarys() -> None:
    from datasets.data_files import SPLIT_KEYWORDS

    assert {str(split): tuple(words) for split, words in SPLIT_KEYWORDS.items()} == KEYWORDS


# --- configurations


def two_configurations(root: Path) -> Path:
    for split, count, start in (("train", 40, 0), ("validation", 10, 40), ("test", 10, 50)):
        parquet(root / f"split/{split}-00000-of-00001.parquet", classes(count), start)
    parquet(root / "unsplit/train-00000-of-00001.parquet", classes(60))
    return root


def test_folders_with_the_same_split_are_configurations(store: Store, tmp_path: Path) -> None:
    root = two_configurations(tmp_path)
    message = refusal(store, root)
    assert "several configurations (split, unsplit)" in message
    assert "WITH (config = 'split')" in message
    assert register(store, root, "config = 'split'").sizes == (40, 10, 10)
    assert sum(register(store, root, "config = 'unsplit'").sizes) == 60
    assert 'no configuration "splits" (did you mean "split"?): it has' in refusal(
        store, root, "config = 'splits'"
    )


def test_the_default_configuration_of_the_card_is_taken(store: Store, tmp_path: Path) -> None:
    root = two_configurations(tmp_path)
    card = "---\nconfigs:\n- config_name: split\n  default: true\n  data_files:\n"
    card += "  - {split: train, path: split/train-*}\n  - {split: test, path: split/test-*}\n"
    card += "- config_name: unsplit\n  data_files: unsplit/*\n---\n# Card\n"
    write(root, {"README.md": card})
    assert register(store, root).sizes == (36, 4, 10)
    assert sum(register(store, root, "config = 'unsplit'").sizes) == 60
    write(root, {"README.md": card.replace("  default: true\n", "")})
    assert "several configurations (split, unsplit)" in refusal(store, root)


@pytest.mark.parametrize("languages", [("en", "de"), ("a/x", "b/x"), ("2019", "2020")])
def test_folders_of_one_shape_without_splits_are_configurations(
    store: Store, tmp_path: Path, languages: tuple[str, str]
) -> None:
    write(tmp_path, {f"{language}/part.csv": csv(classes(40)) for language in languages})
    assert "several configurations" in refusal(store, tmp_path)


def test_configurations_may_stand_deeper(store: Store, tmp_path: Path) -> None:
    write(
        tmp_path, {f"data/{name}/train.csv": csv(classes(count)) for name, count in (("en", 40), ("de", 60))}
    )
    assert "several configurations (data/de, data/en)" in refusal(store, tmp_path)
    for config in ("en", "data/en"):
        assert sum(register(store, tmp_path, f"config = '{config}'").sizes) == 40
    assert "has no configuration" in refusal(store, tmp_path, "config = 'fr'")


@pytest.mark.parametrize("content", ['["a", "b"]', '{"a": 0,\n "b": 1}', "{}"])
def test_a_description_in_json_is_no_rows(store: Store, tmp_path: Path, content: str) -> None:
    found = register(store, write(tmp_path, {"data.csv": csv(classes(40)), "labels.json": content}))
    assert sum(found.sizes) == 40
    assert found.said("labels.json", "left out")


def test_a_split_in_a_folder_of_its_own_is_no_configuration(store: Store, tmp_path: Path) -> None:
    write(tmp_path, {"data/train.csv": csv(classes(40)), "holdout/test.csv": csv(classes(10), start=40)})
    assert register(store, tmp_path).sizes == (36, 4, 10)


def test_the_cards_files_are_the_splits(store: Store, tmp_path: Path) -> None:
    card = "---\nconfigs: [{config_name: default, data_files: [{split: train, path: data/abc.csv}, "
    card += "{split: test, path: holdout/ghi.csv}]}]\n---\n"
    files = {
        "README.md": card,
        "data/abc.csv": csv(classes(40)),
        "holdout/ghi.csv": csv(classes(10), start=40),
    }
    found = register(store, write(tmp_path, {**files, "data/old.csv": csv(classes(30), start=99)}))
    assert found.sizes == (36, 4, 10)
    assert not any("99" in text for text, _ in found.rows())


@pytest.mark.parametrize(
    ("data_files", "message"),
    [
        ("nothing/*.csv", 'names the files "nothing/*.csv"'),
        ("../other.csv", "not in the folder"),
        ("https://example.org/x.csv", "not in the folder"),
    ],
)
def test_a_card_that_names_no_files_here_is_refused(
    store: Store, tmp_path: Path, data_files: str, message: str
) -> None:
    card = f"---\nconfigs:\n- config_name: default\n  data_files: {data_files}\n---\n"
    assert message in refusal(store, write(tmp_path, {"README.md": card, "a.csv": csv(classes(40))}))


def test_a_card_that_names_lines_of_text_has_a_proposal(store: Store, tmp_path: Path) -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files: '*.txt'\n---\n"
    root = write(tmp_path, {"README.md": card, "a.txt": csv(classes(40), "", delimiter="\t")})
    assert "which are no Parquet, CSV, JSON or image files: a.txt" in refusal(store, root)
    assert sum(register_as_proposed(store, root).sizes) == 40


def test_a_card_that_cannot_be_read_is_named(store: Store, tmp_path: Path) -> None:
    write(tmp_path, {"README.md": "---\nconfigs: [\n---\n", "a.csv": csv(classes(40))})
    assert "README.md" in refusal(store, tmp_path)


def test_the_cards_settings_of_csv_are_applied_and_others_named(store: Store, tmp_path: Path) -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files: a.csv\n  sep: '|'\n  names: [text, label]\n"
    card += "  header: null\n  skiprows: 3\n---\n"
    rows = csv(classes(40), header="", delimiter="|")
    found = register(store, write(tmp_path, {"README.md": card, "a.csv": rows}))
    assert sum(found.sizes) == 40
    assert found.said("skiprows is not applied")


def test_splits_of_the_card_that_are_no_splits_are_left_out_and_pooled_ones_named(
    store: Store, tmp_path: Path
) -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n"
    names = ("train", "validation_matched", "validation_mismatched", "unsupervised")
    card += "".join(f"  - {{split: {name}, path: {name}.csv}}\n" for name in names) + "---\n"
    files = {f"{name}.csv": csv(classes(20), start=20 * i) for i, name in enumerate(names)}
    found = register(store, write(tmp_path, {"README.md": card, **files}))
    assert found.sizes == (18, 40, 2)
    assert found.said("unsupervised", "left out")
    assert found.said("validation_matched and validation_mismatched")


# --- names of splits, and files that hold no rows


def test_a_split_of_another_name_is_left_out(store: Store, tmp_path: Path) -> None:
    for split, label in (("train", 0), ("test", 0), ("unsupervised", -1)):
        labels = classes(40, (label, -1 if label else 1))
        parquet(tmp_path / f"plain_text/{split}-00000-of-00001.parquet", labels, start=len(split))
    found = register(store, tmp_path)
    assert found.sizes == (36, 4, 40)
    assert found.said("unsupervised-00000-of-00001.parquet", "left out")


@pytest.mark.parametrize("unknown", [-1, -1.0, None, float("nan")])
def test_a_test_split_without_labels_counts_as_missing(store: Store, tmp_path: Path, unknown: object) -> None:
    parquet(tmp_path / "train.parquet", classes(40))
    parquet(tmp_path / "validation.parquet", classes(10), 40)
    parquet(tmp_path / "test.parquet", [unknown] * 20, 50)
    found = register(store, tmp_path)
    assert found.sizes == (36, 10, 4)
    assert found.labels == ["0", "1"]
    assert found.said("none of the 20 rows of test has a label")


def test_minus_one_is_a_class_where_train_has_it(store: Store, tmp_path: Path) -> None:
    parquet(tmp_path / "train.parquet", classes(40, (-1, 1)))
    parquet(tmp_path / "test.parquet", classes(10, (-1,)), 40)
    assert register(store, tmp_path).sizes == (36, 4, 10)


@pytest.mark.parametrize(
    "extra",
    [
        {"label2id.json": json.dumps({"neg": 0, "pos": 1})},
        {"categories.json": json.dumps(["neg", "pos"])},
        {"sample_submission.csv": "id,label\n1,0\n2,0\n"},
        {"vocab.csv": "word,count\na,1\n"},
    ],
)
def test_files_that_are_no_data_are_left_out_by_name(
    store: Store, tmp_path: Path, extra: dict[str, str]
) -> None:
    parquet(tmp_path / "train.parquet", classes(40))
    found = register(store, write(tmp_path, {**extra}))
    assert sum(found.sizes) == 40
    assert found.said(next(iter(extra)), "left out")


def test_a_test_file_without_a_column_of_labels_counts_as_missing(store: Store, tmp_path: Path) -> None:
    files = {
        "train.csv": csv(classes(40)),
        "test.csv": "text\nan unknown text\nanother\n",
        "sample_submission.csv": "id,label\n0,0\n1,0\n",
    }
    found = register(store, write(tmp_path, files))
    assert found.sizes == (32, 4, 4)
    assert found.said("test.csv", "no column of labels")
    assert found.said("sample_submission.csv", "left out")


@pytest.mark.parametrize("name", ["dev.tsv", "valid.tsv", "test/part.tsv"])
def test_a_file_of_another_shape_is_named(store: Store, tmp_path: Path, name: str) -> None:
    rows = {
        "train.tsv": csv(classes(40), "text\tlabel", delimiter="\t"),
        name: csv(classes(10), "", 40, "\t"),
    }
    message = refusal(store, write(tmp_path, rows))
    assert name.rpartition("/")[2] in message
    assert "of another shape than" in message


def test_a_column_split_gives_way_to_the_names_of_files_unless_it_is_named(
    store: Store, tmp_path: Path
) -> None:
    rows = "".join(f"good text {i},{i % 2},{'train' if i < 30 else 'test'}\n" for i in range(40))
    more = "".join(f"good text {i},{i % 2},train\n" for i in range(40, 50))
    head = "text,label,split\n"
    root = write(tmp_path, {"train.csv": head + rows, "test.csv": head + more})
    assert register(store, root).sizes == (36, 4, 10)
    assert register(store, root, "split = 'split'").sizes == (36, 4, 10)


def test_splits_may_be_of_different_kinds_of_files(store: Store, tmp_path: Path) -> None:
    parquet(tmp_path / "validation.parquet", classes(10), 40)
    line = json.dumps({"text": "one more text", "label": 1})
    assert register(store, write(tmp_path, {"train.csv": csv(classes(40)), "test.jsonl": line})).sizes == (
        36 + 4,
        10,
        1,
    )


def test_pooled_files_are_named(store: Store, tmp_path: Path) -> None:
    write(tmp_path, {"films.csv": csv(classes(20)), "books.csv": csv(classes(20), start=20)})
    found = register(store, tmp_path)
    assert sum(found.sizes) == 40
    assert found.said("books.csv, films.csv", "pooled")


@pytest.mark.parametrize("where", ["a folder", "a dictionary"])
def test_a_folder_of_save_to_disk_is_read_with_its_class_names(
    store: Store, tmp_path: Path, where: str
) -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])})
    rows = {"text": [f"good text number {i}" for i in range(40)], "label": classes(40)}
    saved = Dataset.from_dict(rows, features=features)
    if where == "a dictionary":
        more = Dataset.from_dict({"text": ["a new text"] * 2, "label": [0, 1]}, features=features)
        saved = DatasetDict({"train": saved, "test": more, "extra": more})
    saved.save_to_disk(str(tmp_path / "saved"))
    found = register(store, tmp_path / "saved")
    assert found.labels == ["negative", "positive"]
    assert set(found.rows()) <= {
        (f"good text number {i}", ["negative", "positive"][i % 2]) for i in range(40)
    }
    assert found.sizes == ((32, 4, 4) if where == "a folder" else (36, 4, 2))
    assert where == "a folder" or found.said("extra", "left out")


def test_class_names_of_parquet_files_and_of_the_card_are_those_of_the_catalog(
    store: Store, tmp_path: Path
) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["positive", "negative"])})
    rows = {"text": [f"good text number {i}" for i in range(40)], "label": classes(40)}
    Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "rows.parquet"))
    found = register(store, tmp_path / "rows.parquet")
    assert found.labels == ["positive", "negative"]
    assert register(store, tmp_path).labels == ["positive", "negative"]
    assert ("good text number 1", "negative") in found.rows() + found.rows("test") + found.rows("validation")
    plain = tmp_path / "plain"
    parquet(plain / "train.parquet", classes(40, (1, 0)))
    card = "---\ndataset_info:\n  features:\n  - {name: text, dtype: string}\n  - name: label\n    dtype:\n"
    card += "      class_label:\n        names: {'0': ham, '1': spam}\n---\n"
    assert register(store, write(plain, {"README.md": card})).labels == ["ham", "spam"]


def test_a_class_name_that_holds_a_quote_is_kept(store: Store, tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["it's", 'a "b"'])})
    rows = {"text": [f"good text number {i}" for i in range(40)], "label": classes(40)}
    Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "rows.parquet"))
    assert register(store, tmp_path / "rows.parquet").labels == ["it's", 'a "b"']


def test_files_that_name_their_classes_differently_are_refused(store: Store, tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    for split, names in (("train", ["ham", "spam"]), ("test", ["spam", "ham"])):
        features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
        rows = {"text": [f"{split} text number {i}" for i in range(40)], "label": classes(40)}
        Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / f"{split}.parquet"))
    assert "name the classes of label in different orders" in refusal(store, tmp_path)


# --- files that are not there


@pytest.mark.parametrize("name", ["train.csv", "train.parquet", "a.jsonl", "train/cat/1.png"])
def test_a_pointer_of_git_lfs_is_named(store: Store, tmp_path: Path, name: str) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    assert "git lfs pull" in refusal(store, write(tmp_path, {name: pointer}))


@pytest.mark.parametrize("name", ["images.zip", "train.csv.bz2", "shard-0.tar", "a.jsonl.xz"])
def test_archives_are_named(store: Store, tmp_path: Path, name: str) -> None:
    root = write(tmp_path, {name: b"PK\3\4"})
    assert name in refusal(store, root)
    assert "unpack" in refusal(store, root / name)


def test_parts_that_are_missing_are_counted(store: Store, tmp_path: Path) -> None:
    parquet(tmp_path / "data/train-00000-of-00003.parquet", classes(40))
    parquet(tmp_path / "data/train-00002-of-00003.parquet", classes(40), 40)
    found = register(store, tmp_path)
    assert sum(found.sizes) == 80
    assert found.said("only 2 of the 3 parts of data/train.parquet are there")


# --- any path


@pytest.mark.parametrize(
    "folder", ["data[v1]", "what?", "a*b", "it's", 'a "b"', "{a,b}", "[!x]", "sp ace", "é"]
)
def test_a_path_means_exactly_itself(store: Store, tmp_path: Path, folder: str) -> None:
    others = {
        f"{other}/train.csv": csv(classes(10), start=100) for other in ("data1", "whats", "ab", "aXb", "v")
    }
    root = write(tmp_path, {**others, f"{folder}/train.csv": csv(classes(40))}) / folder
    for path in (root, root / "train.csv"):
        found = register(store, path)
        assert sum(found.sizes) == 40
        assert not any("number 10" in text and len(text) > 19 for text, _ in found.rows())


def test_hidden_files_and_caches_are_no_data(store: Store, tmp_path: Path) -> None:
    bad = "no,data\n1,2\n"
    files = dict.fromkeys((".cache/train.csv", "__MACOSX/train.csv", "__pycache__/a.csv", ".train.csv"), bad)
    assert sum(register(store, write(tmp_path, {**files, "train.csv": csv(classes(40))})).sizes) == 40
