"""Does it pay that torch's threads wait by spinning? python -m benchmarks.threads

Steps per second of the smallest preset, with libgomp's own spinning and with the little that
`gpt_studio.engine` allows, on a quiet machine and beside a process that keeps one core busy.
Each figure is the median over fresh processes, run in turn.
"""

import os
import platform
import statistics
import subprocess
import sys

ROUNDS = 5
STEPS = """
import os, time, torch
torch.set_num_threads(len(os.sched_getaffinity(0)))
from gpt_studio.core.presets import first_config
from gpt_studio.engine.model import GPT, loss
config = first_config()
model = GPT(config.model)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
ids = torch.randint(config.model.vocab_size, (config.train.batch_size, config.model.max_length))
def step():
    optimizer.zero_grad()
    loss(model(ids), ids).backward()
    optimizer.step()
for _ in range(3):
    step()
start, count = time.perf_counter(), 0
while time.perf_counter() - start < 3:
    step()
    count += 1
print(count / (time.perf_counter() - start))
"""
LIBGOMP = "300000"  # what libgomp does when nothing is said


def steps_per_second(spins: str) -> float:
    environment = {**os.environ, "GOMP_SPINCOUNT": spins}
    environment.pop("OMP_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, "-c", STEPS], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def compare() -> tuple[float, float]:
    """Medians with libgomp's spinning and with ours."""
    pairs = [(steps_per_second(LIBGOMP), steps_per_second("1000")) for _ in range(ROUNDS)]
    theirs, ours = zip(*pairs, strict=True)
    return statistics.median(theirs), statistics.median(ours)


def main() -> None:
    print(f"{platform.platform()}, {os.cpu_count()} cores, {ROUNDS} rounds")
    print(f"{'':12} {'300 000 spins':>14} {'1 000 spins':>12} {'ratio':>6}")
    for name in ("quiet", "one core busy"):
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if name != "quiet" else None
        theirs, ours = compare()
        if busy:
            busy.kill()
            busy.wait()
        print(f"{name:13} {theirs:9.1f} step/s {ours:8.1f} step/s {ours / theirs:6.2f}")


if __name__ == "__main__":
    main()
