"""How the next token is drawn: one line that unfolds to the rows that change it."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QFontMetricsF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gpt_studio.core.config import SampleConfig
from gpt_studio.core.settings import Problem, settings_of
from gpt_studio.gui.buttons import LinkButton
from gpt_studio.gui.fold import Fold
from gpt_studio.gui.form import Form
from gpt_studio.gui.form_rows import FormRow
from gpt_studio.gui.inputs import NumberField
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.theme import look
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
        self.fold = Fold("Sampling")
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


class SeedRow(FormRow):
    """Random, or the same draw every time."""

    ALIGNED = True

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
