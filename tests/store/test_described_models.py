"""Files of before `models` had columns of what cards say: they are filled from the cards as the file is opened."""

from pathlib import Path

import duckdb

import modelstore
from modelstore.schema import migrations
from modelstore.udfs.register import register

CARD = "---\nlicense: mit\nlanguage: [de, en]\ntags: [bert]\nbase_model: google-bert/bert\n---\n# A model"


def test_cards_of_an_old_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with duckdb.connect(str(path)) as plain:
        register(plain)
        plain.execute("CREATE TABLE modelstore_version (version INTEGER)")
        for number, sql in migrations():
            if number < 21:
                plain.execute(sql)
                plain.execute("INSERT INTO modelstore_version VALUES (?)", [number])
        plain.execute(
            "INSERT INTO models (name, card, base) VALUES "
            "('said', $1, NULL), ('silent', NULL, NULL), ('winner', NULL, 'silent'), "
            "('odd', '---\nlicense: [\n---', NULL)",
            [CARD],
        )
    with modelstore.connect(path) as store:
        rows = store.execute(
            "SELECT name, license, languages, tags, base_model, downloads, last_modified FROM models ORDER BY name"
        ).fetchall()
        assert store.execute(
            "SELECT name FROM models WHERE license IN ('apache-2.0', 'mit') AND list_contains(languages, 'de')"
        ).fetchall() == [("said",)]
    assert rows == [
        ("odd", None, None, None, None, None, None),
        ("said", "mit", ["de", "en"], ["bert"], "google-bert/bert", None, None),
        ("silent", None, None, None, None, None, None),
        ("winner", None, None, None, "silent", None, None),
    ]
