"""Window tests: the look applied once, and values that are easy to make."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent

from gpt_studio.core.events import Built, DataReport, Device, TextFacts
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import DARK, look

GPU = Device("cuda:0", "NVIDIA RTX 4090", 24 * 2**30, bf16=True)
CPU = Device("cpu", "2 cores", 8 * 2**30)


@pytest.fixture(autouse=True)
def dark_look(qapp):
    """Each test starts in the dark theme at normal size, without animation."""
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # else widgets of earlier tests are restyled too
    look.motion = False
    look.apply(DARK)


@pytest.fixture
def idle():
    """The engine is awake and has no model."""
    return State(devices=(CPU,), device_name="cpu")


@pytest.fixture
def learned(idle):
    """A stopped run at step 120 that no file holds."""
    return with_model(idle, 120)


def with_model(state, step, **changes):
    return replace(state, model=Built(state.config, 812_345, state.device_name, step), step=step, **changes)


def report_of(data, **changes):
    """What reading some texts came to."""
    return replace(
        DataReport(
            data=data,
            fingerprint="f",
            corpora=(),
            vocab_size=93,
            vocab_used=92,
            characters=1000,
            size=1000,
            train_tokens=900,
            validation_tokens=100,
            documents=10,
            validation_documents=1,
            token_lengths=(1.0,),
            facts=TextFacts(10),
            previews=(),
            seconds=0.1,
            cached=False,
        ),
        **changes,
    )
