"""The names of models and datasets that a relation names by their uris alone."""

from pathlib import Path

import pytest

from modelstore.planner.catalog.relation_rows import default_name


@pytest.mark.parametrize(
    ("uri", "kind", "name"),
    [
        ("hf://owner/name", "model", "owner/name"),
        ("hf://name@main", "model", "name"),
        ("hf://datasets/owner/name/config@v1", "dataset", "owner/name"),
        ("hf://", "model", ""),
        ("s3://bucket/zoo/bert/", "model", "bert"),
        ("file:///zoo/bert", "model", "bert"),
        ("/zoo/bert.v2", "model", "bert.v2"),
        ("/zoo/reviews.JSONL", "dataset", "reviews"),
        ("/zoo/reviews.v2.parquet", "dataset", "reviews.v2"),
        ("/zoo/images/", "dataset", "images"),
        ("zoo/bert/../roberta", "model", "roberta"),
        (".", "model", Path.cwd().name),
        ("/", "model", ""),
        ("~nobody-of-this-name/bert", "model", "bert"),
        ("a\0b", "model", "a\0b"),
    ],
)
def test_a_name_is_the_last_part_that_means_something(uri: str, kind: str, name: str) -> None:
    assert default_name(uri, kind) == name
