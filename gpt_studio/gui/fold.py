"""A title that folds what is below it, and says in short what is inside."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy

from gpt_studio.gui.buttons import CLEAR, Pressable
from gpt_studio.gui.theme import color, follow, font, look, mix, paint_icon


class Fold(Pressable):
    """The title that folds and unfolds; folded, it says in short what is inside."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._summary = ""
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(font(12, 500))
        self.setFixedHeight(look.px(36))

    def set_summary(self, text: str) -> None:
        if text != self._summary:
            self._summary = text
            self.setAccessibleDescription(text)
            self.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(60), look.px(36))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.ring and self.hasFocus():
            self.paint_box(painter, CLEAR, CLEAR, radius=5)
        side = look.px(14)
        ink = mix(color("text2"), color("text"), self.hover.amount)
        chevron = "chevron-down" if self.isChecked() else "chevron-right"
        paint_icon(painter, chevron, QRectF(1, (self.height() - side) / 2, side, side), color("text2"))
        middle = Qt.AlignmentFlag.AlignVCenter
        area = QRectF(look.px(21), 0, self.width() - look.px(21), self.height())
        painter.setPen(ink)
        painter.drawText(area, middle, self.text())
        if not self.isChecked():
            self._paint_summary(painter, area)

    def _paint_summary(self, painter: QPainter, area: QRectF) -> None:
        room = area.width() - QFontMetricsF(self.font()).horizontalAdvance(self.text()) - look.px(10)
        shown = font(12, tabular=True)
        painter.setFont(shown)
        painter.setPen(color("text3"))
        text = QFontMetricsF(shown).elidedText(self._summary, Qt.TextElideMode.ElideRight, room)
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
