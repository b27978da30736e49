"""The catalog's SQL: numbered migrations, applied in order to a new file or one of an older version."""

from importlib.resources import files


def migrations() -> list[tuple[int, str]]:
    """The version of each migration, which is the number in its file's name, and its SQL; in order."""
    found = [path for path in files(__name__).iterdir() if path.name.endswith(".sql")]
    return sorted((int(path.name.split("_", 1)[0]), path.read_text("utf-8")) for path in found)
