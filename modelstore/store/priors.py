"""The priors that replay chose, and what they say of the models: remembered while the records are the same."""

from collections.abc import Sequence

import numpy as np

from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table


class Priors(Repository):
    """Reads and writes ``prior_choices`` and ``model_priors``."""

    ANY = ""  # in place of a target without results of its own

    def of(
        self, recipe: str, target: str, fingerprint: str, models: Sequence[str]
    ) -> tuple[str, np.ndarray] | None:
        """The prior that was chosen by these records, if one was, and its score of each model, NaN for one that has
        none: (len(models),)."""
        rows = self._rows(
            "SELECT prior FROM main.prior_choices WHERE recipe = ? AND target = ? AND fingerprint = ?",
            [recipe, target, fingerprint],
        )
        if not rows:
            return None
        with temp_table(self._connection, models) as few:
            columns = self._connection.execute(
                f"SELECT place, score FROM {few} LEFT JOIN (SELECT model, score FROM main.model_priors "
                "WHERE recipe = ? AND target = ?) USING (model)",
                [recipe, target],
            ).fetchnumpy()
        scores = np.ma.filled(columns["score"].astype(float), np.nan)
        return rows[0][0], scores[np.argsort(columns["place"])]

    def replace(
        self,
        recipe: str,
        target: str,
        fingerprint: str,
        prior: str,
        regrets: dict[str, float],
        models: Sequence[str],
        scores: np.ndarray,
    ) -> None:
        """Stores a choice, and the scores of the models, in place of the last ones for the target."""
        self._rows("DELETE FROM main.model_priors WHERE recipe = ? AND target = ?", [recipe, target])
        with temp_table(self._connection, models, score=scores) as few:
            self._rows(
                f"INSERT INTO main.model_priors (recipe, target, model, score) SELECT ?, ?, model, score FROM {few}",
                [recipe, target],
            )
        self._rows(
            "INSERT OR REPLACE INTO main.prior_choices (recipe, target, fingerprint, prior, regrets) "
            "VALUES (?, ?, ?, ?, map_from_entries(list_zip(?, ?)))",
            [recipe, target, fingerprint, prior, list(regrets), list(regrets.values())],
        )
