"""Serves the estimate: has the device's speed measured by itself, checks memory, makes settings fit."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.fitting import fit, least
from gpt_studio.core.speed import Shape, shape_of
from gpt_studio.gui.costs import repaired
from gpt_studio.gui.estimate_panel import EstimatePanel
from gpt_studio.gui.state import State
from gpt_studio.gui.store import Store

STILL = 800  # milliseconds without an edit after which the speed is measured
SMALLER = "Fewer layers, a smaller embedding or a shorter context would."


class Numbers(QObject):
    """Turns what the estimate panel wishes for, and what it lacks, into the store's wishes."""

    def __init__(self, store: Store, panel: EstimatePanel, parent: QObject) -> None:
        super().__init__(parent)
        self._store, self._panel = store, panel
        self._waiting: tuple[str, Shape] | None = None  # the device and shape the timer is running for
        self._asked: tuple[str, Shape] | None = None  # what was asked for last
        self._trained = False  # when last looked at
        self._tried: set[tuple[str, Shape] | None] = set()  # what came to an end; once is enough if it failed
        self._timer = QTimer(self, singleShot=True, interval=STILL)
        self._timer.timeout.connect(self._calibrate)
        store.changed.connect(self._look)
        panel.check_wanted.connect(store.check_memory)
        panel.fit_wanted.connect(self.make_fit)
        panel.config_chosen.connect(self._use)

    def make_fit(self, capacity: int) -> None:
        """Change the settings in the cheapest way that fits into so many bytes, and say what was changed."""
        state = self._store.state
        if state.device is None or state.training:
            return
        config = repaired(state.config, state.problems)
        found = fit(config, state.device, capacity, state.speed_of(config))
        if found:
            self._use(found.config, f"{found.way}; {found.cost}")
            return
        need = units.memory(least(config, state.device))
        text = f"Takes at least {need}, even with batch 1, chunked loss and checkpointing. {SMALLER}"
        self._panel.tell(text)

    def _use(self, config: RunConfig, told: str) -> None:
        told = told[:1].upper() + told[1:]
        self._store.use(config)
        self._panel.tell(told)

    def _look(self, state: State) -> None:
        """Wait for the speed that is missing, from the last edit that made it so."""
        if state.training:
            self._tried.discard(self._asked)  # what training interrupted may be tried again
        elif self._trained and not state.problems:
            self._store.calibrate()  # what the run has taken is known now, and corrects the next prediction
        self._trained = state.training
        missing = _missing(state)
        if missing in self._tried or missing is None:
            self._waiting = None
            self._timer.stop()
        elif missing != self._waiting:
            self._waiting = missing
            self._timer.start()

    def _calibrate(self) -> None:
        if self._waiting is None:
            return
        if "calibrate" in self._store.state.running:
            self._tried.discard(self._asked)
        self._asked = self._waiting
        self._tried.add(self._asked)
        self._store.calibrate()


def _missing(state: State) -> tuple[str, Shape] | None:
    """The device and shape whose speed is not known, while nothing else is being done."""
    if not state.awake or state.running - {"calibrate"} or state.problems or state.speed_of(state.config):
        return None
    return state.device_name, shape_of(state.config)
