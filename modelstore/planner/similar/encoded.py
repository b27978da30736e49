"""The plan of `SIMILAR DATASETS` by an encoder: embeddings of datasets, computed where they are not stored."""

import json
import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property

import duckdb
import numpy as np
import pyarrow as pa

from modelstore.data.fingerprint import fingerprint
from modelstore.data.hub import ModelRef, resolve_model
from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, ModelError, TrainingError, reason_of
from modelstore.interruption import check
from modelstore.options import SimilarOptions
from modelstore.planner.context import StatementContext
from modelstore.planner.datasets import dataset_fingerprint, load_dataset
from modelstore.planner.plan import Cost, counted
from modelstore.planner.similar.encoders import Encoder
from modelstore.planner.similar.plan import Similar, SimilarPlan
from modelstore.progress import notify, progress
from modelstore.recall.dataset_similarity import cosine, mean_direction, names_in_words, with_labels
from modelstore.store.dataset_embeddings import DatasetEmbedding
from modelstore.store.registered import Dataset
from modelstore.udfs.fisher_similarity import fisher_similarity


class EncodedPlan(SimilarPlan):
    """Compares what an encoder makes of datasets.

    Parameters
    ----------
    context
        The statement's context.
    method
        ``embedding`` or ``task2vec``.
    target
        The dataset that the others are compared with.
    others
        The others, of the same modality.
    encoder
        The model that reads the rows.
    options
        Which rows, and how they are read.
    """

    def __init__(
        self,
        context: StatementContext,
        method: str,
        target: Dataset,
        others: Sequence[Dataset],
        encoder: Encoder,
        options: SimilarOptions,
    ):
        self._context = context
        self.method = method
        self._target = target
        self._others = list(others)
        self._encoder = encoder.model
        self._why = encoder.why
        self._options = options
        self.datasets = [target, *others]
        self.model_names = [encoder.model.name]

    @property
    def computes(self) -> bool:
        return bool(self._missing)

    def describe(self) -> str:
        chosen = f", {self._why}" if self._why else ""
        return f"SIMILAR DATASETS TO {self._target.name} · {self.method} by {self._encoder.name}{chosen}"

    def expected(self) -> Cost:
        known = list(self._stored.values())
        rows = sum(self._rows_of(dataset) for dataset in self._missing)
        seconds = None
        if rows and (read := sum(one.rows for one in known)):
            seconds = rows * sum(one.seconds for one in known) / read
        return self._cost(seconds)

    def likely_datasets(self) -> list[str]:
        return [dataset.name for dataset in self._others]

    def run(self) -> pa.Table:
        began = time.perf_counter()
        found = self._embed_missing()
        target = found.pop(self._target.name)
        self.actual = self._cost(time.perf_counter() - began)
        return self.ranked(self._compare(target, found))

    def _cost(self, seconds: float | None) -> Cost:
        count = len(self.datasets)
        return Cost(
            f"{counted(count, 'dataset')} ({count - len(self._missing):,} on record)", seconds=seconds
        )

    def _compare(self, target: DatasetEmbedding, others: dict[str, DatasetEmbedding]) -> list[Similar]:
        if self.method == "task2vec":
            alike = {name: fisher_similarity(target.embedding, one.embedding) for name, one in others.items()}
            return [Similar(name, value) for name, value in alike.items() if not math.isnan(value)]
        inputs = [cosine(target.embedding, one.embedding) for one in others.values()]
        labels = [_cosine_of_labels(target, one) for one in others.values()]
        return [
            Similar(name, float(both), inputs=of_inputs, labels=None if math.isnan(of_labels) else of_labels)
            for name, both, of_inputs, of_labels in zip(
                others, with_labels(inputs, labels), inputs, labels, strict=True
            )
            if not math.isnan(both)
        ]

    @cached_property
    def _made_by(self) -> str:
        """The options that an embedding depends on."""
        options = self._options
        return json.dumps(
            {"rows": options.proxy_rows, "seed": options.seed, "max_length": options.max_length}
        )

    # Read when first needed, and once: what a run stores does not change what was expected of it.
    @cached_property
    def _stored(self) -> dict[str, DatasetEmbedding]:
        """The embeddings on record of the datasets, by their names; some may not hold any more."""
        return self._context.store.dataset_embeddings.of(self.method, str(self._encoder.uri), self._made_by)

    @cached_property
    def _sources(self) -> dict[str, str | None]:
        """What changes when a dataset or the encoder's weights change; None where one of them cannot be read."""
        weights = fingerprint(str(self._encoder.uri), "model")
        found: dict[str, str | None] = {}
        for dataset in self.datasets:
            rows = None if weights is None else dataset_fingerprint(self._context.store, dataset)
            found[dataset.name] = None if rows is None else f"{rows} {weights}"
        return found

    @cached_property
    def _missing(self) -> list[Dataset]:
        """The datasets whose embedding is not on record, or was of other rows or weights."""
        return [dataset for dataset in self.datasets if not self._holds(dataset.name)]

    def _holds(self, dataset: str) -> bool:
        stored = self._stored.get(dataset)
        return stored is not None and self._sources[dataset] in (None, stored.source)

    def _rows_of(self, dataset: Dataset) -> int:
        return min(self._options.proxy_rows, dataset.train_rows)

    def _embed_missing(self) -> dict[str, DatasetEmbedding]:
        """The embeddings of all datasets that have one, by name; each that is computed is stored at once.

        Raises
        ------
        DatasetError, ModelError, TrainingError
            Where the target cannot be read, or none of the others.
        """
        missing = self._missing
        lacking = {dataset.name for dataset in missing}
        found = {one.name: self._stored[one.name] for one in self.datasets if one.name not in lacking}
        if not missing:
            return found
        ref = resolve_model(self._encoder.name, str(self._encoder.uri))
        failure: duckdb.Error | None = None
        with progress(sum(map(self._passes, missing)), self.method, "pass") as bar:
            done = 0
            for dataset in missing:
                check()
                bar.set_postfix_str(dataset.name)
                try:
                    found[dataset.name] = self._embed(ref, dataset, bar.update)
                except (DatasetError, ModelError, TrainingError) as error:
                    if dataset is self._target:
                        raise
                    failure = error
                    notify(f"{dataset.name} is left out: {reason_of(error)}")
                done += self._passes(dataset)
                bar.update(max(0, done - bar.n))
        if failure is not None and len(found) == 1:  # the target's
            raise failure
        return found

    def _passes(self, dataset: Dataset) -> int:
        from modelstore.training.fisher import FISHER_ROWS

        rows = self._rows_of(dataset)
        single = min(FISHER_ROWS, dataset.train_rows) if self.method == "task2vec" else 0
        return math.ceil(rows / self._options.batch_size) + single

    def _embed(self, ref: ModelRef, dataset: Dataset, on_pass: Callable[[], None]) -> DatasetEmbedding:
        """Computes a dataset's embedding, and stores it."""
        from modelstore.training.features import extract

        began = time.perf_counter()
        options, source = self._options, self._sources[dataset.name]
        data = load_dataset(self._context.store, dataset)
        features = extract(
            ref.name,
            ref.path,
            data,
            rows=options.proxy_rows,
            seed=options.seed,
            batch_size=options.batch_size,
            max_length=options.max_length,
            device=options.device,
            on_batch=on_pass,
        )
        if not len(features.features):
            raise DatasetError(f"no row of {dataset.name} has a token among the first {options.max_length}")
        labels = None
        if self.method == "task2vec":
            from modelstore.training.fisher import fisher_information

            vector = fisher_information(
                ref.name, ref.path, data, features, options.seed, options.max_length, options.device, on_pass
            )
        else:
            vector = mean_direction(features.features)
            labels = self._embed_labels(ref, data)
        found = DatasetEmbedding(vector, labels, features.rows, time.perf_counter() - began, source)
        if not self._context.read_only:
            self._context.store.dataset_embeddings.put(
                dataset.name, self.method, str(self._encoder.uri), self._made_by, found
            )
        return found

    def _embed_labels(self, ref: ModelRef, data: TaskData) -> np.ndarray | None:
        """The mean embedding of the labels' names, (dimensions,); None where they are no words, or rows no texts."""
        from modelstore.training.features import embed_texts

        names = names_in_words(data.labels)
        if not names or data.modality != "text":
            return None
        return mean_direction(embed_texts(ref.name, ref.path, names, device=self._options.device))


def _cosine_of_labels(one: DatasetEmbedding, other: DatasetEmbedding) -> float:
    return math.nan if one.labels is None or other.labels is None else cosine(one.labels, other.labels)
