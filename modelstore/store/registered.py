"""What the catalog knows of a registered model or dataset."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Model:
    """A row of ``models``.

    Attributes
    ----------
    name
        The key.
    uri
        Where its weights are: a directory, ``hf://``, or the JSON file of an ensemble.
    modality, architecture, labels, card
        As its config and its card have them; None, or no labels, where they do not say.
    parameters
        How many there are.
    has_head
        Whether it has a trained classification head.
    base
        The model that a selection fine-tuned it from.
    fine_tuned_on
        The datasets that selections fine-tuned it, and its base, on.
    license, languages, tags
        As its card has them.
    base_model
        What it was fine-tuned from: the repository that its card names, else ``base``.
    downloads, last_modified
        As the hub had them when it was registered, the time in UTC; None where the hub was not asked.
    """

    name: str
    uri: str | None
    modality: str | None
    architecture: str | None
    parameters: int | None
    labels: tuple[str, ...]
    card: str | None
    has_head: bool | None = None
    base: str | None = None
    fine_tuned_on: tuple[str, ...] = ()
    license: str | None = None
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    base_model: str | None = None
    downloads: int | None = None
    last_modified: datetime | None = None


@dataclass(frozen=True)
class Dataset:
    """A row of ``datasets``.

    Attributes
    ----------
    name
        The key.
    uri
        Where its files are; None where the database file keeps its rows.
    task, metric, labels, modality
        What it is for.
    train_rows, validation_rows, test_rows
        The size of each split.
    columns
        Which of its columns is the text, the image, the label and so on.
    seed
        What its splits were made by, where they were made.
    config
        Which configuration of its folder or repository it is; None for the only one, or the default.
    """

    name: str
    uri: str | None
    task: str
    metric: str
    labels: tuple[str, ...]
    train_rows: int
    validation_rows: int
    test_rows: int
    modality: str
    columns: dict[str, str]
    seed: int = 0
    config: str | None = None
