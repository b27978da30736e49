"""The language: what extension statements there are (`statements`), and how they are read from SQL text.

A text is read as DuckDB's tokens (`tokens`). Extension statements are found in them (`scanner`) and parsed (`parser`)
into nodes (`nodes`). A script is read once and whole (`script`).
"""
