"""Models and datasets as files and rows: `hub` and `dataset_hub` find them, the rest reads them.

Models: `model_info` describes a directory by its `model_config`, `model_weights` and `model_preprocessor`.
Datasets: `layout` says which files of a folder hold the rows of which split; `sources` opens them (`tabular_files`,
`image_folder`, `saved_folder`); `preparation` makes of their rows the `TaskData` that training takes, by what
`columns`, `labels`, `splits`, `row_checks` and `findings` say; `proposals` writes the query that an error offers.
`fingerprint` tells whether files have changed, and `cache` keeps what was computed from them.
"""
