"""What carries messages between a `WorkerClient` and an actor on a node of a Ray cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from modelstore.data.fingerprint import digest_of_model, fingerprint
from modelstore.data.hub import ModelRef
from modelstore.data.remote import AnyPath, on_disk
from modelstore.data.whole_files import whole_directory, whole_file
from modelstore.errors import ModelError
from modelstore.execution.messages import (
    Answer,
    Ask,
    BatchesDone,
    Done,
    EmbedTexts,
    ExtractFeatures,
    Failed,
    MeasureCost,
    Message,
    Prepare,
    Ready,
    ReleaseAll,
    ReleaseRun,
    Save,
    SaveState,
    StartRun,
    Stop,
)
from modelstore.execution.ray_cluster.freight import bytes_of, model_files, probe_in, write_files
from modelstore.execution.ray_cluster.session import Session, lacking
from modelstore.execution.worker import WorkerLost

REPLY_SECONDS = 60.0  # in which an actor says what it has, before it counts as lost
REPORT_SECONDS = 0.5  # between two looks at how many batches are done
# What a node needs to know to fetch from the hub as this process does; its caches are its own.
_OF_HUB = ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "HF_HUB_DOWNLOAD_TIMEOUT")


class SharedData:
    """The datasets that are in the object store, so that each is put there once."""

    def __init__(self, session: Session):
        self._session = session
        self._held: list[tuple[Any, Any]] = []  # data and reference: the last few

    def reference(self, data: Any) -> Any:
        for held, reference in self._held:
            if held is data:
                return reference
        reference = self._session.ray.put(data)
        self._held = [*self._held[-3:], (data, reference)]
        return reference


class ActorTransport:
    """The client's end of a connection to an actor.

    Parameters
    ----------
    session
        The connection to the cluster.
    actor
        A handle of a `WorkerActor`.
    shared
        The datasets in the object store.

    Attributes
    ----------
    why_lost
        Why the actor is lost, in a few words; None where it is not, or was ended by this side.
    """

    def __init__(self, session: Session, actor: Any, shared: SharedData):
        self._ray = session.ray
        self._actor = actor
        self._shared = shared
        self.why_lost: str | None = None
        self._lost = False
        self._number = 0
        self._asked: Ask | None = None
        self._answer = actor.start.remote()
        self._batches: Any = None
        self._looked = time.monotonic()

    @property
    def alive(self) -> bool:
        return not self._lost

    def send(self, message: Message) -> None:
        with self._lost_where_unreachable():
            match message:
                case Ask():
                    self._number += 1
                    self._asked = message
                    self._answer = self._begin(message)
                case Stop():
                    self._actor.stop.remote(self._number)
                case ReleaseRun(run):
                    self._actor.release_run.remote(run)
                case ReleaseAll():
                    self._actor.release_all.remote()

    def receive(self, timeout: float) -> Answer | None:
        with self._lost_where_unreachable():
            done, _ = self._ray.wait([self._answer], timeout=timeout)
            if not done:
                return self._progress()
            answer: Ready | Done | Failed = self._ray.get(self._answer)
        if self._asked is not None and isinstance(answer, Done):
            return _delivered(self._asked, answer)
        if self._asked is None and isinstance(answer, Failed):  # the node lacks what it needs
            self.close()
            raise answer.error
        return answer

    def reaches(self, folder: AnyPath) -> bool:
        return isinstance(folder, Path) or self._shares(
            folder
        )  # what is on a disk is moved where it is not shared

    def kill(self) -> None:
        self._lost = True
        with suppress(Exception):  # it is gone already, or the cluster is
            self._ray.kill(self._actor)

    def close(self) -> None:
        self.kill()

    def _begin(self, ask: Ask) -> Any:
        """Has the actor begin with a request; the reference of its answer."""
        match ask.request:
            case Prepare(_, environment, data):
                hub = {name: environment[name] for name in _OF_HUB if name in environment}
                return self._actor.prepare.remote(
                    self._number, ask.threads, self._shared.reference(data), hub
                )
            case StartRun(_, model, _, checkpoint):
                return self._with_model(ask, model, checkpoint)
            case ExtractFeatures(model) | EmbedTexts(model) | MeasureCost(model):
                return self._with_model(ask, model, None)
            case SaveState(_, path) if not self._shares(path.parent):
                return self._actor.hand_over.remote(self._number, ask)
            case Save(_, directory) if not self._shares(directory.parent):
                return self._actor.hand_over.remote(self._number, ask)
        return self._actor.answer.remote(self._number, ask)

    def _with_model(self, ask: Ask, model: ModelRef, saved: AnyPath | None) -> Any:
        """Begins with a request that takes a model, and what a run goes on from; moves what the node lacks."""
        digest = digest_of_model(str(model.path))
        if digest is None:
            raise ModelError(f"the files of the model {model.name} in {model.path} cannot be read")
        files = state = None
        if not self._has(model.path, digest):
            files = self._ray.put(model_files(model.path))
        if saved is not None and not self._shares(saved.parent):
            with on_disk(saved) as file:
                state = self._ray.put({file.name: bytes_of(file)})
        return self._actor.with_model.remote(self._number, ask, digest, files, state)

    def _has(self, model: Path, digest: str) -> bool:
        """Whether the node has the files of a model's directory."""
        states = fingerprint(str(model), "model")
        return bool(self._ask_now(self._actor.has_model.remote(str(model), states, digest)))

    def _shares(self, folder: AnyPath) -> bool:
        """Whether the node sees the files of a folder."""
        with probe_in(folder) as probe:
            return bool(self._ask_now(self._actor.sees.remote(str(probe))))

    def _ask_now(self, reference: Any) -> Any:
        return self._ray.get(reference, timeout=REPLY_SECONDS)

    def _progress(self) -> BatchesDone | None:
        """The batches that were done lately, where they are known."""
        if self._batches is not None:
            done, _ = self._ray.wait([self._batches], timeout=0)
            if not done:
                return None
            count, self._batches = self._ray.get(self._batches), None
            return BatchesDone(count) if count else None
        if self._asked is not None and time.monotonic() - self._looked > REPORT_SECONDS:
            self._looked = time.monotonic()
            self._batches = self._actor.batches.remote()
        return None

    @contextmanager
    def _lost_where_unreachable(self) -> Iterator[None]:
        if self._lost:
            raise WorkerLost("a worker of the cluster was ended")
        try:
            yield
        except self._ray.exceptions.RayError as error:
            self.kill()
            if missing := re.search(r"ModuleNotFoundError: No module named '([^']+)'", str(error)):
                raise lacking("a node of the cluster", missing[1]) from None
            self.why_lost = _reason(error)
            raise WorkerLost(f"a worker of the cluster is lost ({self.why_lost})") from error


def _delivered(asked: Ask, answer: Done) -> Done | Failed:
    """The answer, once the files that came in the place of a result are written."""
    request = asked.request
    if answer.result is None or not isinstance(request, Save | SaveState):
        return answer
    try:
        if isinstance(request, Save):
            with whole_directory(request.directory) as partial:
                write_files(partial, answer.result)
        else:
            [content] = answer.result.values()
            with whole_file(request.path) as partial:
                content.tofile(partial)
    except OSError as error:
        return Failed(error)
    return Done(None)


def _reason(error: BaseException) -> str:
    """Ray's reason, in a line."""
    known = {
        "ActorDiedError": "its process or its node ended",
        "ActorUnavailableError": "its node cannot be reached",
        "GetTimeoutError": f"it has said nothing for {REPLY_SECONDS:g} s",
        "OutOfMemoryError": "its node was short of memory",
        "ObjectStoreFullError": "the object store is full",
    }
    kind = type(error).__name__
    return known.get(kind) or f"{kind}: {' '.join(str(error).split())[:200]}"
