"""Binds a statement of ours to the store, and makes a plan of it: a small tree of named steps."""
