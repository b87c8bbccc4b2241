"""The top bar: the run's name, file actions, the run buttons, the device, the theme."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QLabel, QMenu, QWidget

from gpt_studio.core.events import Device
from gpt_studio.gui.buttons import Button, Kind, LinkButton, ToolButton
from gpt_studio.gui.layouts import Row
from gpt_studio.gui.split_button import SplitButton
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look, mark_pixmap
from gpt_studio.gui.widgets import Hairline, Label, Menu, Surface

PRIMARY = {"train": ("Train", "train"), "pause": ("Pause", "pause"), "resume": ("Resume", "train")}
ONE_JOB = "Stop the training first"


class TopBar(Surface):
    """Signals: wishes for a new run, a file, a run control, a device (its name) or the other theme.

    `stop_wanted` keeps what was learned, `discard_wanted` does not; `advance_wanted` is for one step.
    """

    new_wanted = Signal()
    open_wanted = Signal()
    save_wanted = Signal()
    primary_pressed = Signal()
    advance_wanted = Signal()
    stop_wanted = Signal()
    discard_wanted = Signal()
    sample_wanted = Signal()
    enqueue_wanted = Signal()
    device_wanted = Signal(str)
    theme_wanted = Signal()

    def __init__(self, menu: QMenu, run_menu: QMenu, parent: QWidget | None = None) -> None:
        """`menu` opens at the left; `run_menu` under the run's name."""
        super().__init__("panel", edges="b", parent=parent)
        self._mark = QLabel(self)
        self._mark.setAccessibleName("GPT Studio")
        self._title = Label("GPT Studio", "title", "text")
        self._slash = Label("/", "body", "text3")
        self._menu = ToolButton("menu", "Menu", parent=self)
        self._menu.clicked.connect(lambda: menu.popup(self._below(self._menu)))
        self._run = LinkButton("Untitled run", "text2", (13, 400), arrow=True, parent=self)
        self._run.clicked.connect(lambda: run_menu.popup(self._below(self._run)))
        self._unsaved = Label("●", "micro", "text2")
        self._unsaved.setToolTip("No file holds this step")
        self._unsaved.setAccessibleName("Not saved")
        self._new = Button("New", "quiet", "new", parent=self)
        self._open = Button("Open…", "quiet", "open", parent=self)
        self._save = Button("Save…", "quiet", "save", parent=self)
        self._primary = Button("Train", "primary", "train", parent=self)
        self._advance = ToolButton("step", "Single step (F10)", side=30, parent=self)
        self._stop = SplitButton("Stop", "stop", "stop", "More about this run", self)
        menu_of_stop = self._stop.menu
        self._keep = menu_of_stop.addAction("Stop and keep\tShift+F5")
        self._discard = menu_of_stop.addAction("Stop and discard…")
        menu_of_stop.addSeparator()
        self._sample = menu_of_stop.addAction("Sample now")
        self._enqueue = menu_of_stop.addAction("Add to queue")
        self._device = Button("Starting…", "secondary", "device", parent=self)
        self._devices = Menu(self)
        self._theme = ToolButton("sun", "Switch theme", parent=self)
        self._compact = False
        self._tonal = False
        self._state = State()
        self._connect()
        self._lay_out()
        follow(self.restyle)

    def _connect(self) -> None:
        self._new.clicked.connect(self.new_wanted)
        self._open.clicked.connect(self.open_wanted)
        self._save.clicked.connect(self.save_wanted)
        self._primary.clicked.connect(self.primary_pressed)
        self._advance.clicked.connect(self.advance_wanted)
        self._stop.clicked.connect(self.stop_wanted)
        self._keep.triggered.connect(lambda: self.stop_wanted.emit())
        self._discard.triggered.connect(lambda: self.discard_wanted.emit())
        self._sample.triggered.connect(lambda: self.sample_wanted.emit())
        self._enqueue.triggered.connect(lambda: self.enqueue_wanted.emit())
        self._theme.clicked.connect(self.theme_wanted)
        self._device.clicked.connect(lambda: self._devices.popup(self._below(self._device)))

    def _lay_out(self) -> None:
        row = Row((12, 0, 14, 0), 8, self)
        line = Hairline(vertical=True)
        line.setFixedHeight(20)
        for widget in (self._menu, self._mark, self._title, self._slash, self._run, self._unsaved, line):
            row.addWidget(widget)
        for action in (self._new, self._open, self._save):
            row.addWidget(action)
        row.addStretch(1)
        for control in (self._primary, self._advance, self._stop, self._device, self._theme):
            row.addWidget(control)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(48))
        self._mark.setPixmap(self._mark_now())
        self._theme.set_icon("sun" if look.theme.dark else "moon")

    def _mark_now(self) -> QPixmap:
        return mark_pixmap(22, self.devicePixelRatioF())

    def _below(self, widget: QWidget) -> QPoint:
        return widget.mapToGlobal(widget.rect().bottomLeft())

    def set_compact(self, compact: bool) -> None:
        """Below 1280 px: icons for actions, no product name, a shorter device chip."""
        if compact == self._compact:
            return
        self._compact = compact
        self._title.setVisible(not compact)
        self._slash.setVisible(not compact)
        for action in (self._new, self._open, self._save):
            action.set_compact(compact)
        self._show_device(self._state)

    def set_tonal(self, tonal: bool) -> None:
        """Exactly one filled button per view: give way when the page shows its own."""
        self._tonal = tonal
        self.show_state(self._state)

    def show_state(self, state: State) -> None:
        self._state = state
        self._run.setText(state.name)
        self._run.updateGeometry()
        self._unsaved.setVisible(state.unsaved)
        text, icon = PRIMARY[state.primary]
        kind: Kind = "secondary" if state.primary == "pause" else "tonal" if self._tonal else "primary"
        if (text, kind) != (self._primary.text(), self._primary.kind()):
            self._primary.setText(text)
            self._primary.set_icon(icon)
            self._primary.set_kind(kind)
        self._primary.setEnabled(state.awake)
        self._advance.setEnabled(state.training_paused)
        self._stop.button.setEnabled(state.training)
        self._stop.chevron.setEnabled(state.awake)
        for action in (self._keep, self._discard):
            action.setEnabled(state.training)
        self._sample.setEnabled(state.run is not None)
        self._save.setEnabled(state.run is not None)
        for button in (self._new, self._open):
            button.setEnabled(not state.training and state.awake)
            button.setToolTip(ONE_JOB if state.training else button.text() if self._compact else "")
        self._show_device(state)

    def _show_device(self, state: State) -> None:
        text = device_text(state, self._compact) if state.device else "Starting…"
        if text != self._device.text():
            self._device.setText(text)
            self._device.updateGeometry()
        self._device.setEnabled(state.awake)
        self._device.setToolTip("Choose where to compute")
        names = [device.name for device in state.devices]
        if names != [action.data() for action in self._devices.actions()]:
            self._fill_devices(state.devices)
        for action in self._devices.actions():
            action.setCheckable(True)
            action.setChecked(action.data() == state.device_name)
            action.setEnabled(not state.training)
            action.setToolTip(ONE_JOB if state.training else "")

    def _fill_devices(self, devices: tuple[Device, ...]) -> None:
        self._devices.clear()
        for device in devices:
            action = self._devices.addAction(f"{device.name.upper()} · {device.label}")
            action.setData(device.name)
            action.triggered.connect(lambda _=False, name=device.name: self.device_wanted.emit(name))


def device_text(state: State, compact: bool) -> str:
    """ "CPU · 2 cores", or "CUDA:0 · NVIDIA RTX 4090 · 10.4 / 24 GB" once memory has been measured."""
    device = state.device
    if device is None:
        return ""
    parts = [device.name.upper()]
    if device.name == "cpu" or not compact:
        parts.append(device.label)
    if device.name != "cpu":
        room = device.capacity / 2**30
        parts.append(
            f"{state.peak / 2**30:.1f} / {room:.0f}\u202fGB" if state.peak else f"{room:.0f}\u202fGB"
        )
    return " · ".join(parts)
