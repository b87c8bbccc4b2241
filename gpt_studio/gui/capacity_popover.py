"""What could be trained in so much memory: any capacity, these settings made to fit, and every preset."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QHideEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from gpt_studio.core import units
from gpt_studio.core.config import RunConfig
from gpt_studio.core.events import Device
from gpt_studio.core.fitting import Fitted, fit, least
from gpt_studio.core.presets import presets
from gpt_studio.gui.buttons import CLEAR, Button, LinkButton, Pressable
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import color, follow, font, look, mix, paint_icon
from gpt_studio.gui.widgets import Floating, Hairline, Label

WIDTH = 560
MOST = 1_000_000.0  # GB that can be typed
UNKNOWN_DEVICE = Device("cpu", "", 0)


class CapacityPopover(Floating):
    """Opens above the button that asks; Esc, a click elsewhere and leaving it by Tab close it.

    Signals:
        capacity_typed: judge by so many bytes (object: int); 0 is the device's own capacity.
        config_chosen: take this config (RunConfig), and what to say about it.
    """

    capacity_typed = Signal(object)
    config_chosen = Signal(object, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName("What could be trained in other memory")
        self._state = State()
        self._config = self._state.config
        self._capacity = 0
        self._fitted: Fitted | None = None
        self._opener: QWidget | None = None
        self.field = NumberField("Memory in GB", whole=False, decimals=1)
        self.own = LinkButton("")
        self.verdict = Label(style="small", role="text", tabular=True, wrap=True)
        self.take = Button("Use this", "tonal", height=26)
        self.rows = [PresetRow(preset.label, preset.caption) for preset in presets()]
        self._lay_out()
        self.field.typed.connect(self._read)
        self.field.committed.connect(self._read)
        self.own.clicked.connect(lambda: self.capacity_typed.emit(0))
        self.take.clicked.connect(self._take)
        for index, row in enumerate(self.rows):
            row.clicked.connect(lambda _=False, index=index: self._choose(index))

    def _lay_out(self) -> None:
        top = Row(spacing=8)
        top.addWidget(Label("What could I train on", "title", "text"))
        top.addWidget(self.field)
        top.addWidget(Label("GB", "small", "text2"))
        top.addStretch(1)
        top.addWidget(self.own)
        now = Row(spacing=10)
        now.addWidget(self.verdict, 1)
        now.addWidget(self.take, 0, Qt.AlignmentFlag.AlignTop)
        column = Column(spacing=8, parent=self)
        column.addLayout(top)
        column.addLayout(now)
        column.addWidget(Hairline())
        listed = Column(spacing=0)
        for row in self.rows:
            listed.addWidget(row)
        column.addLayout(listed)

    def open(self, state: State, config: RunConfig, capacity: int, opener: QWidget) -> None:
        """Show above the widget that asked, with the keyboard in the field."""
        self._opener = opener
        self.show_state(state, config, capacity)
        self.show()
        self.raise_()
        self._place()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)
        self.field.selectAll()

    def _place(self) -> None:
        margins = self.contentsMargins()
        width = look.px(WIDTH) + margins.left() + margins.right()
        self.resize(width, max(self.heightForWidth(width), self.minimumSizeHint().height()))
        if self._opener is not None:
            above = self._opener.mapTo(self._opener.window(), QPoint(0, -look.px(6)))
            left = max(look.px(8), above.x() - self.card().width() // 2)
            self.place(QPoint(left, above.y() - self.card().height()))

    # ------------------------------------------------------------ what is shown

    def show_state(self, state: State, config: RunConfig, capacity: int) -> None:
        """`config` has no problems, `capacity` is in bytes."""
        self._state, self._config, self._capacity = state, config, capacity
        device = state.device or UNKNOWN_DEVICE
        if not self.field.hasFocus() or round(self.field.value() * units.GB) != capacity:
            self.field.set_value(round(capacity / units.GB, 1))
        own = units.memory_of(0, device.capacity).partition(" of ")[2]
        self.own.setText(f"This device: {own}")
        self.own.setVisible(capacity != device.capacity)
        self._fitted = fit(config, device, capacity, state.speed_of(config))
        self.verdict.setText(_verdict(config, device, self._fitted))
        self.take.setVisible(bool(self._fitted and self._fitted.changes) and not state.training)
        for row, preset in zip(self.rows, presets(), strict=True):
            wished = self._wished(preset.apply(config))
            row.show_fit(fit(wished, device, capacity), least(wished, device))
            row.setEnabled(row.fitted is not None and not state.training)
        if self.isVisible():
            self._place()

    def _wished(self, config: RunConfig) -> RunConfig:
        """A preset as it would be taken here: the texts read decide about characters."""
        same = config.data == self._config.data
        return config.changed("model", {"vocab_size": self._config.model.vocab_size}) if same else config

    def _read(self, value: float | None) -> None:
        usable = value is not None and 0 < value <= MOST
        self.field.set_problem(not usable)
        if value is not None and usable:
            own = self._state.device.capacity if self._state.device else 0
            is_own = round(value, 1) == round(own / units.GB, 1)
            self.capacity_typed.emit(0 if is_own else round(value * units.GB))

    def _take(self) -> None:
        if self._fitted:
            self._done(self._fitted, "")

    def _choose(self, index: int) -> None:
        fitted = self.rows[index].fitted
        if fitted:
            self._done(fitted, presets()[index].label)

    def _done(self, fitted: Fitted, name: str) -> None:
        self.close_and_return()
        told = f"{fitted.way}: {fitted.cost}" if fitted.changes else ""
        self.config_chosen.emit(fitted.config, " with ".join(filter(None, (name, told))))

    def close_and_return(self) -> None:
        """Close; the keyboard goes back to whoever asked."""
        self.hide()
        if self._opener is not None:
            self._opener.setFocus(Qt.FocusReason.PopupFocusReason)

    # ------------------------------------------------------------ ways to close it

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if isinstance(app := QApplication.instance(), QApplication):
            app.installEventFilter(self)
            app.focusChanged.connect(self._focus_moved)

    def hideEvent(self, event: QHideEvent) -> None:
        if isinstance(app := QApplication.instance(), QApplication):
            app.removeEventFilter(self)
            app.focusChanged.disconnect(self._focus_moved)
        super().hideEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Esc closes it wherever the focus is and does nothing else then; so does a click elsewhere."""
        kinds = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
        if event.type() in kinds and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            if event.type() == QEvent.Type.KeyPress:
                self.close_and_return()
            return True
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonPress:
            inside = self.rect().contains(self.mapFromGlobal(event.globalPosition().toPoint()))
            if isinstance(watched, QWidget) and not inside and watched is not self._opener:
                self.hide()
        return False

    def _focus_moved(self, before: QWidget | None, now: QWidget | None) -> None:
        if now is not None and now is not self and not self.isAncestorOf(now):
            self.hide()


