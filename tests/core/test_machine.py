"""What was measured on a machine is there at the next start, and no file does harm."""

import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_studio.core.estimate import training_memory
from gpt_studio.core.events import Device
from gpt_studio.core.machine import MONTH, RUNS, SPEEDS, Machine, remembered
from gpt_studio.core.presets import first_config
from gpt_studio.core.speed import Speed, shape_of

CPU = Device("cpu", "2 cores", 2**33, overhead=300 * 2**20)
GPU = Device("cuda:0", "GeForce RTX 4090", 24 * 2**30)
CONFIG = first_config()
MB = 2**20


def speed(*shape, watts=0.0):
    parts = {"block": 1.0, "again": 0.25, "ends": 0.5, "scoring": 0.125, "block_update": 0.1, "update": 1e-9}
    return Speed("cpu", shape or shape_of(CONFIG), "plain", **parts, watts=watts)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "machine.json"


def opened(path, library="torch 2, 2 threads", **options):
    return Machine(path, library, **options)


def test_nothing_is_known_at_first(path):
    machine = opened(path)
    assert machine.known(CPU) == CPU
    assert machine.speed(CPU, shape_of(CONFIG)) is None


def test_what_is_saved_is_there_again(path):
    machine = opened(path)
    machine.remember_speed(CPU, speed())
    machine.remember_rates(CPU, {"fp32": 3e11})
    machine.remember_overhead(Device("cuda:0", GPU.label, GPU.capacity, overhead=5, workspace=7))
    machine.save()
    again = opened(path)
    assert again.speed(CPU, shape_of(CONFIG)) == speed()
    assert again.known(CPU).rates == {"fp32": 3e11}
    assert (again.known(GPU).overhead, again.known(GPU).workspace) == (5, 7)
    assert again.known(GPU).rates == {}
    other = opened(path, "torch 3, 2 threads")
    assert other.speed(CPU, shape_of(CONFIG)) is None
    assert other.known(CPU).rates == {}


def test_another_machine_s_speed_is_not_taken(path):
    machine = opened(path)
    machine.remember_speed(CPU, speed())
    larger = Device("cpu", "2 cores", 2**34)
    assert machine.speed(larger, shape_of(CONFIG)) is None


def test_a_speed_grows_old(path):
    now = [0.0]
    machine = opened(path, clock=lambda: now[0])
    machine.remember_speed(CPU, speed(1))
    now[0] = MONTH + 1
    assert machine.speed(CPU, (1,)) is None
    machine.remember_speed(CPU, speed(2))
    machine.save()
    assert len(stored(path)["speeds"]) == 1


def stored(path):
    return next(iter(json.loads(path.read_text())["devices"].values()))


def test_the_latest_speed_of_a_shape_counts_and_the_file_stays_small(path):
    machine = opened(path)
    for watts in range(3):
        machine.remember_speed(CPU, speed(watts=float(watts)))
    assert machine.speed(CPU, shape_of(CONFIG)).watts == 2
    for number in range(SPEEDS + 5):
        machine.remember_speed(CPU, speed(number))
    machine.save()
    assert len(stored(path)["speeds"]) == SPEEDS
    assert machine.speed(CPU, (SPEEDS + 4,))


# ---------------------------------------------------------------- runs


def test_past_runs_correct_the_next_prediction(path):
    machine = opened(path)
    for more in (90, 110, 900):  # one odd run changes little
        predicted = training_memory(CONFIG, machine.known(CPU))
        measured = predicted.total - predicted.overhead + CPU.overhead + more * MB
        machine.remember_run(CPU, predicted, measured)
        machine.save()
        machine = opened(path)
    known = machine.known(CPU)
    assert (known.overhead, known.runs) == (CPU.overhead + 110 * MB, 3)


def test_a_correction_holds_for_a_start_with_another_overhead(path):
    """With the window the program takes more than without it."""
    machine = opened(path)
    predicted = training_memory(CONFIG, machine.known(CPU))
    machine.remember_run(CPU, predicted, predicted.total + 50 * MB)
    machine.save()
    with_window = Device("cpu", CPU.label, CPU.capacity, overhead=400 * MB)
    assert opened(path).known(with_window).overhead == 450 * MB


def test_only_the_last_runs_count(path):
    machine = opened(path)
    predicted = training_memory(CONFIG, machine.known(CPU))
    for number in range(RUNS + 30):
        machine.remember_run(CPU, predicted, predicted.total + (10**9 if number < 30 else 7))
    assert machine.known(CPU).overhead == CPU.overhead + 7
    assert machine.known(CPU).runs == RUNS


def test_without_looking_at_the_machine_a_run_tells_what_the_program_took(path):
    machine = opened(path)
    predicted = training_memory(CONFIG, machine.known(CPU))
    machine.remember_run(CPU, predicted, predicted.total + 50 * MB)
    machine.save()
    ((device, _),) = remembered(path)
    assert device.overhead == CPU.overhead + 50 * MB


