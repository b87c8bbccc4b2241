"""Memory by arithmetic, by the exact peak and as the device had it, from tiny models to GPT-2 XL."""

from __future__ import annotations

import gc
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.cuda import Setting
from benchmarks.measuring import Report
from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import training_memory
from gpt_studio.core.events import Device
from gpt_studio.engine import footprint
from gpt_studio.engine.device import devices
from gpt_studio.engine.model import GPT
from gpt_studio.engine.optimizers import make_optimizer
from gpt_studio.engine.step import TrainingStep

TABLE = "Training memory, predicted and measured"
WORST = {"allocated": 3.0, "reserved": 8.0}  # percent that predictions may be wrong by
STEPS = 3
SHAPES = {  # layers, heads, width, context
    "toy": (1, 2, 32, 16),
    "tiny": (4, 4, 128, 128),
    "small": (6, 6, 384, 256),
    "GPT-2": (12, 12, 768, 1024),
    "Medium": (24, 16, 1024, 1024),
    "Large": (36, 20, 1280, 1024),
    "XL": (48, 25, 1600, 1024),
}
CASES: tuple[tuple[str, int, dict[str, object]], ...] = (  # shape, batch, what else is set
    ("tiny", 16, {}),
    ("tiny", 64, {"precision": "bf16", "optimizer": "muon", "vocab_size": 340}),
    ("tiny", 64, {"precision": "fp16", "vocab_size": 340}),
    ("small", 16, {"vocab_size": 257}),
    ("small", 64, {"precision": "bf16", "vocab_size": 257}),
    ("small", 64, {"precision": "bf16", "dropout": 0.1}),
    ("GPT-2", 4, {}),
    ("GPT-2", 4, {"precision": "fp16"}),
    ("GPT-2", 8, {"precision": "bf16"}),
    ("GPT-2", 32, {"precision": "bf16"}),
    ("GPT-2", 8, {"precision": "bf16", "accumulation": 4}),
    ("GPT-2", 8, {"precision": "bf16", "chunked_loss": True}),
    ("GPT-2", 8, {"chunked_loss": True}),
    ("GPT-2", 8, {"precision": "bf16", "gradient_checkpointing": True}),
    ("GPT-2", 8, {"precision": "bf16", "gradient_checkpointing": True, "chunked_loss": True}),
    ("GPT-2", 8, {"precision": "bf16", "optimizer": "muon"}),
    ("GPT-2", 8, {"precision": "bf16", "tie_embeddings": False, "dropout": 0.1}),
    ("GPT-2", 4, {"precision": "bf16", "attention": "plain"}),
    ("Medium", 4, {"precision": "bf16"}),
    ("Medium", 4, {"gradient_checkpointing": True}),
    ("Medium", 8, {"precision": "bf16", "optimizer": "muon", "accumulation": 2}),
    ("Large", 2, {"precision": "bf16"}),
    ("Large", 4, {"precision": "bf16", "gradient_checkpointing": True, "chunked_loss": True}),
    ("XL", 1, {"precision": "bf16"}),
    ("XL", 4, {"precision": "bf16", "gradient_checkpointing": True, "accumulation": 2}),
    ("XL", 1, {}),
)
TOYS = (
    ("toy", 2, {"vocab_size": 65}),
    ("toy", 2, {"vocab_size": 65, "precision": "bf16", "gradient_checkpointing": True, "chunked_loss": True}),
)


def configs(toy: bool) -> Iterator[tuple[str, RunConfig]]:
    """Each with a name that tells what is particular about it."""
    for shape, batch, changes in TOYS if toy else CASES:
        layers, heads, width, context = SHAPES[shape]
        sizes = {"num_layers": layers, "heads": heads, "embed_size": width, "max_length": context}
        model = {**sizes, **{name: value for name, value in changes.items() if hasattr(GPTConfig, name)}}
        plan = {name: value for name, value in changes.items() if hasattr(TrainConfig, name)}
        more = ", ".join(str(value) if value is not True else name for name, value in changes.items())
        config = RunConfig(
            model=GPTConfig().changed(**model), train=TrainConfig(batch_size=batch).changed(**plan)
        )
        yield f"{shape} × {batch}" + (f", {more}" if more else ""), config


