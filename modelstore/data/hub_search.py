"""Searches the Hugging Face hub for models."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from modelstore.data.access import check_hub
from modelstore.data.card_metadata import metadata_of, texts
from modelstore.data.hub import SCHEME
from modelstore.data.hub_client import HubError, no_long_waits, patiently, refused, status_of, without_token
from modelstore.data.hub_download import record_of
from modelstore.data.hub_models import counted_parameters
from modelstore.interruption import check
from modelstore.libraries import first_line, quiet
from modelstore.tasks import TAGS, target_of

# The hub's tasks of models that can be fine-tuned to classify texts, or images.
_TASKS = {
    "text": ("fill-mask", "text-classification", "feature-extraction", "sentence-similarity"),
    "image": ("image-classification", "image-feature-extraction"),
}
_SORTS = {  # what the hub calls the orders, of which `modelstore.options` has the names
    "downloads": "downloads",
    "likes": "likes",
    "last_modified": "lastModified",
    "created_at": "createdAt",
    "trending_score": "trendingScore",
}
_ASKED = ("cardData", "downloads", "likes", "lastModified", "pipeline_tag", "safetensors", "tags")
_PAGE = 1000  # models that the hub gives at a time


@dataclass(frozen=True)
class Search:
    """What models are searched for; what is None does not matter.

    Parameters
    ----------
    tasks
        The hub's names of tasks, of which a model has one; empty: any.
    language, license
        As cards name them.
    base
        The repository of the model that they were made from.
    """

    tasks: tuple[str, ...] = ()
    language: str | None = None
    license: str | None = None
    base: str | None = None

    @property
    def filters(self) -> list[str]:
        """The tags that a model has to have."""
        found = [self.language or ""]
        found += [f"license:{self.license}" if self.license else ""]
        found += [f"base_model:{self.base.removeprefix(SCHEME)}" if self.base else ""]
        return [one for one in found if one]


@dataclass(frozen=True)
class FoundModel:
    """A model that the hub has found; each is None, or empty, where the hub or the card does not say.

    ``parameters`` are those in safetensors files, and ``last_modified`` is in UTC.
    """

    name: str
    uri: str
    downloads: int | None
    likes: int | None
    license: str | None
    languages: tuple[str, ...]
    task: str | None
    base_model: str | None
    parameters: int | None
    last_modified: datetime | None
    tags: tuple[str, ...]


def tasks_for(modality: str, task: str) -> tuple[str, ...]:
    """The hub's tasks of the models that serve a dataset of a modality and a task."""
    also = ("token-classification",) if target_of(task) is TAGS else ()
    return (*_TASKS[modality], *also)


def search_models(search: Search, limit: int, sort: str) -> list[FoundModel]:
    """Asks the hub for models.

    Parameters
    ----------
    search
        What is searched for.
    limit
        How many models are wanted at most.
    sort
        The order, of which the highest comes first: ``downloads``, ``likes``, ``last_modified``, ``created_at`` or
        ``trending_score``.

    Raises
    ------
    HubError
        If the hub does not answer.
    duckdb.PermissionException
        If statements may not reach the hub.
    """
    check_hub(SCHEME)
    try:
        with quiet(), no_long_waits():
            found = [_pages(search, task, limit, sort) for task in search.tasks or (None,)]
            merged = heapq.merge(*found, key=lambda model: _rank(model, sort), reverse=True)
            unique: dict[str, Any] = {}
            for model in merged:
                unique.setdefault(model.id, model)
                if len(unique) == limit:
                    break
            return [_found(model) for model in unique.values()]
    except duckdb.Error:
        raise
    except Exception as error:  # the client raises many kinds: network, login, answers of another form
        raise HubError(_reason(error)) from None  # it may hold the request's headers


def _pages(search: Search, task: str | None, limit: int, sort: str) -> Iterator[Any]:
    """The hub's models of one task in order, page by page as they are wanted.

    `HfApi.list_models` asks a hub that does not answer again for half a minute, without a way to stop it.
    """
    from huggingface_hub import ModelInfo, constants
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    asked = [*_ASKED, *({_SORTS[sort]} - {*_ASKED})]
    params: Any = {
        "sort": _SORTS[sort],
        "limit": min(limit, _PAGE),
        "expand": asked,
        "filter": search.filters,
    }
    params |= {} if task is None else {"pipeline_tag": task}
    url = f"{constants.ENDPOINT}/api/models"

    def ask() -> Any:
        response = get_session().get(url, params=params, headers=build_hf_headers())
        hf_raise_for_status(response)
        return response

    while url:
        check()
        response = patiently(ask, "the list of models")
        yield from (ModelInfo(**model) for model in response.json())
        url, params = response.links.get("next", {}).get("url"), None


def _rank(model: Any, sort: str) -> Any:
    value = getattr(model, sort)
    if sort in ("last_modified", "created_at"):
        return value or datetime.min.replace(tzinfo=UTC)
    return value or 0


def _found(model: Any) -> FoundModel:
    said = metadata_of(getattr(model.card_data, "__dict__", None))
    record = record_of(model)
    return FoundModel(
        name=model.id,
        uri=f"{SCHEME}{model.id}",
        downloads=record.downloads,
        likes=model.likes,
        license=said.license,
        languages=said.languages,
        task=model.pipeline_tag,
        base_model=said.base_model,
        parameters=counted_parameters(model),
        last_modified=record.last_modified,
        tags=texts(model.tags),
    )


def _reason(error: Exception) -> str:
    """Why the hub cannot be searched, and what would help."""
    from huggingface_hub import constants
    from huggingface_hub import errors as hub

    status = status_of(error)
    if isinstance(error, hub.OfflineModeIsEnabled) or constants.HF_HUB_OFFLINE:
        return "cannot be searched: offline mode is on (HF_HUB_OFFLINE)"
    if status == 400:
        return "does not take this search (HTTP 400): check its options"
    if status is not None:
        return refused("cannot be searched", error)
    return (
        f"cannot be searched ({without_token(first_line(error))}): check the connection to {constants.ENDPOINT} and "
        "run the statement again"
    )
