"""Turns a parsed extension statement into an executable plan: a small tree of named steps."""
