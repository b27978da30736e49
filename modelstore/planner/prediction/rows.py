"""`predict`, `predict_proba` and `embed` over Arrow columns, as DuckDB calls them: a vector of rows at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modelstore.data.access import as_allowed_by, check_hub
from modelstore.data.hub import is_on_hub
from modelstore.data.preparation import read_images
from modelstore.data.remote import is_remote
from modelstore.errors import INTERRUPTIONS, ModelError, OptionError, as_database_error
from modelstore.interruption import check, forced_is_interrupted
from modelstore.planner.model_files import predictor_path
from modelstore.planner.prediction.session import PredictionSession, session_of
from modelstore.store.catalog import Catalog
from modelstore.store.registered import Model
from modelstore.tasks import CLASS, LABELS, NUMBER, TAGS
from modelstore.training.metrics import THRESHOLD, compared
from modelstore.turns import POLL_SECONDS, turn

if TYPE_CHECKING:
    from modelstore.training.predictor import Predictor

MEAN = "mean"  # the key of what a regression predicts
_lock = threading.Lock()

_WORDS = pa.list_(pa.string())
_LABELS = pa.struct(
    {"kind": pa.int8(), "label": pa.string(), "labels": pa.list_(pa.string())}
)  # kind 1: of lists
Answer = Callable[["Predictor", pa.Table], pa.Array]


# --- the functions


def _predict(predictor: Predictor, rows: pa.Table) -> pa.Array:
    target = predictor.target
    scores = predictor.scores(rows)
    if target is NUMBER:
        return _labels([repr(float(one)) for one in scores])
    names = pa.array(predictor.labels, pa.string())
    if target is CLASS:
        return _labels(names.take(pa.array(compared(target, scores))))
    if target is LABELS:
        found, ids = np.nonzero(scores >= THRESHOLD)
        return _lists(names.take(pa.array(ids)), np.bincount(found, minlength=len(scores)))
    tags = compared(target, scores)  # -1 for a word that was not read
    words = names.take(pa.array(tags, mask=tags < 0))
    return _lists(words, pc.list_value_length(rows["text"]).to_numpy())


def _predict_proba(predictor: Predictor, rows: pa.Table) -> pa.Array:
    if predictor.target is TAGS:
        raise ModelError(
            f'model "{predictor.name}" gives a tag to each word, and predict_proba one map to each row: '
            "predict gives its tags"
        )
    scores = predictor.scores(rows)
    names = pa.array(predictor.labels or (MEAN,), pa.string())
    keys = names.take(pa.array(np.tile(np.arange(len(names)), len(rows))))
    return pa.MapArray.from_arrays(
        _offsets(np.full(len(rows), len(names))), keys, pa.array(scores.astype(np.float64).reshape(-1))
    )


def _embed(predictor: Predictor, rows: pa.Table) -> pa.Array:
    features = predictor.embed(rows)
    return pa.ListArray.from_arrays(
        _offsets(np.full(len(rows), features.shape[1])), pa.array(features.reshape(-1))
    )


def _labels(values: pa.Array | list[str]) -> pa.Array:
    """Labels, one a row."""
    labels = pa.array(values, pa.string()) if isinstance(values, list) else values
    return _label_column(0, labels, pa.nulls(len(labels), _WORDS))


def _lists(values: pa.Array, lengths: NDArray) -> pa.Array:
    """Lists of labels, of these lengths."""
    return _label_column(
        1, pa.nulls(len(lengths), pa.string()), pa.ListArray.from_arrays(_offsets(lengths), values)
    )


def _label_column(kind: int, labels: pa.Array, lists: pa.Array) -> pa.Array:
    kinds = pa.array(np.full(len(labels), kind, np.int8))
    return pa.StructArray.from_arrays([kinds, labels, lists], fields=list(_LABELS))


def _as_union(labels: pa.Array) -> pa.Array:
    kind, *columns = labels.flatten()  # NULL where the row is
    return pa.UnionArray.from_sparse(kind.fill_null(0), columns, field_names=["label", "labels"])


def _offsets(lengths: NDArray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())


# --- one vector of rows


class _Function:
    """A function as DuckDB calls it.

    Parameters
    ----------
    name
        What people call it.
    answer
        Its values for rows that one model is given, without NULL.
    kind
        The type of these values.
    finish
        Makes what DuckDB gets of them.
    """

    def __init__(
        self,
        name: str,
        answer: Answer,
        kind: pa.DataType,
        finish: Callable[[pa.Array], pa.Array] = lambda one: one,
    ):
        self._name, self._answer, self._kind, self._finish = name, answer, kind, finish

    def __call__(
        self, keys: pa.ChunkedArray, devices: pa.ChunkedArray, *columns: pa.ChunkedArray
    ) -> pa.Array:
        model, *inputs = (_plain(column) for column in columns)
        given = np.logical_and.reduce(
            [one.is_valid().to_numpy(zero_copy_only=False) for one in (model, *inputs)]
        )
        places = np.flatnonzero(given)
        if not len(places):
            return self._finish(pa.nulls(len(given), self._kind))
        if not pa.types.is_string(model.type):
            raise OptionError(f"{self._name} takes the name of a model, not a value of type {model.type}")
        session, device = session_of(keys[0].as_py()), devices[0].as_py() or "auto"
        names = model.take(pa.array(places)).dictionary_encode()
        by_name = names.indices.to_numpy()
        answers, order = list[pa.Array](), list[NDArray]()
        with _working(session) as catalog:
            for number, name in enumerate(names.dictionary.to_pylist()):
                rows = places[by_name == number]
                model = catalog.model(name)
                path = _path_of(model, session)
                # Not at the top: it loads torch, which takes seconds, and what is wrong so far is said at once.
                from modelstore.planner.prediction import loaded

                predictor = loaded.predictor_of(model.name, path, device)
                answers.append(
                    self._answer(
                        predictor, self._rows(predictor, [one.take(pa.array(rows)) for one in inputs])
                    )
                )
                order.append(rows)
                loaded.keep_within_memory()
        back = np.zeros(len(given), np.int64)
        back[np.concatenate(order)] = np.arange(len(places))
        return self._finish(pa.concat_arrays(answers).take(pa.array(back, mask=~given)))

    def _rows(self, predictor: Predictor, inputs: Sequence[pa.Array]) -> pa.Table:
        """What a predictor takes. Raises ``ModelError`` where it is for something else."""
        first, *pair = inputs
        name = predictor.name
        if predictor.modality == "image":
            if pair or not (pa.types.is_binary(first.type) or pa.types.is_string(first.type)):
                raise ModelError(
                    f'model "{name}" is an image model: give it an image, a BLOB or the path of a file, not '
                    f"{'two values' if pair else _called(first.type)}"
                )
            if pa.types.is_string(first.type):
                first = read_images(first.to_pylist(), lambda path: f'the image "{path}"')
            return pa.table({"image": first})
        for one in inputs:
            if not (pa.types.is_string(one.type) or pa.types.is_list(one.type)):
                raise ModelError(f'model "{name}" is a text model: give it a text, not {_called(one.type)}')
        if self._name != "embed" and predictor.target is TAGS:
            if pair:
                raise ModelError(f'model "{name}" gives a tag to each word of one text, not of two')
            return pa.table({"text": _words(first)})
        if any(pa.types.is_list(one.type) for one in inputs):
            raise ModelError(
                f'model "{name}" is given lists, and takes a text: join its words with array_to_string'
            )
        return pa.table(dict(zip(("text", "text_pair"), inputs, strict=False)))


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """A column as text, binaries or lists of text, where it is one in any of Arrow's forms."""
    values = column.combine_chunks()
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if _is_text(kind):
        return values.cast(pa.string())
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return values.cast(pa.binary())
    is_list = pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind)
    if is_list and (
        _is_text(kind.value_type) or pa.types.is_null(kind.value_type)
    ):  # NULL: of lists that are empty
        return values.cast(_WORDS)
    return values


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _called(kind: pa.DataType) -> str:
    if pa.types.is_binary(kind):
        return "a BLOB"
    return "a text" if pa.types.is_string(kind) else f"a value of type {kind}"


