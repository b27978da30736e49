"""Completion and highlighting while a statement is typed."""
