"""A calibration at toy size, on the real pieces; rates and power."""

import gc
import math
from dataclasses import astuple

import psutil
import pytest
import torch

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.events import Calibrated, Device
from gpt_studio.core.shapes import block_shapes, count
from gpt_studio.core.speed import run_time, seconds_per_step, shape_of
from gpt_studio.engine import calibration
from gpt_studio.engine.calibration import Times, calibrate, matrix_rates
from gpt_studio.engine.power import PowerMeter


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Few repetitions: what is measured is for other tests to judge."""
    monkeypatch.setattr(calibration, "SECONDS", 0.0)
    monkeypatch.setattr(calibration, "RATE_SECONDS", 0.0)
    monkeypatch.setattr(calibration, "MATRIX", {"cpu": 64})


def toy(**changes):
    model = {"num_layers": 4, "heads": 2, "embed_size": 16, "max_length": 16, "vocab_size": 40}
    names = GPTConfig.__dataclass_fields__
    return RunConfig(
        model=GPTConfig(**model | {name: value for name, value in changes.items() if name in names}),
        train=TrainConfig(
            **{"batch_size": 4} | {name: value for name, value in changes.items() if name not in names}
        ),
    )


def calibrated(config):
    *others, last = calibrate(config, "cpu")
    assert set(others) <= {None}
    assert isinstance(last, Calibrated)
    return last.speed


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_layers": 1},
        {"optimizer": "muon"},
        {"precision": "bf16"},
        {"dropout": 0.2},
        {"chunked_loss": True},
        {"attention": "fused"},
        {"tie_embeddings": False, "bias": False},
        {"gradient_checkpointing": True, "accumulation": 3},
        {"gradient_clip": 0.0},
        {"max_length": 2, "batch_size": 1, "vocab_size": 2},
    ],
    ids=str,
)
def test_every_kind_of_run_can_be_calibrated(changes):
    config = toy(**changes)
    speed = calibrated(config)
    assert speed.shape == shape_of(config)
    assert speed.device == "cpu"
    assert speed.attention in ("plain", "fused")
    assert all(value >= 0 for value in (speed.block, speed.again, speed.block_update, speed.update))
    assert 0 < speed.scoring < speed.ends
    assert speed.token >= 0
    assert speed.token_ends > 0
    assert 0 < seconds_per_step(config, speed) < run_time(config, speed).total < math.inf


def test_a_calibration_lets_others_have_their_turn():
    assert sum(event is None for event in calibrate(toy(), "cpu")) > 10


def test_a_calibration_leaves_a_run_alone():
    """What dropout drops next is the same, and no setting of torch's is changed."""
    before = torch.random.get_rng_state()
    fast = torch.backends.mkldnn.matmul.fp32_precision
    work = calibrate(toy(dropout=0.1), "cpu")
    for _ in work:
        assert torch.equal(torch.random.get_rng_state(), before)
        assert torch.backends.mkldnn.matmul.fp32_precision == fast


def test_a_calibration_can_be_closed_and_keeps_nothing():
    gc.collect()
    work = calibrate(toy(), "cpu")
    for _ in range(5):
        next(work)
    work.close()
    gc.collect()
    held = [thing for thing in gc.get_objects() if type(thing) is calibration._Piece]
    assert not held


class Model:
    """A machine without chance: a step takes what its piece and its texts say."""

    def __init__(self, monkeypatch, fixed=0.0):
        def learn(piece, rows, length):
            blocks, vocab = len(piece.model.blocks), piece.config.vocab_size
            tokens = rows * length
            forward = fixed + 1e-6 * tokens * (1 + 3 * blocks + vocab / 8)
            self.sizes.append((rows, length))
            return Times(forward, 2 * forward, 1e-3 * (1 + blocks))

        self.sizes = []
        monkeypatch.setattr(calibration._Piece, "learn", learn)


def test_parts_come_out_of_the_differences_of_pieces(monkeypatch):
    Model(monkeypatch)
    speed = calibrated(toy())
    tokens = 4 * 16
    assert speed.again == pytest.approx(3e-6 * tokens)
    assert speed.block == pytest.approx(9e-6 * tokens)
    assert speed.scoring == pytest.approx(1e-6 * tokens * (1 + 40 / 8))
    assert speed.ends == pytest.approx(3e-6 * tokens * (1 + 40 / 8))
    assert speed.block_update == pytest.approx(1e-3)


