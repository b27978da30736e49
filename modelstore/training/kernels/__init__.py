"""Faster versions of a network's own functions: attention, dropout and GELU."""
