"""`EXPORT MODEL`: a registered model is written for programs that have no PyTorch."""

import shutil
from pathlib import Path

import pyarrow as pa

from modelstore.data.access import check_directory
from modelstore.data.hub import resolve_model
from modelstore.data.model_card import NAME
from modelstore.data.published_files import published_files
from modelstore.data.whole_files import whole_directory
from modelstore.errors import AlreadyExistsError, ModelError, StoreError
from modelstore.language import nodes
from modelstore.language.statements import EXPORT_MODEL
from modelstore.options import ExportOptions
from modelstore.planner.contents import check_model_unchanged
from modelstore.planner.context import StatementContext
from modelstore.planner.result_schema import schema_of
from modelstore.turns import turn

SCHEMA = schema_of(EXPORT_MODEL)


def export_model(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Writes the folder, completely or not at all; the row says where the file is.

    Raises
    ------
    AlreadyExistsError
        There is something at the folder's path.
    ModelError
        The model is none, is an ensemble, or cannot be exported.
    """
    context.options_of(statement, ExportOptions)
    model = context.store.catalog.model(context.name_of(statement.this))
    folder = Path(context.name_of(statement.args["folder"])).expanduser().absolute()
    check_directory(str(folder))
    if folder.exists():
        raise AlreadyExistsError(f'there is a folder or file "{folder}" already: name one that is not there')
    if model.uri is None or model.uri.endswith(".json"):
        what = "has no uri in models" if model.uri is None else "is an ensemble of several models"
        raise ModelError(f'the model "{model.name}" {what}, so it cannot be exported')
    check_model_unchanged(context.store, model)
    path = resolve_model(model.name, model.uri).path
    with turn():  # a network draws random numbers as it is built
        _write(model.name, path, folder)
    from modelstore.training.onnx_export import FILE

    return pa.Table.from_pylist([{"model": model.name, "path": str(folder / FILE)}], schema=SCHEMA)


def _write(name: str, path: Path, folder: Path) -> None:
    from modelstore.training.onnx_export import check_installed, export_onnx  # here, as it loads torch

    check_installed()
    # Of the card, its lines for PyTorch would mislead.
    files = published_files(path, is_made=True).items()
    settings = {file: at for file, at in files if file != NAME and ".safetensors" not in file}
    try:
        with whole_directory(folder) as partial:
            export_onnx(name, path, partial)
            for file, source in settings.items():
                (partial / file).parent.mkdir(exist_ok=True)
                shutil.copyfile(source, partial / file)
    except OSError as error:
        raise StoreError(
            f'the model "{name}" cannot be written to "{folder}": {error.strerror or error}'
        ) from None
