"""The Python way to `SELECT BEST MODEL`: its row as an object that can load the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelstore.errors import ModelError

if TYPE_CHECKING:
    from modelstore.connection import Connection


@dataclass(frozen=True)
class BestModel:
    """The row of a `SELECT BEST MODEL`: ``checkpoint`` is a directory, None after a replay."""

    model: str
    validation: float
    test: float
    epochs: float
    seconds: float
    checkpoint: str | None
    selection: int

    def load(self) -> tuple[Any, Any]:
        """The fine-tuned transformers model, and its tokenizer or image processor.

        Raises ``ModelError`` where nothing was trained, or the checkpoint is gone.
        """
        from modelstore.data.model_config import modality_of, read_config
        from modelstore.training.inputs.loading import load_processor
        from modelstore.training.loading import load_for_features

        if self.checkpoint is None:
            raise ModelError(
                f"selection {self.selection} was a replay, which trains nothing: run it with executor='torch'"
            )
        path = Path(self.checkpoint)
        if path.suffix == ".json":
            raise ModelError(
                f'{self.model} is several models: load each from its checkpoint in "{path}", and weigh their '
                "predictions as it says"
            )
        modality = modality_of(path, read_config(path))
        network, _ = load_for_features(self.model, path, modality, with_head=True)
        return network, load_processor(self.model, path, modality)


def select_best_model(
    connection: "Connection",
    dataset: str,
    models: str | None,
    where: str | None,
    method: str,
    options: dict[str, Any],
) -> BestModel:
    """Runs the statement that the arguments stand for (see `Connection.select_best_model`)."""
    clauses = ["SELECT BEST MODEL FOR $modelstore_dataset"]
    clauses += [f"FROM {models}\n"] if models is not None else []
    clauses += [f"WHERE {where}\n"] if where is not None else []
    clauses += ["USING $modelstore_method"]
    clauses += [f"WITH ({', '.join(f'{name} = ${name}' for name in options)})"] if options else []
    values = {"modelstore_dataset": dataset, "modelstore_method": method, **options}
    rank_and_rest = connection.execute(" ".join(clauses), values).fetchone()
    assert rank_and_rest is not None
    return BestModel(*rank_and_rest[1:])
