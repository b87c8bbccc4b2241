"""The doctor's runs are those of its cases, can be made again, and are counted right."""

import json
import math

import pytest

from benchmarks import doctor, doctor_runs
from benchmarks.doctor import HEALTHY, Visit, precision, recall, runs
from benchmarks.doctor_cases import Case, cases
from gpt_studio.core.doctor import NAMES


def test_the_runs_kept_are_those_of_the_cases():
    kept = {run.name: run for run in runs()}
    assert list(kept) == [case.name for case in cases()]
    for case in cases():
        run = kept[case.name]
        assert (run.label, run.held_out) == (case.label, case.held_out)
        assert run.label in (HEALTHY, *NAMES)
        assert run.later == case.later
        config = case.config("world", run.config.train.seed)
        assert run.config.train == config.train
        assert run.config.model.changed(vocab_size=1) == config.model.changed(vocab_size=1)


def test_those_held_out_have_other_texts():
    """Letters drawn by chance are the one text of both: there is no other one like it."""
    known, others = (
        {case.text for case in cases() if case.held_out == held_out} for held_out in (False, True)
    )
    assert known & others <= {"letters", "dice"}


def test_a_run_can_be_made_and_read(tmp_path, monkeypatch):
    """With a break, after which it goes on by another plan."""
    monkeypatch.setenv("GPT_STUDIO_HOME", str(tmp_path))
    plan = {"steps": 24, "batch_size": 2, "evaluate_every": 4, "warmup": 2}
    shape = {"num_layers": 1, "heads": 1, "embed_size": 8, "max_length": 16}
    wanted = [
        Case("first", HEALTHY, "letters-20k", plan, shape, later=(12, {"learning_rate": 1e-4})),
        Case("second", "dead", "names-20k", plan, shape, harm="zeros", later=(12, {}), held_out=True),
    ]
    monkeypatch.setattr(doctor_runs, "cases", lambda: wanted)
    path = tmp_path / "runs.json"
    doctor_runs.make(path)
    first, second = runs(path)
    assert first.steps == second.steps == 24
    assert list(first.validation) == [4, 8, 12, 16, 20, 24]
    *_, (config, history) = first.visits()
    assert config.train.learning_rate == 1e-4
    assert [(mark.step, mark.kind) for mark in history.marks] == [(12, "plan")]
    assert history.columns["learning_rate"][-1] < 1e-4 < history.columns["learning_rate"][11]
    assert max(second.norms) == 0
    assert second.losses[-1] == pytest.approx(math.log(second.report.vocab_size), abs=1e-3)

    before = path.read_text("utf-8")
    assert str(tmp_path) not in before
    rows = json.loads(before)
    rows[0]["loss"][0] = 7.0
    path.write_text(json.dumps(rows), encoding="utf-8")
    doctor_runs.make(path)  # what is there is not made again
    assert runs(path)[0].losses[0] == 7.0


def test_counting():
    sick, other, well = (
        next(run for run in runs() if run.label == name) for name in ("dead", "plateau", HEALTHY)
    )
    visits = [Visit(sick, {"dead": 30, "plateau": 90}), Visit(other, {}), Visit(well, {"rate_low": 50})]
    assert recall(visits) == 1 / 2
    assert precision(visits) == 1 / 3
    assert visits[0].wrong == ["plateau"]
    assert math.isnan(precision(visits[1:2]))


def test_the_tables(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["doctor", "--all"])
    doctor.main()
    said = capsys.readouterr().out
    assert said.count("Recall") == 2
    for name in NAMES:
        assert said.count(f"| {name} |") == 2
    assert "rate × 30: {'rate_high'" in said
