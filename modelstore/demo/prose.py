"""Corpora of English prose and code, taken from the dependencies' own documentation and source.

Modules are read as text and parsed, never imported, so none of their code runs; they are read in the order of their
file names. A quarter of the definitions is held out of the corpora, so that tasks can test on it.
"""

import ast
import random
import sysconfig
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics

from modelstore.garbage_collection import no_collection

# Folders with good docstrings; all of torch and transformers would take minutes to parse.
FOLDERS = {
    "stdlib": """. asyncio concurrent/futures email http importlib json logging multiprocessing unittest urllib
        xml/dom xml/etree xml/sax""",
    "numpy": ". _core fft lib linalg ma polynomial random",
    "scipy": """cluster fft integrate interpolate io linalg ndimage optimize signal sparse sparse/linalg spatial
        special stats""",
    "sklearn": """cluster compose covariance datasets decomposition ensemble feature_extraction
        feature_selection gaussian_process inspection linear_model manifold metrics mixture model_selection
        neighbors neural_network preprocessing svm tree utils""",
    "torch": """. ao/quantization autograd cuda distributed distributions fx nn nn/modules nn/utils optim
        profiler sparse special utils utils/data""",
    "transformers": ". data generation integrations pipelines quantizers utils",
}
LICENSED = ("numpy", "scipy", "scikit-learn", "torch", "transformers", "pyarrow", "pillow", "duckdb", "tqdm")
CORPUS_CHARACTERS = 600_000


@dataclass(frozen=True)
class Definition:
    """A documented module, class, function or method."""

    package: str
    area: str  # the folder of the package that it is in; '.' for the package itself
    kind: str
    name: str
    summary: str
    body: str
    code: str
    lines: int

    @property
    def key(self) -> str:
        return f"{self.package}/{self.area}/{self.name}"

    @property
    def text(self) -> str:
        return f"{self.summary} {self.body}".strip()


def share(key: str) -> float:
    """A number in [0, 1) that depends on the key alone: splits by it are the same in whatever order rows come."""
    return zlib.crc32(key.encode()) / 2**32


def held_out(key: str) -> bool:
    """Whether what has this key is left out of the corpora, for tasks to test on."""
    return share(key) < 0.25


def one_line(text: str) -> str:
    """The text with each run of white space made one blank."""
    return " ".join(text.split())


def _root(package: str) -> Path:
    if package == "stdlib":
        return Path(sysconfig.get_paths()["stdlib"])
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is a dependency of this project, but it is not installed")
    return Path(spec.origin).parent


def _nodes(
    parent: ast.AST, prefix: str
) -> Iterator[tuple[str, str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield ("method" if isinstance(parent, ast.ClassDef) else "function"), prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield "class", prefix + node.name, node
            yield from _nodes(node, f"{prefix}{node.name}.")


def _code(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, lines: list[str]) -> str:
    """The source of a definition without its docstring."""
    docstring = node.body[0]
    kept = lines[node.lineno - 1 : docstring.lineno - 1] + lines[docstring.end_lineno : node.end_lineno]
    return "\n".join(kept)


def _parse(package: str, area: str, path: Path) -> Iterator[Definition]:
    source = path.read_text(encoding="utf-8", errors="replace")
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a template or a script in an older dialect
        return
    lines = source.splitlines()
    module = ast.get_docstring(tree)
    if module:
        summary, _, body = module.partition("\n\n")
        yield Definition(
            package, area, "module", path.stem, one_line(summary), one_line(body), "", len(lines)
        )
    for kind, name, node in _nodes(tree, f"{path.stem}."):
        documentation = ast.get_docstring(node)
        if documentation and len(documentation) >= 20:
            summary, _, body = documentation.partition("\n\n")
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            code = _code(node, lines)
            yield Definition(package, area, kind, name, one_line(summary), one_line(body), code, length)


@cache
def definitions(package: str) -> tuple[Definition, ...]:
    """The documented definitions of a package; those with the same summary, such as overloads, count once."""
    found: dict[str, Definition] = {}
    with (
        no_collection()
    ):  # half the time: a collection walks each tree while it grows, and trees have no cycles
        for folder in FOLDERS[package].split():
            for path in sorted((_root(package) / folder).glob("*.py")):
                for definition in _parse(package, folder, path):
                    found.setdefault(definition.summary, definition)
    return tuple(found.values())


@cache
def reference() -> tuple[tuple[str, str], ...]:
    """(topic, paragraph) of the Python language reference that `help()` shows, each paragraph once."""
    found: dict[str, str] = {}
    for topic in sorted(topics, key=lambda name: (len(topics[name]), name)):
        for paragraph in topics[topic].split("\n\n"):
            text = one_line(paragraph)
            if len(text) >= 60:
                found.setdefault(text, topic)
    return tuple((topic, text) for text, topic in found.items())


@cache
def legal() -> tuple[str, ...]:
    """Paragraphs of the dependencies' licences, and of scikit-learn's descriptions of its datasets."""
    found: dict[str, None] = {}
    for name in LICENSED:
        for file in sorted(distribution(name).files or [], key=str):
            upper = file.name.upper()
            if file.suffix in (".py", ".pyc", ".csv") or not (
                any(word in upper for word in ("LICEN", "NOTICE", "COPYING")) or file.match("descr/*.rst")
            ):
                continue
            text = Path(str(file.locate())).read_text(encoding="utf-8", errors="replace")
            found.update(dict.fromkeys(one_line(part) for part in text.split("\n\n")))
    return tuple(text for text in found if len(text) >= 60)


def _trimmed(passages: Sequence[str]) -> list[str]:
    """A random selection of the passages, of about `CORPUS_CHARACTERS` in all."""
    passages = [passage[:2000] for passage in passages if len(passage) >= 40]
    random.Random(0).shuffle(passages)
    kept, size = [], 0
    for passage in passages:
        if size < CORPUS_CHARACTERS:
            kept.append(passage)
            size += len(passage)
    return kept


def _documentation(*packages: str) -> list[str]:
    return _trimmed([d.text for p in packages for d in definitions(p) if not held_out(d.key)])


def _code_lines() -> list[str]:
    return _trimmed([d.code for p in ("stdlib", "sklearn") for d in definitions(p) if not held_out(d.key)])


CORPORA = ("prose", "standard", "numeric", "learning", "code")


@cache
def corpus(name: str) -> tuple[str, ...]:
    """The passages of a corpus, without those that are held out for the tasks.

    Raises
    ------
    ValueError
        If the name is not one of `CORPORA`.
    """
    match name:
        case "prose":
            passages = [text for _, text in reference()] + list(legal())
            return tuple(_trimmed([text for text in passages if not held_out(text)]))
        case "standard":
            return tuple(_documentation("stdlib"))
        case "numeric":
            return tuple(_documentation("numpy", "scipy", "sklearn"))
        case "learning":
            return tuple(_documentation("torch", "transformers"))
        case "code":
            return tuple(_code_lines())
    raise ValueError(f"there is no corpus {name}; there are {', '.join(CORPORA)}")