def test_speeds_of_other_libraries_and_old_ones_are_not_told(path):
    now = [0.0]
    for library, shape in (("torch 2, 2 threads", (1,)), ("torch 2, 1 thread", (2,))):
        machine = opened(path, library, clock=lambda: now[0])
        machine.remember_speed(CPU, speed(*shape))
        machine.remember_rates(CPU, {"fp32": float(len(library))})
        machine.save()
    ((device, speeds),) = remembered(path, clock=lambda: now[0])
    assert [one.shape for one in speeds] == [(2,)]
    assert device.rates == {"fp32": float(len("torch 2, 1 thread"))}
    now[0] = MONTH + 1
    assert remembered(path, clock=lambda: now[0])[0][1] == []


# ---------------------------------------------------------------- faults

FAULTS = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"7",
    b"null",
    b"{}",
    b'{"version": 1}',
    b'{"version": 1, "devices": []}',
    b'{"version": 1, "devices": {"cpu 2 cores 8589934592": 5}}',
    b'{"version": 1, "devices": {"cpu 2 cores 8589934592": {"speeds": 5, "runs": 3, "rates": 1}}}',
    b'{"version": 1, "devices": {"cpu 2 cores 8589934592": {"speeds": [5, {}, {"speed": {}}], "runs": [3]}}}',
    b'{"version": 1, "devices": {"cpu 2 cores 8589934592": {"overhead": "much", "workspace": NaN}}}',
    b'{"version": "1", "devices": {}}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", FAULTS, ids=range(len(FAULTS)))
def test_a_broken_file_is_as_good_as_none(path, content):
    path.write_bytes(content)
    machine = opened(path)
    assert machine.known(CPU) == CPU
    assert machine.speed(CPU, shape_of(CONFIG)) is None
    machine.remember_speed(CPU, speed())
    machine.save()
    assert opened(path).speed(CPU, shape_of(CONFIG)) == speed()


@given(cut=st.floats(0, 1), junk=st.binary(max_size=4))
def test_a_torn_file_never_stops_the_program(tmp_path_factory, cut, junk):
    path = tmp_path_factory.mktemp("torn") / "machine.json"
    machine = opened(path)
    machine.remember_speed(CPU, speed())
    machine.remember_run(CPU, training_memory(CONFIG, CPU), 10**9)
    machine.save()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(cut * len(whole))] + junk)
    opened(path).known(CPU)
    assert opened(path).speed(CPU, shape_of(CONFIG)) in (None, speed())


@pytest.mark.parametrize("name", ["block", "shape", "attention", "watts"])
def test_a_speed_with_a_value_of_the_wrong_kind_is_dropped(path, name):
    machine = opened(path)
    machine.remember_speed(CPU, speed())
    machine.save()
    data = json.loads(path.read_text())
    next(iter(data["devices"].values()))["speeds"][0]["speed"][name] = {"wrong": -1}
    path.write_text(json.dumps(data))
    assert opened(path).speed(CPU, shape_of(CONFIG)) is None


def test_a_newer_version_s_file_is_left_alone(path):
    path.write_text('{"version": 2, "engines": {}}')
    machine = opened(path)
    machine.remember_speed(CPU, speed())
    machine.save()
    assert machine.speed(CPU, shape_of(CONFIG)) == speed()
    assert path.read_text() == '{"version": 2, "engines": {}}'


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may write all")
def test_a_folder_that_may_not_be_written_to_is_no_failure(path):
    path.parent.chmod(0o500)
    machine = opened(path)
    machine.remember_speed(CPU, speed())
    machine.save()
    path.parent.chmod(0o700)
    assert not path.exists()


def test_a_folder_that_is_gone_is_no_failure(tmp_path):
    machine = opened(tmp_path / "gone" / "machine.json")
    machine.remember_speed(CPU, speed())
    machine.save()
    assert machine.speed(CPU, shape_of(CONFIG)) == speed()


def test_two_programs_each_add_what_they_measured(path):
    one, other = opened(path), opened(path)
    one.remember_speed(CPU, speed(1))
    other.remember_speed(CPU, speed(2))
    one.save()
    other.save()
    assert opened(path).speed(CPU, (1,))
    assert opened(path).speed(CPU, (2,))
    assert list(path.parent.iterdir()) == [path]


def test_many_writers_at_once_leave_a_whole_file(path):
    def write(number):
        machine = opened(path)
        for turn in range(10):
            machine.remember_speed(CPU, speed(number, turn))
            machine.save()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert json.loads(path.read_text())["version"] == 1
    assert any(opened(path).speed(CPU, (number, 9)) for number in range(4))