def test_of_a_vocabulary_too_large_a_part_is_timed(monkeypatch):
    model = Model(monkeypatch)
    monkeypatch.setattr(calibration, "MOST_SCORES", 16 * 10)
    speed = calibrated(toy())
    assert speed.scoring == pytest.approx(1e-6 * 64 * (1 + 40 / 8), rel=0.2)
    assert model.sizes


@pytest.mark.parametrize("fixed", [0.0, 1e-4])
def test_of_a_batch_too_large_a_part_is_timed(monkeypatch, fixed):
    model = Model(monkeypatch, fixed)
    monkeypatch.setattr(calibration, "LONGEST", 0.01)
    monkeypatch.setattr(calibration, "LONGEST_PART", 0.005)
    config = toy(batch_size=2048)
    speed = calibrated(config)
    assert max(rows * length for rows, length in model.sizes) < 2048 * 16
    tokens = 2048 * 16
    assert speed.again == pytest.approx(3e-6 * tokens, rel=0.15)
    assert speed.scoring == pytest.approx(fixed + 1e-6 * tokens * (1 + 40 / 8), rel=0.15)


def test_a_slow_update_is_done_once(monkeypatch):
    monkeypatch.setattr(calibration, "LONGEST", -1e-9)  # the first is not known to be slow
    piece = calibration._Piece(toy().model, toy().train, "cpu", 1)
    monkeypatch.setattr(calibration, "LONGEST", 1e-12)
    updates = []
    monkeypatch.setattr(piece.step, "update", lambda rate, norm: updates.append(norm))
    first, second = piece.learn(1, 8), piece.learn(1, 8)
    assert len(updates) == 1
    assert first.update == second.update > 0


def test_a_piece_holds_no_more_than_its_blocks():
    piece = calibration._Piece(toy().model.changed(vocab_size=2), toy().train, "cpu", 2)
    held = sum(p.numel() for p in piece.model.blocks.parameters())
    assert held == 2 * count(block_shapes(toy().model))
    assert len(calibration._Piece(toy().model, toy().train, "cpu", 0).model.blocks) == 0
    assert all(torch.isfinite(p).all() for p in piece.model.parameters())


def test_both_kernels_are_tried_where_either_may_be_faster():
    assert calibration._kernels(toy(), "cpu") == ("fused", "plain")
    assert calibration._kernels(toy(), "cuda:0") == ("fused",)
    assert calibration._kernels(toy(max_length=4096), "cpu") == ("fused",)
    assert calibration._kernels(toy(attention="plain"), "cpu") == ("plain",)


def test_times_are_added_and_never_less_than_nothing():
    one, two = Times(1, 2, 3), Times(2, 2, 2)
    assert astuple(one + two) == (3, 4, 5)
    assert astuple(one - two) == (0, 0, 1)
    assert astuple(one * 2) == (2, 4, 6)


def test_rates_are_told_of_every_precision():
    device = Device("cpu", "2 cores", 2**30, bf16=True)
    found = []

    def work():
        found.append((yield from matrix_rates(device)))

    assert set(work()) == {None}
    (rates,) = found
    assert rates.keys() == {"fp32", "bf16"}
    assert all(rate > 0 for rate in rates.values())


# ---------------------------------------------------------------- power


def test_a_processor_s_meter_is_read(tmp_path):
    for name, joules in (("intel-rapl:0", 10), ("intel-rapl:1", 20), ("intel-rapl:0:0", 4), ("dtpm", 8)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(f"{joules * 1_000_000}\n")
    meter = PowerMeter("cpu", tmp_path)
    meter._started -= 10
    for name, joules in (("intel-rapl:0", 110), ("intel-rapl:1", 220), ("intel-rapl:0:0", 4000)):
        (tmp_path / name / "energy_uj").write_text(f"{joules * 1_000_000}\n")
    assert meter.watts() == pytest.approx(30, rel=0.1)


@pytest.mark.parametrize("text", ["", "much", "5"])
def test_a_meter_that_tells_nothing_is_no_failure(tmp_path, text):
    (tmp_path / "intel-rapl:0").mkdir()
    meter = PowerMeter("cpu", tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text(text)
    assert meter.watts() == 0
    meter = PowerMeter("cpu", tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("3")  # it began anew
    assert meter.watts() == 0
    assert PowerMeter("cpu", tmp_path / "none").watts() == 0
    assert PowerMeter("cuda:0").watts() == 0


def test_a_calibration_takes_little_memory():
    calibrated(toy())
    before = psutil.Process().memory_info().rss
    calibrated(toy())
    assert psutil.Process().memory_info().rss - before < 2**26
