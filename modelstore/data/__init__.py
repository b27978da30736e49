"""Models and datasets as files and rows: `hub` finds them, the rest reads them.

Models: `model_info` describes a directory by its `model_config`, `model_weights` and `model_preprocessor`.
Datasets: `sources` reads files, `preparation` makes of their rows the `TaskData` that training takes.
`fingerprint` tells whether files have changed, and `cache` keeps what was computed from them.
"""
