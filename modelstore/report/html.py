"""The page as one HTML file, which asks for nothing: its style, scripts and data are in it, and no other may run.

Names, cards and reasons are text of others. In the HTML they are escaped; in the data, which is JSON in a script
element, no character can end that element; and the scripts write them as text.
"""

import base64
import dataclasses
import hashlib
import json
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from modelstore.data.whole_files import whole_file
from modelstore.errors import StoreError
from modelstore.report.contents import Page
from modelstore.visible import visible

# In order: each uses what those before it define.
_SCRIPTS = ("dom.js", "table.js", "race.js", "heat_map.js", "tree.js", "scatter.js", "main.js")
_DIGITS = 7  # of a score; more than a reader sees, and a third of the file
# What ends a script element or a line of JavaScript, as JSON writes it.
_ENDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def html_of(page: Page) -> str:
    """The page's HTML."""
    style, script = _text("page.css"), _script()
    fields = {
        "policy": _policy(style, script),
        "title": escape(visible(page.title)),
        "made": escape(page.made),
        "version": escape(page.version),
        "style": style,
        "script": script,
        "data": _json(page),
    }
    html = _text("page.html")
    before, *parts = html.split("{{")
    # Field by field, so that nothing in one is taken for another.
    return before + "".join(fields[name] + rest for name, rest in (part.split("}}", 1) for part in parts))


def write(html: str, path: Path) -> None:
    """Writes a file whole or not at all, so that a browser that loads it while it is renewed sees no half of it.

    Raises
    ------
    StoreError
        It is not called .html, so that no database is overwritten by mistake, or cannot be written.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise StoreError(f'a report is a .html file, not "{path}"')
    try:
        with whole_file(path) as partial:
            partial.write_text(html, "utf-8")
    except OSError as error:
        raise StoreError(f'"{path}" cannot be written: {error.strerror or error}') from None


def _policy(style: str, script: str) -> str:
    """A content security policy: this style and this script, and no request to anywhere."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _json(value: Any) -> str:
    return json.dumps(_written(value), ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(
        _ENDS
    )


def _written(value: Any) -> Any:
    """Contents as what JSON has: dataclasses as objects, named tuples as lists.

    Numbers are rounded, and control characters, which may turn text around, visible.
    """
    if dataclasses.is_dataclass(value):
        return {field.name: _written(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _written(one) for key, one in value.items()}
    return [_written(one) for one in value] if isinstance(value, list | tuple) else value


def _script() -> str:
    return "(() => {\n'use strict';\n" + "\n".join(map(_text, _SCRIPTS)) + "})();\n"


@cache
def _text(name: str) -> str:
    return files("modelstore.report").joinpath("page", name).read_text("utf-8")
