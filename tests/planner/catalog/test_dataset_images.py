"""Folders of images, whatever their layout, and images named in files."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from registering import classes, refusal, register, write

import modelstore

Store = modelstore.Connection


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((2, 2), number % 256, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def images(folder: str, count: int = 10, suffix: str = ".png", start: int = 0) -> dict[str, str | bytes]:
    prefix = f"{folder}/" if folder else ""
    return {f"{prefix}{start + i}{suffix}": png(start + i) for i in range(count)}


def labelled(root: Path, layout: str) -> Path:
    """Images of two classes in train and test, by a layout with the places {split} and {label}."""
    for s, (split, count) in enumerate((("train", 20), ("test", 5))):
        for k, label in enumerate(("no", "yes")):
            write(root, images(layout.format(split=split, label=label), count, start=100 * s + 50 * k))
    return root


@pytest.mark.parametrize(
    "layout",
    ["{split}/{label}", "{label}/{split}", "data/{split}/{label}", "{split}_set/{split}_set/{label}"],
)
def test_folders_are_classes_and_splits_in_any_order(store: Store, tmp_path: Path, layout: str) -> None:
    found = register(store, labelled(tmp_path, layout))
    assert (found.task, found.labels, found.sizes) == ("image_classification", ["no", "yes"], (36, 4, 10))
    assert {(content, label) for content, label in found.rows("test")} == {
        (png(100 + 50 * k + i), label) for k, label in enumerate(("no", "yes")) for i in range(5)
    }


@pytest.mark.parametrize("stray", ["screenshots/app/s.jpg", "overview.png", "docs/figures/deep/x.gif"])
def test_a_stray_image_leaves_the_splits_as_they_are(store: Store, tmp_path: Path, stray: str) -> None:
    found = register(store, write(labelled(tmp_path, "{split}/{label}"), {stray: png(0)}))
    assert (found.labels, found.sizes) == (["no", "yes"], (36, 4, 10))
    assert found.said(stray, "left out")


def test_a_stray_image_beside_classes_without_splits_is_refused(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {**images("no"), **images("yes", start=10), "screenshots/app/s.jpg": png(0)})
    assert "screenshots/app/s.jpg" in refusal(store, root)


def test_images_without_class_folders_are_refused(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {**images("train", 20), **images("test", 20)})
    assert "stands in no folder that would be its class" in refusal(store, root)
    flat = write(tmp_path / "flat", images(""))
    assert "stands in no folder that would be its class" in refusal(store, flat)


def test_a_class_may_be_called_like_a_split(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {**images("train"), **images("car", start=10), **images("bus", start=20)})
    assert register(store, root).labels == ["bus", "car", "train"]


def test_names_of_images_say_no_split(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {**images("no"), **images("yes", start=10), "yes/test 1.png": png(99)})
    assert sum(register(store, root).sizes) == 21


def test_other_files_beside_images_are_left_out(store: Store, tmp_path: Path) -> None:
    root = labelled(tmp_path, "{split}/{label}")
    write(root, {"class_indices.json": '{"0": "no"}', "notes.txt": "x"})
    found = register(store, root)
    assert found.sizes == (36, 4, 10)
    assert found.said("class_indices.json", "left out")


def test_suffixes_in_upper_case_are_images(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {**images("no", 10, ".JPG"), **images("yes", 10, ".PnG", start=10)})
    assert sum(register(store, root).sizes) == 20


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("folder", ["", "images"])
def test_metadata_has_the_labels(store: Store, tmp_path: Path, kind: str, folder: str) -> None:
    prefix = f"{folder}/" if folder else ""
    rows = [{"file_name": f"{prefix}{i}.png", "label": ["a", "b"][i % 2]} for i in range(30)]
    if kind == "csv":
        content = "file_name,label\n" + "".join(f"{row['file_name']},{row['label']}\n" for row in rows)
        write(tmp_path, {"metadata.csv": content})
    elif kind == "jsonl":
        write(tmp_path, {"metadata.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "metadata.parquet")
    found = register(store, write(tmp_path, images(folder, 32)))
    assert (found.labels, sum(found.sizes)) == (["a", "b"], 30)
    assert found.said("2 images are left out")
    assert all(
        label == "ab"[content == png(1) or int(np.asarray(Image.open(io.BytesIO(content)))[0, 0]) % 2]
        for content, label in found.rows()
    )


def test_metadata_of_each_split_is_read(store: Store, tmp_path: Path) -> None:
    for split, start, count in (("train", 0, 40), ("test", 100, 10)):
        rows = "".join(f"{start + i}.png,{i % 2}\n" for i in range(count))
        write(
            tmp_path,
            {f"{split}/metadata.csv": "file_name,label\n" + rows, **images(split, count, start=start)},
        )
    assert register(store, tmp_path).sizes == (36, 4, 10)


def test_the_card_names_images_and_their_metadata(store: Store, tmp_path: Path) -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - {split: train, path: first/**}\n"
    card += "  - {split: test, path: second/**}\n---\n"
    for folder, start, count in (("first", 0, 40), ("second", 100, 10)):
        rows = "".join(f"{start + i}.png,{i % 2}\n" for i in range(count))
        write(
            tmp_path,
            {f"{folder}/metadata.csv": "file_name,label\n" + rows, **images(folder, count, start=start)},
        )
    assert register(store, write(tmp_path, {"README.md": card})).sizes == (36, 4, 10)


@pytest.mark.parametrize("name", ["missing.png", "../outside.png", "/etc/passwd"])
def test_metadata_that_names_another_file_is_refused(store: Store, tmp_path: Path, name: str) -> None:
    rows = "".join(f"{i}.png,{i % 2}\n" for i in range(20)) + f"{name},0\n"
    root = write(tmp_path / "d", {"metadata.csv": "file_name,label\n" + rows, **images("", 20)})
    write(tmp_path, {"outside.png": png(1)})
    assert f'names the file "{name}"' in refusal(store, root)


def test_metadata_without_the_names_of_files_is_refused(store: Store, tmp_path: Path) -> None:
    root = write(tmp_path, {"metadata.csv": "image,label\n0.png,1\n", **images("", 20)})
    assert "no column file_name" in refusal(store, root)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_path_in_a_file_is_relative_to_the_file(
    store: Store, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path("/"))
    rows = [{"image": f"pictures/{i}.png", "label": f"class {i % 2}"} for i in range(30)]
    if kind == "csv":
        write(tmp_path, {"a.csv": "image,label\n" + "".join(f"{r['image']},{r['label']}\n" for r in rows)})
    elif kind == "jsonl":
        write(tmp_path, {"a.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    write(tmp_path, images("pictures", 30))
    found = register(store, tmp_path / f"a.{kind}")
    assert {content for split in ("train", "validation", "test") for content, _ in found.rows(split)} == {
        png(i) for i in range(30)
    }


@pytest.mark.parametrize("holds", ["bytes", "paths", "both"])
def test_the_librarys_images_are_bytes_or_paths(store: Store, tmp_path: Path, holds: str) -> None:
    write(tmp_path, images("pictures", 30))
    cells = [
        {
            "bytes": png(i) if holds == "bytes" or (holds == "both" and i < 20) else None,
            "path": f"pictures/{i}.png",
        }
        for i in range(30)
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"image": pa.array(cells, kind), "label": classes(30)}), tmp_path / "a.parquet")
    if holds == "both":
        assert "10 of 30 images have no bytes" in refusal(store, tmp_path / "a.parquet")
    else:
        assert {content for content, _ in register(store, tmp_path / "a.parquet").rows()} <= {
            png(i) for i in range(30)
        }


def test_many_images_make_no_long_text_of_sql(store: Store, tmp_path: Path) -> None:
    from modelstore.data.sources import open_source
    from modelstore.options import DatasetOptions

    source = open_source(labelled(tmp_path, "{split}/{label}"), DatasetOptions())
    assert len(source.query) < 100
    assert [table.num_rows for table in source.tables.values()] == [50]


def test_folders_above_the_class_are_said(store: Store, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for above, label in (("cars", "red"), ("cars", "blue"), ("bikes", "red"), ("bikes", "blue")):
            for number in range(4):
                path = tmp_path / "d" / split / above / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (4, 4), (number, len(above), len(label))).save(path)
    found = register(store, tmp_path / "d")
    assert found.labels == ["blue", "red"]
    assert found.said("innermost folder", "bikes, cars, are not read")
    # The split may stand below the class.
    for label in ("red", "blue"):
        for split in ("train", "test"):
            (tmp_path / "e" / label / split).mkdir(parents=True)
            for number in range(4):
                Image.new("RGB", (4, 4), (number, 0, 9)).save(
                    tmp_path / "e" / label / split / f"{number}.png"
                )
    assert not register(store, tmp_path / "e").said("not read")