def run(report: Report, setting: Setting) -> None:
    """A row for each config; the worst errors are goals."""
    device = _device(setting.device)
    worst = dict.fromkeys(WORST, 0.0)
    count = 0
    for name, config in configs(setting.toy):
        if setting.deadline.over:
            report.remark("memory: no time was left for the other configs.")
            break
        predicted = training_memory(config, device)
        toy = device.kind == "cpu"  # there products take less for themselves than is allowed for
        expected = predicted.tensors if toy else predicted.allocated
        if device.capacity and predicted.total > 0.95 * device.capacity:
            report.remark(f"memory: {name} needs {predicted.total / 2**30:.0f} GiB, which are not there.")
            continue
        try:
            allocated, reserved = measured(config, setting.device)
        except Exception as error:
            report.remark(
                f"memory: {name} failed: {type(error).__name__}: {str(error).splitlines()[0][:120]}"
            )
            continue
        errors = {
            "allocated": expected / allocated - 1,
            "reserved": predicted.reserved / reserved - 1,
        }
        exact = footprint.peak(config, setting.device)
        report.row(
            TABLE,
            {
                "config": name,
                "predicted MB": expected / 2**20,
                "exact peak MB": exact / 2**20,
                "allocated MB": allocated / 2**20,
                "error %": 100 * errors["allocated"],
                "reserved, predicted MB": predicted.reserved / 2**20,
                "reserved MB": reserved / 2**20,
                "error of reserved %": 100 * errors["reserved"],
            },
        )
        worst = {part: max(worst[part], 100 * abs(errors[part])) for part in worst}
        count += 1
    if not setting.toy:
        report.goal("configs whose memory was measured", count, least=20)
        for part, most in WORST.items():
            report.goal(f"memory {part}: worst error", worst[part], most=most, unit=" %")


def _device(name: str) -> Device:
    """As the program knows it at its start."""
    return next(device for device in devices() if device.name == name)


def measured(config: RunConfig, device: str) -> tuple[int, int]:
    """The most bytes allocated and reserved while a model is trained a few steps."""
    gc.collect()
    meter = on_cuda if device.startswith("cuda") else on_cpu
    try:
        return meter(config, device)
    finally:
        gc.collect()
        if device.startswith("cuda"):
            torch.cuda.empty_cache()


def on_cuda(config: RunConfig, device: str) -> tuple[int, int]:
    torch.cuda.empty_cache()
    step, _ = trained(config, device)
    step()
    torch.cuda.reset_peak_memory_stats(device)
    for _ in range(STEPS - 1):
        step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)


def on_cpu(config: RunConfig, device: str) -> tuple[int, int]:
    """The same by torch's profiler, which sees allocations come and go; nothing is reserved."""
    step, held = trained(config, device)
    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profiled.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    changes = sorted((e["ts"], e["args"]["Bytes"]) for e in events if e["name"] == "[memory]")
    peak = held() + max(itertools.accumulate(size for _, size in changes))
    return peak, peak


def trained(config: RunConfig, device: str) -> tuple[Callable[[], None], Callable[[], int]]:
    """A training step as the trainer does it, and how many bytes are held between two."""
    with torch.device(device):
        model = GPT(config.model).train()
    optimizer = make_optimizer(model, config.train)
    tensors = TrainingStep(model, optimizer, config.train)
    size = (config.train.batch_size, config.model.max_length)

    def step() -> None:
        tensors.begin()
        losses = []
        for _ in range(config.train.accumulation):
            x, y = torch.randint(config.model.vocab_size, (2, *size))
            value = tensors.forward(x, y)
            tensors.backward(value)
            losses.append(value.detach())
        both = torch.stack((torch.stack(losses).mean(), tensors.norm()))
        tensors.update(config.train.learning_rate, both[1].item())

    def held() -> int:
        states = [state.values() for state in optimizer.state.values()]
        return sum(tensor.nbytes for tensor in (*model.parameters(), *itertools.chain(*states)))

    return step, held