def _words(texts: pa.Array) -> pa.Array:
    """The words of texts: of those that are lists already, or that stand between blanks."""
    if pa.types.is_string(texts.type):
        return pa.array([text.split() for text in texts.to_pylist()], _WORDS)
    if pc.list_flatten(texts).null_count:
        raise OptionError("a list of words has a NULL in it: leave such words out, or give '' for them")
    return texts


# --- the model and its surroundings


def _path_of(model: Model, session: PredictionSession) -> Path:
    """As `predictor_path`; what is elsewhere is asked for once by a connection, not for each vector of rows."""
    if model.uri is None or not (is_on_hub(model.uri) or is_remote(model.uri)):
        return predictor_path(model)
    check_hub(model.uri)
    path = session.fetched.get(model.uri)
    if path is None or not path.exists():
        path = session.fetched[model.uri] = predictor_path(model)
    return path


@contextmanager
def _working(session: PredictionSession) -> Iterator[Catalog]:
    """A block that computes for a connection, alone, with the catalog as committed; its errors are of PEP 249."""
    session.has_predicted = True
    try:
        with (
            forced_is_interrupted(),
            session.stop.working(),
            turn(session),
            _alone(),
            session.connection.cursor() as cursor,
            as_allowed_by(cursor),
        ):
            yield Catalog(cursor, session.database, session.moved)
    except KeyboardInterrupt:
        session.stop.set()  # for DuckDB's other threads, for which it waits
        raise
    except INTERRUPTIONS:
        raise
    except BaseException as error:
        raise as_database_error(error) from error


@contextmanager
def _alone() -> Iterator[None]:
    """A block that no other thread of the same query is in."""
    while not _lock.acquire(timeout=POLL_SECONDS):
        check()
    try:
        check()
        yield
    finally:
        _lock.release()


FUNCTIONS: dict[str, Callable[..., pa.Array]] = {
    "predict": _Function("predict", _predict, _LABELS, _as_union),
    "predict_proba": _Function("predict_proba", _predict_proba, pa.map_(pa.string(), pa.float64())),
    "embed": _Function("embed", _embed, pa.list_(pa.float32())),
}
