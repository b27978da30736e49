"""Values as files have them: labels of every spelling, encodings, quotes, lists; and what is suspicious."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from registering import classes, csv, refusal, register, register_as_proposed, write

import modelstore

Store = modelstore.Connection


def lines(labels: list[object], start: int = 0) -> str:
    return "".join(
        json.dumps({"text": f"good text number {start + i}", "label": one}) + "\n"
        for i, one in enumerate(labels)
    )


# --- labels


def test_no_label_is_changed_by_what_stands_first(store: Store, tmp_path: Path) -> None:
    rows = csv(classes(30_000, (0, 1, 2, 3, 4)))
    rows += "".join(f"late {i},3.5\n" for i in range(20)) + "".join(f"later {i},01\n" for i in range(20))
    found = register(store, write(tmp_path, {"a.csv": rows}) / "a.csv")
    assert sorted(found.labels) == ["0", "01", "1", "2", "3", "3.5", "4"]
    stored = found.rows() + found.rows("validation") + found.rows("test")
    every = Counter(label for _, label in stored)
    assert (every["3.5"], every["01"], every["4"]) == (20, 20, 6000)


@pytest.mark.parametrize("late", ["n/a", "1e3", "true", "2020-01-01", "007"])
def test_a_late_label_of_another_kind_stays_a_text(store: Store, tmp_path: Path, late: str) -> None:
    rows = csv([*classes(21_000), *[late] * 20])
    assert late in register(store, write(tmp_path, {"a.csv": rows}) / "a.csv").labels


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_number_with_a_point_is_the_same_class(store: Store, tmp_path: Path, kind: str) -> None:
    if kind == "csv":
        write(tmp_path, {"train.csv": csv(classes(40)), "test.csv": csv(classes(10, (0.0, 1.0)), start=40)})
    elif kind == "jsonl":
        write(tmp_path, {"train.jsonl": lines(classes(40)), "test.jsonl": lines(classes(10, (0.0, 1.0)), 40)})
    else:
        for split, names, size in (("train", (0, 1), 40), ("test", (0.0, 1.0), 10)):
            texts = [f"{split} text {i}" for i in range(size)]
            pq.write_table(
                pa.table({"text": texts, "label": classes(size, names)}), tmp_path / f"{split}.parquet"
            )
    found = register(store, tmp_path)
    assert (found.task, found.labels, found.sizes) == ("text_classification", ["0", "1"], (36, 4, 10))
    assert found.said("1.0 is 1", "regression")


def test_whole_numbers_are_a_regression_only_when_asked(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {"a.csv": csv(classes(90, tuple(range(30))))})
    found = register(store, root)
    assert (found.task, len(found.labels)) == ("text_classification", 30)
    assert found.said("30 different whole numbers", "task = 'regression'")
    assert register(store, root, "task = 'regression'").task == "regression"
    unique = write(tmp_path / "unique", {"a.csv": csv(range(90))})
    assert "task = 'regression'" in refusal(store, unique)


def test_many_numbers_that_are_not_whole_are_a_regression(store: Store, tmp_path: Path) -> None:
    found = register(store, write(tmp_path, {"a.csv": csv([i / 7 for i in range(90)])}))
    assert found.task == "regression"
    assert found.said("regression")
    assert found.rows()[1][1] == pytest.approx(float(found.rows()[1][0].split()[-1]) / 7)
    few = write(tmp_path / "few", {"a.csv": csv(classes(90, (1, 1.5, 2)))})
    found = register(store, few)
    assert (found.task, found.labels) == ("text_classification", ["1", "1.5", "2"])
    assert found.said("3 different numbers", "task = 'regression'")
    one_word = write(tmp_path / "word", {"a.csv": csv([*(i / 7 for i in range(90)), "none"])})
    assert "none" in refusal(store, one_word, "task = 'regression'") or "no number" in refusal(
        store, one_word, "task = 'regression'"
    )


def test_numbers_and_texts_of_json_are_the_same_labels(store: Store, tmp_path: Path) -> None:
    found = register(
        store, write(tmp_path, {"a.jsonl": lines(classes(30)) + lines(classes(10, ("0", "1")), 30)})
    )
    assert found.labels == ["0", "1"]
    assert sum(found.sizes) == 40
    array = json.dumps(
        [json.loads(line) for line in lines(classes(40, (True, False))).splitlines()], indent=1
    )
    assert register(store, write(tmp_path / "array", {"a.json": array})).labels == ["false", "true"]


def test_objects_are_no_labels(store: Store, tmp_path: Path) -> None:
    assert "of type STRUCT" in refusal(store, write(tmp_path, {"a.jsonl": lines([{"a": 1}] * 40)}))


@pytest.mark.parametrize("column", ["text", "label"])
def test_a_list_in_some_rows_is_no_text_or_label(store: Store, tmp_path: Path, column: str) -> None:
    rows = [
        {"text": f"good text {i}", "label": str(i % 2)} | ({column: ["a"]} if i > 30 else {})
        for i in range(40)
    ]
    root = write(tmp_path, {"a.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    assert f'its column "{column}" holds lists or objects in some rows' in refusal(store, root)


def test_json_with_a_mark_is_read_or_refused(store: Store, tmp_path: Path) -> None:
    assert sum(register(store, write(tmp_path, {"a.jsonl": "\ufeff" + lines(classes(40))})).sizes) == 40
    array = "\ufeff" + json.dumps([json.loads(line) for line in lines(classes(40)).splitlines()])
    assert "begins with a byte-order mark" in refusal(store, write(tmp_path / "array", {"a.json": array}))


def test_lists_written_as_text_are_no_classes(store: Store, tmp_path: Path) -> None:
    rows = csv(classes(40, ('"[0, 1]"', "[2]")))
    message = refusal(store, write(tmp_path, {"a.csv": rows}))
    assert "holds lists written as text" in message
    assert "WITH (task = 'multi_label_classification')" in message


def test_a_column_of_a_query_that_holds_objects_is_refused(store: Store) -> None:
    assert "of type STRUCT" in refusal(store, "SELECT {'a': 1} AS text, i % 2 AS label FROM range(40) t(i)")


# --- encodings, delimiters, quotes and rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"])
def test_encodings_with_a_mark_are_read(store: Store, tmp_path: Path, encoding: str) -> None:
    text = csv(classes(39)) + "“é” — 你好,1\n"
    content = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    found = register(store, write(tmp_path, {"a.csv": content}))
    texts = [text for split in ("train", "validation", "test") for text, _ in found.rows(split)]
    assert "“é” — 你好" in texts


def test_latin_1_is_refused_with_the_line_and_the_statement_that_reads_it(
    store: Store, tmp_path: Path
) -> None:
    content = (csv(classes(30)) + "un café,1\n" + csv(classes(20), "", 50)).encode("latin-1")
    path = write(tmp_path, {"a.csv": content}) / "a.csv"
    message = refusal(store, path)
    assert f'"{path}", line 32' in message
    assert "encoding = 'latin-1'" in message
    found = register_as_proposed(store, path)
    assert sum(found.sizes) == 51
    assert "un café" in [text for split in ("train", "validation", "test") for text, _ in found.rows(split)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_says_the_delimiter(store: Store, tmp_path: Path, delimiter: str) -> None:
    rows = f"text{delimiter}label\n" + "".join(f'"a, b; c | d {i}"{delimiter}{i % 2}\n' for i in range(40))
    assert register(store, write(tmp_path, {"a.csv": rows})).rows()[0][0].startswith("a, b; c | d")


def test_commas_and_quotes_in_a_file_with_tabs_are_texts(store: Store, tmp_path: Path) -> None:
    rows = "text\tlabel\n" + "".join(f'"So, he said" and left {i}\t{i % 2}\n' for i in range(40))
    rows += 'He "left", she said.\t0\n"never closed\t1\nthe "end"\t0\n'
    found = register(store, write(tmp_path, {"a.tsv": rows}))
    assert sum(found.sizes) == 43
    every = [text for split in ("train", "validation", "test") for text, _ in found.rows(split)]
    assert {'"So, he said" and left 3', '"never closed', 'the "end"'} <= set(every)


@pytest.mark.parametrize("blank", ["\t", "\n", " "])
def test_quotes_that_pandas_writes_are_none_of_the_text(store: Store, tmp_path: Path, blank: str) -> None:
    rows = "text\tlabel\n" + "".join(f'"a ""quoted""{blank}of {i}"\t{i % 2}\n' for i in range(40))
    found = register(store, write(tmp_path, {"a.tsv": rows}))
    assert sum(found.sizes) == 40
    assert found.rows()[0][0].startswith(f'a "quoted"{blank}of ')
    plain = "text\tlabel\n" + "".join(f'"text {i}"\t{i % 2}\n' for i in range(40))
    assert register(store, write(tmp_path / "plain", {"a.tsv": plain})).rows()[0][0].startswith("text")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("one,0,more\n", "it has 3 values where the header has 2"),
        ("one\n", "it has 1 value where the header has 2"),
        ('"one" and more,0\n', "a quote is not closed, or text follows it"),
    ],
)
def test_a_ragged_row_is_named_with_its_line(store: Store, tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, {"a.csv": csv(classes(30)) + row + csv(classes(9), "", 40)}) / "a.csv"
    said = refusal(store, path)
    assert f'"{path}", line 32' in said
    assert message in said
    assert sum(register_as_proposed(store, path).sizes) == (40 if "quote" in message else 39)
    store.begin()
    assert refusal(store, path) == said
    store.rollback()


def test_two_kinds_of_line_ends_are_refused_with_what_reads_them(store: Store, tmp_path: Path) -> None:
    text = csv(classes(40), "review,stars")
    path = write(tmp_path, {"a.csv": text[:300] + text[300:].replace("\n", "\r\n")}) / "a.csv"
    message = refusal(store, path, "text = 'review', label = 'stars'")
    assert "does not keep to the rules of CSV" in message
    store.execute("DROP DATASET IF EXISTS d")
    store.execute(message[message.index("CREATE DATASET") :])
    assert store.execute("SELECT train_rows FROM datasets WHERE name = 'd'").fetchone() == (32,)


def test_rows_that_end_as_on_windows_are_read(store: Store, tmp_path: Path) -> None:
    found = register(store, write(tmp_path, {"a.csv": csv(classes(40)).replace("\n", "\r\n")}))
    assert found.labels == ["0", "1"]


def test_a_row_without_a_value_is_named(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path, {"a.csv": csv([*classes(30), "", *classes(9)])})
    assert 'no label in the column "label" (the first is row 31)' in refusal(store, path)


def test_an_empty_file_is_named(store: Store, tmp_path: Path) -> None:
    assert "is empty" in refusal(store, write(tmp_path, {"a.csv": ""}) / "a.csv")
    assert "it has no rows" in refusal(store, write(tmp_path, {"b.csv": "text,label\n"}) / "b.csv")


def test_compressed_files_are_read(store: Store, tmp_path: Path) -> None:
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(csv(classes(40)).encode()))
    assert sum(register(store, tmp_path).sizes) == 40
    for name, text in (
        ("a.jsonl.zst", lines(classes(40))),
        ("b.tsv.zst", csv(classes(40), "text\tlabel", 0, "\t")),
    ):
        with pa.CompressedOutputStream(str(tmp_path / name), "zstd") as file:
            file.write(text.encode())
        assert sum(register(store, tmp_path / name).sizes) == 40


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.csv.zst"])
def test_a_damaged_archive_is_named(store: Store, tmp_path: Path, name: str) -> None:
    whole = gzip.compress(csv(classes(4000)).encode())
    for content in (b"no archive at all", whole[: len(whole) // 2]):
        assert name in refusal(store, write(tmp_path, {name: content}) / name)


def test_a_file_that_cannot_be_opened_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "train.csv").symlink_to(tmp_path / "gone")
    assert "train.csv" in refusal(store, tmp_path)


def test_values_of_files_that_do_not_go_together_are_one_sentence(store: Store, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"] * 9, "label": [{"a": 1}] * 9}), tmp_path / "train.parquet")
    pq.write_table(pa.table({"text": ["a"] * 9, "label": [1] * 9}), tmp_path / "test.parquet")
    assert "label" in refusal(store, tmp_path)


def test_damaged_json_and_parquet_are_named(store: Store, tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": lines(classes(30)) + '{"text": \n', "b.parquet": b"PAR1 nothing"})
    assert "a.jsonl" in refusal(store, tmp_path / "a.jsonl")
    assert "cannot be read as Parquet" in refusal(store, tmp_path / "b.parquet")


def test_columns_of_one_name_or_none_are_told_apart(store: Store, tmp_path: Path) -> None:
    rows = ",text,label,Label\n" + "".join(f"{i},good text {i},{i % 2},x\n" for i in range(40))
    assert register(store, write(tmp_path, {"a.csv": rows})).labels == ["0", "1"]


def test_a_name_that_is_nearly_there_is_proposed(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path, {"a.csv": csv(classes(40), "txt,label")}) / "a.csv"
    assert 'did you mean "txt"' in refusal(store, path, "text = 'tx'")


# --- what is suspicious


def test_rows_in_train_and_test_alike_are_counted(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {"train.csv": csv(classes(40)), "test.csv": csv(classes(10), start=36)})
    assert register(store, root).said("4 of the 10 rows of test stand in train too")
    pairs = "SELECT 'a' AS text, 'b' || i AS text_pair, i % 2 AS label, split FROM (SELECT i, "
    pairs += "CASE WHEN i < 30 THEN 'train' ELSE 'test' END AS split FROM range(50) t(i))"
    assert not register(store, pairs).said("stand in train too")


@pytest.mark.parametrize(
    ("one", "other"), [("Yes", "yes"), ("no ", "no"), ("new  york", "New York"), ("a\u00a0b", "a b")]
)
def test_classes_that_are_written_in_two_ways_are_named(
    store: Store, tmp_path: Path, one: str, other: str
) -> None:
    found = register(store, write(tmp_path, {"a.csv": csv(classes(60, (one, other, "third")))}))
    assert len(found.labels) == 3
    assert found.said("differ by case or blanks", repr(one) if "\u00a0" not in one else one)


def test_a_class_of_one_row_is_named(store: Store, tmp_path: Path) -> None:
    found = register(store, write(tmp_path, {"a.csv": csv([*classes(40), "rare", "rarer"])}))
    assert found.said("2 classes have one row only ('rare', 'rarer')")


def test_the_share_of_long_texts_is_estimated(store: Store) -> None:
    text = "repeat('word ', CASE WHEN i % 4 = 0 THEN 300 ELSE 3 END) || i"
    query = f"SELECT {text} AS text, i % 2 AS label FROM range(40) t(i)"
    assert register(store, query).said("about 25 % of the texts have more than 128 tokens")
    assert not register(store, "SELECT 'a' || i AS text, i % 2 AS label FROM range(40) t(i)").said("tokens")


def test_made_splits_are_said_once(store: Store) -> None:
    found = register(store, "SELECT 'a' || i AS text, i % 2 AS label FROM range(40) t(i)")
    assert found.notices == [
        'the dataset "d": it has no split test or validation: rows of train are held out, 4 for test and 4 for '
        "validation, stratified by label"
    ]


def test_three_rows_a_class_give_one_to_each_split(store: Store) -> None:
    assert register(store, "SELECT 'a' || i AS text, i % 5 AS label FROM range(15) t(i)").sizes == (5, 5, 5)


def test_texts_are_read_where_they_are_asked_for_beside_images(store: Store) -> None:
    query = "SELECT 'x'::BLOB AS image, 'a caption ' || i AS caption, 'b' AS text, i % 2 AS label FROM range(40) t(i)"
    assert register(store, query, "text = 'caption'").rows()[0][0].startswith("a caption")
    assert "name the one to read" in refusal(store, query)


@pytest.mark.parametrize(
    ("train", "test", "hint"),
    [
        (("True", "False"), ("true", "false"), "(train has 'False': bring them to one spelling"),
        ((0, 1), (0, "-1"), "(if it stands for rows without a label, leave them out"),
        ((0, 1), (0, "?"), "(if it stands for rows without a label, leave them out"),
        ((0, 1), (0, 2), "no model could learn it"),
    ],
)
def test_a_label_that_train_lacks_is_refused_with_what_it_may_be(
    store: Store, tmp_path: Path, train: tuple[Any, ...], test: tuple[Any, ...], hint: str
) -> None:
    write(tmp_path, {"train.csv": csv(classes(30, train)), "test.csv": csv(classes(10, test), start=30)})
    assert hint in refusal(store, tmp_path)


def test_a_position_that_is_no_class_is_named(store: Store, tmp_path: Path) -> None:
    features = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    table = pa.table({"text": [f"text {i}" for i in range(30)], "label": [i % 3 for i in range(30)]})
    metadata = json.dumps({"info": {"features": features}})
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "d.parquet")
    said = refusal(store, tmp_path / "d.parquet")
    assert "10 of 30 rows have no label among the 2 classes that the file names" in said
    assert "(the first is row 3)" in said


def test_a_column_of_splits_beside_files_that_say_them_is_not_read(store: Store, tmp_path: Path) -> None:
    rows = {
        name: csv([f"{label},train" for label in classes(30)], "text,label,split", start)
        for name, start in (("train.csv", 0), ("test.csv", 30))
    }
    found = register(store, write(tmp_path, rows))
    assert found.sizes == (26, 4, 30)
    assert found.said("the column split is not read")


@pytest.mark.parametrize("label", ["1e308", "-1e300", "2e30"])
def test_a_number_too_large_to_be_learned_is_named(label: str, store: Store) -> None:
    """Its square overflows, which no learning rate mends."""
    rows = f"SELECT 'text ' || i AS text, if(i = 7, {label}, i / 3)::DOUBLE AS label FROM range(40) AS r(i)"
    assert "is too large to be learned: divide the labels" in refusal(store, rows)


def test_large_numbers_are_learned(store: Store) -> None:
    rows = "SELECT 'text ' || i AS text, i * 1e27 / 3 AS label FROM range(40) AS r(i)"
    assert register(store, rows).task == "regression"
