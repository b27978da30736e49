"""Plots, in the terminal and as image files."""
