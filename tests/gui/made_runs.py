"""Runs as they lie on disk, and as the index tells of them."""

import json
import math

from gpt_studio.core.config import RunConfig
from gpt_studio.core.metrics import METRICS
from gpt_studio.core.run_index import RunSummary
from gpt_studio.core.runs import RunFolder


def a_step(number, loss, **values):
    line = {metric.name: 1.0 for metric in METRICS} | {"step": number, "loss": loss}
    return line | {"tokens": 64.0 * number, "seconds": 0.5 * number} | values


def a_curve(steps, end=2.0, every=10, tokens=64.0):
    """Lines of a run that learns: a validation after every tenth step."""
    lines = []
    for step in range(1, steps + 1):
        loss = end + 4 * math.exp(-5 * step / steps)
        lines.append(a_step(step, loss, tokens=tokens * step))
        if step % every == 0:
            lines.append({"step": step, "validation_loss": loss + 0.1})
    return lines


def make_run(root, name, lines=(), config=None, /, **about):
    """A run's folder, with empty files for checkpoints."""
    folder = RunFolder(root / name)
    folder.make()
    about = {"status": "finished", **about}
    folder.run.write_text(json.dumps({**(config or RunConfig()).to_dict(), "about": about}), encoding="utf-8")
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for checkpoint in (folder.last, folder.best, folder.numbered(1000)):
        checkpoint.touch()
    return folder.path


def summary(folder, status="finished", **facts):
    """What the index tells of a run that has trained."""
    known = {"config": RunConfig(), "parameters": 812_345, "step": 100, "tokens": 6400.0, "seconds": 50.0}
    known |= {"loss": 2.0, "validation": 2.1, "sparks": (4.0, 3.0, 2.5)}
    return RunSummary(**{"folder": folder, "name": folder.name, "status": status, **known, **facts})
