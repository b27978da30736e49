"""The public records that come with the package: results that others have published, and what they are.

`benchmarks/public_records.py` makes the files from their sources; LICENSES.md has the sources' licenses.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class PublicRecords:
    """One set of public records.

    Parameters
    ----------
    name
        Its name, which is that of the recipe that its results have in a store.
    title
        What was trained on what.
    source, license, date
        Where it was published, under which license, and when: ``2026-04``, or the year alone.
    score
        What a score means.
    models, datasets, results
        How many there are of each.
    """

    name: str
    title: str
    source: str
    license: str
    date: str
    score: str
    models: int
    datasets: int
    results: int

    def read(self) -> "pa.Table":
        """The results: ``model``, ``dataset``, ``score`` and ``metric``, and what else the source says of each."""
        import pyarrow.parquet as pq

        return pq.read_table(_FOLDER / f"{self.name}.parquet")


RECORDS = {
    described["name"]: PublicRecords(**described)
    for described in json.loads((_FOLDER / "records.json").read_text("utf-8"))
}
NAMES = tuple(RECORDS)
