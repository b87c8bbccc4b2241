"""The program's own way on a GPU: train, write, save, open, go on, and end where an unbroken run ends."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.cuda import Setting
from benchmarks.measuring import Report
from gpt_studio.core.config import RunConfig, SampleConfig
from gpt_studio.core.events import Event, Generated, Opened
from gpt_studio.core.presets import first_config
from gpt_studio.core.requests import Generate, Open, Request, Save, Train, UseDevice
from gpt_studio.core.run_events import Step
from gpt_studio.engine.session import Session, open_session

TOLERANCE = 0.02  # nats: on CUDA the order of sums is open


def run(report: Report, setting: Setting) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GPT_STUDIO_HOME"] = folder  # nobody's own runs
        _run(report, setting, Path(folder))


def _run(report: Report, setting: Setting, folder: Path) -> None:
    steps = 4 if setting.toy else 40
    config = _config(steps, setting)
    unbroken = losses(happened(_session(setting), Train(config)))
    file = str(folder / "half.safetensors")
    first = _session(setting)
    begun = losses(happened(first, Train(_config(steps // 2, setting))))
    written = happened(first, Generate("Once a", SampleConfig(max_tokens=20, fixed_seed=True)))
    happened(first, Save(file))
    second = _session(setting)
    opened = happened(second, Open(file))
    assert any(isinstance(event, Opened) for event in opened), "The checkpoint was not opened."
    gone_on = losses(happened(second, Train(config, resume=True)))
    assert len(begun) + len(gone_on) == len(unbroken) == steps, "Steps are missing."
    assert any(isinstance(event, Generated) for event in written), "Nothing was written."
    difference = max(abs(a - b) for a, b in zip(unbroken, begun + gone_on, strict=True))
    report.row(
        "Train, write, save, open, go on",
        {
            "device": setting.device,
            "steps": steps,
            "first loss": unbroken[0],
            "last loss": unbroken[-1],
            "largest difference": difference,
        },
    )
    report.goal("going on from a checkpoint: difference of losses", difference, most=TOLERANCE)


def _session(setting: Setting) -> Session:
    session = open_session()
    happened(session, UseDevice(setting.device))
    return session


def _config(steps: int, setting: Setting) -> RunConfig:
    """The smallest preset with a flat rate, so that half of a plan is the beginning of the whole."""
    plan = {"steps": steps, "schedule": "constant", "warmup": 0, "evaluate_every": 1000, "sample_every": 0}
    config = first_config().changed("train", plan).changed("data", {"corpora": ("python-reference",)})
    if setting.toy:
        config = config.changed("model", {"num_layers": 1, "embed_size": 32, "max_length": 32})
        config = config.changed("train", {"batch_size": 2})
    return config


def happened(session: Session, request: Request) -> list[Event]:
    return [event for event in session.start(request) if event is not None]


def losses(events: list[Event]) -> list[float]:
    return [event.values["loss"] for event in events if isinstance(event, Step)]
