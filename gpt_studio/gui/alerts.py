"""Show a failure or a notice, once, where it belongs: what happened, what was kept, what to try."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QPlainTextEdit, QWidget

from gpt_studio.core.errors import Remedy
from gpt_studio.core.events import Failed
from gpt_studio.gui.buttons import Button, Kind, ToolButton, half_pixel
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.theme import color, follow, font, look, mix, paint_icon
from gpt_studio.gui.widgets import Label

OUR_FAULT = "Something in GPT Studio went wrong"


@dataclass(frozen=True)
class Look:
    """How loud a notice is: its icon and that one's color, its fill."""

    icon: str
    ink: str
    fill: str


LOOKS = {
    "failure": Look("alert-octagon", "bad", "badbg"),
    "warning": Look("alert-triangle", "warn", "warnbg"),
    "offer": Look("info", "accent", "card"),
}


@dataclass(frozen=True)
class Notice:
    """What is to be said: one sentence, what was kept, what to try, up to two clicks that may help.

    `topic` says what it is about, so that it can be withdrawn; `kind` is one of LOOKS.
    """

    title: str
    kept: str = ""
    tries: str = ""
    remedies: tuple[Remedy, ...] = ()
    kind: str = "warning"
    topic: str = ""
    detail: str = ""  # for the people who wrote the program


class Banner(QWidget):
    """A non-blocking notice above the page.

    Signals:
        remedy_chosen: one of the notice's remedies was clicked (Remedy).
        declined: a person put it away, without a remedy (its topic).
        shown_changed: it appeared or went away.
    """

    remedy_chosen = Signal(object)
    declined = Signal(str)
    shown_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = _selectable("title", "text")
        self._kept, self._tries = _selectable("small", "text2"), _selectable("small", "text2")
        self._kept_label, self._tries_label = Label("Kept", "strong"), Label("Try", "strong")
        self._action_row = QWidget(self)
        self._actions = Row((0, 7, 0, 0), 8, self._action_row)
        self._details = QPlainTextEdit(self, readOnly=True)
        self._details.setAccessibleName("Details of the error")
        self._copy = Button("Copy details", icon="copy", parent=self)
        self._copy.clicked.connect(self._copy_details)
        self._close = ToolButton("close", "Dismiss", parent=self)
        self._close.clicked.connect(self.decline)
        self._lay_out()
        self._seen: set[str] = set()  # programmer's errors shown already
        self._notice = Notice("")
        self.hide()
        follow(self.restyle)

    def _lay_out(self) -> None:
        rows = QGridLayout()
        rows.setColumnStretch(1, 1)
        rows.setHorizontalSpacing(12)
        rows.setVerticalSpacing(2)
        for row, (label, text) in enumerate(
            ((self._kept_label, self._kept), (self._tries_label, self._tries))
        ):
            rows.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            rows.addWidget(text, row, 1)
        column = Column(spacing=3)
        column.addWidget(self._title)
        column.addLayout(rows)
        column.addWidget(self._action_row)
        column.addWidget(self._details)
        outer = Row((42, 13, 12, 13), 8, self)
        outer.addLayout(column, 1)
        outer.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)

    def restyle(self) -> None:
        self._details.setFont(font(11, mono=True))
        self._details.setFixedHeight(look.px(160))
        self.update()

    def show_failure(self, failure: Failed) -> None:
        """Show what happened; a programmer's error is shown once, however often it happens."""
        if failure.detail:
            if failure.detail in self._seen:
                return
            self._seen.add(failure.detail)
        ours = bool(failure.detail)
        what = failure.what.removesuffix(".")  # a title has no full stop
        self.show_notice(
            Notice(
                f"{OUR_FAULT} — {what}" if ours else what,
                failure.kept or ("Your model and settings." if ours else ""),
                failure.tries
                or ("Save a checkpoint and start again; the log file has the details." if ours else ""),
                failure.remedies,
                "failure",
                detail=failure.detail,
            )
        )

    def show_notice(self, notice: Notice) -> None:
        """Say this, in the place of what was said before."""
        self._notice = notice
        self._title.setText(notice.title)
        rows = ((self._kept_label, self._kept, notice.kept), (self._tries_label, self._tries, notice.tries))
        for label, widget, text in rows:
            widget.setText(text)
            label.setVisible(bool(text))
            widget.setVisible(bool(text))
        self._details.setPlainText(notice.detail)
        self._details.hide()
        self._show_actions(notice)
        self.setAccessibleName(f"{notice.title} {notice.kept} {notice.tries}".strip())
        self.show()
        self.update()
        self.shown_changed.emit()

    def withdraw(self, topic: str) -> None:
        """Put the notice away if it is about this."""
        if self._notice.topic == topic:
            self.dismiss()

    def drop_remedies(self) -> None:
        """There is another model than the one the clicks were for; what happened is still worth knowing."""
        if self._notice.kind == "offer":
            self.dismiss()
        elif self._notice.remedies and not self.isHidden():
            self.show_notice(replace(self._notice, remedies=()))

    def decline(self) -> None:
        """Put the notice away because a person wants so."""
        if not self.isHidden():
            self.dismiss()
            self.declined.emit(self._notice.topic)

    def _show_actions(self, notice: Notice) -> None:
        while self._actions.count():
            item = self._actions.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None and widget is not self._copy:
                widget.deleteLater()
        self._copy.hide()
        for index, remedy in enumerate(notice.remedies[:2]):
            self._actions.addWidget(self._remedy_button(remedy, first=index == 0))
        if notice.detail:
            details = Button("Details", "quiet", parent=self)
            details.clicked.connect(self._toggle_details)
            self._actions.addWidget(details)
            self._actions.addWidget(self._copy)
            self._copy.show()
        self._actions.addStretch(1)
        self._action_row.setVisible(bool(notice.remedies or notice.detail))

    def _remedy_button(self, remedy: Remedy, first: bool) -> Button:
        icon = "train" if remedy.train else ""
        loud: Kind = "tonal" if self._notice.kind == "offer" else "primary"  # an offer outshouts no page
        button = Button(remedy.label, loud if first else "secondary", icon, parent=self)
        button.clicked.connect(lambda: self._choose(remedy))
        return button

    def _choose(self, remedy: Remedy) -> None:
        self.dismiss()
        self.remedy_chosen.emit(remedy)

    def dismiss(self) -> None:
        """Put the notice away."""
        if not self.isHidden():
            self.hide()
            self.shown_changed.emit()

    @property
    def has_primary(self) -> bool:
        """A filled button is shown, so no other one should be."""
        first = self._actions.itemAt(0)
        button = first.widget() if first else None
        return not self.isHidden() and isinstance(button, Button) and button.kind() == "primary"

    def text(self) -> str:
        """What the notice says, as one text."""
        shown = (self._title, self._kept, self._tries)
        return "\n".join(widget.text() for widget in shown if widget.text())

    def _toggle_details(self) -> None:
        self._details.setVisible(self._details.isHidden())

    def _copy_details(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.text()}\n\n{self._details.toPlainText()}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.decline()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shown = LOOKS[self._notice.kind]
        painter.setPen(QPen(mix(color(shown.fill), color(shown.ink), 0.25), 1))
        painter.setBrush(color(shown.fill))
        painter.drawRoundedRect(half_pixel(QRectF(self.rect())), look.px(8), look.px(8))
        side = look.px(16)
        paint_icon(painter, shown.icon, QRectF(look.px(15), look.px(14), side, side), color(shown.ink))


def _selectable(style: str, role: str) -> Label:
    label = Label("", style, role, tabular=True, wrap=True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
