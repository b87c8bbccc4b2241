"""The engine on a GPU: CUDA_VISIBLE_DEVICES=0 python -m pytest tests/engine/test_cuda.py

Everywhere else these tests are skipped. GPT_STUDIO_TEST_DEVICE=cpu runs those that a CPU can run, to see
that they are sound.
"""

import os
from pathlib import Path

import pytest
import torch

from gpt_studio.core.config import DataConfig, GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.errors import StudioError
from gpt_studio.core.estimate import training_memory
from gpt_studio.core.requests import Open, Train, UseDevice
from gpt_studio.core.run_events import RunBegun, Step
from gpt_studio.core.runner import ended
from gpt_studio.core.runs import RunFolder
from gpt_studio.engine import footprint
from gpt_studio.engine.decoder import Decoder
from gpt_studio.engine.device import devices, out_of_memory_explained
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.session import Session
from gpt_studio.engine.step import TrainingStep

DEVICE = os.environ.get("GPT_STUDIO_TEST_DEVICE", "cuda:0")
ON_GPU = DEVICE.startswith("cuda")

pytestmark = pytest.mark.skipif(ON_GPU and not torch.cuda.is_available(), reason="there is no GPU")
needs_gpu = pytest.mark.skipif(not ON_GPU, reason="only a GPU has it")

SHAPE = GPTConfig(num_layers=2, heads=2, embed_size=64, max_length=64, vocab_size=97)


def config_of(**changes):
    model = {name: value for name, value in changes.items() if hasattr(GPTConfig, name)}
    plan = {name: value for name, value in changes.items() if hasattr(TrainConfig, name)}
    return RunConfig(model=SHAPE.changed(**model), train=TrainConfig(batch_size=4).changed(**plan))


def losses(config, device, steps=6):
    """The losses of a few steps from the same weights on the same random texts."""
    torch.manual_seed(0)
    model = GPT(config.model).to(device).train()  # made on the CPU: the same weights on any device
    tensors = TrainingStep(model, make_optimizer(model, config.train), config.train)
    generator = torch.Generator().manual_seed(1)
    found = []
    for _ in range(steps):
        size = (2, config.train.batch_size, config.model.max_length)
        x, y = torch.randint(config.model.vocab_size, size, generator=generator)
        tensors.begin()
        value = tensors.forward(x, y)
        tensors.backward(value)
        norm = float(tensors.norm())
        assert norm < float("inf")
        tensors.update(1e-3, norm)
        found.append(float(value.detach()))
    return found


@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": "muon"}, {"chunked_loss": True}, {"attention": "plain"}, {"bias": False}],
    ids=lambda changes: next(iter(changes), "plain"),
)
def test_a_run_is_that_of_the_cpu(changes):
    config = config_of(**changes)

    assert losses(config, DEVICE) == pytest.approx(losses(config, "cpu"), rel=2e-3)


def test_the_same_run_again_is_the_same():
    config = config_of(precision="bf16")

    assert losses(config, DEVICE) == pytest.approx(losses(config, DEVICE), rel=1e-3)


def test_checkpointing_changes_nothing():
    plain, checkpointed = config_of(), config_of(gradient_checkpointing=True)

    assert losses(checkpointed, DEVICE) == pytest.approx(losses(plain, DEVICE), rel=1e-4)


@needs_gpu
def test_fp16_steps_are_near_those_of_float32():
    assert losses(config_of(precision="fp16"), DEVICE) == pytest.approx(losses(config_of(), DEVICE), rel=0.02)


def test_bf16_steps_are_near_those_of_float32():
    assert losses(config_of(precision="bf16"), DEVICE) == pytest.approx(losses(config_of(), DEVICE), rel=0.02)


@needs_gpu
@pytest.mark.parametrize(
    "changes",
    [
        {"embed_size": 512, "heads": 8, "num_layers": 6, "max_length": 512, "vocab_size": 8192},
        {"embed_size": 512, "heads": 8, "max_length": 512, "vocab_size": 50257, "precision": "bf16"},
        {
            "embed_size": 512,
            "heads": 8,
            "num_layers": 8,
            "max_length": 512,
            "vocab_size": 8192,
            "precision": "bf16",
            "gradient_checkpointing": True,
        },
    ],
    ids=["fp32", "bf16", "checkpointed"],
)
def test_memory_is_as_estimated(changes):
    config = config_of(batch_size=16, **changes)
    device = next(one for one in devices() if one.name == DEVICE)
    torch.cuda.empty_cache()
    losses(config, DEVICE, steps=1)  # the optimizer's first step, and the workspaces
    torch.cuda.reset_peak_memory_stats(DEVICE)
    losses(config, DEVICE, steps=3)
    allocated = torch.cuda.max_memory_allocated(DEVICE)

    assert training_memory(config, device).allocated == pytest.approx(allocated, rel=0.03)
    assert footprint.peak(config, DEVICE) <= allocated


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.1)])
def test_the_decoder_says_what_the_model_says(precision, tolerance):
    torch.manual_seed(0)
    model = GPT(SHAPE).to(DEVICE).eval()
    decoder = Decoder(model, precision)
    ids = torch.randint(SHAPE.vocab_size, (SHAPE.max_length,)).tolist()

    with torch.inference_mode():
        expected = model(torch.tensor([ids], device=DEVICE))[0].float().cpu()
    found = [decoder.read(ids[:5])] + [decoder.read([id]) for id in ids[5:]]

    assert torch.allclose(torch.stack(found), expected[4:], atol=tolerance)


@needs_gpu
def test_running_out_of_memory_is_explained():
    def explain():
        return StudioError("It ran out.", tries="Use less.")

    with pytest.raises(StudioError, match="It ran out"), out_of_memory_explained(explain):
        torch.empty(2**50, dtype=torch.uint8, device=DEVICE)

    assert losses(config_of(), DEVICE, steps=1)  # it goes on afterwards


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_STUDIO_HOME", str(tmp_path / "home"))
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog sat on the log. " * 200)
    train = TrainConfig(steps=12, batch_size=4, accumulation=2, warmup=2, evaluate_every=4, sample_every=0)
    data = DataConfig(corpora=(str(text),), tokenizer="bytes")
    return RunConfig(model=SHAPE.changed(dropout=0.1, vocab_size=257), data=data, train=train)


def trained(session, request, until=0):
    """The losses of a job, which ends after so many steps; and where it is kept."""
    found, folder = [], ""
    job = session.start(request)
    for event in job:
        if isinstance(event, RunBegun):
            folder = event.folder
        if isinstance(event, Step):
            found.append(event.values["loss"])
            if event.step == until:
                list(ended(job))
                break
    return found, folder


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_who_is_stopped_goes_on_as_if_nothing_had_happened(plan, precision):
    """Bit for bit on a CPU; on a GPU the order of sums is open, and losses agree within a thousandth."""
    if precision not in next(d for d in devices() if d.name == DEVICE).precisions:
        pytest.skip("not on this device")
    plan = plan.changed("train", {"precision": precision})
    sessions = [Session(), Session(), Session()]
    for session in sessions:
        for _ in session.start(UseDevice(DEVICE)):
            pass
    whole, _ = trained(sessions[0], Train(plan))
    first, folder = trained(sessions[1], Train(plan), until=5)
    for _ in sessions[2].start(Open(str(RunFolder(Path(folder)).last))):
        pass
    rest, _ = trained(sessions[2], Train(plan, resume=True))
    assert first + rest == pytest.approx(whole, rel=1e-3 if ON_GPU else 0, abs=0)
