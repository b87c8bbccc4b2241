"""The benchmark for GPUs goes its whole way on a CPU, at toy size, in real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PARTS = ("device", "training", "generation", "memory", "engine", "prediction")


def run(*words, folder):
    file = folder / "found.json"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GPT_STUDIO_HOME": str(folder)}
    command = [
        sys.executable,
        "-m",
        "benchmarks.cuda",
        "--toy",
        "--device",
        "cpu",
        "--json",
        str(file),
        *words,
    ]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    return done, json.loads(file.read_text("utf-8"))


@pytest.mark.timeout(400)
def test_all_of_it(tmp_path):
    done, found = run(folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert not [text for text in found["remarks"] if "failed" in text]
    assert [part for part in PARTS if f"{part} took" not in done.stdout] == []
    tables = found["tables"]
    assert tables["Device"][0]["bf16 products 256³, TFLOP/s"] > 0
    trained = [row["trained by"] for row in tables["Training, compiled, bf16"]]
    assert trained[:2] == ["GPT Studio", "GPT Studio, chunked loss"]
    assert {row["written by"] for row in tables["Generation"]} >= {"GPT Studio"}
    assert found["machine"]["torch"]
    short = done.stdout.rindex("In short")
    assert all(done.stdout.index(title) < short for title in tables)


def test_memory_is_measured_and_is_what_was_predicted(tmp_path):
    _, found = run("--only", "memory", folder=tmp_path)

    rows = found["tables"]["Training memory, predicted and measured"]
    assert len(rows) == 2
    assert abs(rows[0]["error %"]) < 5
    assert abs(rows[1]["error %"]) < 15  # so small a bf16 product takes as much for itself as it works on


def test_a_part_that_fails_is_told_and_loses_no_other(tmp_path):
    done, found = run("--only", "engine", "device", "--device", "no-such-device", folder=tmp_path)

    assert done.returncode == 1
    assert [text.split()[0] for text in found["remarks"] if "failed" in text] == ["engine", "device"]
    assert "Not complete: engine, device." in done.stdout
