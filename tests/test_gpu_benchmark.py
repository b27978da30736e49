"""The benchmark for GPUs goes through every line on a CPU, so that it cannot fail for a typo on the day."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_its_dry_run_measures_every_part(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    command = [sys.executable, ROOT / "benchmarks" / "gpu.py", "--dry-run", "--out", out]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert told.returncode == 0, told.stderr[-3000:]
    found = json.loads(out.read_text())
    assert "skipped" in found["tests"] or "passed" in found["tests"]
    assert [case["ratio"] > 0 for case in found["training"]] == [True] * 3
    assert [set(case["rows_per_second"]) for case in found["at_once"]] == [{"1", "2"}]
    (ways,) = found["sharing"].values()
    ways.pop("processes under MPS")  # needs NVIDIA's server
    assert all(isinstance(rate, float) for rate in ways.values()), ways
    assert found["selection"]["ratio"] > 0
    assert found["proxies"]["recall_seconds"] > 0
