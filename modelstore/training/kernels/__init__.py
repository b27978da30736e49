"""Faster attention, dropout and GELU in place of a network's own."""
