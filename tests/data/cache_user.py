"""Uses the cache as one of several processes do; imports no more than that takes, so that they start fast."""

import numpy as np
import pyarrow as pa

from modelstore.data import cache


def entry(rows: int) -> pa.Table:
    return pa.table({"numbers": np.arange(rows)})


def use(number: int) -> bool:
    """Asks for three entries in turn; whether each was what it should be."""
    return all(
        cache.load_or_compute(f"{i % 3}", lambda i=i: entry(1000 + i % 3)) == entry(1000 + i % 3)
        for i in range(60)
    )
