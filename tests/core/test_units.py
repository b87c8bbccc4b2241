"""Numbers as people read them."""

import pytest

from gpt_studio.core import units

GB, MB = units.GB, units.MB


def plain(text: str) -> str:
    return text.replace(units.SPACE, " ")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (12400, "12 400"), (-1500, "−1 500"), (1234567.4, "1 234 567")],
)
def test_number(value, text):
    assert plain(units.number(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(73_100, "73.1 k"), (1.63e9, "1.63 B"), (512, "512"), (999.9, "1.00 k"), (0.5, "0.50"), (2e6, "2.00 M")],
)
def test_short(value, text):
    assert plain(units.short(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (124_439_808, "124.4 M"),
        (812_345, "0.8 M"),
        (1_557_611_200, "1.6 B"),
        (4_100, "4 100"),
        (999_990_000, "1.0 B"),
    ],
)
def test_parameters(value, text):
    assert plain(units.parameters(value)) == text


@pytest.mark.parametrize(
    ("size", "like", "text"),
    [
        (10.2 * GB, None, "10.2 GB"),
        (4.9 * GB, None, "4.90 GB"),
        (240 * MB, None, "240 MB"),
        (3 * MB, None, "3.0 MB"),
        (0.02 * GB, 3 * GB, "0.02 GB"),
        (500, None, "500 B"),
        (1023.9 * MB, None, "1.00 GB"),
    ],
)
def test_memory(size, like, text):
    assert plain(units.memory(size, like)) == text


def test_memory_of():
    assert plain(units.memory_of(9.9 * GB, 24 * GB)) == "9.9 of 24 GB"
    assert plain(units.memory_of(0.5 * GB, 7.6 * GB)) == "0.5 of 7.6 GB"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (59.6, "1 min"),
        (240, "4 min"),
        (3599, "1 h"),
        (13_620, "3 h 47 min"),
        (190_800, "2 d 5 h"),
        (70_604_121, "2.2 years"),
        (float("inf"), "—"),
    ],
)
def test_duration(seconds, text):
    assert plain(units.duration(seconds)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.4e-4, "2.4e−4"),
        (6e-4, "6e−4"),
        (0, "0"),
        (1.0, "1"),
        (0.05, "0.05"),
        (9.99e-4, "1e−3"),
        (0.791122, "0.79"),
    ],
)
def test_rate(value, text):
    assert units.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(860e6, "860 MFLOP"), (6.5e6, "6.5 MFLOP"), (2.4e9, "2.4 GFLOP")]
)
def test_flops(value, text):
    assert plain(units.flops(value)) == text


def test_loss_and_percent():
    assert units.loss(3.3391) == "3.339"
    assert units.loss(float("nan")) == "—"
    assert plain(units.percent(0.621)) == "62 %"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (2000, "2 k"), (0.5, "0.5"), (6e-4, "6e−4"), (-3, "−3")]
)
def test_axis(value, text):
    assert plain(units.axis(value)) == text


def test_ranges_of_losses_energy_and_speed():
    assert units.losses(1.3249, 1.481) == "1.32–1.48"
    texts = [plain(units.energy(kwh)) for kwh in (0.0042, 0.042, 0.42, 36.4)]
    assert texts == ["4.2 Wh", "42 Wh", "0.42 kWh", "36 kWh"]
    assert plain(units.flops_rate(165e12)) == "165 TFLOPS"
