"""Things that show: labels, surfaces, cards, tiles, empty states, floating cards. None knows the product."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QPainter, QPaintEvent, QPalette, QPen, QRegion
from PySide6.QtWidgets import QLabel, QMenu, QSizePolicy, QToolTip, QWidget

from gpt_studio.core.units import UNKNOWN
from gpt_studio.gui.buttons import Button, half_pixel
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.theme import color, follow, look, paint_icon, style_font

SHADOW = 18  # margin of a floating card in which its shadow is painted


class Label(QLabel):
    """Text in a type style and a color role of the design; `tabular` for numbers that change."""

    def __init__(
        self,
        text: str = "",
        style: str = "body",
        role: str = "text2",
        tabular: bool = False,
        mono: bool = False,
        wrap: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._style, self._role, self._tabular, self._mono = style, role, tabular, mono
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(wrap)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font(self._style, self._mono, self._tabular))
        palette = QPalette(self.palette())
        for group in (QPalette.ColorGroup.Active, QPalette.ColorGroup.Inactive):
            palette.setColor(group, QPalette.ColorRole.WindowText, color(self._role))
        palette.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole.WindowText, color("disabled"))
        self.setPalette(palette)

    def role(self) -> str:
        return self._role

    def set_role(self, role: str) -> None:
        if role != self._role:
            self._role = role
            self.restyle()


class ElidedLabel(Label):
    """A label of one line that gives way: it ends in "…" where room is short, the tooltip has the rest."""

    def __init__(
        self, text: str = "", style: str = "body", role: str = "text2", tabular: bool = False
    ) -> None:
        super().__init__(text, style, role, tabular)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(16), super().minimumSizeHint().height())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and not self.toolTip() and self._shown() != self.text():
            QToolTip.showText(event.globalPos(), self.text(), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(color(self._role if self.isEnabled() else "disabled"))
        painter.drawText(self.contentsRect(), self.alignment(), self._shown())

    def _shown(self) -> str:
        width = self.contentsRect().width() + 0.5
        return QFontMetricsF(self.font()).elidedText(self.text(), Qt.TextElideMode.ElideRight, width)


class IconLabel(QWidget):
    """An icon that only shows, e.g. beside a status word; the word carries the meaning."""

    def __init__(self, name: str, role: str = "text2", size: int = 16, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._role, self._size = name, role, size
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedSize(look.px(self._size), look.px(self._size))
        self.update()

    def set_icon(self, name: str, role: str) -> None:
        self._name, self._role = name, role
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_icon(QPainter(self), self._name, QRectF(self.rect()), color(self._role))


class Hairline(QWidget):
    """A 1 px line between parts."""

    def __init__(self, vertical: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)
        follow(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), color("border"))


class Surface(QWidget):
    """A plain area in a color role: `radius` rounds it, `line` outlines it, `edges` draws hairlines.

    `edges` holds the letters of the sides to draw: l, t, r, b.
    """

    def __init__(
        self,
        role: str = "panel",
        radius: int = 0,
        line: str = "",
        edges: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._role, self._radius, self._line, self._edges = role, radius, line, edges
        self.setContentsMargins(*(int(side in edges) for side in "ltrb"))
        follow(self.update)

    def set_role(self, role: str, line: str = "") -> None:
        self._role, self._line = role, line
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._radius:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(color(self._line)) if self._line else Qt.PenStyle.NoPen)
            painter.setBrush(color(self._role))
            radius = look.px(self._radius)
            painter.drawRoundedRect(half_pixel(QRectF(self.rect())), radius, radius)
        else:
            painter.fillRect(self.rect(), color(self._role))
        for side in self._edges:
            painter.fillRect(self._edge(side), color("border"))

    def _edge(self, side: str) -> QRect:
        width, height = self.width(), self.height()
        return {
            "l": QRect(0, 0, 1, height),
            "t": QRect(0, 0, width, 1),
            "r": QRect(width - 1, 0, 1, height),
            "b": QRect(0, height - 1, width, 1),
        }[side]


class Card(Surface):
    """A titled surface: title, quiet caption, action widgets on the right, and a `body` layout below."""

    def __init__(
        self,
        title: str = "",
        caption: str = "",
        actions: Sequence[QWidget] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("card", radius=8, line="border", parent=parent)
        self._column = Column((16, 12, 16, 12), 10, self)
        self.head = Row(spacing=10)
        self._title = Label(title, "title", "text")
        self._caption = ElidedLabel(caption, "small", "text3")
        self.setAccessibleName(title)
        if title:
            self.head.addWidget(self._title)
            self.head.addWidget(self._caption, 1)
            for action in actions:
                self.head.addWidget(action)
            self._column.addLayout(self.head)
        self.body = Column()
        self._column.addLayout(self.body, 1)

    def set_caption(self, caption: str) -> None:
        self._caption.setText(caption)


class Tile(Surface):
    """One figure: label, value with a quiet unit, caption. A value that is not known is "—", never 0."""

    def __init__(self, label: str, parent: QWidget | None = None) -> None:
        super().__init__("card", radius=8, line="border", parent=parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._name = label
        column = Column((13, 9, 8, 10), 2, self)
        self._label = ElidedLabel(label, "small", "text2")
        self._value = _Figure()
        self._caption = ElidedLabel("", "micro", "text3", tabular=True)
        for part in (self._label, self._value, self._caption):
            column.addWidget(part)
        self.set_value(UNKNOWN)

    def set_value(self, value: str, unit: str = "", caption: str = "", role: str = "text3") -> None:
        """Show a value; in "3 h 47 min" give `value` "3 h 47 min" and units turn quiet by themselves."""
        self._value.show_parts(value or UNKNOWN, unit)
        self._caption.setText(caption)
        self._caption.set_role(role)
        self.setAccessibleName(f"{self._name}: {value or 'not known yet'} {unit}".strip())
        self.setAccessibleDescription(caption)

    def set_label(self, label: str) -> None:
        self._name = label
        self._label.setText(label)

    def label(self) -> str:
        return self._name

    def value(self) -> str:
        return self._value.text()

    def caption(self) -> str:
        return self._caption.text()

    def minimumSizeHint(self) -> QSize:
        return QSize(look.px(72), super().minimumSizeHint().height())


class _Figure(QWidget):
    """A number in metric size with its unit in small text on the same baseline."""

    def __init__(self) -> None:
        super().__init__()
        self._value = ""
        self._unit = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(25))

    def text(self) -> str:
        return self._value

    def show_parts(self, value: str, unit: str) -> None:
        self._value, self._unit = value, unit
        self.update()

    def _parts(self) -> list[tuple[str, bool]]:
        """Words and whether they are figures: "3 h 47 min" has quiet units between its figures."""
        words = self._value.split(" ")
        spoken = [part for word in words for part in _split_duration(word)]
        return [*spoken, *([(self._unit, False)] if self._unit else [])]

    def sizeHint(self) -> QSize:
        return QSize(look.px(60), look.px(25))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        x, base = 0.0, round(self.height() * 0.76)
        for text, figure in self._parts():
            shown = style_font("metric" if figure else "small", tabular=True)
            metrics = QFontMetricsF(shown)
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, self.width() - x)
            painter.setFont(shown)
            painter.setPen(color("text" if figure else "text3"))
            painter.drawText(QPoint(round(x), base), text)
            x += metrics.horizontalAdvance(text) + look.px(6)


def _split_duration(word: str) -> list[tuple[str, bool]]:
    """ "3\u202fh" is a figure and its unit of time; anything else stays whole."""
    figure, _, unit = word.partition("\u202f")
    return [(figure, True), (unit, False)] if unit in ("s", "min", "h", "d") else [(word, True)]


class KeyValueRow(QWidget):
    """A label at the left, its value at the right."""

    def __init__(self, label: str, value: str = UNKNOWN, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = Row(spacing=4, parent=self)
        self._label = ElidedLabel(label, "small", "text2")
        self._value = Label(value, "strong", "text", tabular=True)
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._extra = ElidedLabel("", "small", "text3", tabular=True)
        row.addWidget(self._label, 1)
        row.addWidget(self._value)
        row.addWidget(self._extra)
        self._extra.hide()
        self.set_value(value)

    def set_value(self, value: str, extra: str = "") -> None:
        """`extra` follows the value in quiet text, e.g. " · 20 000 steps"."""
        self._value.setText(value)
        self._extra.setText(extra)
        self._extra.setVisible(bool(extra))
        self.setAccessibleName(f"{self._label.text()}: {value} {extra}".strip())

    def value(self) -> str:
        return self._value.text()


class Menu(QMenu):
    """A menu with round corners and the interface's font."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        self.setWindowFlag(Qt.WindowType.NoDropShadowWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setToolTipsVisible(True)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFont(style_font("body"))


