"""The log of selections: the request, the decisions of each stage with their reasons, and how it ended."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple

import duckdb

from modelstore.errors import NotFoundError, StoreError
from modelstore.options import SelectOptions
from modelstore.sql_text import literal, quoted
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table
from modelstore.store.winners import KEY

LoggedArm = tuple[str, str | None]  # a model and its recipe


@dataclass(frozen=True)
class Contender:
    """A model that a selection trains.

    Attributes
    ----------
    model, recall_score
        The model, and the score that recall ranked it by.
    uri
        Where its weights were when recall chose it.
    """

    model: str
    recall_score: float
    uri: str | None


@dataclass(frozen=True)
class Logged:
    """A selection as it is logged.

    Attributes
    ----------
    id
        Its number in this database.
    key
        Unique among the selections of all databases.
    dataset, method, options, wanted
        The request: the target, the strategy, the options, and the n of `SELECT BEST n`.
    status
        running, done, stopped or failed.
    model
        The winner, once it is done.
    recorded_as
        The recipe that its runs are recorded under; the first of several.
    recipes
        Where several recipes compete, what tells each of them; otherwise empty.
    registered
        When the target had been registered.
    candidates, contenders
        The models before recall, empty after it; and those that recall chose, empty before it.
    epochs, seconds
        What it has spent so far.
    """

    id: int
    key: str
    dataset: str
    method: str
    options: dict[str, Any]
    status: str
    model: str | None
    wanted: int
    recorded_as: str
    recipes: list[dict[str, Any]]
    registered: datetime | None
    candidates: list[str]
    contenders: list[Contender]
    epochs: float
    seconds: float


class LoggedRow(NamedTuple):
    """A row of ``selection_stages``: what a selection decided about a model and its recipe at a stage."""

    stage: int
    model: str
    validation: float | None
    predicted: float | None
    action: str
    reason: str | None
    recipe: str
    learning_rate: float | None
    deviation: float | None


@dataclass(frozen=True)
class LoggedDecision:
    """What a selection decided about a model at a stage: ``action`` is kept, dropped, failed or won."""

    stage: int
    validation: float | None
    action: str
    reason: str | None


@dataclass(frozen=True)
class Progress:
    """The ``status`` of a selection, and the last ``stage`` that it completed, 0 for none."""

    status: str
    stage: int


class SelectionLog(Repository):
    """Reads and writes ``selections`` and ``selection_stages``."""

    def begin(
        self,
        key: str,
        dataset: str,
        method: str,
        options: dict[str, Any],
        wanted: int,
        recorded_as: str,
        recipes: list[dict[str, Any]],
        candidates: list[str],
    ) -> Logged:
        """Logs a new selection, whose status is ``running`` until `finish`.

        Parameters
        ----------
        key, dataset, method, options, wanted, recorded_as, recipes, candidates
            As in `Logged`.

        Returns
        -------
        Logged
            The selection with its number.
        """
        next_id = self._next_id()
        with temp_table(self._connection, candidates) as few:
            [(number, registered)] = self._rows(
                "INSERT INTO main.selections (id, dataset, method, options, status, key, wanted, recorded_as, "
                "recipes, candidates, registered) SELECT $id, $dataset, $method, $options, 'running', $key, $wanted, "
                f"$recorded_as, $recipes, (SELECT list(model ORDER BY place) FROM {few}), "
                "(SELECT created_at FROM main.datasets WHERE name = $dataset) RETURNING id, registered",
                {
                    "id": next_id,
                    "dataset": dataset,
                    "method": method,
                    "options": json.dumps(options),
                    "key": key,
                    "wanted": wanted,
                    "recorded_as": recorded_as,
                    "recipes": json.dumps(recipes) if recipes else None,
                },
            )
        return Logged(
            id=number,
            key=key,
            dataset=dataset,
            method=method,
            options=options,
            status="running",
            model=None,
            wanted=wanted,
            recorded_as=recorded_as,
            recipes=recipes,
            registered=registered,
            candidates=candidates,
            contenders=[],
            epochs=0.0,
            seconds=0.0,
        )

    def by_name(self) -> dict[tuple[int, str], Progress]:
        """How far all selections are, by the number and the beginning of the key that their files are named by."""
        rows = self._rows(
            "SELECT s.id, s.key, any_value(s.status), coalesce(max(d.stage), 0) FROM main.selections s "
            "LEFT JOIN main.selection_stages d ON d.selection = s.id WHERE s.key IS NOT NULL GROUP BY s.id, s.key"
        )
        return {(number, key[:KEY]): Progress(status, stage) for number, key, status, stage in rows}

    def _next_id(self) -> int:
        """A number that no selection has, not even one whose row was loaded from elsewhere."""
        ids = literal(f"{quoted(self.database)}.main.selection_ids")
        [(number,)] = self._rows(f"SELECT nextval({ids})")
        [(last,)] = self._rows("SELECT coalesce(max(id), 0) FROM main.selections")
        if number <= last:
            [(number,)] = self._rows(f"SELECT max(nextval({ids})) FROM range(?)", [last - number + 1])
        return int(number)

    def read(self, selection: int) -> Logged:
        """A selection by its number.

        Raises
        ------
        NotFoundError
            There is none of that number.
        StoreError
            An earlier version logged it, without what it takes to resume it.
        """
        rows = self._rows(
            "SELECT id, key, dataset, method, options, status, model, wanted, recorded_as, recipes, registered, "
            "coalesce(candidates, []), coalesce(contenders, []), coalesce(epochs, 0), coalesce(seconds, 0) "
            "FROM main.selections WHERE id = ?",
            [selection],
        )
        if not rows:
            raise NotFoundError(f"there is no selection {selection}: {self._resumable()}")
        [row] = rows
        if row[1] is None:
            raise StoreError(
                f"selection {selection} is of an earlier version of modelstore, which kept nothing to resume "
                "it by: run SELECT BEST again"
            )
        values = dict(zip((field.name for field in fields(Logged)), row, strict=True))
        values["options"] = json.loads(values["options"])
        values["recipes"] = json.loads(values["recipes"] or "[]")
        values["contenders"] = [Contender(**contender) for contender in values["contenders"]]
        return Logged(**values)

    def _resumable(self) -> str:
        """The end of an error's sentence: the selections that can be resumed."""
        rows = self._rows(
            "SELECT id, dataset, status FROM main.selections WHERE status <> 'done' AND key IS NOT NULL ORDER BY id"
        )
        if not rows:
            return "none is left to be resumed"
        listed = ", ".join(f"{number} ({status}, for {dataset})" for number, dataset, status in rows)
        return f"those that can be resumed are {listed}"

    def weights_of(self, model: str, dataset: str, recorded_as: str, options: SelectOptions) -> str | None:
        """Where an earlier selection saved this model as its winner, fully trained with the recipe and the seed.

        Where the best point is kept, the stages must be those of ``options``: a point that they do not have may be
        the best one. None where there is no such selection, or the winner is no longer registered.
        """
        stages = None if options.stages is None else list(options.stages)
        rows = self._rows(
            "SELECT m.uri FROM main.models m JOIN main.selections s ON s.model = m.base AND s.status = 'done' "
            "AND starts_with(parse_filename(m.uri), s.id || '-') WHERE m.base = $model AND s.dataset = $dataset "
            "AND coalesce(s.recipe, s.recorded_as) = $recorded_as AND (s.options ->> '$.seed')::BIGINT = $seed "
            "AND s.options ->> '$.executor' <> 'replay' AND s.options ->> '$.budget_epochs' IS NULL "
            "AND s.options ->> '$.budget_seconds' IS NULL "
            # What is on record may be of newer rows or weights than an earlier selection's winner.
            "AND s.finished_at >= coalesce((SELECT max(created_at) FROM main.run_origins WHERE model = $model "
            "AND dataset = $dataset AND recipe = $recorded_as AND seed = $seed), s.finished_at) "
            "AND ($keep = 'last' OR "
            "((s.options -> '$.stages')::DOUBLE[] IS NOT DISTINCT FROM $stages::DOUBLE[] AND "
            "(s.options ->> '$.stages_per_epoch')::BIGINT IS NOT DISTINCT FROM $per_epoch)) ORDER BY s.id DESC",
            {
                "model": model,
                "dataset": dataset,
                "recorded_as": recorded_as,
                "seed": options.seed,
                "keep": options.keep,
                "stages": stages,
                "per_epoch": options.stages_per_epoch,
            },
        )
        return rows[0][0] if rows else None

    def add_contenders(
        self, selection: int, contenders: Sequence[Contender], epochs: float, seconds: float
    ) -> None:
        """Stores the models that recall chose, and what the selection has spent so far."""
        self._run(
            "UPDATE main.selections SET contenders = ?, candidates = NULL, epochs = ?, seconds = ? WHERE id = ?",
            [[vars(contender) for contender in contenders], epochs, seconds, selection],
        )

    def add_stage(self, selection: int, rows: Sequence[LoggedRow], epochs: float, seconds: float) -> None:
        """Stores the decisions of a stage, and what the selection has spent so far.

        Parameters
        ----------
        selection
            Its number.
        rows
            A decision a row, on a pair of model and recipe.
        epochs, seconds
            Spent so far.
        """
        for row in rows:
            self._run(
                "INSERT INTO main.selection_stages (selection, stage, model, validation, predicted, action, reason, "
                "recipe, learning_rate, deviation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [selection, *row],
            )
        self._run(
            "UPDATE main.selections SET epochs = ?, seconds = ? WHERE id = ?", [epochs, seconds, selection]
        )

    def completed(self, selection: int) -> tuple[int, list[LoggedArm]]:
        """The last completed stage, 0 for none, and the arms that it kept, best first."""
        rows = self._rows(
            "SELECT stage, model, recipe, action FROM main.selection_stages WHERE selection = $selection AND stage = "
            "(SELECT max(stage) FROM main.selection_stages WHERE selection = $selection) ORDER BY rowid",
            {"selection": selection},
        )
        kept = [(model, recipe) for _, model, recipe, action in rows if action == "kept"]
        return (rows[0][0] if rows else 0), kept

    def validations(self, selection: int) -> dict[LoggedArm, list[float]]:
        """Each arm's validations after the completed stages that it went through, in order."""
        rows = self._rows(
            "SELECT model, recipe, list(validation ORDER BY stage) FROM main.selection_stages WHERE selection = ? "
            "AND validation IS NOT NULL GROUP BY model, recipe ORDER BY model, recipe",
            [selection],
        )
        return {(model, recipe): validations for model, recipe, validations in rows}

    def resume(self, selection: int) -> None:
        """Marks a selection as running again."""
        self._run(
            "UPDATE main.selections SET status = 'running', reason = NULL, finished_at = NULL WHERE id = ?",
            [selection],
        )

    def finish(
        self,
        selection: int,
        status: str,
        epochs: float,
        seconds: float,
        model: str | None = None,
        reason: str | None = None,
        recipe: str | None = None,
    ) -> None:
        """Ends a running selection; one that has ended already stays as it is.

        Parameters
        ----------
        selection
            Its number.
        status
            done, stopped or failed.
        epochs, seconds
            Spent in all.
        model
            The winner, where there is one.
        reason
            Why it stopped or failed.
        recipe
            The winner's.
        """
        self._run(
            "UPDATE main.selections SET status = ?, model = ?, recipe = ?, epochs = ?, seconds = ?, reason = ?, "
            "finished_at = current_localtimestamp() WHERE id = ? AND status = 'running'",
            [status, model, recipe, epochs, seconds, reason, selection],
        )

    # --- listings

    def heading(self, selection: int) -> tuple[str, str, str] | None:
        """(dataset, method, status) of a selection; None where there is none of that number."""
        rows = self._rows("SELECT dataset, method, status FROM main.selections WHERE id = ?", [selection])
        return rows[0] if rows else None

    def decisions(self, selection: int) -> dict[str, list[LoggedDecision]]:
        """The decisions about each model, in order of the stages, by the models' names.

        Where several recipes compete, their names follow the models'.
        """
        rows = self._rows(
            "SELECT if(s.recipes IS NULL, d.model, d.model || ' · ' || d.recipe), stage, validation, action, "
            "d.reason FROM main.selection_stages d LEFT JOIN main.selections s ON s.id = d.selection "
            "WHERE selection = ? ORDER BY ALL",
            [selection],
        )
        found: dict[str, list[LoggedDecision]] = {}
        for model, *decision in rows:
            found.setdefault(model, []).append(LoggedDecision(*decision))
        return found

    def latest(
        self, statuses: Sequence[str], most: int
    ) -> list[tuple[int, str | None, str | None, str | None]]:
        """(id, dataset, method, status) of at most so many selections, the newest first.

        Only of these statuses, where there are any.
        """
        rows = self._rows(
            "SELECT id, dataset, method, status FROM main.selections "
            "WHERE ? = [] OR list_contains(?, status) ORDER BY id DESC LIMIT ?",
            [list(statuses), list(statuses), most],
        )
        return [(number, dataset, method, status) for number, dataset, method, status in rows]

    def list_selections(self, pattern: str = "%") -> duckdb.DuckDBPyRelation:
        """The selections for the datasets whose name is ILIKE the pattern, the oldest first."""
        return self._connection.sql(
            self.full(
                "SELECT id, dataset, method, status, model, round(epochs, 2) AS epochs, "
                "round(seconds, 1) AS seconds, started_at FROM main.selections "
                f"WHERE dataset ILIKE {literal(pattern)} ORDER BY id"
            )
        )
