"""The import contract: imports run downwards, those inside functions too."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import modelstore

ROOT = Path(modelstore.__file__).parent
# Each may import what stands below it; those on one line do not import each other.
LAYERS = [
    {"demo", "__main__"},
    {"clients"},
    {"shell"},
    {"connection"},
    {"planner", "report", "tracking"},
    {"language", "recall", "selection", "execution", "store"},
    {"training"},
    {"data"},
    {"udfs", "schema"},
]
ALGORITHMS = {"recall", "selection"}


@cache
def modules() -> dict[str, Path]:
    paths = {path: path.relative_to(ROOT.parent).with_suffix("").parts for path in ROOT.rglob("*.py")}
    return {".".join(part for part in parts if part != "__init__"): path for path, parts in paths.items()}


def imports(path: Path) -> Iterator[str]:
    """The modules of the package that a file imports, wherever in it, but not those for types alone."""
    known = modules()
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("modelstore."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("modelstore"):
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def package(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def layer(name: str) -> int:
    """A package's height; modules at the root, such as the errors, are below all."""
    return next((len(LAYERS) - number for number, names in enumerate(LAYERS) if name in names), 0)


def test_imports_run_downwards() -> None:
    upwards = {
        f"{module} imports {imported}"
        for module, path in modules().items()
        for imported in imports(path)
        if package(module)
        and (own := package(module)) != (other := package(imported))
        and (layer(own) <= layer(other))
        and not (layer(own) == layer(other) == 0)
    }
    assert not upwards


def test_algorithms_import_neither_store_nor_training_nor_execution() -> None:
    forbidden = {"store", "training", "execution", "data", "planner", "language"}
    found = {
        f"{module} imports {imported}"
        for module, path in modules().items()
        if package(module) in ALGORITHMS
        for imported in imports(path)
        if package(imported) in forbidden
    }
    assert not found


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: set(imports(path)) & modules().keys() for module, path in modules().items()}
    done: set[str] = set()

    def walk(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above[above.index(module) :], module))
        if module not in done:
            for imported in graph[module]:
                walk(imported, (*above, module))
            done.add(module)

    for module in graph:
        walk(module, ())
