"""Models that stay loaded between the calls of a query, and between queries."""

from collections import OrderedDict
from pathlib import Path

import psutil

from modelstore.training.predictor import Predictor, load_predictor

SHARE = 0.25  # of the machine's memory, for the weights of all models together

_Key = tuple[str, str, tuple[tuple[str, int, int], ...]]
_loaded: OrderedDict[_Key, Predictor] = OrderedDict()  # that used least recently first


def predictor_of(name: str, path: Path, device: str) -> Predictor:
    """The predictor of a model, loaded once unless its files have changed since; raises as `load_predictor` does.

    It is for one thread at a time.
    """
    key = (str(path), device, _state_of(path))
    predictor = _loaded.pop(key, None) or load_predictor(name, path, device)
    predictor.name = name
    _loaded[key] = predictor
    return predictor


def keep_within_memory() -> None:
    """Lets go of the models that were used least recently, while they take more memory than they may together.

    The one that was used last stays: each call of its query would load it again.
    """
    limit = SHARE * psutil.virtual_memory().total
    while len(_loaded) > 1 and sum(predictor.nbytes for predictor in _loaded.values()) > limit:
        _loaded.popitem(last=False)


def _state_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """The names, times and sizes of a model's files: others where it was written again."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    states = ((file.name, file.stat()) for file in files if file.is_file())
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)
