"""The first steps with a store: a dataset, public records, models to choose from, and the plan of a selection.

Each step is a statement, shown before it runs: what a person types later is what they have seen here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from modelstore.data.hub import absolute_uri
from modelstore.errors import INTERRUPTIONS
from modelstore.shell.commands.command import Session
from modelstore.shell.render.messages import ShellError
from modelstore.sql_text import as_pattern, folded, literal, quoted

MOST = 10  # models that are proposed where the person names none
RECORDS = "euroeval"  # public results with the models' names on the hub
_CONFIGS = ("config.json", "adapter_config.json")
_ON_HUB = re.compile(r"(hf://)?(\w[\w.-]*/)?\w[\w.-]*(@[\w./-]+)?")


@dataclass(frozen=True)
class Wanted:
    """What a person has said; what is None, or empty, is asked for, or left to a default.

    Parameters
    ----------
    data
        A file, a folder, or an address on the hub.
    name
        The dataset's name; by default that of the file.
    text, label
        The columns that hold the text or image and the label, where they have other names.
    models
        Directories of models, folders of such directories, and names on the hub.
    search
        How many of the hub's most downloaded models that suit the data compete.
    language
        The language of the models that are searched.
    """

    data: str | None = None
    name: str | None = None
    text: str | None = None
    label: str | None = None
    models: Sequence[str] = ()
    search: int | None = None
    language: str | None = None


class FirstSteps:
    """Takes the steps.

    Parameters
    ----------
    session
        The shell.
    ask
        Asks a question and returns the answer; None where there is nobody to ask.
    """

    def __init__(self, session: Session, ask: Callable[[str], str] | None):
        self._session = session
        self._store = session.connection.store
        self._ask = ask

    def take(self, wanted: Wanted) -> None:
        """Takes all steps.

        Raises
        ------
        ShellError
            Something is missing, and there is nobody to ask.
        duckdb.Error
            A step failed. Those before it stand; taken again, they are skipped.
        """
        dataset = self._add_dataset(wanted)
        self._run("IMPORT RECORDS ALL")
        for statement in self._models(wanted, dataset):
            self._run(statement)
        if not self._store.catalog.model_names():
            raise ShellError(
                "no model could be registered, for the reasons above: name directories of models with --models, or "
                "run this again once the hub can be reached"
            )
        select = f"SELECT BEST MODEL FOR {_name(dataset)}{self._options()}"
        self._run(f"EXPLAIN {select}")
        self._session.say(f"\nThat is the plan. This trains, and can be stopped and resumed:\n\n{select};\n")

    # --- the dataset

    def _add_dataset(self, wanted: Wanted) -> str:
        """Registers the dataset, and returns its name."""
        if wanted.data is None and self._ask is None:
            raise ShellError("init needs data: --data reviews.csv, or a folder, or hf://owner/name")
        if wanted.data is not None:
            return self._create_dataset(wanted.data, wanted)
        assert self._ask is not None
        while True:
            answer = self._ask(
                "Your data (a file, a folder, hf://owner/name, or a CREATE DATASET statement): "
            )
            try:
                if answer.lower().startswith("create "):
                    return self._create_as_written(answer)
                if answer:
                    return self._create_dataset(answer, wanted)
            except INTERRUPTIONS:
                raise
            except (duckdb.Error, ShellError) as error:  # it may hold the statement that would do
                self._session.complain(error)

    def _create_dataset(self, data: str, wanted: Wanted) -> str:
        name = wanted.name or _name_of(data)
        columns = {key: at for key in ("text", "label") if (at := getattr(wanted, key))}
        self._check_same(name, data, columns)
        mapped = ", ".join(f"{key} = {literal(at)}" for key, at in columns.items())
        options = f" WITH ({mapped})" if mapped else ""
        self._run(f"CREATE DATASET IF NOT EXISTS {_name(name)} FROM {literal(data)}{options}")
        return name

    def _check_same(self, name: str, data: str, columns: Mapping[str, str]) -> None:
        """Raises ``ShellError`` for a registered dataset of other data or columns, which IF NOT EXISTS would keep."""
        known = self._store.catalog.find_dataset(name)
        if known is None:
            return
        read = {"text": known.columns.get("image", ""), **known.columns}
        differs = any(folded(read.get(key, "")) != folded(at) for key, at in columns.items())
        if known.uri != absolute_uri(data) or differs:
            of = f"of {known.uri}" if known.uri else "of a query"
            raise ShellError(
                f'there is a dataset "{known.name}" already, {of} with the columns '
                f"{', '.join(known.columns.values())}: give this one another --name"
            )

    def _create_as_written(self, statement: str) -> str:
        """Runs a statement that registers a dataset, and returns the name of the one that was registered last."""
        self._run(statement.rstrip().removesuffix(";"))
        catalog = self._store.catalog
        names = catalog.dataset_names()
        if not names:
            raise ShellError("that statement has registered no dataset")
        return max(names, key=lambda name: catalog.registered(name) or datetime.min)

    # --- the models

    def _models(self, wanted: Wanted, dataset: str) -> list[str]:
        """The statements that register the models."""
        named = list(wanted.models)
        if not named and wanted.search is None and self._ask is not None:
            proposed = f"the {MOST} that public records rank best" if self._has_texts(dataset) else "a search"
            named = self._ask(
                f"Models to choose from (directories, or names on the hub; Enter for {proposed}): "
            ).split()
        if named:
            return _statements_of(named)
        if wanted.search is None and self._has_texts(dataset) and wanted.language is None:
            return [_create_models(_recalled(dataset))]
        options = [f"limit = {wanted.search or MOST}"]
        if wanted.language is not None:
            options.append(f"language = {literal(wanted.language)}")
        return [_create_models(f"SEARCH MODELS FOR {_name(dataset)} WITH ({', '.join(options)})")]

    def _has_texts(self, dataset: str) -> bool:
        return self._store.catalog.dataset(dataset).modality == "text"

    def _options(self) -> str:
        """The clause with which a selection uses the public records, where they know any of the models."""
        known = {*self._store.catalog.model_names()} & {*self._store.results.matrix(RECORDS).models}
        return f" WITH (recipes = ['default', {literal(RECORDS)}])" if known else ""

    def _run(self, statement: str) -> None:
        self._session.say(f"\n{statement};")
        self._session.show(statement)


def _recalled(dataset: str) -> str:
    """The query of the models that public records rank best."""
    records = f"recipe = {literal(RECORDS)}"
    return (
        f"SELECT model AS name, 'hf://' || model AS uri FROM (RECALL {MOST} MODELS FOR {_name(dataset)} "
        f"FROM (SELECT DISTINCT model FROM performance_matrix WHERE {records}) WITH ({records}))"
    )


def _statements_of(named: Sequence[str]) -> list[str]:
    """The statements that register what a person named: a folder of models by its pattern, all others in one."""
    statements, addresses = [], []
    for one in named:
        folder = Path(one).expanduser()
        if not folder.is_dir():
            addresses.append(_address(one))
        elif any((folder / config).is_file() for config in _CONFIGS):
            addresses.append(one)
        else:
            found = [config for config in _CONFIGS if any(folder.glob(f"*/{config}"))]
            if not found:
                raise ShellError(
                    f'the folder "{one}" has no model: a model is a directory with config.json and its weights'
                )
            statements += [
                _create_models(
                    f"SELECT parse_dirpath(file) AS uri FROM glob({literal(f'{as_pattern(folder)}/*/{config}')})"
                )
                for config in found
            ]
    if addresses:
        rows = ", ".join(f"({literal(address)})" for address in addresses)
        statements.append(_create_models(f"SELECT * FROM (VALUES {rows}) AS named(uri)"))
    return statements


def _address(name: str) -> str:
    """The address of a model on the hub. Raises ``ShellError`` for what is none."""
    if not _ON_HUB.fullmatch(name):
        raise ShellError(f'there is no folder "{name}", and it is no name on the hub, such as owner/name')
    return name if name.startswith("hf://") else f"hf://{name}"


def _create_models(query: str) -> str:
    return f"CREATE MODELS IF NOT EXISTS FROM ({query})"


def _name_of(data: str) -> str:
    """What a dataset is called by default: as its file, or on the hub its repository."""
    if data.startswith("hf://"):
        last = data.removeprefix("hf://").removeprefix("datasets/").split("@")[0].split("/")[:2][-1]
    else:
        last = Path(data).expanduser().absolute().name.split(".")[0]
    return re.sub(r"\W+", "_", last).strip("_").lower() or "mine"


def _name(name: str) -> str:
    """A name as it is written in a statement: with quotes only where it needs them."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else quoted(name)
