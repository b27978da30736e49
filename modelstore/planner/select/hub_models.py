"""What a selection fetches from the hub at most: said before it begins, and by EXPLAIN."""

from collections.abc import Collection, Mapping
from functools import cached_property

from modelstore.data.hub import list_models
from modelstore.data.hub_download import free_disk
from modelstore.data.hub_listing import Listed, count_licenses
from modelstore.errors import first_of
from modelstore.planner.plan import Cost, Step, counted
from modelstore.progress import notify
from modelstore.sizes import size

_NAMED = 4  # licenses; others are counted


class HubModels(Step):
    """Models that are fetched from the hub when their turns come; the hub is asked what they are when that is needed.

    Parameters
    ----------
    to_fetch
        The addresses of those that are not on this machine, by name.
    unregistered
        The models that are known by their records alone, in the hub's cache or not.
    """

    def __init__(self, to_fetch: Mapping[str, str], unregistered: Collection[str]):
        self._to_fetch = to_fetch
        self._unregistered = unregistered

    @cached_property
    def _listed(self) -> list[Listed | None]:
        return list_models(list(self._to_fetch.values()))

    @property
    def _there(self) -> list[Listed]:
        """What is known of the models that the hub has."""
        return [one for one in self._listed if one is not None and one.is_there]

    def _amount(self) -> str:
        """How much is fetched, as far as the hub says."""
        known = [one.bytes for one in self._there if one.bytes is not None]
        absent = sum(one is not None and not one.is_there for one in self._listed)
        unknown = len(self._to_fetch) - len(known) - absent
        parts = [size(sum(known))] if known else []
        return " and ".join([*parts, f"{unknown:,} of unknown size"] if unknown else parts)

    def describe(self) -> str:
        models = f"{len(self._to_fetch):,} of {counted(len(self._unregistered), 'model')} on record alone"
        parts = [f"from the hub · {models}", *self._absent()]
        if self._there:
            counts = [f"{number} {license or 'none'}" for license, number in count_licenses(self._there)]
            parts.append(f"licenses: {first_of(counts, _NAMED)}")
        if self._to_fetch:
            parts.append(f"{size(free_disk())} of disk left")
        return "; ".join(parts)

    def expected(self) -> Cost:
        return Cost(self._amount())

    def _absent(self) -> list[str]:
        """Which models the hub does not have, in words."""
        pairs = zip(self._to_fetch, self._listed, strict=True)
        names = [name for name, one in pairs if one is not None and not one.is_there]
        return [f"the hub has no {first_of(names, _NAMED)}"] if names else []

    def announce(self) -> None:
        """Says what is fetched at most, and what unregistered names are taken for; nothing where there is neither."""
        if self._unregistered:
            count = len(self._unregistered)
            notify(
                f"{counted(count, 'candidate')} {'is' if count == 1 else 'are'} not registered, and taken for "
                f"{'the repository' if count == 1 else 'repositories'} of the hub of the same "
                f"name{'' if count == 1 else 's'}: registered when fetched"
            )
        if self._to_fetch:
            amount = self._amount()
            told = [
                f"up to {counted(len(self._to_fetch), 'model')}{', ' if amount else ''}{amount} from the hub"
            ]
            notify("; ".join([*told, *self._absent(), f"{size(free_disk())} of disk left"]))
