"""How the next token is drawn: one line that unfolds to the rows that change it."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core.config import SampleConfig
from gpt_studio.core.settings import Problem, settings_of
from gpt_studio.gui.buttons import CLEAR, LinkButton, Pressable
from gpt_studio.gui.form import Form
from gpt_studio.gui.form_rows import LABEL_WIDTH, FormRow
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.theme import color, follow, font, look, mix, paint_icon
from gpt_studio.gui.toggles import Switch
from gpt_studio.gui.widgets import ElidedLabel, Hairline


class SamplingPanel(QWidget):
    """The sampling settings, folded at first.

    Signals:
        edited: fields of SampleConfig to change, by name.
    """

    edited = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.fold = _Fold("Sampling")
        self.reset = LinkButton("Reset")
        self.reset.setAccessibleName("Reset sampling")
        self.form = Form(SampleConfig)
        self.seed = SeedRow()
        self._body = QWidget()
        self._lay_out()
        self.fold.toggled.connect(self._unfold)
        self.reset.clicked.connect(self._reset)
        self.form.edited.connect(self.edited)
        self._unfold(False)

    def _lay_out(self) -> None:
        body = Column((16, 0, 16, 8), 0, self._body)
        body.addWidget(self.form)
        self.form.add_row(self.seed, after="max_tokens")
        head = Row((12, 0, 16, 0), 8)
        head.addWidget(self.fold, 1)
        head.addWidget(self.reset)
        column = Column(spacing=0, parent=self)
        column.addWidget(Hairline())
        column.addLayout(head)
        column.addWidget(self._body)

    def show_config(self, config: SampleConfig, problems: dict[str, Problem]) -> None:
        self.fold.set_summary(summary(config))
        self.form.show_config(config, problems)
        self.seed.show_fixed(config.fixed_seed)

    def focus_problem(self, name: str) -> None:
        """Unfold and lead to the field that cannot be used."""
        self.fold.setChecked(True)
        self.form.focus_field(name)

    def _unfold(self, unfolded: bool) -> None:
        self._body.setVisible(unfolded)
        self.reset.setVisible(unfolded)

    def _reset(self) -> None:
        self.edited.emit({name: setting.default for name, setting in settings_of(SampleConfig).items()})


def summary(config: SampleConfig) -> str:
    """What is in force, in one line: "T 0.80 · top-k 50 · top-p 0.95"."""
    parts = (
        (f"T {config.temperature:.2f}", True),
        (f"top-k {config.top_k}", config.top_k > 0),
        (f"top-p {config.top_p:.2f}", config.top_p < 1),
        (f"repetition {config.repetition:.2f}", config.repetition != 1),
        (f"seed {config.seed}", config.fixed_seed),
        (config.precision, config.precision != "fp32"),
    )
    return " · ".join(text for text, shown in parts if shown)


class _Fold(Pressable):
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


class SeedRow(FormRow):
    """Random, or the same draw every time."""

    def __init__(self) -> None:
        super().__init__(settings_of(SampleConfig)["seed"])
        self.switch = Switch("Fixed seed")
        self.state = ElidedLabel("", "small", "text3")
        self.field = NumberField("Seed")
        self.label.setBuddy(self.switch)
        both = QWidget()
        pair = Row(spacing=5, parent=both)
        pair.addWidget(self.switch)
        pair.addWidget(self.state, 1)
        self.line.addWidget(both, 1)
        self.add_editor(self.field)
        self.switch.clicked.connect(lambda fixed: self.edited.emit({"fixed_seed": fixed}))
        self.field.committed.connect(self.emit_value)

    def restyle(self) -> None:
        super().restyle()
        self.label.setFixedWidth(look.px(LABEL_WIDTH))

    def editor(self) -> QWidget:
        return self.field

    def show_value(self, value: object) -> None:
        if isinstance(value, int) and value != self.field.value():
            self.field.set_value(value)
            text = QFontMetricsF(self.field.font()).horizontalAdvance(self.field.text())
            self.field.setFixedWidth(max(look.px(60), round(text) + look.px(19)))

    def show_problem(self, problem: Problem | None) -> None:
        self.field.set_problem(problem is not None)
        super().show_problem(problem)

    def show_fixed(self, fixed: bool) -> None:
        """The number only counts, and can only be changed, while it is fixed."""
        self.switch.setChecked(fixed)
        self.state.setText("Fixed" if fixed else "Random")
        self.field.set_locked(not fixed)
