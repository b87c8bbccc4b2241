"""What a session learns of its devices, for itself and for the next one."""

import os

import psutil
import pytest

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.events import Calibrated, DeviceMeasured
from gpt_studio.engine import knowledge
from gpt_studio.engine.knowledge import Knowledge

CONFIG = RunConfig(
    model=GPTConfig(vocab_size=50, num_layers=2, heads=2, embed_size=16, max_length=16),
    train=TrainConfig(batch_size=2),
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "machine.json"


def told(known):
    return [event for event in known.calibrate(CONFIG, "cpu") if event is not None]


def test_a_device_and_its_speed_are_measured_and_told(file):
    measured, calibrated, after = told(Knowledge(file))
    assert isinstance(measured, DeviceMeasured)
    assert measured.device.rates["fp32"] > 1e8
    assert isinstance(calibrated, Calibrated)
    assert calibrated.speed.block > 0
    assert after.device.overhead == pytest.approx(measured.device.overhead, rel=0.5)


def test_what_is_known_is_not_measured_again(file, monkeypatch):
    before = told(Knowledge(file))
    for name in ("calibrate", "matrix_rates"):
        monkeypatch.setattr(knowledge, name, None)
    assert told(Knowledge(file))[1] == before[1]


def test_a_run_corrects_the_next_prediction(file):
    first = Knowledge(file)
    before = first.device("cpu")
    first.remember_run(CONFIG, "cpu", peak=before.overhead + 500_000_000)
    after = Knowledge(file).device("cpu")
    assert after.runs == 1
    assert after.overhead > before.overhead + 400_000_000


def test_memory_that_is_taken_meanwhile_counts_but_not_that_of_the_model_to_be_replaced(file):
    known = Knowledge(file)
    before = known.device("cpu").overhead
    taken = bytearray(os.urandom(1 << 20) * 300)
    after = known.device("cpu").overhead
    assert after - before == pytest.approx(len(taken), rel=0.2)
    assert known.device("cpu", held=len(taken)).overhead == pytest.approx(before, rel=0.1)


def test_a_speed_that_was_not_finished_is_not_kept(file):
    for event in Knowledge(file).calibrate(CONFIG, "cpu"):
        if isinstance(event, DeviceMeasured):
            break
    assert isinstance(told(Knowledge(file))[1], Calibrated)


def test_no_memory_for_the_matrix_rates_is_said_in_words(file, monkeypatch):
    """Training without a window goes on after a StudioError, and only then."""

    def no_memory(_):
        raise MemoryError
        yield

    monkeypatch.setattr(knowledge, "matrix_rates", no_memory)
    with pytest.raises(StudioError, match="not enough memory"):
        told(Knowledge(file))


def test_speeds_of_another_release_are_measured_again(file, monkeypatch):
    """A release may be faster."""
    told(Knowledge(file))
    monkeypatch.setattr(knowledge, "__version__", "0.0.9")
    monkeypatch.setattr(knowledge, "calibrate", lambda *_: (event for event in ()))
    assert {type(event) for event in told(Knowledge(file))} == {DeviceMeasured}


def test_what_calibrating_took_is_given_back(file):
    large = CONFIG.changed("model", {"embed_size": 1024, "vocab_size": 4096})
    known = Knowledge(file)
    list(known.calibrate(CONFIG, "cpu"))  # libraries are loaded, and stay
    before = psutil.Process().memory_info().rss
    list(known.calibrate(large, "cpu"))
    assert psutil.Process().memory_info().rss - before < 2**27
