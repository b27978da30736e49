"""The catalog's SQL: numbered migrations, applied in order to a new file or one of an older version."""

from functools import cache
from importlib.resources import files


@cache
def session() -> list[str]:
    """The SQL of what each connection makes for itself: macros that need the functions of `modelstore.connect`."""
    found = sorted(files(__name__).joinpath("session").iterdir(), key=lambda path: path.name)
    return [path.read_text("utf-8") for path in found if path.name.endswith(".sql")]


def migrations() -> list[tuple[int, str]]:
    """The version of each migration, which is the number in its file's name, and its SQL; in order."""
    found = [path for path in files(__name__).iterdir() if path.name.endswith(".sql")]
    return sorted((int(path.name.split("_", 1)[0]), path.read_text("utf-8")) for path in found)
