"""Lists of labels as files and queries have them: multi-label classification, and what is none."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants as hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registering import Registered, csv, refusal, register, register_as_proposed, write
from tiny_models import png

import modelstore
from modelstore.planner.datasets import load_dataset

Store = modelstore.Connection
TASK = "multi_label_classification"
WITH_TASK = f"task = '{TASK}'"
NAMES = ("joy", "anger", "fear")


def lists(count: int, of: Callable[[int], Any]) -> list[Any]:
    """A label of each row: of some two, of some none."""
    every = [[[of(0)], [of(1), of(0)], [], [of(2)], [of(2), of(1)], [of(1)]] for _ in range(count)]
    return list(itertools.chain.from_iterable(every))[:count]


def names(count: int = 60) -> list[list[str]]:
    return lists(count, lambda i: NAMES[i])


def lines(labels: list[Any], column: str = "label") -> str:
    return "".join(
        json.dumps({"text": f"good text number {i}", column: one}) + "\n" for i, one in enumerate(labels)
    )


def of_lines(store: Store, folder: Path, labels: list[Any], options: str = "") -> Registered:
    return register(store, write(folder, {"a.jsonl": lines(labels)}) / "a.jsonl", options)


def refused(store: Store, folder: Path, labels: list[Any], options: str = "") -> str:
    return refusal(store, write(folder, {"a.jsonl": lines(labels)}) / "a.jsonl", options)


def of_features(path: Path, labels: list[Any], feature: Any) -> Path:
    """A Parquet file as the library `datasets` writes it."""
    from datasets import Dataset, Features, Value

    rows = {"text": [f"good text number {i}" for i in range(len(labels))], "label": labels}
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_dict(rows, features=Features({"text": Value("string"), "label": feature})).to_parquet(
        str(path)
    )
    return path


def expected(labels: list[Any]) -> dict[str, tuple[str, ...]]:
    return {f"good text number {i}": tuple(sorted(map(str, one))) for i, one in enumerate(labels)}


# --- what lists may hold


@pytest.mark.parametrize("options", ["", WITH_TASK])
def test_lists_of_names_are_labels(store: Store, tmp_path: Path, options: str) -> None:
    found = of_lines(store, tmp_path, names(), options)
    assert (found.task, found.labels) == (TASK, sorted(NAMES))
    assert found.every_row() == expected(names())
    assert found.said("10 of 60 rows have no label (an empty list)")
    assert found.said("stratified by the rarest label of each row")
    assert store.execute("SELECT metric, labels FROM datasets").fetchone() == ("f1_micro", sorted(NAMES))


def test_a_parquet_file_and_a_query_make_the_same_dataset(store: Store, tmp_path: Path) -> None:
    rows = pa.table({"text": [f"good text number {i}" for i in range(60)], "label": names()})
    pq.write_table(rows, tmp_path / "a.parquet")
    file = register(store, tmp_path / "a.parquet")
    query = register(store, f"SELECT * FROM '{tmp_path}/a.parquet' ORDER BY random()")
    assert (file.task, file.labels, file.sizes) == (query.task, query.labels, query.sizes)
    for split in ("train", "validation", "test"):
        assert sorted(file.rows(split)) == sorted(query.rows(split))


def test_whole_numbers_are_labels_in_the_order_of_their_value(store: Store, tmp_path: Path) -> None:
    labels = lists(60, lambda i: (2, 10, 9)[i])
    found = of_lines(store, tmp_path, labels)
    assert found.labels == ["2", "9", "10"]
    assert found.every_row() == expected(labels)
    mixed = [[str(x) if i % 2 else x for x in one] for i, one in enumerate(labels)]
    assert of_lines(store, tmp_path, mixed).every_row() == expected(labels)


@pytest.mark.parametrize(
    "label",
    [
        "[i % 3, i % 2 + 3]::BIGINT[2]",
        "[CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END::ENUM('a', 'b')]",
        "[i % 5]::UTINYINT[]",
        "CASE WHEN i % 2 = 0 THEN ['it''s', 'a \"b\"'] ELSE [] END",
        "[DATE '2020-01-01' + (i % 3)::INT]",
    ],
)
def test_queries_make_lists_of_any_values(store: Store, label: str) -> None:
    query = f"SELECT 'good text ' || i AS text, {label} AS label FROM range(60) t(i)"
    found = register(store, query)
    raw = store.execute(f"SELECT text, list_sort(list_distinct(label::VARCHAR[])) FROM ({query})").fetchall()
    assert found.every_row() == {text: tuple(one) for text, one in raw}


def test_texts_like_times_and_dates_stay_as_they_are_written(store: Store, tmp_path: Path) -> None:
    labels = [[["12:30"], ["1:45", "2020-01-01"], ["2020-1-2"]][i % 3] for i in range(60)]
    assert of_lines(store, tmp_path, labels).labels == ["12:30", "1:45", "2020-01-01", "2020-1-2"]
    only_times = [[["12:30"], ["01:45"]][i % 2] for i in range(60)]
    assert of_lines(store, tmp_path, only_times).labels == ["01:45", "12:30"]


def test_a_label_that_is_named_twice_counts_once(store: Store, tmp_path: Path) -> None:
    labels = names()
    labels[7] = ["joy", "fear", "joy"]
    found = of_lines(store, tmp_path, labels)
    assert found.every_row()["good text number 7"] == ("fear", "joy")
    assert found.said("1 of 60 rows name a label in label more than once, which counts once")


def test_rows_without_a_list_are_left_out_and_said_once(store: Store, tmp_path: Path) -> None:
    labels: list[Any] = names()
    labels[4] = labels[20] = None
    found = of_lines(store, tmp_path, labels)
    assert sum(found.sizes) == 58
    assert "good text number 4" not in found.every_row()
    assert [one for one in found.notices if "(the first is row 5): they are left out" in one]
    assert found.every_row()["good text number 2"] == ()


@pytest.mark.parametrize("fill", [None, "x"])
def test_a_null_in_a_list_is_refused_with_its_row(store: Store, tmp_path: Path, fill: str | None) -> None:
    labels: list[Any] = names()
    labels[11] = ["joy", None] if fill is None else [None]
    message = refused(store, tmp_path, labels)
    assert 'the list of labels in row 12 of the column "label" holds NULL' in message
    store.execute(
        "CREATE DATASET mended AS SELECT text, [x FOR x IN label IF x IS NOT NULL] AS label "
        f"FROM '{tmp_path}/a.jsonl'"
    )
    assert store.execute("SELECT train_rows + validation_rows + test_rows FROM datasets").fetchone() == (60,)


# --- zeros and ones


HOT = [[int(one in row) for one in NAMES] for row in names()]


@pytest.mark.parametrize("kind", [int, float, bool])
def test_lists_of_zeros_and_ones_of_one_length_are_multi_hot(
    store: Store, tmp_path: Path, kind: type
) -> None:
    found = of_lines(store, tmp_path, [[kind(x) for x in row] for row in HOT])
    assert found.labels == ["0", "1", "2"]
    assert found.said(
        "hold zeros and ones alone and all have 3 values: they are multi-hot", "positions 0 to 2"
    )
    assert found.every_row() == expected([[i for i, x in enumerate(row) if x] for row in HOT])
    query = register(store, f"SELECT text, label FROM '{tmp_path}/a.jsonl'")
    assert query.every_row() == found.every_row()


def test_zeros_and_ones_of_different_lengths_are_ids(store: Store, tmp_path: Path) -> None:
    found = of_lines(store, tmp_path, [[[0], [0, 1], [1], []][i % 4] for i in range(60)])
    assert not found.said("multi-hot")
    assert found.every_row()["good text number 1"] == ("0", "1")
    alone = of_lines(store, tmp_path, [[i % 2] for i in range(60)])  # one value a list
    assert not alone.said("multi-hot")
    assert alone.labels == ["0", "1"]


def test_multi_hot_lists_of_exclusive_labels_are_read(store: Store, tmp_path: Path) -> None:
    found = of_lines(store, tmp_path, [[i % 2, 1 - i % 2] for i in range(60)])
    assert found.said("multi-hot")
    assert found.every_row()["good text number 0"] == ("1",)


# --- names in the files' own description


def test_class_names_of_lists_are_kept_in_their_order(store: Store, tmp_path: Path) -> None:
    from datasets import ClassLabel, List

    labels = lists(60, lambda i: i)
    path = of_features(tmp_path / "a.parquet", labels, List(ClassLabel(names=["zest", "it's", "awe"])))
    found = register(store, path)
    assert found.labels == ["zest", "it's", "awe"]
    assert found.every_row()["good text number 1"] == ("it's", "zest")
    assert not found.said("multi-hot")


def test_class_names_of_lists_in_a_saved_folder_and_in_the_card(store: Store, tmp_path: Path) -> None:
    from datasets import Dataset, List, Value

    path = of_features(tmp_path / "plain" / "a.parquet", lists(60, lambda i: i), List(Value("int64")))
    card = (
        "---\ndataset_info:\n  features:\n  - {name: text, dtype: string}\n  - name: label\n    sequence:\n"
    )
    card += "      class_label:\n        names: {'0': zest, '1': mirth, '2': awe}\n---\n"
    assert register(store, write(path.parent, {"README.md": card})).labels == ["zest", "mirth", "awe"]
    from datasets import ClassLabel

    named = of_features(
        tmp_path / "b.parquet", lists(60, lambda i: i), List(ClassLabel(names=["c", "b", "a"]))
    )
    Dataset.from_parquet(str(named), cache_dir=str(tmp_path / "cache")).save_to_disk(str(tmp_path / "saved"))
    assert register(store, tmp_path / "saved").labels == ["c", "b", "a"]


def test_a_number_without_a_name_is_refused_with_its_row(store: Store, tmp_path: Path) -> None:
    from datasets import ClassLabel, List, Value

    labels = lists(60, lambda i: i)
    labels[3] = [7]
    path = of_features(tmp_path / "a" / "a.parquet", labels, List(Value("int64")))
    card = (
        "---\ndataset_info:\n  features:\n  - {name: text, dtype: string}\n  - name: label\n    sequence:\n"
    )
    card += "      class_label:\n        names: {'0': zest, '1': mirth, '2': awe}\n---\n"
    message = refusal(store, write(path.parent, {"README.md": card}))
    assert "row 4" in message
    assert "a number that none of the 3 names stands for" in message
    assert isinstance(List(ClassLabel(names=["a"])).feature, ClassLabel)


def test_answers_to_several_questions_are_no_set_of_labels(store: Store, tmp_path: Path) -> None:
    from datasets import ClassLabel, List

    yes_or_no = List(ClassLabel(names=["no", "yes"]), length=4)
    path = of_features(tmp_path / "a.parquet", [[i % 2, 1, 0, i % 3 % 2] for i in range(60)], yes_or_no)
    message = refusal(store, path)
    assert "answers to 4 questions, and no sets of labels" in message
    assert '"label"[1] AS label' in message


# --- splits


@pytest.mark.parametrize("unknown", [[-1], [], None, [-1, -1, -1]])
def test_a_test_split_without_labels_counts_as_missing(store: Store, tmp_path: Path, unknown: Any) -> None:
    root = write(
        tmp_path,
        {
            "train.jsonl": lines(lists(60, lambda i: i) if unknown != [-1, -1, -1] else HOT),
            "test.jsonl": lines([unknown] * 9 + ([[]] if unknown is None else [])).replace("good", "other"),
        },
    )
    found = register(store, root)
    assert found.said("of test has a label: the split counts as missing")
    assert sum(found.sizes) == 60


def test_given_splits_are_kept(store: Store, tmp_path: Path) -> None:
    files = {
        f"{split}.jsonl": lines(names(count)).replace("good", split)
        for split, count in (("train", 40), ("validation", 12), ("test", 9))
    }
    assert register(store, write(tmp_path, files)).sizes == (40, 12, 9)


def test_a_label_that_train_lacks_is_said_and_counts_as_missed(store: Store) -> None:
    query = (
        "SELECT 'good text ' || i AS text, CASE WHEN i = 3 THEN ['x', 'a'] ELSE ['a', 'b'][:1 + i % 2] END AS label, "
        "CASE WHEN i < 10 THEN 'test' ELSE 'train' END AS split FROM range(60) t(i)"
    )
    found = register(store, query)
    assert found.labels == ["a", "b", "x"]
    assert found.said("the label 'x' stands in 1 row of test and in none of train")
    foreign = query.replace("CASE WHEN i = 3 THEN ['x', 'a']", "CASE WHEN i < 10 THEN ['x']")
    assert "no label of test stands in a row of train ('x' does not)" in refusal(store, foreign)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_label_that_can_stands_in_train(data: st.DataObject) -> None:
    rows = data.draw(st.integers(12, 80))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    share = random.uniform(0.01, 0.5, data.draw(st.integers(2, 8)))
    labels = [np.flatnonzero(random.random(len(share)) < share).tolist() for _ in range(rows)]
    labels[:6] = [[0], [0], [0], [1], [1], [1]]
    table = pa.table(
        {"text": [f"text {i}" for i in range(rows)], "label": pa.array(labels, pa.list_(pa.int64()))}
    )
    with modelstore.connect() as store:
        store.register("drawn", table)
        store.execute("CREATE DATASET d AS SELECT * FROM drawn")
        found = load_dataset(store.store, store.store.catalog.dataset("d"))
        again = load_dataset(store.store, store.store.catalog.dataset("d"))
    assert found == again
    of_all = sum(found.targets(split).sum(axis=0) for split in ("train", "validation", "test"))
    assert (found.targets("train").any(axis=0) | (of_all < 2)).all()
    assert {found.labels[i] for i in range(len(found.labels))} == {str(x) for row in labels for x in row}
    for split in ("train", "validation", "test"):
        assert found.split(split).num_rows


def test_splits_are_stratified(store: Store) -> None:
    query = (
        "SELECT 'good text ' || i AS text, [CASE WHEN i % 20 = 0 THEN 'rare' ELSE 'common' END] || "
        "CASE WHEN i % 2 = 0 THEN ['even'] ELSE [] END AS label FROM range(2000) t(i)"
    )
    found = register(store, query)
    assert found.sizes == (1600, 200, 200)
    for split in ("validation", "test"):
        held_out = [label for _, label in found.rows(split)]
        assert sum("rare" in label for label in held_out) == 10
        assert 80 <= sum("even" in label for label in held_out) <= 120


def test_labels_of_one_row_stay_in_train_unless_most_rows_have_one(store: Store) -> None:
    query = (
        "SELECT 'good text ' || i AS text, ['common', 'half'][:1 + i % 2] || "
        "CASE WHEN i % {} = 0 THEN ['only ' || i] ELSE [] END AS label FROM range(200) t(i)"
    )
    few = register(store, query.format(10))
    assert few.data.targets("train").any(axis=0).all()
    many = register(store, query.format(1))
    assert (few.sizes, many.sizes) == ((164, 18, 18), (160, 20, 20))  # of the other 180 rows, and of all
    assert many.said("and 37 more stand in 20 rows of validation and 20 rows of test and in none of train")
    assert many.said("no model can learn them; they count as missed")


# --- what is refused


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ([0.5, 1.0], "several numbers a row are not predicted together"),
        ([1.0, 2.0, 3.0], '"label"::BIGINT[] AS label'),
        ([[1, 2], [3]], "a label is a text or a number, and a list of labels is a list of these"),
        ([{"name": "a", "score": 0.5}], "a label is a text or a number"),
        ([], "no row of train has a label: every list is empty"),
        (["a", "b"], "all rows of train have the same labels"),
    ],
)
def test_lists_that_are_no_sets_of_labels_are_refused(
    store: Store, tmp_path: Path, label: Any, message: str
) -> None:
    assert message in refused(store, tmp_path, [label] * 40)


def test_lists_in_some_rows_and_values_in_others_are_refused(store: Store, tmp_path: Path) -> None:
    message = refused(store, tmp_path, ["a", ["a", "b"]] * 20)
    assert "holds lists or objects in some rows" in message
    assert "type JSON[]" in refused(store, tmp_path, [["a"], [["b"]]] * 20)
    assert "lists of 1 to 2 booleans" in refused(store, tmp_path, [[True], [False, True]] * 20)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("text_classification", "takes one label a row: predict one of them by a query"),
        ("regression", "takes one number a row"),
    ],
)
def test_lists_with_another_task_are_refused(store: Store, tmp_path: Path, task: str, message: str) -> None:
    said = refused(store, tmp_path, names(), f"task = '{task}'")
    assert message in said
    assert '"label"[1] AS label' in said


def test_several_regression_targets_are_refused(store: Store) -> None:
    query = "SELECT 'good text ' || i AS text, [i / 2, i / 3] AS label FROM range(40) t(i)"
    assert "several numbers a row are not predicted together" in refusal(store, query)
    assert "several are not predicted together" in refusal(store, query, "task = 'regression'")
    decimals = query.replace("[i / 2, i / 3]", "[1.5, 0.25]")
    assert "(DECIMAL(3,2)[])" in refusal(store, decimals)


def test_one_value_a_row_is_no_list(store: Store, tmp_path: Path) -> None:
    query = "SELECT 'good text ' || i AS text, i % 3 AS label FROM range(40) t(i)"
    assert "needs lists of labels" in refusal(store, query, WITH_TASK)
    register(store, query.replace("i % 3", "[i % 3]"), WITH_TASK)
    message = refusal(store, write(tmp_path, {"a.csv": csv(["a;b", "c"] * 20)}), WITH_TASK)
    assert "row 1 of the column \"label\" holds 'a;b'" in message
    assert "string_split(\"label\", ',')" in message


@pytest.mark.parametrize("metric", ["accuracy", "matthews", "pearson"])
def test_a_metric_of_another_task_is_refused(store: Store, tmp_path: Path, metric: str) -> None:
    message = refused(store, tmp_path, names(), f"metric = '{metric}'")
    assert "use f1_micro, f1_macro or average_precision" in message
    query = "SELECT 'good text ' || i AS text, i % 3 AS label FROM range(40) t(i)"
    assert "use accuracy, f1_macro or matthews" in refusal(store, query, "metric = 'f1_micro'")


# --- lists written as text


@pytest.mark.parametrize(
    "written",
    [
        str,
        json.dumps,
        lambda one: "[" + ", ".join(one) + "]",
        lambda one: f" {one} ",
        lambda one: str(set(one)),
        lambda one: "{" + ",".join(one) + "}",  # as PostgreSQL writes arrays
    ],
)
def test_lists_written_as_text_are_read_where_the_task_says_so(
    store: Store, tmp_path: Path, written: Callable[[list[str]], str]
) -> None:
    quoted = ['"' + written(one).replace('"', '""') + '"' for one in names()]
    path = write(tmp_path, {"a.csv": csv(quoted)}) / "a.csv"
    assert "WITH (task = 'multi_label_classification')" in refusal(store, path)
    assert register(store, path, WITH_TASK).every_row() == expected(names())


def test_written_lists_of_numbers_are_ids_or_multi_hot(store: Store, tmp_path: Path) -> None:
    ids = write(tmp_path, {"a.csv": csv([f'"{one}"' for one in lists(60, lambda i: i)])}) / "a.csv"
    assert register(store, ids, WITH_TASK).labels == ["0", "1", "2"]
    hot = write(tmp_path, {"b.csv": csv([f'"{one}"' for one in HOT])}) / "b.csv"
    assert register(store, hot, WITH_TASK).said("multi-hot")
    scores = write(tmp_path, {"c.csv": csv(['"[0.5, 1.5]"', '"[0.25, 3]"'] * 20)}) / "c.csv"
    assert "several numbers a row" in refusal(store, scores, WITH_TASK)


@pytest.mark.parametrize(
    "value",
    [
        "['a' 'b']",
        "[0 1 0]",
        "[0. 1.]",
        "array(['a'])",
        "['a'",
        "{a: 1}",
        "[None]",
        "\"['a', nan]\"",
        "[['a']]",
    ],
)
def test_texts_that_are_no_lists_of_labels_are_refused_with_their_row(
    store: Store, tmp_path: Path, value: str
) -> None:
    path = write(tmp_path, {"a.csv": csv(["['a']"] * 20 + [value] * 20)}) / "a.csv"
    assert "row 21 of the column" in refusal(store, path, WITH_TASK)


# --- columns, proposals, images, the hub


def test_a_column_of_another_name_is_proposed(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path, {"a.jsonl": lines(names(), "emotion_labels")}) / "a.jsonl"
    assert "those of labels are multi-label classification" in refusal(store, path)
    assert register_as_proposed(store, path).every_row() == expected(names())


def test_labels_in_columns_of_their_own_are_made_lists_by_a_query(store: Store) -> None:
    columns = "SELECT 'good text ' || i AS text, i % 3 = 0 AS toxic, i % 2 AS rude FROM range(60) t(i)"
    label = "[CASE WHEN toxic THEN 'toxic' END, CASE WHEN rude = 1 THEN 'rude' END]"
    query = f"SELECT text, {label} AS label FROM ({columns})"
    message = refusal(store, query)
    assert '[x FOR x IN "label" IF x IS NOT NULL] AS label' in message
    found = register(store, f"SELECT text, [x FOR x IN label IF x IS NOT NULL] AS label FROM ({query})")
    assert found.every_row()["good text 3"] == ("rude", "toxic")


def test_pairs_and_images_have_lists_of_labels_too(store: Store, tmp_path: Path) -> None:
    pair = "SELECT 'good text ' || i AS text, 'other' AS text_pair, [i % 3] AS label FROM range(60) t(i)"
    assert register(store, pair).data.train.column_names == ["text", "text_pair", "label"]
    rows = [{"file_name": f"{i}.png", "label": one} for i, one in enumerate(names(40))]
    images: dict[str, str | bytes] = {f"{i}.png": png(np.full((4, 4, 3), i, np.uint8)) for i in range(40)}
    images["metadata.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows)
    found = register(store, write(tmp_path, images))
    assert (found.task, found.data.modality, found.labels) == (TASK, "image", sorted(NAMES))


def test_a_dataset_of_the_hub_has_lists_of_labels(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    commit = "0" * 40
    repository = tmp_path / "hub" / "datasets--someone--moods"
    write(repository, {"refs/main": commit, f"snapshots/{commit}/data/train.jsonl": lines(names(), "labels")})
    found = register(store, "hf://someone/moods", "label = 'labels'")
    assert found.every_row() == expected(names())


def test_blank_texts_that_splitting_leaves_are_no_labels(store: Store) -> None:
    query = (
        "SELECT 'good text ' || i AS text, string_split(['a,b', '', ' '][1 + i % 3], ',') AS label "
        "FROM range(60) t(i)"
    )
    found = register(store, query)
    assert found.labels == ["a", "b"]
    assert found.said("the lists of 40 of 60 rows in label hold a blank text, which is no label and left out")
    assert found.said("40 of 60 rows have no label (an empty list)")


def test_a_test_split_without_a_column_of_lists_is_left_out(store: Store, tmp_path: Path) -> None:
    texts = "".join(json.dumps({"text": f"other text {i}"}) + "\n" for i in range(9))
    found = register(store, write(tmp_path, {"train.jsonl": lines(names()), "test.jsonl": texts}))
    assert found.said("test.jsonl has no column of labels")
    nulls = lines([None] * 9).replace("good", "other")
    assert register(store, write(tmp_path, {"test.jsonl": nulls})).said(
        "none of the 9 rows of test has a label"
    )


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.dictionary(pa.int8(), pa.string())),
        pa.large_list(pa.large_string()),
        pa.list_(pa.string()),
    ],
)
def test_arrow_has_many_kinds_of_lists(store: Store, tmp_path: Path, kind: pa.DataType) -> None:
    texts = [f"good text number {i}" for i in range(60)]
    table = pa.table({"text": texts, "label": pa.array(names(), kind)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert register(store, tmp_path / "a.parquet").every_row() == expected(names())
    store.register("given", table)
    assert register(store, "SELECT * FROM given").every_row() == expected(names())


def test_suspicious_labels_are_said(store: Store, tmp_path: Path) -> None:
    labels = names()
    labels[0], labels[3], labels[5] = ["Joy"], ["alone"], ["joy", "-1"]
    found = of_lines(store, tmp_path, labels)
    assert found.said("labels differ by case or blanks alone", "'Joy' and 'joy'")
    assert found.said("labels have one row only", "'alone'")
    assert found.said("-1 counts as a label, of 1 rows")
