"""The benchmark for CPUs goes its whole way at toy size, in a real process, with and without peers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

MISSING = """
import importlib.util, runpy, sys
find = importlib.util.find_spec
peers = ("transformers", "litgpt")
importlib.util.find_spec = lambda name, *rest: None if name in peers else find(name, *rest)
sys.modules |= {"matplotlib": None, "matplotlib.figure": None}
runpy.run_module("benchmarks.cpu", run_name="__main__", alter_sys=True)
"""


def run(start, folder, *words):
    file, plot = folder / "found.json", folder / "growth.png"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GPT_STUDIO_HOME": str(folder)}
    command = [
        sys.executable,
        *start,
        "--toy",
        "--threads",
        "1",
        "--json",
        str(file),
        "--plot",
        str(plot),
        *words,
    ]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(file.read_text("utf-8")), plot


@pytest.mark.timeout(300)
def test_all_of_it(tmp_path):
    said, found, _ = run(("-m", "benchmarks.cpu"), tmp_path, "--markdown")

    tables = found["tables"]
    assert tables["Training, tokens per second"][0]["precision"] == "fp32"
    assert all(row["GPT Studio"] > 0 for row in tables["Training, tokens per second"])
    assert tables["Generation, tokens per second"][0]["precision"] == "fp32"
    assert [row["against"] for row in tables["Cost growth"]] == ["layers", "width", "context", "batch"]
    assert "| against | from | to |" in said
    assert found["machine"]["threads"] == 1


def test_without_peers_and_without_matplotlib(tmp_path):
    said, found, plot = run(("-c", MISSING), tmp_path)

    assert found["remarks"][:2] == ["transformers is not installed.", "litgpt is not installed."]
    assert all(row["ratio"] is None for row in found["tables"]["Training, tokens per second"])
    assert "matplotlib is not installed" in said
    assert not plot.exists()
