"""Attention on the CPU: plain products or the fused kernel? python -m benchmarks.attention

Tokens per second of training steps, forward and backward, at a small shape, by context and precision.
Both ways take turns and the medians are compared: read the ratios.
"""

import os
import platform
import statistics
import time

import torch

from gpt_studio.core import step_memory
from gpt_studio.core.config import GPTConfig
from gpt_studio.engine.device import fast_products, use_threads
from gpt_studio.engine.model import GPT, loss

LENGTHS = (64, 128, 256, 512)
LONGEST = {"fused": 0, "plain": max(LENGTHS)}  # text that plain products are used for, by way
TOKENS = 2048  # in each batch
ROUNDS = 15


def seconds(model: GPT, ids: torch.Tensor, low: bool) -> float:
    """Of one forward and backward pass."""
    model.zero_grad()
    started = time.perf_counter()
    with fast_products():
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            value = loss(model(ids), ids)
        torch.autograd.backward(value)
    return time.perf_counter() - started


def compare(length: int, low: bool) -> dict[str, float]:
    """Tokens per second of each way."""
    model = GPT(GPTConfig(num_layers=4, heads=4, embed_size=128, max_length=length, vocab_size=340)).train()
    ids = torch.randint(model.config.vocab_size, (TOKENS // length, length))
    taken: dict[str, list[float]] = {way: [] for way in LONGEST}
    for _ in range(ROUNDS):
        for way, longest in LONGEST.items():
            step_memory.SHORT = longest
            taken[way].append(seconds(model, ids, low))
    return {way: TOKENS / statistics.median(times[2:]) for way, times in taken.items()}


def main() -> None:
    use_threads()
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {ROUNDS} rounds"
    )
    print(f"{'context':>7} {'precision':>9} {'fused':>8} {'plain':>8} {'ratio':>6}")
    for length in LENGTHS:
        for precision in ("fp32", "bf16"):
            fused, plain = compare(length, low=precision == "bf16").values()
            print(f"{length:7} {precision:>9} {fused:8.0f} {plain:8.0f} {plain / fused:6.2f}")


if __name__ == "__main__":
    main()