def _verdict(config: RunConfig, device: Device, fitted: Fitted | None) -> str:
    """Whether the settings there are fit, or how they would."""
    if fitted is None:
        return f"These settings take at least {units.memory(least(config, device))}, whatever is changed."
    if not fitted.changes:
        return f"These settings fit as they are: {units.memory(fitted.need)}."
    return f"These settings fit with {fitted.way}: {units.memory(fitted.need)}, {fitted.cost}."


class PresetRow(Pressable):
    """A preset: whether and how it fits, and the memory it then takes."""

    def __init__(self, label: str, caption: str) -> None:
        super().__init__()
        self._label, self._caption = label, caption
        self._need = ""
        self.fitted: Fitted | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(30))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(look.px(WIDTH), look.px(30))

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(120), look.px(30))

    def show_fit(self, fitted: Fitted | None, needed: int) -> None:
        """`needed` are the fewest bytes it could take."""
        self.fitted = fitted
        self._need = units.memory(fitted.need if fitted else needed)
        self.setAccessibleName(f"{self._label} {self._caption}: {self.said()}, {self._need}")
        self.setToolTip(f"{self.said()[0].upper()}{self.said()[1:]}, {fitted.cost}" if fitted else "")
        self.update()

    def said(self) -> str:
        """How it fits, in words."""
        if self.fitted is None:
            return "does not fit"
        return f"fits with {self.fitted.way}" if self.fitted.changes else "fits"

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        usable = self.isEnabled()
        self.paint_box(painter, color("hover", self.hover.amount if usable else 0), CLEAR, radius=5)
        area = QRectF(self.rect()).adjusted(look.px(6), 0, -look.px(6), 0)
        middle, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        painter.setFont(font(13, 500))
        painter.setPen(mix(color("text2"), color("text"), 1.0 if self.fitted else 0.0))
        painter.drawText(area, middle, self._label)
        small = font(12, tabular=True)
        painter.setFont(small)
        painter.setPen(color("text2"))
        painter.drawText(area, middle | right, self._need)
        side, left = look.px(14), area.left() + look.px(104)
        icon, role = ("check-circle", "ok") if self.fitted else ("alert-octagon", "bad")
        paint_icon(painter, icon, QRectF(left, (self.height() - side) / 2, side, side), color(role))
        room = area.adjusted(left - area.left() + side + look.px(6), 0, -look.px(66), 0)
        text = QFontMetricsF(small).elidedText(self.said(), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, middle, text)