class EmptyState(QWidget):
    """What stands where content will be: a title, a sentence, at most one action."""

    def __init__(
        self, title: str, sentence: str, action: Button | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        column = Column((16, 16, 16, 16), 8, self)
        column.addStretch(1)
        self._title = Label(title, "heading", "text", wrap=True)
        self._sentence = Label(sentence, "body", "text2", wrap=True)
        for label in (self._title, self._sentence):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        if action:
            column.addSpacing(look.px(6))
            column.addWidget(action, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)


class Floating(QWidget):
    """A raised card with a shadow that floats above its window: never a window itself, so it takes no focus.

    Its layout keeps clear of the shadow: contents margins are set.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent
        follow(self.restyle)
        self.hide()

    def restyle(self) -> None:
        margin = SHADOW + look.px(12)
        self.setContentsMargins(margin, margin - 2, margin, margin - 2)
        self.update()

    def card(self) -> QRect:
        """The visible card, without its shadow."""
        return self.rect().adjusted(SHADOW, SHADOW, -SHADOW, -SHADOW)

    def place(self, corner: QPoint) -> None:
        """Move the card's top left corner there, or as near as stays inside the parent."""
        room, card = self._parent.rect(), self.card()
        x = max(room.left(), min(corner.x(), room.right() + 1 - card.width()))
        y = max(room.top(), min(corner.y(), room.bottom() + 1 - card.height()))
        self.move(x - SHADOW, y - SHADOW)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_shadow(painter, QRectF(self.card()))
        painter.setPen(color("border2"))
        painter.setBrush(color("raised"))
        painter.drawRoundedRect(half_pixel(QRectF(self.card())), look.px(8), look.px(8))


def paint_shadow(painter: QPainter, card: QRectF) -> None:
    """A soft shadow around a rounded rectangle, inside a margin of 18 px."""
    painter.save()
    inside = look.px(8)  # the card will lie there
    painter.setClipRegion(
        QRegion(card.adjusted(-SHADOW, -SHADOW, SHADOW, SHADOW).toRect())
        - QRegion(card.adjusted(inside, inside, -inside, -inside).toRect())
    )
    painter.setPen(Qt.PenStyle.NoPen)
    strength = 9 if look.theme.dark else 3
    for spread in range(SHADOW - 6, 0, -2):
        painter.setBrush(QColor(0, 0, 0, strength))
        grown = card.adjusted(-spread, -spread + 4, spread, spread + 4)
        painter.drawRoundedRect(grown, look.px(8) + spread, look.px(8) + spread)
    painter.restore()
