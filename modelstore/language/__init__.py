"""From SQL text to our statements: DuckDB's tokens (`tokens`), what is ours (`scan`), its grammar (`dialect`)."""
