"""Public datasets as cloned: files of the same layouts register, or by the query that the error proposes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from registering import classes, csv, refusal, register, register_as_proposed, write

import modelstore

Store = modelstore.Connection
Files = dict[str, str | bytes]
SIZES = {"train": 40, "dev": 10, "test": 12}


def sentence(number: int) -> str:
    return f"This is the sentence of number {number}, and it says more."


def rows(pattern: str, split: str = "train", labels: tuple[object, ...] = (0, 1)) -> str:
    """Lines by a pattern with the places {text}, {other}, {label} and {i}; texts are different in every split."""
    first = {"train": 0, "dev": 1000, "test": 2000}[split]
    return "".join(
        pattern.format(
            text=sentence(first + i), other=sentence(first + i + 500), label=labels[i % len(labels)], i=i
        )
        for i in range(SIZES[split])
    )


def ag_news() -> Files:
    pattern = '"{label}","A short title {i}","{text}"\n'
    return {"test.csv": rows(pattern, labels=(1, 2, 3, 4)), "ORIGIN.txt": "a repository\n"}


def cola() -> Files:
    pattern, marks = "gj{i}\t{label}\t\t{text}\n", {}
    for name, split in (
        ("in_domain_train", "train"),
        ("in_domain_dev", "dev"),
        ("out_of_domain_dev", "test"),
    ):
        marks[f"{name}.tsv"] = rows(pattern, split).replace("\t0\t\t", "\t0\t*\t")
    return {**marks, "README": "The corpus\nhas a description.\n"}


def clinc() -> Files:
    def pairs(split: str, label: str | None = None) -> list[list[str]]:
        return [
            [line, label or f"intent_{i % 2}"] for i, line in enumerate(rows("{text}\n", split).splitlines())
        ]

    full = {
        "oos_val": pairs("dev", "oos")[:5],
        "val": pairs("dev"),
        "train": pairs("train"),
        "test": pairs("test"),
    }
    full |= {
        "oos_train": [[sentence(i), "oos"] for i in range(70, 90)],
        "oos_test": [["what is this about", "oos"]],
    }
    small = {name: part[:20] for name, part in full.items()}
    return {
        "data_full.json": json.dumps(full, indent=4),
        "data_small.json": json.dumps(small),
        "LICENSE": "free\n",
    }


def csabstruct() -> Files:
    files: Files = {}
    for split, size in SIZES.items():
        lines = []
        for i in range(size):
            labels = [f"kind {k}" for k in range(3)]
            sentences = [sentence(len(split) * 10_000 + 10 * i + k) for k in range(3)]
            lines.append(
                {"abstract_id": i, "sentences": sentences, "labels": labels, "confs": [0.5, 0.6, 1.0]}
            )
        files[f"{split}.jsonl"] = "".join(json.dumps(line) + "\n" for line in lines)
    return files


def germeval() -> Files:
    pattern = '{text} "offen\t{label}\tOTHER\n'
    names = ("OTHER", "OFFENSE")
    return {
        "germeval2018.training.txt": rows(pattern, "train", names),
        "germeval2018.test.txt": rows(pattern, "test", names),
        "LICENSE.md": "free\n",
    }


def sts() -> Files:
    scored = "".join(f"{i / 9:.3f}\t{sentence(i)}\t{sentence(i + 500)}\n" for i in range(45))
    tested = "".join(f"{i / 9:.3f}\t{sentence(900 + i)}\t{sentence(i)}\n" for i in range(10))
    empty = "".join(f"{i if i % 5 == 0 else ''}\t{sentence(i)}\t{sentence(i + 3)}\n" for i in range(30))
    return {"MSRpar.train.tsv": scored, "MSRpar.test.tsv": tested, "headlines.test.tsv": empty}


def sst2() -> Files:
    return {f"stsa.binary.{split}": rows("{label} {text}\n", split) for split in SIZES} | {
        "LICENSE": "free\n"
    }


def trec() -> Files:
    train = rows("{label} {text}\n", "train", ("NUM:dist", "LOC:city")) + "NUM:dist Où est le café ?\n"
    return {
        "TREC.train": train.encode("latin-1"),
        "TREC.test": rows("{label} {text}\n", "test", ("LOC:city",)),
    }


def tweeteval() -> Files:
    files: Files = {"mapping.txt": "0\tanger\n1\tjoy\n", "ORIGIN.txt": "a repository\n"}
    for name, split in (("train", "train"), ("val", "dev"), ("test", "test")):
        files[f"{name}_text.txt"] = rows("{text}\n", split)
        files[f"{name}_labels.txt"] = rows("{label}\n", split)
    return files


def rte() -> Files:
    head, pattern = "index\tsentence1\tsentence2", "{i}\t{text}\t{other}\t{label}\n"
    files: Files = {
        f"{split}.tsv": f"{head}\tlabel\n" + rows(pattern, split, ("yes", "no")) for split in ("train", "dev")
    }
    test = "".join(f"{i}\tAn unknown pair {i}\tA second text\n" for i in range(12))
    return {**files, "test.tsv": f"{head}\n{test}", "val.tsv": rows(pattern, "test", ("yes", "no"))}


def sms() -> Files:
    return {"sms.tsv": rows("{label}\t{text}\n", labels=("ham", "spam")), "ORIGIN.txt": "a repository\n"}


@pytest.mark.parametrize(
    ("files", "task", "labels", "sizes"),
    [
        (ag_news, "text_classification", ["1", "2", "3", "4"], (32, 4, 4)),
        (cola, "text_classification", ["0", "1"], (36, 22, 4)),
        (clinc, "text_classification", ["intent_0", "intent_1", "oos"], (60, 15, 13)),
        (csabstruct, "text_classification", ["kind 0", "kind 1", "kind 2"], (120, 30, 36)),
        (germeval, "text_classification", ["OFFENSE", "OTHER"], (36, 4, 12)),
        (sts, "regression", [], (40, 5, 16)),
        (sst2, "text_classification", ["0", "1"], (40, 10, 12)),
        (trec, "text_classification", ["LOC:city", "NUM:dist"], (37, 4, 12)),
        (tweeteval, "text_classification", ["0", "1"], (40, 10, 12)),
        (rte, "text_pair_classification", ["no", "yes"], (36, 10, 4)),
        (sms, "text_classification", ["ham", "spam"], (32, 4, 4)),
    ],
)
def test_the_proposed_query_registers_the_files(
    store: Store,
    tmp_path: Path,
    files: Callable[[], Files],
    task: str,
    labels: list[str],
    sizes: tuple[int, int, int],
) -> None:
    found = register_as_proposed(store, write(tmp_path, files()))
    assert (found.task, found.labels, found.sizes) == (task, labels, sizes)
    assert all(len(text.split()) > 3 for text, _ in found.rows())


@pytest.mark.parametrize(
    ("files", "options", "labels"),
    [
        (
            {
                "Tweets.csv": "id,sentiment,text,airline\n"
                + rows('{i},{label},"{text}",x\n', labels=("bad", "good"))
            },
            "label = 'sentiment'",
            ["bad", "good"],
        ),
        (
            {
                "data/train.csv": "text,category\n" + rows('"{text}",{label}\n', labels=("a", "b")),
                "data/test.csv": "text,category\n" + rows('"{text}",{label}\n', "test", ("a", "b")),
                "data/categories.json": '["a", "b"]',
            },
            "label = 'category'",
            ["a", "b"],
        ),
        (
            {"labeled_data.csv": ",count,hate,class,tweet\n" + rows('{i},3,0,{label},"{text}"\n')},
            "text = 'tweet', label = 'class'",
            ["0", "1"],
        ),
        (
            {
                f"para-{name}.tsv": mark
                + "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
                + rows('{label}\t1{i}\t2{i}\t"{text}" he said\t{other}\n', split)
                for name, split, mark in (
                    ("train", "train", "\ufeff"),
                    ("val", "dev", ""),
                    ("test", "test", "\ufeff"),
                )
            },
            "text = '#1 String', text_pair = '#2 String', label = 'Quality'",
            ["0", "1"],
        ),
    ],
)
def test_columns_that_are_named_register_the_files(
    store: Store, tmp_path: Path, files: Files, options: str, labels: list[str]
) -> None:
    root = write(tmp_path, files)
    named = register(store, root, options)
    assert named.labels == labels
    proposed = register_as_proposed(store, root)
    assert proposed.labels == labels
    assert sorted(proposed.rows()) == sorted(named.rows())


def test_a_proposal_names_files_with_quotes_and_brackets(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path / "it's [v1]", sms())
    assert register_as_proposed(store, root).labels == ["ham", "spam"]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("a.txt", "{text}\t{label}\n"), ("a.train", "{label} {text}\n"), ("a.tsv", "{label}\t{text}\n")],
)
def test_a_file_alone_has_a_proposal_too(store: Store, tmp_path: Path, name: str, pattern: str) -> None:
    found = register_as_proposed(store, write(tmp_path, {name: rows(pattern)}) / name)
    assert (found.labels, sum(found.sizes)) == (["0", "1"], 40)


def test_objects_in_one_json_object_are_unnested(store: Store, tmp_path: Path) -> None:
    data = {"version": 1, "data": [{"text": sentence(i), "label": i % 2} for i in range(40)]}
    assert sum(register_as_proposed(store, write(tmp_path, {"a.json": json.dumps(data)})).sizes) == 40


def test_one_split_that_is_not_train_is_read_without_splits(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {"test.csv": csv(classes(40))})
    assert "no rows in the split train" in refusal(store, root)


@pytest.mark.parametrize(
    "files", [{"notes.txt": "one note\nand another one\n"}, {"a.bin": b"\0\1"}, {"LICENSE": "x"}]
)
def test_nothing_is_proposed_where_nothing_is_found(store: Store, tmp_path: Path, files: Files) -> None:
    message = refusal(store, write(tmp_path, files))
    assert "holds no Parquet, CSV, JSON or image files" in message
    assert "CREATE DATASET" not in message
