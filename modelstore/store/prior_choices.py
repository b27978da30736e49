"""The prior that replay has chosen for each target, with its score of each model; valid while the records are."""

from collections.abc import Sequence

import numpy as np

from modelstore.store.repository import Repository
from modelstore.store.temp_table import temp_table


class PriorChoices(Repository):
    """Reads and writes ``prior_choices`` and ``model_priors``."""

    ANY = ""  # stands for every target that has no results of its own

    def of(
        self, recipe: str, target: str, fingerprint: str, models: Sequence[str]
    ) -> tuple[str, np.ndarray] | None:
        """The prior that was chosen from the same records.

        Parameters
        ----------
        recipe, target
            What it was chosen for; ``target`` may be `ANY`.
        fingerprint
            The fingerprint of the records (see `Results.fingerprint`).
        models
            The models whose scores are wanted.

        Returns
        -------
        tuple or None
            The prior's name and its scores, shape (len(models),), NaN for a model without one. None where no
            prior was chosen from these records.
        """
        rows = self._rows(
            "SELECT prior FROM main.prior_choices WHERE recipe = ? AND target = ? AND fingerprint = ?",
            [recipe, target, fingerprint],
        )
        if not rows:
            return None
        with temp_table(self._connection, models) as few:
            columns = self._by_place(
                f"SELECT place, score FROM {few} LEFT JOIN (SELECT model, score FROM main.model_priors "
                "WHERE recipe = ? AND target = ?) USING (model)",
                [recipe, target],
            )
        return rows[0][0], columns["score"]

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
        """Stores a choice and its scores of the models in place of the target's last ones.

        Parameters
        ----------
        recipe, target, fingerprint
            As in `of`.
        prior
            The chosen prior's name.
        regrets
            What replay measured, by the name of each prior.
        models, scores
            The models and the prior's score of each, shape (len(models),).
        """
        self._run("DELETE FROM main.model_priors WHERE recipe = ? AND target = ?", [recipe, target])
        with temp_table(self._connection, models, score=scores) as few:
            self._run(
                f"INSERT INTO main.model_priors (recipe, target, model, score) SELECT ?, ?, model, score FROM {few}",
                [recipe, target],
            )
        self._run(
            "INSERT OR REPLACE INTO main.prior_choices (recipe, target, fingerprint, prior, regrets) "
            "VALUES (?, ?, ?, ?, map_from_entries(list_zip(?, ?)))",
            [recipe, target, fingerprint, prior, list(regrets), list(regrets.values())],
        )
