"""The Python way to `SELECT BEST MODEL`: its row as an object that can load the model."""

from dataclasses import astuple, dataclass, fields
from typing import Any

from modelstore import html
from modelstore.data.remote import path_at
from modelstore.errors import ModelError
from modelstore.turns import turn


@dataclass(frozen=True)
class BestModel:
    """The row that `SELECT BEST MODEL` returns.

    Attributes
    ----------
    model
        The winner's name.
    recipe
        The recipe that it trained by.
    validation, test
        Its scores at the end, in the dataset's metric.
    epochs, seconds
        What the whole selection has spent.
    checkpoint
        The directory of the fine-tuned weights; None after a replay, which trains nothing.
    selection
        The selection's number in the table ``selections``.
    """

    model: str
    recipe: str
    validation: float
    test: float
    epochs: float
    seconds: float
    checkpoint: str | None
    selection: int

    def _repr_html_(self) -> str:
        """The row as a table, for notebooks."""
        return html.of_rows([field.name for field in fields(self)], [astuple(self)])

    def load(self) -> tuple[Any, Any]:
        """Loads the fine-tuned model.

        Returns
        -------
        tuple
            The transformers model, and its tokenizer or image processor.

        Raises
        ------
        ModelError
            Nothing was trained, the checkpoint is gone, or it is an ensemble of several models.
        """
        from modelstore.data.hub import local_path
        from modelstore.data.model_config import modality_of, read_config
        from modelstore.training.inputs.loading import load_processor
        from modelstore.training.loading import load_for_features

        path = local_path(self._directory("load"), "model")
        modality = modality_of(path, read_config(path))
        with turn():  # a network draws random numbers as it is built
            loaded = load_for_features(self.model, path, modality, with_head=True)
        return loaded.network, load_processor(self.model, path, modality)

    def push_to_hub(self, repository: str, *, private: bool | None = None) -> str:
        """Publishes the fine-tuned model on the Hugging Face hub, as `PUBLISH MODEL` does.

        Parameters
        ----------
        repository
            ``owner/name``; a repository that is not there is made.
        private
            Whether it is private; None: as the owner's account says, or as the repository is.

        Returns
        -------
        str
            The address of what was published, ``hf://owner/name@commit``.

        Raises
        ------
        ModelError
            As `load`, or where the hub does not take it.
        """
        from modelstore.data.hub import SCHEME, publish_model

        address = f"{SCHEME}{repository}"
        commit = publish_model(self.model, self._directory("publish"), address, private)
        return f"{address}@{commit}"

    def _directory(self, verb: str) -> str:
        """Where the weights are. Raises ``ModelError``, with what is to be done with each model of several."""
        if self.checkpoint is None:
            raise ModelError(
                f"selection {self.selection} was a replay, which trains nothing: run it with executor='torch'"
            )
        if self.checkpoint.endswith(".json") and path_at(self.checkpoint).is_file():
            raise ModelError(
                f'{self.model} is several models: {verb} each from its checkpoint in "{self.checkpoint}", a folder '
                "beside it, and weigh their predictions as it says"
            )
        return self.checkpoint


def statement(
    dataset: str, models: str | None, where: str | None, method: str | None, options: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The `SELECT BEST MODEL` that the arguments of `Connection.select_best_model` describe.

    Returns
    -------
    tuple
        The SQL, and the values of its parameters by name.
    """
    clauses = ["SELECT BEST MODEL FOR $dataset"]
    clauses += [f"FROM {models}\n"] if models is not None else []
    clauses += [f"WHERE {where}\n"] if where is not None else []
    clauses += ["USING $method"] if method is not None else []
    clauses += [f"WITH ({', '.join(f'{name} = ${name}' for name in options)})"] if options else []
    named = {"dataset": dataset} | ({} if method is None else {"method": method})
    return " ".join(clauses), named | options
