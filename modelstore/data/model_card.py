"""The card of a fine-tuned model: README.md in markdown, after metadata that the Hugging Face hub reads.

Names of models, datasets and labels may hold anything. In the metadata they are values of YAML, on one line; in the
text they are code, which markdown does not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelstore.data.card_metadata import CardMetadata
from modelstore.tasks import LABELS, NUMBER, TAGS, target_of
from modelstore.visible import visible_on_one_line

NAME = "README.md"
MOST_ROWS = 100  # of labels and of models in a table
_LONGEST = 200  # characters of a name
_METRICS: dict[str, tuple[str, dict[str, str] | None]] = {  # what the hub calls them
    "f1_macro": ("f1", {"average": "macro"}),
    "f1_micro": ("f1", {"average": "micro"}),
    "f1_entity": ("f1", {"average": "micro", "of": "entities"}),
    "matthews": ("matthews_correlation", None),
    "pearson": ("pearsonr", None),
    "spearman": ("spearmanr", None),
}


@dataclass(frozen=True)
class Base:
    """The model that was fine-tuned: its name, its repository on the hub if it has one, and what its card says."""

    name: str
    repository: str | None
    metadata: CardMetadata


@dataclass(frozen=True)
class Data:
    """The dataset: its name, its repository on the hub if it has one, and what it is.

    ``rows`` are the sizes of its splits, and ``columns`` the columns that its rows are made of.
    """

    name: str
    repository: str | None
    config: str | None
    task: str
    metric: str
    modality: str
    labels: Sequence[str]
    rows: Mapping[str, int]
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Scores:
    """The scores of the point of training that counts, at ``epoch``.

    ``interval`` are the ends of the 95 % confidence interval of ``test``; None where it is not known.
    """

    epoch: float
    validation: float
    test: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Contender:
    """What became of a model that was trained: the last decision on it, and its validation score then."""

    name: str
    stage: int
    validation: float | None
    action: str
    reason: str | None


@dataclass(frozen=True)
class Choice:
    """How the model was chosen.

    Parameters
    ----------
    rank
        From 1, the best.
    strategy
        The strategy's name.
    candidates
        How many models, or pairs of a model and a recipe, there were to choose from; as far as that is known.
    contenders
        Those that were trained.
    epochs, seconds
        What the choice has taken, training included.
    brute_force
        The epochs that training all candidates to the end takes.
    """

    rank: int
    strategy: str
    candidates: int
    contenders: Sequence[Contender]
    epochs: float
    seconds: float
    brute_force: float


@dataclass(frozen=True)
class Card:
    """Everything that a card says; ``recipe`` is the recipe's name, and ``training`` its options by name."""

    base: Base
    data: Data
    scores: Scores
    recipe: str
    training: Mapping[str, Any]
    choice: Choice

    def text(self) -> str:
        """The card: metadata and markdown."""
        parts = [f"---\n{self._metadata()}\n---", *self._sections()]
        return "\n\n".join(parts) + "\n"

    # --- metadata

    def _metadata(self) -> str:
        from huggingface_hub import EvalResult, ModelCardData

        base, data = self.base, self.data
        task = data.task.replace("_", "-")
        metric, args = _METRICS.get(data.metric, (data.metric, None))
        result = EvalResult(
            task_type=self._pipeline or task,
            dataset_type=data.repository or _plain(data.name),
            dataset_name=_plain(data.name),
            dataset_config=data.config and _plain(data.config),
            dataset_split="test",
            metric_type=metric,
            metric_name=data.metric,
            metric_value=self.scores.test,
            metric_args=args,
        )
        found = ModelCardData(
            language=list(base.metadata.languages) or None if data.modality == "text" else None,
            license=base.metadata.license,
            license_name=base.metadata.license_name,
            license_link=base.metadata.license_link,
            library_name="transformers",
            pipeline_tag=self._pipeline,
            tags=["modelstore", *([task] if task != self._pipeline else [])],
            base_model=base.repository,
            base_model_relation="finetune" if base.repository else None,
            datasets=[data.repository] if data.repository else None,
            metrics=[metric],
            model_name=f"{_plain(base.name)}-finetuned-{_plain(data.name)}",
            eval_results=[result],
        )
        return found.to_yaml(line_break="\n")

    @property
    def _pipeline(self) -> str | None:
        """What the hub calls the task; None for a number of an image, which it has no name for."""
        target = target_of(self.data.task)
        if target is TAGS:
            return "token-classification"
        if self.data.modality == "image":
            return None if target is NUMBER else "image-classification"
        return "text-classification"

    # --- text

    def _sections(self) -> Iterable[str]:
        base, data = self.base, self.data
        yield f"# {code(base.name)}, fine-tuned on {code(data.name)}"
        yield (
            f"modelstore fine-tuned {_linked(base.name, base.repository, '')} on the dataset "
            f"{_linked(data.name, data.repository, 'datasets/')} and chose it for that dataset "
            f"{_place(self.choice.rank)} {_counted(self.choice.candidates, 'candidate')}."
        )
        yield self._license()
        yield from self._use()
        yield from self._scores()
        yield from self._data()
        yield from self._training()
        yield from self._selection()

    def _license(self) -> str:
        found = self.base.metadata
        if found.license is None:
            return f"The card of {code(self.base.name)} names no licence, so this one names none: ask its authors."
        name = code(found.license if found.license_name is None else found.license_name)
        return f"Its licence is that of {code(self.base.name)}, {name}, as that model's card says."

    def _use(self) -> Iterable[str]:
        yield "## Use"
        yield _block("python", "\n".join(self._python()))
        if target_of(self.data.task) is NUMBER:
            yield (
                "If `config.json` has `target_mean` and `target_deviation`, the scores are to be multiplied by the "
                "deviation, and the mean is to be added."
            )
        yield "modelstore predicts with it in SQL:"
        yield _block("sql", f"CREATE MODEL winner FROM 'folder';\nSELECT {self._predict()};")

    def _python(self) -> Iterable[str]:
        is_image, target = self.data.modality == "image", target_of(self.data.task)
        head = "Image" if is_image else "Token" if target is TAGS else "Sequence"
        model, processor = (
            f"AutoModelFor{head}Classification",
            "AutoImageProcessor" if is_image else "AutoTokenizer",
        )
        if is_image:
            yield "from PIL import Image"
        yield f"from transformers import {', '.join(sorted([model, processor]))}"
        yield ""
        yield 'folder = "."  # where this file is: a folder, or owner/name on the hub'
        yield f"model = {model}.from_pretrained(folder)"
        yield f"processor = {processor}.from_pretrained(folder)"
        if is_image:
            yield 'inputs = processor(Image.open("image.png").convert("RGB"), return_tensors="pt")'
        else:
            words = '["Some", "words"], is_split_into_words=True' if target is TAGS else '"A text"'
            pair = ', "Another text"' if "text_pair" in self.data.columns else ""
            cut = f"truncation=True, max_length={self.training['max_length']}"
            yield f'inputs = processor({words}{pair}, {cut}, return_tensors="pt")'
        yield f"scores = model(**inputs).logits{'.sigmoid()' if target is LABELS else ''}"

    def _predict(self) -> str:
        if self.data.modality == "image":
            return "predict('winner', 'image.png')"
        if target_of(self.data.task) is TAGS:
            return "predict('winner', ['Some', 'words'])"
        return f"predict('winner', 'A text'{', ' + repr('Another text') if 'text_pair' in self.data.columns else ''})"

    def _scores(self) -> Iterable[str]:
        scores = self.scores
        interval = "" if scores.interval is None else f"{scores.interval[0]:.4f} to {scores.interval[1]:.4f}"
        yield "## Scores"
        yield _table(
            ("split", self.data.metric, "95 % confidence interval"),
            [
                ("test", f"{scores.test:.4f}", interval),
                ("validation", f"{scores.validation:.4f}", ""),
            ],
        )
        said = (
            "The validation split decided what was chosen, so its score promises too much; the test split played no "
            "part."
        )
        if scores.interval is not None:
            said += " The interval is a BCa bootstrap interval over the rows of the test split."
            if scores.interval[0] == scores.interval[1]:
                said += " It has no width since all resamples score alike, which new rows need not."
        yield said

    def _data(self) -> Iterable[str]:
        data = self.data
        config = f", configuration {code(data.config)}" if data.config else ""
        sizes = ", ".join(f"{rows:,} {split}" for split, rows in data.rows.items())
        yield "## Data"
        name = _linked(data.name, data.repository, "datasets/")
        yield f"{name}{config}: {data.task.replace('_', ' ')}; {sizes} rows."
        if data.labels:
            shown = [code(label) for label in data.labels[:MOST_ROWS]]
            yield f"Labels, {len(data.labels):,}: {', '.join(shown)}{_more(data.labels)}."

    def _training(self) -> Iterable[str]:
        yield "## Training"
        yield (f"Recipe {code(self.recipe)}. The weights are those after {self.scores.epoch:g} epochs.")
        rows = [(code(name), _value(value)) for name, value in self.training.items()]
        yield _table(("option", "value"), rows)

    def _selection(self) -> Iterable[str]:
        choice = self.choice
        trained = [one for one in choice.contenders if one.validation is not None]
        yield "## How it was chosen"
        yield (
            f"{code(choice.strategy)} chose among {_counted(choice.candidates, 'candidate')}, of which it trained "
            f"{len(trained):,}. That took {choice.epochs:.4g} epochs and {choice.seconds:.4g} s. Training all of "
            f"them to the end takes {choice.brute_force:.4g} epochs."
        )
        rows = [
            (
                code(one.name),
                str(one.stage),
                "" if one.validation is None else f"{one.validation:.4f}",
                one.action,
                "" if one.reason is None else code(one.reason),
            )
            for one in choice.contenders[:MOST_ROWS]
        ]
        yield _table(("model", "stage", f"validation {self.data.metric}", "decision", "reason"), rows)
        if _more(choice.contenders):
            yield f"The table ends here;{_more(choice.contenders)}."


