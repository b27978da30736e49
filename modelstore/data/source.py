"""What reading a dataset's files takes: a query, the tables that it names, and what there is to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

SPLIT_COLUMN = "modelstore_split"  # the split that the names of files say
FOLDER_COLUMN = (
    "modelstore_folder"  # the folder of the file that a row is from; paths of images are relative to it
)
HIDDEN = (SPLIT_COLUMN, FOLDER_COLUMN)


@dataclass(frozen=True)
class Source:
    """The rows of a dataset's files.

    Parameters
    ----------
    query
        A DuckDB query. Its columns `HIDDEN` come from where a row stands, not from the files.
    tables
        The Arrow tables that the query names.
    class_names
        The names of classes by column; the column holds their positions.
    notices
        What was left out or inferred.
    """

    query: str
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
