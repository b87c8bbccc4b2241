"""Training GPT-2 on a GPU, compiled, beside its peers compiled: speed, MFU, loss curves, chunked loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.cuda import Setting
from benchmarks.cuda_device import matrix_rate
from benchmarks.measuring import Deadline, Report, Row, fastest, take_turns
from benchmarks.peers import OURS, PEERS, copy_weights, installed, make_trainer
from gpt_studio.core.config import GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import flops_per_token

CHUNKED = f"{OURS}, chunked loss"
STEPS = 5  # timed at once, as a run does not wait after each for the device
CURVE = 40  # steps of the loss curves
NOISE = 0.03  # nats that the means of the last steps may differ by: bf16 sums in another order


def configs(toy: bool) -> RunConfig:
    if toy:
        model = GPTConfig(num_layers=1, heads=2, embed_size=32, max_length=16, vocab_size=256)
        return RunConfig(model=model, train=TrainConfig(batch_size=2, precision="bf16"))
    return RunConfig(model=GPTConfig(), train=TrainConfig(batch_size=32, precision="bf16"))


def text(length: int) -> Tensor:
    """Bytes of a text that comes with Python, as ids (N,): something can be learned from it."""
    from pydoc_data.topics import topics

    data = "\n".join(topics.values()).encode()[: 8 * length]
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).long()


class Batches:
    """Endless batches of a text, the same for everyone."""

    def __init__(self, config: RunConfig, device: str) -> None:
        self.ids = text(200_000)
        self.size = (config.train.batch_size, config.model.max_length)
        self.device = device

    def at(self, index: int) -> tuple[Tensor, Tensor]:
        """The ids of a step and those to come, each (B, T)."""
        rows, length = self.size
        generator = torch.Generator().manual_seed(index)
        starts = torch.randint(len(self.ids) - length - 1, (rows,), generator=generator)
        taken = torch.stack([self.ids[start : start + length + 1] for start in starts])
        x, y = taken[:, :-1], taken[:, 1:]
        return x.contiguous().to(self.device), y.contiguous().to(self.device)


def run(report: Report, setting: Setting) -> None:
    config = configs(setting.toy)
    rate = matrix_rate(setting.device, 256 if setting.toy else 8192)
    batches = Batches(config, setting.device)
    curves(report, setting, config, batches)
    speed(report, setting, config, batches, rate)


# ---------------------------------------------------------------- speed


def speed(report: Report, setting: Setting, config: RunConfig, batches: Batches, rate: float) -> None:
    """Tokens per second of all in turn; a peer that cannot be compiled in time is left out."""
    x, y = batches.at(0)
    ways: dict[str, Callable[[], object]] = {}
    for name in (OURS, CHUNKED, *installed()):
        if setting.deadline.left < 25 and name in PEERS:
            report.remark(f"training: no time was left for {name}.")
            continue
        chunked = config.changed("train", {"chunked_loss": name == CHUNKED})
        try:
            library = OURS if name == CHUNKED else name
            trainer = make_trainer(library, chunked, setting.device, compiled=setting.on_gpu)
            trainer.step(x, y)  # compiles
        except Exception as error:
            report.remark(f"training: {name} failed: {type(error).__name__}: {str(error)[:200]}")
            continue
        ways[name] = lambda trainer=trainer: [trainer.step(x, y) for _ in range(1 if setting.toy else STEPS)]

    def failed(name: str, error: Exception) -> None:
        report.remark(f"training: {name} failed: {error}")

    seconds = max(5.0, min(30.0, setting.deadline.left - 5))
    times = take_turns(ways, 3 if setting.toy else 11, 1, Deadline(seconds), failed)
    tokens = x.numel() * (1 if setting.toy else STEPS)
    rates = {name: tokens / taken.median for name, taken in times.items()}
    spread = {name: 100 * taken.spread for name, taken in times.items()}
    flops = flops_per_token(config.model)
    for name, found in rates.items():
        row: Row = {"trained by": name, "tokens/s": found, "MFU %": 100 * found * flops / rate}
        report.row("Training, compiled, bf16", row | {"spread %": spread[name]})
    if setting.toy or OURS not in rates:
        return
    report.goal("training: MFU", 100 * rates[OURS] * flops / rate, least=50, unit=" %")
    without = {name: found for name, found in rates.items() if name != CHUNKED}
    if ratio := fastest(without, OURS):
        report.goal("training: to the fastest peer compiled", ratio, least=1.1)
    if CHUNKED in rates:
        cost = 100 * (1 - rates[CHUNKED] / rates[OURS])
        report.goal("training: cost of chunked loss", cost, most=3, unit=" %")


# ---------------------------------------------------------------- loss curves


def curves(report: Report, setting: Setting, config: RunConfig, batches: Batches) -> None:
    """The losses of ours and of transformers from the same weights, on the same texts."""
    if "transformers" not in installed():
        report.remark("loss curves: transformers is not installed.")
        return
    small = replace(config, train=config.train.changed(batch_size=min(8, config.train.batch_size)))
    few = Batches(small, setting.device)
    ours = make_trainer(OURS, small, setting.device)
    theirs = make_trainer("transformers", small, setting.device)
    copy_weights(ours.model, theirs.model)
    steps = 4 if setting.toy else CURVE
    found = [(float(ours.step(*few.at(index))), float(theirs.step(*few.at(index)))) for index in range(steps)]
    last = found[-max(1, steps // 4) :]
    means = [sum(values) / len(last) for values in zip(*last, strict=True)]
    report.row(
        "Loss curves from the same weights",
        {
            "steps": steps,
            "first loss": found[0][0],
            "last, GPT Studio": means[0],
            "last, transformers": means[1],
            "largest difference": max(abs(a - b) for a, b in found),
        },
    )
    if not setting.toy:
        report.goal("loss curves: difference at the end, nats", abs(means[0] - means[1]), most=NOISE)
