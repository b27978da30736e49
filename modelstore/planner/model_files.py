"""Where the weights are with which a registered model predicts."""

from pathlib import Path

from modelstore.data.access import check_path
from modelstore.data.hub import absolute_uri, is_on_hub, resolve_model
from modelstore.data.remote import is_remote
from modelstore.errors import ModelError
from modelstore.store.registered import Model


def predictor_path(model: Model) -> Path:
    """The directory of a model, or the file of an ensemble. Raises ``ModelError`` where there is none."""
    if model.uri is None:
        raise ModelError(f'model "{model.name}" has no uri in models, so there is nothing to predict with')
    if model.uri.endswith(".json") and not is_on_hub(model.uri):
        if is_remote(model.uri):
            raise ModelError(
                f"the ensemble {model.uri} is not on this disk: copy it with the folders of its members, and "
                "register the copy"
            )
        path = Path(absolute_uri(model.uri))
        check_path(str(path))
        return path
    return resolve_model(model.name, model.uri).path
