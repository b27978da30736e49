"""What the plans of `SIMILAR DATASETS` have in common, and the one that compares results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from modelstore.language.statements import SIMILAR_DATASETS
from modelstore.planner.plan import Cost, Plan, counted
from modelstore.planner.recall.prior import pooled_matrix
from modelstore.planner.record_notices import notify_of_records
from modelstore.planner.result_schema import schema_of
from modelstore.recall.dataset_similarity import similarity_by_results
from modelstore.store import Store

SCHEMA = schema_of(SIMILAR_DATASETS)


@dataclass(frozen=True)
class Similar:
    """A dataset that was compared; the attributes are the columns of the result."""

    dataset: str
    similarity: float
    models: int | None = None
    inputs: float | None = None
    labels: float | None = None


class SimilarPlan(Plan):
    """Ranks datasets by how much they are like the target.

    Attributes
    ----------
    method
        What is compared, of `DATASET_SIMILARITIES`.
    """

    schema = SCHEMA
    method: str

    def likely_datasets(self) -> list[str]:
        """The datasets that are compared with the target."""
        raise NotImplementedError

    def preview(self) -> pa.Table:
        names = self.likely_datasets()
        rows = [{"rank": rank, "dataset": name, "method": self.method} for rank, name in enumerate(names, 1)]
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def ranked(self, found: Sequence[Similar]) -> pa.Table:
        """The rows of the result, the most alike first; of equals, the first by name."""
        order = sorted(found, key=lambda one: (-one.similarity, one.dataset))
        rows = [{"rank": rank, "method": self.method, **asdict(one)} for rank, one in enumerate(order, 1)]
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def alike_by_results(store: Store, recipes: Sequence[str], target: str) -> list[Similar]:
    """The datasets with enough results of the models that have results on the target; none where it has no results.

    A dataset that is registered with another modality than the target is left out.
    """
    matrix, _ = pooled_matrix(store, recipes)
    if target not in matrix.datasets:
        return []
    modality_of = store.catalog.modalities_of_datasets()
    similarity, models = similarity_by_results(matrix.scores, matrix.datasets.index(target))
    return [
        Similar(name, float(similarity[place]), models=int(models[place]))
        for place, name in enumerate(matrix.datasets)
        if name != target and np.isfinite(similarity[place]) and serves(target, name, modality_of)
    ]


def serves(target: str, dataset: str, modality_of: Mapping[str, str | None]) -> bool:
    """Whether two datasets may be alike; an unknown modality excludes nothing."""
    one, other = modality_of.get(target), modality_of.get(dataset)
    return None in (one, other) or one == other


class ResultsPlan(SimilarPlan):
    """Compares the order in which datasets put models.

    Parameters
    ----------
    store, recipes
        Where the results are on record, and whose they are.
    target
        The target's name.
    found
        The datasets that compare with it.
    """

    method = "results"

    def __init__(self, store: Store, recipes: Sequence[str], target: str, found: Sequence[Similar]):
        self._store = store
        self._recipes = recipes
        self._target = target
        self._found = found

    def describe(self) -> str:
        pooled = f" of the recipes {', '.join(self._recipes)}" if len(self._recipes) > 1 else ""
        return f"SIMILAR DATASETS TO {self._target} · by results{pooled}"

    def expected(self) -> Cost:
        most = max((one.models or 0 for one in self._found), default=0)
        return Cost(f"{counted(len(self._found), 'dataset')}, at most {counted(most, 'model')} each")

    def likely_datasets(self) -> list[str]:
        return [one.dataset for one in self._found]

    def run(self) -> pa.Table:
        notify_of_records(self._store, self._recipes)
        self.actual = self.expected()
        return self.ranked(self._found)
