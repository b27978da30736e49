"""The registered models and datasets."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from modelstore.errors import NotFoundError, did_you_mean
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table


@dataclass(frozen=True)
class Model:
    """A row of ``models``: ``parameters`` is a count, ``uri`` where its weights are."""

    name: str
    uri: str | None
    modality: str | None
    architecture: str | None
    parameters: int | None
    labels: tuple[str, ...]
    card: str | None
    has_head: bool | None = None
    base: str | None = None
    fine_tuned_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A row of ``datasets``; ``uri`` is None where its rows are kept in the database file."""

    name: str
    uri: str | None
    task: str
    metric: str
    labels: tuple[str, ...]
    train_rows: int
    validation_rows: int
    test_rows: int
    modality: str
    columns: dict[str, str]
    seed: int = 0


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _model(row: tuple[Any, ...]) -> Model:
    name, uri, modality, architecture, parameters, labels, card, has_head, base, fine_tuned_on = row
    return Model(
        name=name,
        uri=uri,
        modality=modality,
        architecture=architecture,
        parameters=parameters,
        labels=tuple(labels or ()),
        card=card,
        has_head=has_head,
        base=base,
        fine_tuned_on=tuple(fine_tuned_on or ()),
    )


class Catalog(Repository):
    """Reads and writes ``models``, ``datasets`` and the rows of datasets made by a query."""

    # --- models

    def model_names(self) -> list[str]:
        return [name for (name,) in self._rows("SELECT name FROM main.models ORDER BY name")]

    def find_models(self, names: list[str]) -> dict[str, Model]:
        """The registered ones among ``names``."""
        with temp_table(self._connection, names) as few:
            rows = self._rows(
                "SELECT name, uri, modality, architecture, parameters, labels, card, has_head, base, fine_tuned_on "
                f"FROM main.models WHERE name IN (SELECT model FROM {few})"
            )
        return {row[0]: _model(row) for row in rows}

    def parameters_of(self, names: list[str]) -> np.ndarray:
        """The parameters of each of ``names``, NaN where that is not known: (len(names),)."""
        with temp_table(self._connection, names) as few:
            columns = self._connection.execute(
                f"SELECT place, parameters::DOUBLE AS parameters FROM {few} LEFT JOIN main.models ON name = model"
            ).fetchnumpy()
        parameters = np.ma.filled(columns["parameters"].astype(float), np.nan)
        return parameters[np.argsort(columns["place"])]

    def without_head(self, names: list[str]) -> set[str]:
        """Those of ``names`` that are known to have no trained classification head."""
        with temp_table(self._connection, names) as few:
            rows = self._rows(f"SELECT name FROM main.models JOIN {few} ON model = name WHERE NOT has_head")
        return {name for (name,) in rows}

    def with_card(self, names: list[str]) -> list[str]:
        """Those of ``names`` that are registered with a card."""
        with temp_table(self._connection, names) as few:
            rows = self._rows(f"SELECT name FROM main.models JOIN {few} ON model = name WHERE card <> ''")
        return [name for (name,) in rows]

    def model(self, name: str) -> Model:
        """Raises ``NotFoundError``."""
        found = self.find_models([name])
        if name not in found:
            raise NotFoundError(f'there is no model "{name}"{did_you_mean(name, self.model_names())}')
        return found[name]

    def add_model(self, model: Model) -> None:
        """Registers a model in place of one of the same name."""
        self._rows(
            "INSERT OR REPLACE INTO main.models (name, uri, modality, architecture, parameters, labels, card, "
            "has_head, base, fine_tuned_on) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                model.name,
                model.uri,
                model.modality,
                model.architecture,
                model.parameters,
                list(model.labels),
                model.card,
                model.has_head,
                model.base,
                list(model.fine_tuned_on),
            ],
        )

    def drop_model(self, name: str) -> None:
        self._rows("DELETE FROM main.models WHERE name = ?", [name])

    # --- datasets

    def dataset_names(self) -> list[str]:
        return [name for (name,) in self._rows("SELECT name FROM main.datasets ORDER BY name")]

    def modalities_of_datasets(self) -> dict[str, str | None]:
        """The modality of each registered dataset, in order of their names."""
        return dict(self._rows("SELECT name, modality FROM main.datasets ORDER BY name"))

    def find_dataset(self, name: str) -> Dataset | None:
        rows = self._rows(
            "SELECT name, uri, task, metric, labels, train_rows, validation_rows, test_rows, modality, columns, "
            "seed FROM main.datasets WHERE name = ?",
            [name],
        )
        if not rows:
            return None
        _, uri, task, metric, labels, train, validation, test, modality, columns, seed = rows[0]
        return Dataset(
            name=name,
            uri=uri,
            task=task,
            metric=metric,
            labels=tuple(labels or ()),
            train_rows=train,
            validation_rows=validation,
            test_rows=test,
            modality=modality,
            columns=dict(columns or {}),
            seed=seed,
        )

    def dataset(self, name: str) -> Dataset:
        """Raises ``NotFoundError``."""
        found = self.find_dataset(name)
        if found is None:
            raise NotFoundError(f'there is no dataset "{name}"{did_you_mean(name, self.dataset_names())}')
        return found

    def registered(self, dataset: str) -> datetime | None:
        """When a dataset was registered, or replaced; None where it is not."""
        rows = self._rows("SELECT created_at FROM main.datasets WHERE name = ?", [dataset])
        return rows[0][0] if rows else None

    def add_dataset(self, dataset: Dataset, rows: str | None = None) -> None:
        """Registers a dataset in place of one of the same name.

        ``rows`` is a query whose rows the file then keeps.
        """
        self.drop_dataset(dataset.name)
        if rows is not None:
            self._rows(f"CREATE TABLE {self.rows_of(dataset.name)} AS {rows}")
        self._rows(
            "INSERT INTO main.datasets (name, uri, task, metric, labels, train_rows, validation_rows, test_rows, "
            "modality, columns, seed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                dataset.name,
                dataset.uri,
                dataset.task,
                dataset.metric,
                list(dataset.labels),
                dataset.train_rows,
                dataset.validation_rows,
                dataset.test_rows,
                dataset.modality,
                dataset.columns,
                dataset.seed,
            ],
        )

    def drop_dataset(self, name: str) -> None:
        self._rows("DELETE FROM main.datasets WHERE name = ?", [name])
        self._rows(f"DROP TABLE IF EXISTS {self.rows_of(name)}")

    @staticmethod
    def rows_of(dataset: str) -> str:
        """The table that keeps the rows of a dataset made by a query."""
        return f"dataset_rows.{quoted(dataset)}"

    # --- both

    def datasets_in(self, table: str) -> list[str]:
        """The datasets that ``training_curves`` or ``proxy_scores`` has rows of."""
        return [name for (name,) in self._rows(f"SELECT DISTINCT dataset FROM main.{table}")]

    def count_of(self, column: str, name: str) -> int:
        """How many records there are of a model or a dataset (``column`` says which)."""
        tables = ("benchmark_results", "training_curves", "proxy_scores")
        counts = " + ".join(f"(SELECT count(*) FROM main.{table} WHERE {column} = $name)" for table in tables)
        return self._rows(f"SELECT {counts}", {"name": name})[0][0]
