"""What the formulas share: their arguments checked and made into arrays."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_matrix(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """`values` as an (n, d) float64 array; ValueError, with `name` in it, where it is empty, ragged, not
    two-dimensional, or holds anything but finite numbers."""
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
    """The (n,) class of each row as 0 … classes − 1, and the number of classes.

    Labels are integers, booleans, strings or whole floats. ValueError for another number of them than `rows`,
    for a missing one, and for floats that are not whole: those are a regression target.
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


def scaled(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """`matrix` in a unit in which its squares' squares neither overflow nor vanish; most are left as they are."""
    top = np.abs(matrix).max()
    return matrix if top == 0 or 1e-50 < top < 1e50 else matrix / top


def centred(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """`matrix` less the mean of each column; a constant column is exactly zero, whatever its mean rounds
    to."""
    shifted = matrix - matrix[0]
    return shifted - shifted.mean(axis=0)


def thin_svd(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """U (n, rank) and the singular values (rank,), largest first, of the decomposition U S Vᵀ of `matrix`.

    From the eigenvectors of the smaller of MᵀM and MMᵀ, several times as fast as a decomposition of M itself
    with its V. It sees singular values down to about a millionth of the largest; those below count as zero.
    """
    vectors, singular = _singular(matrix)
    return (matrix @ vectors / singular if _is_tall(matrix) else vectors), singular


def singular_projections(
    matrix: NDArray[np.float64], targets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UᵀY (rank, t) and the singular values (rank,) for `targets` Y (n, t), as `thin_svd` but with no U made."""
    vectors, singular = _singular(matrix)
    if _is_tall(matrix):
        return vectors.T @ (matrix.T @ targets) / singular[:, None], singular
    return vectors.T @ targets, singular


def _is_tall(matrix: NDArray[np.float64]) -> bool:
    return bool(matrix.shape[0] >= matrix.shape[1])


def _singular(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """V (d, rank) where `matrix` is tall, U (n, rank) where it is wide, and the singular values."""
    squares, vectors = np.linalg.eigh(matrix.T @ matrix if _is_tall(matrix) else matrix @ matrix.T)
    squares, vectors = squares[::-1], vectors[:, ::-1]
    rank = int((squares > squares[0] * max(matrix.shape) * np.finfo(float).eps).sum())
    return vectors[:, :rank], np.sqrt(squares[:rank])
