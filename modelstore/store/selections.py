"""The log of selections: what each was asked, every stage's decisions with their reasons, and how it ended."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from modelstore.errors import NotFoundError, StoreError
from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table


@dataclass(frozen=True)
class Contender:
    """A model that a selection trains; ``uri`` is where its weights were when it was chosen."""

    model: str
    recall_score: float
    uri: str | None


@dataclass(frozen=True)
class Logged:
    """A selection as it is logged.

    ``key`` tells it from all others, in whatever file. ``contenders`` is empty until the recall is done; from
    then on ``candidates`` is. ``epochs`` and ``seconds`` were spent so far, as far as is known.
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
    registered: datetime | None
    candidates: list[str]
    contenders: list[Contender]
    epochs: float
    seconds: float


class SelectionLog(Repository):
    """Writes and reads ``selections`` and ``selection_stages``."""

    def begin(
        self,
        key: str,
        dataset: str,
        method: str,
        options: dict[str, Any],
        wanted: int,
        recorded_as: str,
        candidates: list[str],
    ) -> Logged:
        """Logs a new selection; its status is `running` until `finish`."""
        with temp_table(self._connection, candidates) as few:
            [(number, registered)] = self._rows(
                "INSERT INTO main.selections (dataset, method, options, status, key, wanted, recorded_as, "
                "candidates, registered) SELECT $dataset, $method, $options, 'running', $key, $wanted, "
                f"$recorded_as, (SELECT list(model ORDER BY place) FROM {few}), "
                "(SELECT created_at FROM main.datasets WHERE name = $dataset) RETURNING id, registered",
                {
                    "dataset": dataset,
                    "method": method,
                    "options": json.dumps(options),
                    "key": key,
                    "wanted": wanted,
                    "recorded_as": recorded_as,
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
            registered=registered,
            candidates=candidates,
            contenders=[],
            epochs=0.0,
            seconds=0.0,
        )

    def read(self, selection: int) -> Logged:
        """Raises ``NotFoundError``, and ``StoreError`` for one that an earlier version logged."""
        rows = self._rows(
            "SELECT id, key, dataset, method, options, status, model, wanted, recorded_as, registered, "
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
        values["contenders"] = [Contender(**contender) for contender in values["contenders"]]
        return Logged(**values)

    def _resumable(self) -> str:
        """Which selections can be resumed, for an error's end."""
        rows = self._rows(
            "SELECT id, dataset, status FROM main.selections WHERE status <> 'done' AND key IS NOT NULL ORDER BY id"
        )
        if not rows:
            return "none is left to be resumed"
        listed = ", ".join(f"{number} ({status}, for {dataset})" for number, dataset, status in rows)
        return f"those that can be resumed are {listed}"

    def weights_of(self, model: str, dataset: str, recorded_as: str, seed: int) -> str | None:
        """Where an earlier selection's winner was saved, trained to the end by the recipe and seed, if it was."""
        rows = self._rows(
            "SELECT m.uri FROM main.models m JOIN main.selections s ON s.model = m.base AND s.status = 'done' "
            "AND starts_with(parse_filename(m.uri), s.id || '-') WHERE m.base = $model AND s.dataset = $dataset "
            "AND s.recorded_as = $recorded_as AND (s.options ->> '$.seed')::BIGINT = $seed "
            "AND s.options ->> '$.executor' = 'torch' AND s.options ->> '$.budget_epochs' IS NULL "
            "AND s.options ->> '$.budget_seconds' IS NULL ORDER BY s.id DESC",
            {"model": model, "dataset": dataset, "recorded_as": recorded_as, "seed": seed},
        )
        return rows[0][0] if rows else None

    def add_contenders(
        self, selection: int, contenders: Sequence[Contender], epochs: float, seconds: float
    ) -> None:
        """Who is trained, and what finding them has cost."""
        self._rows(
            "UPDATE main.selections SET contenders = ?, candidates = NULL, epochs = ?, seconds = ? WHERE id = ?",
            [[vars(contender) for contender in contenders], epochs, seconds, selection],
        )

    def add_stage(
        self, selection: int, rows: Sequence[tuple[Any, ...]], epochs: float, seconds: float
    ) -> None:
        """``rows``: (stage, model, validation, predicted, action, reason); ``epochs``, ``seconds``: spent so far."""
        for row in rows:
            self._rows("INSERT INTO main.selection_stages VALUES (?, ?, ?, ?, ?, ?, ?)", [selection, *row])
        self._rows(
            "UPDATE main.selections SET epochs = ?, seconds = ? WHERE id = ?", [epochs, seconds, selection]
        )

    def completed(self, selection: int) -> tuple[int, list[str]]:
        """The last completed stage (0: none), and who stayed in it, best first."""
        rows = self._rows(
            "SELECT stage, model, action FROM main.selection_stages WHERE selection = $selection AND stage = "
            "(SELECT max(stage) FROM main.selection_stages WHERE selection = $selection) ORDER BY rowid",
            {"selection": selection},
        )
        return (rows[0][0] if rows else 0), [model for _, model, action in rows if action == "kept"]

    def resume(self, selection: int) -> None:
        """Marks a selection as running again."""
        self._rows(
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
    ) -> None:
        """``status``: done, stopped or failed; what has ended stays as it ended."""
        self._rows(
            "UPDATE main.selections SET status = ?, model = ?, epochs = ?, seconds = ?, reason = ?, "
            "finished_at = current_localtimestamp() WHERE id = ? AND status = 'running'",
            [status, model, epochs, seconds, reason, selection],
        )
