"""Which records of runs are of the data and the weights that are there now."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from modelstore.errors import first_of
from modelstore.planner.contents import UNKNOWN, agree, fault_of_model
from modelstore.planner.datasets import load_dataset
from modelstore.progress import notify
from modelstore.store import Store
from modelstore.store.fingerprints import Fingerprint, Origin
from modelstore.store.registered import Model

NAMED = 3  # runs that a message names before it counts the others


class ReusableRecords:
    """Tells records that can be reused from those of other rows or weights; the latter are said once.

    Parameters
    ----------
    store
        The store.
    seed
        The runs' seed.
    models
        The models that it is asked of; None: any.
    """

    def __init__(self, store: Store, seed: int, models: Sequence[str] | None = None):
        self._store = store
        self._seed = seed
        self._asked = models
        self._origins: dict[str, dict[tuple[str, str], Origin]] = {}
        self._changed: dict[str, bool] = {}
        self._others: dict[tuple[str, str], None] = {}

    @cached_property
    def _datasets(self) -> dict[str, Fingerprint]:
        return self._store.fingerprints.all("dataset")

    @cached_property
    def _models(self) -> dict[str, Fingerprint]:
        return self._store.fingerprints.all("model", self._asked)

    @cached_property
    def _registered(self) -> dict[str, Model]:
        return self._store.catalog.find_models(list(self._models))

    def holds(self, model: str, dataset: str, recipe: str) -> bool:
        """Whether a run trained on what its model and its dataset are now, as far as that is known."""
        if recipe not in self._origins:
            self._origins[recipe] = self._store.fingerprints.origins(recipe, self._seed)
        origin = self._origins[recipe].get((model, dataset))
        found = not self._has_changed(model)
        if origin is not None:
            found &= agree(origin, self._now(model, dataset, images=origin.images is not None))
        if not found:
            self._others[model, dataset] = None
        return found

    def _now(self, model: str, dataset: str, images: bool) -> Origin:
        """What a run trains on now; with its images where ``images`` is set."""
        data = self._datasets.get(dataset, UNKNOWN)
        if images and data.images is None and (registered := self._store.catalog.find_dataset(dataset)):
            # It was registered again, and its images may be others under the same paths.
            load_dataset(self._store, registered)
            data = self._datasets[dataset] = self._store.fingerprints.of("dataset", dataset) or UNKNOWN
        return Origin(data.contents, data.images, self._models.get(model, UNKNOWN).contents)

    def score(
        self, recorded: Mapping[tuple[str, str], float], model: str, dataset: str, recipe: str
    ) -> float | None:
        """The score of a run among those on record; None where it has none that can be reused."""
        score = recorded.get((model, dataset))
        return score if score is None or self.holds(model, dataset, recipe) else None

    def notify_of_others(self) -> None:
        """Says which records are not reused."""
        if self._others:
            names = [f"{model} on {dataset}" for model, dataset in self._others]
            notify(
                f"the records of {first_of(names, NAMED)} are of other rows or weights than there are now, "
                "and are not reused"
            )

    def _has_changed(self, model: str) -> bool:
        """Whether the model's files are not as they were registered."""
        if model not in self._changed:
            registered = self._registered.get(model)
            self._changed[model] = (
                registered is not None and fault_of_model(self._store, registered) is not None
            )
        return self._changed[model]
