"""Fetches the models of a selection that are not on this machine, each when its turn comes, while others train."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass

from modelstore.data.fetched_models import in_use
from modelstore.data.hub import ModelRef, is_on_hub, local_path, must_be_fetched, repository_of, resolve_model
from modelstore.errors import ModelError
from modelstore.interruption import Interruption, check
from modelstore.planner.catalog.statement import read_model
from modelstore.planner.contents import contents_of, register_models
from modelstore.store import Store
from modelstore.store.registered import Model

AHEAD = 2  # models that are fetched, or on their way, and have not begun to train
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class _Fetched:
    """A model that has come: where it is, what is to be registered of it, and what keeps it there."""

    ref: ModelRef
    model: Model | None
    hold: ExitStack


class Fetching(Mapping[str, ModelRef]):
    """Where the models of a selection are; some of them come from the hub meanwhile, and are registered then.

    A look-up, which may be in any thread, raises what prevented a model from being fetched or used. Everything else
    is for the thread of the statement.

    Parameters
    ----------
    store
        Where models are registered.
    refs
        Finds the models that need not be fetched.
    uris
        Where all of them are, by name.
    to_fetch
        Those that train, and are fetched or registered before, in the order of their turns.
    unregistered
        Those that are registered when they have come.
    modality
        The target's.
    arms
        By arm, its model.
    """

    def __init__(
        self,
        store: Store,
        refs: Mapping[str, ModelRef],
        uris: Mapping[str, str],
        to_fetch: Sequence[str],
        unregistered: Sequence[str],
        modality: str,
        arms: Mapping[str, str],
    ):
        self._store = store
        self._refs = refs
        self._uris = uris
        self._to_fetch = frozenset(to_fetch)
        self._unregistered = frozenset(unregistered)
        self._modality = modality
        self._arms = arms
        self._in_use = set(arms)
        self._waiting = list(to_fetch)
        self._holds: dict[str, ExitStack] = {}  # of models that are here
        self._fetches: dict[str, Future[_Fetched]] = {}
        self._received: set[str] = set()
        self._stop = Interruption()
        self._threads = ThreadPoolExecutor(AHEAD, "modelstore-fetch")

    def __enter__(self) -> "Fetching":
        for name in self._uris.keys() - self._to_fetch:
            uri = self._uris[name]
            if is_on_hub(uri) and not must_be_fetched(uri, "model"):
                self._holds[name] = _held(uri, local_path(uri, "model").name)
        self._begin_more()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops what is being fetched; what has come of it is kept, and a later fetch goes on from there."""
        self._stop.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for name in self._uris:
            self._let_go(name)

    def __getitem__(self, name: str) -> ModelRef:
        return self._fetches[name].result().ref if name in self._fetches else self._refs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._uris)

    def __len__(self) -> int:
        return len(self._uris)

    def is_here(self, arm: str) -> bool:
        """Whether the turn of an arm need not wait: its model is here, or cannot be fetched."""
        name = self._arms[arm]
        return name not in self._to_fetch or (name in self._fetches and self._fetches[name].done())

    def wait(self) -> bool:
        """Waits a moment for the next model to come; False where none is on its way."""
        on_their_way = [fetch for fetch in self._fetches.values() if not fetch.done()]
        check()
        wait(on_their_way, POLL_SECONDS, FIRST_COMPLETED)
        return bool(on_their_way)

    def receive(self, arm: str) -> None:
        """Registers the model of an arm whose turn it is, where it is new, and begins to fetch the next one."""
        name = self._arms[arm]
        if name in self._received or name not in self._to_fetch | self._unregistered:
            return
        self._received.add(name)
        if name not in self._fetches:  # a winner whose run was on record
            self._begin(name)
        while not self._fetches[name].done():
            self.wait()
        self._begin_more()
        if self._fetches[name].exception() is None:
            self._register(self._fetches[name].result().model)

    def release(self, arm: str) -> None:
        """Lets the files of an arm's model be removed, once none of its arms trains."""
        self._in_use.discard(arm)
        name = self._arms[arm]
        if not any(self._arms[other] == name for other in self._in_use):
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        if name in self._holds:
            self._holds[name].close()
        if name in self._fetches:
            self._fetches[name].add_done_callback(_release)

    def _begin_more(self) -> None:
        while self._waiting and len(self._fetches.keys() - self._received) < AHEAD:
            self._begin(self._waiting.pop(0))

    def _begin(self, name: str) -> None:
        self._fetches[name] = self._threads.submit(copy_context().run, self._fetch, name)

    def _fetch(self, name: str) -> _Fetched:
        with self._stop.working():
            uri, model = self._uris[name], None
            if name not in self._unregistered:
                ref = resolve_model(name, uri)
            else:
                ref, model = read_model(name, uri)
                if model.modality != self._modality:
                    raise ModelError(
                        f"model {uri} is a model of {model.modality}s, and the target's rows are {self._modality}s"
                    )
            return _Fetched(ref, model, _held(uri, str(ref.revision)))

    def _register(self, model: Model | None) -> None:
        """Registers a model as CREATE MODEL does, unless another statement has registered one of its name."""
        if model is None:
            return
        files = contents_of(model)
        with self._store.registration():
            if self._store.catalog.find_model(model.name) is None:
                register_models(self._store, {model.name: (model, files)})


def _held(uri: str, commit: str) -> ExitStack:
    """What keeps the files of a model of the hub where they are until it is closed."""
    hold, repository = ExitStack(), repository_of(uri)
    if repository is not None:
        hold.enter_context(in_use(repository, commit))
    return hold


def _release(fetch: Future[_Fetched]) -> None:
    if not fetch.cancelled() and fetch.exception() is None:
        fetch.result().hold.close()
