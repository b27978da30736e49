"""Which registered model reads the rows of datasets."""

from contextlib import suppress
from dataclasses import dataclass

from modelstore.data.hub import is_on_hub, local_path, must_be_fetched
from modelstore.data.remote import is_remote
from modelstore.data.sentence_transformers import pooling_folders
from modelstore.errors import ModelError, NotFoundError, OptionError
from modelstore.planner.contents import check_model_unchanged
from modelstore.planner.context import StatementContext
from modelstore.store.registered import Dataset, Model


@dataclass(frozen=True)
class Encoder:
    """A model, and why it was chosen; ``why`` is empty where the statement names it."""

    model: Model
    why: str


def choose_encoder(context: StatementContext, dataset: Dataset, named: str | None) -> Encoder:
    """The model that a statement names, or the smallest that makes sentence embeddings, or the smallest of all.

    Raises
    ------
    NotFoundError
        For a name that no model has, and where no model has the dataset's modality.
    OptionError
        For a model of another modality, or without files of its own.
    ModelError
        Where the model's files have changed since it was registered.
    """
    catalog = context.store.catalog
    if named is not None:
        model = catalog.model(named)
        _check_suits(model, dataset)
        chosen = Encoder(model, "")
    else:
        names = catalog.encoders(dataset.modality)
        if not names:
            raise NotFoundError(
                f"there is no {dataset.modality} model that could read the rows: CREATE MODEL registers one"
            )
        models = catalog.find_models(names)
        name = next((one for one in names if _embeds_sentences(models[one])), None)
        why = "the smallest model" if name is None else "the smallest sentence encoder"
        chosen = Encoder(models[name or names[0]], why)
    check_model_unchanged(context.store, chosen.model)
    return chosen


def _check_suits(model: Model, dataset: Dataset) -> None:
    if model.uri is None or model.uri.endswith(".json"):
        what = "an ensemble" if model.uri else "known by name alone"
        raise OptionError(
            f'Binder Error: the model "{model.name}" is {what}, and has no weights that could read rows: '
            "name another encoder"
        )
    if model.modality != dataset.modality:
        raise OptionError(
            f'Binder Error: the encoder "{model.name}" is of modality {model.modality}, and the dataset '
            f'"{dataset.name}" of {dataset.modality}: name a model of its modality'
        )


def _embeds_sentences(model: Model) -> bool:
    """Whether a model's files, which are on this machine, say how tokens become the embedding of a sentence."""
    uri = str(model.uri)
    if is_remote(uri) or (is_on_hub(uri) and must_be_fetched(uri, "model")):
        return False
    with suppress(OSError, ModelError):
        return bool(pooling_folders(local_path(uri, "model")))
    return False
