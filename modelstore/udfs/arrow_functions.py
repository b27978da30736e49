"""The formulas over Arrow columns, as DuckDB calls them: `register` says what each takes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .hscore import hscore
from .knn import knn_accuracy
from .leep import leep
from .logme import logme
from .nleep import nleep
from .silhouette import silhouette
from .similarity import paired_similarities
from .trends import trends_of_curves

Formula = Callable[[NDArray[np.float64], NDArray[Any]], float | None]

TRENDS_IN_ARROW = pa.list_(
    pa.struct(
        {
            "trend": pa.int64(),
            "size": pa.int64(),
            "datasets": pa.list_(pa.string()),
            "validation": pa.float64(),
            "test": pa.float64(),
        }
    )
)


def _model_similarity(a: pa.ChunkedArray, b: pa.ChunkedArray, k: pa.ChunkedArray) -> pa.Array:
    lengths = [pc.list_value_length(column).fill_null(0).to_numpy() for column in (a, b)]
    given = np.logical_and.reduce([column.is_valid().to_numpy() for column in (a, b, k)])
    if (given & (lengths[0] != lengths[1])).any():
        raise ValueError("both models need a cell for the same datasets: a and b differ in length")
    # Missing cells at the end change nothing, so lists of all lengths fit in one matrix.
    width = int(max(length.max(initial=1) for length in lengths))
    left, right = (_padded(column, length, width) for column, length in zip((a, b), lengths, strict=True))
    numbers = k.fill_null(0).to_numpy()
    result = np.full(len(given), np.nan)
    for number in np.unique(numbers[given]):
        rows = given & (numbers == number)
        result[rows] = paired_similarities(left[rows], right[rows], int(number))
    return pa.array(result, from_pandas=True)


def _padded(column: pa.ChunkedArray, lengths: NDArray[Any], width: int) -> NDArray[np.float64]:
    """A column of lists as a matrix, NaN for NULL and beyond a list's end."""
    matrix = np.full((len(lengths), width), np.nan)
    matrix[np.arange(width) < lengths[:, None]] = pc.list_flatten(column).to_numpy()
    return matrix


def _of_matrix_and_labels(formula: Formula) -> Callable[[pa.ChunkedArray, pa.ChunkedArray], pa.Array]:
    def function(matrices: pa.ChunkedArray, labels: pa.ChunkedArray) -> pa.Array:
        results = []
        for rows, union in zip(matrices, labels, strict=True):
            given = rows.is_valid and union.is_valid
            results.append(formula(_matrix(rows.values), _labels(union.value.values)) if given else None)
        return pa.array(results, pa.float64())

    return function


def _matrix(rows: pa.Array) -> NDArray[np.float64]:
    if rows.null_count:
        raise ValueError("a matrix must not have a row that is NULL")
    lengths = pc.list_value_length(rows).to_numpy()
    width = int(lengths[0]) if len(lengths) else 0
    if (lengths != width).any():
        raise ValueError("a matrix must have rows of one length")
    # NULL becomes NaN, which the formulas refuse.
    cells = rows.flatten().to_numpy(zero_copy_only=False)
    return cells.reshape(len(rows), width)


def _labels(values: pa.Array) -> NDArray[Any]:
    if values.null_count:
        raise ValueError("labels must not be NULL")
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        # Strings, for which NumPy would need an object each.
        values = values.dictionary_encode().indices
    return values.to_numpy(zero_copy_only=False)


def _logme(features: NDArray[np.float64], labels: NDArray[Any]) -> float:
    return logme(features, labels, regression=labels.dtype.kind == "f")


def _trends_of_curves(
    datasets: pa.ChunkedArray,
    epochs: pa.ChunkedArray,
    validations: pa.ChunkedArray,
    tests: pa.ChunkedArray,
    results: pa.ChunkedArray,
    epoch: pa.ChunkedArray,
    trends: pa.ChunkedArray,
) -> pa.Array:
    columns = (datasets, epochs, validations, tests, results, epoch, trends)
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return pa.array([None if None in row else _trends(*row) for row in rows], TRENDS_IN_ARROW)


def _trends(
    datasets: list[str],
    epochs: list[list[float]],
    validations: list[list[float]],
    tests: list[list[float]],
    results: list[float | None],
    epoch: float,
    trends: int,
) -> list[dict[str, Any]]:
    # Which test of a run counts, the macro has decided.
    runs = zip(epochs, validations, tests, strict=True)
    found = trends_of_curves(runs, results, epoch, trends, keep="last")
    return [
        {
            "trend": number + 1,
            "size": int((found.labels == number).sum()),
            "datasets": [datasets[member] for member in np.flatnonzero(found.labels == number)],
            "validation": validation,
            "test": final,
        }
        for number, (validation, final) in enumerate(zip(found.validation, found.final, strict=True))
    ]


FUNCTIONS: dict[str, Callable[..., pa.Array]] = {
    "model_similarity": _model_similarity,
    "trends_of_curves": _trends_of_curves,
    "leep": _of_matrix_and_labels(leep),
    "nleep": _of_matrix_and_labels(nleep),
    "logme": _of_matrix_and_labels(_logme),
    "hscore": _of_matrix_and_labels(hscore),
    "knn_accuracy": _of_matrix_and_labels(knn_accuracy),
    "silhouette": _of_matrix_and_labels(silhouette),
}
