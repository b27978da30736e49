"""Queries that errors propose for files of different shapes."""

from pathlib import Path

from modelstore.data.proposals import propose_query


def test_a_proposal_says_which_files_it_leaves_out(tmp_path: Path) -> None:
    rows = range(40)
    first = "text,label\n" + "".join(f"good text number {i},{i % 2}\n" for i in rows)
    (tmp_path / "a.csv").write_text(first)
    other = "review,stars,category\n" + "".join(f"fine words {i},{i % 5},c\n" for i in rows)
    (tmp_path / "b.csv").write_text(other)
    found = propose_query("d", tmp_path)
    assert "(it leaves out b.csv)" in found
    assert "a.csv" in found.partition(": ")[2]
