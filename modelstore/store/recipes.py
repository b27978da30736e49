"""The recipes: names for sets of training options."""

import json
from typing import Any

from modelstore.store.repository import Repository


class Recipes(Repository):
    """Reads and writes ``recipes``."""

    def options(self, recipe: str) -> dict[str, Any] | None:
        """The training options of a recipe by name; None where it is not defined."""
        rows = self._rows("SELECT options FROM main.recipes WHERE name = ?", [recipe])
        return json.loads(rows[0][0]) if rows else None

    def define(self, recipe: str, options: dict[str, Any]) -> None:
        """Stores a new recipe with its training options."""
        self._run("INSERT INTO main.recipes (name, options) VALUES (?, ?)", [recipe, json.dumps(options)])

    def defined(self) -> list[str]:
        """The recipes that are defined, and ``default``, in order."""
        return [
            name for (name,) in self._rows("SELECT name FROM main.recipes UNION SELECT 'default' ORDER BY 1")
        ]

    def names(self) -> list[str]:
        """The recipes that are defined or have records."""
        rows = self._rows(
            "SELECT name FROM main.recipes UNION SELECT DISTINCT coalesce(recipe, 'default') FROM "
            "main.benchmark_results UNION SELECT DISTINCT coalesce(recipe, 'default') FROM main.training_curves"
        )
        return sorted(name for (name,) in rows)
