"""What the formulas share: the checks of their arguments, and singular value decompositions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_matrix(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """``values`` as an (n, d) float64 array.

    Raises ``ValueError``, with ``name`` in it, where it is empty, ragged or not two-dimensional, or holds
    anything but finite numbers.
    """
    try:
        matrix = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a matrix of numbers, with rows of one length") from None
    if matrix.size == 0:
        raise ValueError(f"{name} must have at least one row and one column")
    if matrix.ndim != 2:
        raise ValueError(f"{name} must have two dimensions, not {matrix.ndim}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite, without NULL or NaN")
    return matrix


def as_classes(labels: ArrayLike, rows: int) -> tuple[NDArray[np.intp], int]:
    """The class of each row, (n,), as 0 … classes − 1, and the number of classes.

    Labels are integers, booleans, strings or whole floats. Raises ``ValueError`` where there is not one for
    each of the ``rows``, one is missing, or one is a fraction: fractions are a regression target.
    """
    values = np.asarray(labels)
    if values.shape != (rows,):
        raise ValueError(f"there must be one label a row: {rows} rows, labels of shape {values.shape}")
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.round(values))).all():
        raise ValueError("labels must be classes: integers or strings, without NULL, NaN or fractions")
    if values.dtype.kind in "OU":
        # Strings, which NumPy sorts slowly, and not at all where one from a data frame is missing.
        if any(label is None or label != label for label in values.tolist()):
            raise ValueError("labels must be classes: integers or strings, without NULL, NaN or fractions")
        code_of: dict[object, int] = {}
        each = (code_of.setdefault(label, len(code_of)) for label in values.tolist())
        codes = np.fromiter(each, np.intp, rows)
        return codes, len(code_of)
    classes, inverse = np.unique(values, return_inverse=True)
    return inverse.astype(np.intp, copy=False), len(classes)


def are_label_sets(labels: ArrayLike) -> bool:
    """Whether labels are booleans of two dimensions: which labels each row has, (n, labels)."""
    return isinstance(labels, np.ndarray) and labels.ndim == 2 and labels.dtype == np.bool_


def as_label_sets(labels: ArrayLike, rows: int) -> NDArray[np.bool_]:
    """Which labels each row has, (n, labels), without the labels that all rows have or none.

    Raises ``ValueError`` where there is not one set for each of the ``rows``, or no label is left.
    """
    sets = np.asarray(labels)
    if len(sets) != rows:
        raise ValueError(f"there must be one set of labels a row: {rows} rows, {len(sets)} sets")
    mixed = sets[:, sets.any(axis=0) & ~sets.all(axis=0)]
    if not mixed.shape[1]:
        raise ValueError("no label is there in some rows and not in others")
    return mixed


def as_groups(labels: ArrayLike, rows: int) -> NDArray[np.intp] | NDArray[np.bool_]:
    """The codes of `as_classes`, (n,), or the sets of `as_label_sets`, (n, labels)."""
    return as_label_sets(labels, rows) if are_label_sets(labels) else as_classes(labels, rows)[0]


def as_vector(values: ArrayLike) -> NDArray[np.float64]:
    """Scores as an (n,) float64 array, None as NaN; ``ValueError`` where they are no list of numbers."""
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("scores must be numbers") from None
    if x.ndim != 1:
        raise ValueError(f"scores must be a list, not of {x.ndim} dimensions")
    return x


def scaled(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """``matrix`` in a unit in which the squares of its squares neither overflow nor vanish; most stay as they are."""
    top = np.abs(matrix).max()
    return matrix if top == 0 or 1e-50 < top < 1e50 else matrix / top


def centred(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """``matrix`` less the mean of each column; a constant column is exactly zero, whatever its mean rounds to."""
    shifted = matrix - matrix[0]
    return shifted - shifted.mean(axis=0)


def thin_svd(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The decomposition U S Vᵀ of ``matrix``: U (n, rank) and the singular values (rank,), the largest first.

    It is made from the eigenvectors of the smaller of MᵀM and MMᵀ, several times as fast as a decomposition
    of M itself with its V. Singular values below about a millionth of the largest count as zero.
    """
    vectors, singular = _singular(matrix)
    return (matrix @ vectors / singular if _is_tall(matrix) else vectors), singular


def singular_projections(
    matrix: NDArray[np.float64], targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UᵀY (rank, t) of the ``targets`` Y (n, t), and the singular values (rank,), as `thin_svd` but without U."""
    vectors, singular = _singular(matrix)
    if _is_tall(matrix):
        return vectors.T @ (matrix.T @ targets) / singular[:, None], singular
    return vectors.T @ targets, singular


def _is_tall(matrix: NDArray[np.float64]) -> bool:
    return bool(matrix.shape[0] >= matrix.shape[1])


def _singular(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The singular values with V (d, rank) of a tall ``matrix``, or U (n, rank) of a wide one."""
    squares, vectors = np.linalg.eigh(matrix.T @ matrix if _is_tall(matrix) else matrix @ matrix.T)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    rank = int((squares > squares[0] * max(matrix.shape) * np.finfo(float).eps).sum())
    return vectors[:, :rank], np.sqrt(squares[:rank])
