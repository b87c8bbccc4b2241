"""The exact peak against real steps, whose allocations torch's own profiler reports."""

import itertools
import json

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import SCRATCH
from gpt_studio.core.step_memory import SHORT
from gpt_studio.engine.footprint import peak
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer, moments
from gpt_studio.engine.step import TrainingStep

SWITCHES = list(itertools.product(["fp32", "bf16"], [False, True], [0.0, 0.1], [True, False], [False, True]))
SIZES = [  # shape, batch, accumulation, optimizer: many tokens and few weights, the reverse, and between
    (
        {"num_layers": 3, "heads": 2, "embed_size": 128, "max_length": 128, "vocab_size": 4000},
        24,
        1,
        "adamw",
    ),
    ({"num_layers": 3, "heads": 4, "embed_size": 512, "max_length": 64, "vocab_size": 257}, 8, 1, "muon"),
    ({"num_layers": 6, "heads": 3, "embed_size": 384, "max_length": 64, "vocab_size": 257}, 16, 2, "adamw"),
    (
        {"num_layers": 2, "heads": 8, "embed_size": 128, "max_length": SHORT + 1, "vocab_size": 65},
        40,
        1,
        "adamw",
    ),
]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def run_of(size, switches):
    precision, checkpointed, dropout, tied, chunked = switches
    shape, batch, accumulation, optimizer = size
    model = GPTConfig(**shape, gradient_checkpointing=checkpointed, dropout=dropout, tie_embeddings=tied)
    plan = TrainConfig(
        batch_size=batch,
        accumulation=accumulation,
        precision=precision,
        optimizer=optimizer,
        chunked_loss=chunked,
    )
    return RunConfig(model=model, train=plan)


def real_peak(config, folder):
    """The most bytes that the second of two real steps holds."""
    model = GPT(config.model).train()
    optimizer = make_optimizer(model, config.train)
    step = TrainingStep(model, optimizer, config.train)
    ids = torch.zeros(config.train.batch_size, config.model.max_length, dtype=torch.long)
    targets = torch.zeros_like(ids)
    run(step, ids, targets)
    step.begin()
    tensors = [*model.parameters(), *moments(model, optimizer).values(), ids, targets]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run(step, ids, targets)
    trace = folder / "trace.json"
    profiled.export_chrome_trace(str(trace))
    events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    changes = sorted((e["ts"], e["args"]["Bytes"]) for e in events if e["name"] == "[memory]")
    held = sum(tensor.nbytes for tensor in tensors)
    return held + max(itertools.accumulate(size for _, size in changes))


def run(step, ids, targets):
    step.begin()
    for _ in range(step.plan.accumulation):
        step.backward(step.forward(ids, targets))
    step.norm()
    step.update(1e-3, 2.0)


def each():
    """All switches, each with one of the sizes; most of them before a release alone."""
    for index, switches in enumerate(SWITCHES):
        marks = [pytest.mark.slow] if index % 5 else []
        yield pytest.param(SIZES[(index + index // 4) % len(SIZES)], switches, id=str(switches), marks=marks)


@pytest.mark.parametrize(("size", "switches"), list(each()))
def test_a_real_step_holds_as_much(size, switches, tmp_path):
    config = run_of(size, switches)
    real, exact = real_peak(config, tmp_path), peak(config) + SCRATCH  # inside products
    assert -0.005 * real <= exact - real <= 0.01 * real


def test_looking_changes_nothing():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    for device in ("cpu", "cuda"):
        peak(run_of(SIZES[0], ("bf16", True, 0.1, True, True)), device)
    assert torch.equal(torch.rand(4), expected)
    assert torch.get_default_device().type == "cpu"


def test_cuda_keeps_smaller_masks():
    size = (
        {"num_layers": 2, "heads": 2, "embed_size": 64, "max_length": 512, "vocab_size": 65},
        4,
        1,
        "adamw",
    )
    plain, dropped = (run_of(size, ("fp32", False, dropout, True, False)) for dropout in (0.0, 0.1))
    tokens = 4 * 512 * 64
    assert peak(dropped, "cuda") - peak(plain, "cuda") < 0.5 * (peak(dropped) - peak(plain))
    assert peak(dropped, "cuda") > peak(plain, "cuda") + 4 * tokens  # two masks in each of two layers


def test_batches_added_up_hold_their_gradients():
    once = run_of(SIZES[1], ("fp32", True, 0.0, True, False))
    often = once.changed("train", {"accumulation": 8})
    assert peak(often) > peak(once)
    assert peak(often) == peak(once.changed("train", {"accumulation": 2}))
