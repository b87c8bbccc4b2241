"""The exact peak, found in a process of its own."""

import pytest

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.engine import footprint_process
from gpt_studio.engine.footprint import peak
from gpt_studio.engine.footprint_process import peak_elsewhere

CONFIG = RunConfig(
    model=GPTConfig(vocab_size=50, num_layers=2, heads=2, embed_size=16, max_length=16),
    train=TrainConfig(batch_size=2),
)


def result(work):
    """What a job comes to, and how often others had their turn."""
    turns = 0
    while True:
        try:
            next(work)
            turns += 1
        except StopIteration as end:
            return end.value, turns


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_it_finds_the_same_and_lets_others_have_their_turn(device):
    found, turns = result(peak_elsewhere(CONFIG, device))
    assert found == peak(CONFIG, device)
    assert turns > 10


def test_closing_it_ends_the_process(monkeypatch):
    started = []
    real = footprint_process.subprocess.Popen
    monkeypatch.setattr(
        footprint_process.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[0]
    )
    work = peak_elsewhere(CONFIG, "cpu")
    next(work)
    work.close()
    assert started[0].poll() is not None


def test_a_process_that_fails_is_explained(monkeypatch):
    with pytest.raises(StudioError, match="could not be checked"):
        result(peak_elsewhere(CONFIG, "no such device"))
    monkeypatch.setattr(footprint_process.sys, "executable", "/no/such/python")
    with pytest.raises(StudioError, match="could not be checked"):
        result(peak_elsewhere(CONFIG, "cpu"))
