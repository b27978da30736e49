"""The demonstration's script, which takes minutes to run."""

import re
from pathlib import Path

import modelstore
from modelstore.demo import tasks, zoo

SCRIPT = Path(zoo.__file__).with_name("demo.sql").read_text("utf-8")


def test_the_demo_s_script_is_valid(store: modelstore.Connection) -> None:
    store.check(SCRIPT)


def test_the_demo_s_script_registers_the_models_and_tasks_that_are_built() -> None:
    assert re.findall(r"CREATE MODEL .* FROM 'models/(.*)';", SCRIPT) == [spec.name for spec in zoo.SPECS]
    assert {*re.findall(r"CREATE DATASET .* FROM 'tasks/(.*)\.parquet';", SCRIPT)} <= {*tasks.TASKS}