def code(text: str) -> str:
    """A text as code of markdown, on one line and shortened, whatever it holds.

    Examples
    --------
    >>> code("bert"), code("a`b")
    ('`bert`', '``a`b``')
    """
    shown = _plain(text)
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    # A blank at both ends is taken away again, and nothing but blanks is code as it is.
    blank = " " if shown.strip() and (shown[0] in "` " or shown[-1] in "` ") else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def _plain(text: str) -> str:
    """A text on one line, shortened where it is long; never empty."""
    shown = visible_on_one_line(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
    return shown or "(empty)"


def _linked(name: str, repository: str | None, folder: str) -> str:
    """A name, with a link to its repository on the hub, whose address holds nothing that markdown reads."""
    return (
        code(name) if repository is None else f"[{code(name)}](https://huggingface.co/{folder}{repository})"
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(f"{value:g}" if isinstance(value, float) else str(value))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    escaped = [
        [cell.replace("|", "\\|") for cell in cells] for cells in lines
    ]  # a bar ends a cell, in code too
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _place(rank: int) -> str:
    return "as the best of" if rank == 1 else f"as number {rank} of"


def _more(shown: Sequence[Any]) -> str:
    left = len(shown) - MOST_ROWS
    return f" and {left:,} more" if left > 0 else ""
