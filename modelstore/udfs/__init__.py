"""The formulas, in NumPy alone: one public function each, for Python and for DuckDB alike."""
