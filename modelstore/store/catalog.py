"""The registered models and datasets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from modelstore.errors import NotFoundError, did_you_mean
from modelstore.sql_text import folded, folded_sql, literal, quoted, same_name, spelled
from modelstore.store.registered import Dataset, Model
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table

# The tables with records of a model on a dataset.
RECORDS = (
    "benchmark_results",
    "benchmark_failures",
    "training_curves",
    "found_learning_rates",
    "training_telemetry",
    "proxy_scores",
    "run_origins",
)


# The columns that CREATE MODEL fills beside the name, each with its type.
_TEXTS = pa.list_(pa.string())
_COLUMNS = {
    "uri": pa.string(),
    "modality": pa.string(),
    "architecture": pa.string(),
    "parameters": pa.int64(),
    "labels": _TEXTS,
    "card": pa.string(),
    "has_head": pa.bool_(),
    "base": pa.string(),
    "fine_tuned_on": _TEXTS,
    "license": pa.string(),
    "languages": _TEXTS,
    "tags": _TEXTS,
    "base_model": pa.string(),
    "downloads": pa.int64(),
    "last_modified": pa.timestamp("us"),
}
_UNKNOWN_IF_EMPTY = ("languages", "tags")  # a card that says nothing of them does not say that there are none


def _model(row: tuple[Any, ...]) -> Model:
    name, *values = row
    found = dict(zip(_COLUMNS, values, strict=True))
    texts = {column: tuple(found[column] or ()) for column, type in _COLUMNS.items() if type is _TEXTS}
    return Model(name=name, **(found | texts))


def _column(models: Sequence[Model], column: str) -> pa.Array:
    values = [getattr(model, column) for model in models]
    if column in _UNKNOWN_IF_EMPTY:
        values = [value or None for value in values]
    return pa.array(values, _COLUMNS[column])


class Catalog(Repository):
    """Reads and writes ``models``, ``datasets`` and the rows of datasets that were made by a query.

    A name is found however its letters A to Z are written, as DuckDB finds a table; what is found has the spelling
    with which it was registered.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        database: str | None = None,
        moved: Mapping[str, str] | None = None,
    ):
        super().__init__(connection, database)
        self._moved = moved or {}

    # --- models

    def model_names(self) -> list[str]:
        """The registered models, in order."""
        return [name for (name,) in self._rows("SELECT name FROM main.models ORDER BY name")]

    def find_models(self, names: list[str]) -> dict[str, Model]:
        """The registered models among ``names``, by the name with which they are registered."""
        with temp_table(self._connection, names) as few:
            rows = self._rows(
                f"SELECT name, {', '.join(_COLUMNS)} FROM main.models "
                f"WHERE {folded_sql('name')} IN (SELECT {folded_sql('model')} FROM {few})"
            )
        models = [_model(row) for row in rows]
        return {one.name: replace(one, uri=self._moved.get(one.uri or "", one.uri)) for one in models}

    def registered_names(self, kind: str, names: list[str]) -> dict[str, str]:
        """Those of ``names`` that are a registered ``model`` or ``dataset`` (``kind``), with the spelling it has."""
        with temp_table(self._connection, names) as few:
            rows = self._rows(
                f"SELECT few.model, name FROM {few} AS few JOIN main.{kind}s ON {same_name('name', 'few.model')}"
            )
        return dict(rows)

    def find_model(self, name: str) -> Model | None:
        """A registered model; None where there is none of that name."""
        found = self.find_models([name])
        return found.get(name) or next(iter(found.values()), None)

    def parameters_of(self, names: list[str]) -> np.ndarray:
        """The number of parameters of each of ``names``, shape (len(names),), NaN where it is not known."""
        with temp_table(self._connection, names) as few:
            columns = self._by_place(
                f"SELECT place, parameters::DOUBLE AS parameters FROM {few} LEFT JOIN main.models ON name = model"
            )
        return columns["parameters"]

    def addresses(self, names: list[str], prefix: str) -> dict[str, tuple[str, int | None]]:
        """The uri and the parameters of those models among ``names`` whose uri begins with ``prefix``."""
        with temp_table(self._connection, names) as few:
            rows = self._rows(
                f"SELECT name, uri, parameters FROM main.models JOIN {few} ON model = name "
                "WHERE starts_with(uri, ?) ORDER BY name",
                [prefix],
            )
        return {name: (uri, parameters) for name, uri, parameters in rows}

    def encoders(self, modality: str) -> list[str]:
        """The models of a modality that have files of their own, the smallest first.

        Those that a selection fine-tuned on some dataset come after all others.
        """
        rows = self._rows(
            "SELECT name FROM main.models WHERE modality = ? AND uri IS NOT NULL AND NOT ends_with(uri, '.json') "
            "ORDER BY len(coalesce(fine_tuned_on, [])) > 0, parameters NULLS LAST, name",
            [modality],
        )
        return [name for (name,) in rows]

    def without_head(self, names: list[str]) -> set[str]:
        """The models among ``names`` that are known to have no trained classification head."""
        with temp_table(self._connection, names) as few:
            rows = self._rows(f"SELECT name FROM main.models JOIN {few} ON model = name WHERE NOT has_head")
        return {name for (name,) in rows}

    def model(self, name: str) -> Model:
        """A registered model. Raises ``NotFoundError``."""
        found = self.find_model(name)
        if found is None:
            raise NotFoundError(f'there is no model "{name}"{did_you_mean(name, self.model_names())}')
        return found

    def add_models(self, models: Sequence[Model]) -> None:
        """Registers models of different names, each in place of one of its name; its records take its spelling."""
        names, columns = ", ".join(_COLUMNS), {column: _column(models, column) for column in _COLUMNS}
        with temp_table(self._connection, [model.name for model in models], **columns) as few:
            self._run(
                f"DELETE FROM main.models WHERE {folded_sql('name')} IN "
                f"(SELECT {folded_sql('model')} FROM {few})"
            )
            self._run(
                f"INSERT INTO main.models (name, {names}) SELECT model, {names} FROM {few} ORDER BY place"
            )
        self._respell("model", [model.name for model in models])

    def drop_model(self, name: str) -> None:
        """Deletes a model from the catalog; its records stay."""
        self._run(f"DELETE FROM main.models WHERE {same_name('name', '?')}", [name])

    # --- datasets

    def dataset_names(self) -> list[str]:
        """The registered datasets, in order."""
        return [name for (name,) in self._rows("SELECT name FROM main.datasets ORDER BY name")]

    def modalities_of_datasets(self) -> dict[str, str | None]:
        """The modality of each registered dataset, in order of their names."""
        return dict(self._rows("SELECT name, modality FROM main.datasets ORDER BY name"))

    def find_dataset(self, name: str) -> Dataset | None:
        """A registered dataset; None where there is none of that name."""
        rows = self._rows(
            "SELECT name, uri, task, metric, labels, train_rows, validation_rows, test_rows, modality, columns, "
            f"seed, config FROM main.datasets WHERE {same_name('name', '$name')} ORDER BY name <> $name",
            {"name": name},
        )
        if not rows:
            return None
        name, uri, task, metric, labels, train, validation, test, modality, columns, seed, config = rows[0]
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
            config=config,
        )

    def datasets_of(self, modality: str) -> list[Dataset]:
        """The registered datasets of a modality, in order of their names."""
        rows = self._rows("SELECT name FROM main.datasets WHERE modality = ? ORDER BY name", [modality])
        return [self.dataset(name) for (name,) in rows]

    def dataset(self, name: str) -> Dataset:
        """A registered dataset. Raises ``NotFoundError``."""
        found = self.find_dataset(name)
        if found is None:
            raise NotFoundError(f'there is no dataset "{name}"{did_you_mean(name, self.dataset_names())}')
        return found

    def registered(self, dataset: str) -> datetime | None:
        """When a dataset was registered or last replaced; None where it is not registered."""
        rows = self._rows(f"SELECT created_at FROM main.datasets WHERE {same_name('name', '?')}", [dataset])
        return rows[0][0] if rows else None

    def add_dataset(self, dataset: Dataset, rows: str | None = None) -> None:
        """Registers a dataset in place of one of the same name; records of it take its spelling.

        Parameters
        ----------
        dataset
            The new row of ``datasets``.
        rows
            A query whose rows the database file keeps; None for a dataset with files of its own.
        """
        self.drop_dataset(dataset.name)
        if rows is not None:
            self._run(f"CREATE TABLE {self.rows_of(dataset.name)} AS {rows}")
        self._run(
            "INSERT INTO main.datasets (name, uri, task, metric, labels, train_rows, validation_rows, test_rows, "
            "modality, columns, seed, config) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                dataset.config,
            ],
        )
        self._respell("dataset", [dataset.name])

    def drop_dataset(self, name: str) -> None:
        """Deletes a dataset, the rows that the file keeps of it, and its embeddings; its records stay."""
        self._run(f"DELETE FROM main.datasets WHERE {same_name('name', '?')}", [name])
        self._run(f"DELETE FROM main.dataset_embeddings WHERE {same_name('dataset', '?')}", [name])
        self._run(f"DROP TABLE IF EXISTS {self.rows_of(name)}")

    def rows_of(self, dataset: str) -> str:
        """The table that keeps the rows of a dataset that was made by a query."""
        return f"{quoted(self.database)}.dataset_rows.{quoted(dataset)}"

    def has_rows(self, dataset: str) -> bool:
        """Whether the file keeps rows of a dataset of that name."""
        return bool(
            self._rows(
                "SELECT 1 FROM duckdb_tables() WHERE database_name = $database AND schema_name = 'dataset_rows' "
                f"AND {same_name('table_name', '$name')}",
                {"database": self.database, "name": dataset},
            )
        )

    # --- candidates: SQL for a query that the user's FROM and WHERE are part of

    @property
    def models(self) -> str:
        """The table of the registered models."""
        return self.full("main.models")

    def recorded_models(self, recipes: Sequence[str]) -> str:
        """A table of all models with finite results or curves of recipes; NULLs stand for what is not registered."""
        wanted = f"coalesce(recipe, 'default') IN ({', '.join(map(literal, recipes))})"
        return self.full(
            "(SELECT recorded.model AS name, registered.* EXCLUDE (name) FROM main.models AS registered RIGHT JOIN ("
            f"SELECT model FROM main.benchmark_results WHERE {wanted} AND isfinite(score) "
            f"UNION SELECT model FROM main.training_curves WHERE {wanted} AND isfinite(validation)"
            ") AS recorded ON registered.name = recorded.model)"
        )

    def serves(self, target: str | None, modality: str | None) -> str:
        """A condition for the rows of ``models`` that can serve a target.

        Parameters
        ----------
        target
            The target's name: a model that a selection fine-tuned on it cannot serve it. None for no such condition.
        modality
            The target's: a model of another modality cannot serve it. None for no such condition.

        Returns
        -------
        str
            The condition. It holds for the NULLs of a model that is not registered, and not for an ensemble, which
            cannot be fine-tuned.
        """
        conditions = ["NOT coalesce(ends_with(uri, '.json'), false)"]
        if target is not None:
            names = f"list_transform(fine_tuned_on, lambda dataset: {folded_sql('dataset')})"
            conditions.append(f"NOT coalesce(list_contains({names}, {literal(folded(target))}), false)")
        if modality is not None:
            conditions.append(f"coalesce(modality = {literal(modality)}, true)")
        return self.full(" AND ".join(conditions))

    # --- listings

    def models_holding(self, part: str, most: int) -> list[tuple[str, str]]:
        """(name, architecture) of at most so many models whose name holds ``part``, in any case.

        Names that begin with it come first.
        """
        return self._holding("SELECT name, coalesce(architecture, '') FROM main.models", part, most)

    def datasets_holding(self, part: str, most: int) -> list[tuple[str, str]]:
        """(name, task) of at most so many datasets whose name holds ``part``, as in `models_holding`."""
        return self._holding("SELECT name, coalesce(task, '') FROM main.datasets", part, most)

    def _holding(self, query: str, part: str, most: int) -> list[tuple[str, str]]:
        low = part.lower()
        rows = self._rows(
            f"{query} WHERE contains(lower(name), ?) ORDER BY NOT starts_with(lower(name), ?), 1 LIMIT ?",
            [low, low, most],
        )
        return [(name, said) for name, said in rows]

    def list_models(self, pattern: str = "%") -> duckdb.DuckDBPyRelation:
        """The models whose name is ILIKE the pattern, each with its cluster."""
        return self._connection.sql(
            self.full(
                "SELECT name, modality, architecture, parameters, cluster FROM main.models "
                f"LEFT JOIN main.model_clusters ON model = name WHERE name ILIKE {literal(pattern)} ORDER BY name"
            )
        )

    def list_datasets(self, pattern: str = "%") -> duckdb.DuckDBPyRelation:
        """The datasets whose name is ILIKE the pattern."""
        return self._connection.sql(
            self.full(
                "SELECT name, task, metric, len(labels) AS labels, train_rows, validation_rows, test_rows "
                f"FROM main.datasets WHERE name ILIKE {literal(pattern)} ORDER BY name"
            )
        )

    # --- records

    def datasets_in(self, table: str) -> list[str]:
        """The datasets that a table of records (``training_curves`` or ``proxy_scores``) has finite scores of."""
        score = {"training_curves": "validation", "proxy_scores": "score"}[table]
        rows = self._rows(f"SELECT DISTINCT dataset FROM main.{table} WHERE isfinite({score})")
        return [name for (name,) in rows]

    def models_on_record(self) -> list[str]:
        """The models with results, curves or proxy scores."""
        rows = self._rows(
            "SELECT model FROM main.benchmark_results UNION SELECT model FROM main.training_curves "
            "UNION SELECT model FROM main.proxy_scores"
        )
        return [model for (model,) in rows]

    def spell_on_record(self, names: Sequence[str]) -> list[str]:
        """The models ``names``; those that are not registered, but on record, are spelled as they are there."""
        with temp_table(self._connection, names) as few:
            rows = self._rows(f"SELECT model FROM {few} WHERE model NOT IN (SELECT name FROM main.models)")
        if not rows:
            return list(names)
        known: dict[str, list[str]] = {}
        for model in self.models_on_record():
            known.setdefault(folded(model), []).append(model)
        spelling = {name: spelled(name, known.get(folded(name), ())) for (name,) in rows}
        return [spelling.get(name, name) for name in names]

    def _respell(self, column: str, names: Sequence[str]) -> None:
        """Gives the records of models or of datasets the spelling with which they are now registered."""
        with temp_table(self._connection, names) as few:
            for table in (*RECORDS, "inference_costs") if column == "model" else RECORDS:
                self._run(
                    f"UPDATE main.{table} AS records SET {column} = few.model FROM {few} AS few "
                    f"WHERE {same_name(f'records.{column}', 'few.model')} AND records.{column} <> few.model"
                )

    def count_of(self, column: str, name: str) -> int:
        """The number of records of a model or a dataset (``column`` says which)."""
        tables = ("benchmark_results", "training_curves", "proxy_scores")
        counts = " + ".join(f"(SELECT count(*) FROM main.{table} WHERE {column} = $name)" for table in tables)
        return self._rows(f"SELECT {counts}", {"name": name})[0][0]
