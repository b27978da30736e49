"""How rows and errors are written."""
