"""The left column: what to build and how to train it, and what that will take."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from gpt_studio.core import units
from gpt_studio.core.config import TOKENIZERS, GPTConfig, RunConfig, TrainConfig
from gpt_studio.core.estimate import UNKNOWN_CPU
from gpt_studio.core.presets import Preset, presets
from gpt_studio.core.settings import Setting, settings_of
from gpt_studio.gui.buttons import LinkButton, ToolButton
from gpt_studio.gui.choices import Segmented
from gpt_studio.gui.costs import next_step_cost, repaired
from gpt_studio.gui.estimate_panel import EstimatePanel
from gpt_studio.gui.form import Form
from gpt_studio.gui.form_rows import FormRow
from gpt_studio.gui.inputs import Combo
from gpt_studio.gui.layouts import Column, Row
from gpt_studio.gui.scroll import Scroll
from gpt_studio.gui.state import State
from gpt_studio.gui.theme import follow, look
from gpt_studio.gui.training_form import TrainingForm
from gpt_studio.gui.widgets import IconLabel, Label, Surface

CUSTOM = "custom"  # no preset has this name
SECTIONS = {"model": "Model", "train": "Training"}
TRAINING = {
    "model": "The model is being trained. Stop the training to change its shape.",
    "train": "The model is being trained. Pause the training to change the plan.",
}
PAUSED = "Paused: the plan can change."
NEW_MODEL = "Needs a new model. Stop the training to change it."
FIXED = "Fixed for this run. Stop the training to change it."
RUNNING = "Pause the training to change it."
MARGIN = 16


class SettingsPanel(Surface):
    """Model and training settings above, the estimate of both pinned below.

    Signals:
        edited: a person changed settings (section, {field: value}).
        preset_chosen: a ready-made model was picked (Preset).
        reset_wanted, hide_wanted: the buttons of the header.
        tokenizer_wanted: the vocabulary's tokenizer was clicked.
    """

    edited = Signal(str, object)
    preset_chosen = Signal(object)
    reset_wanted = Signal()
    hide_wanted = Signal()
    tokenizer_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", parent=parent)
        self.setAccessibleName("Settings")
        self._state = State()
        self._shown: tuple[object, ...] = ()
        self._base: Preset | None = None  # the preset last matched
        self.header = _Header()
        self.presets = Combo("Model preset")
        self.plan = TrainingForm(lambda name: self._cost("train", name))
        self.forms: dict[str, Form] = {
            "model": Form(GPTConfig, lambda name: self._cost("model", name)),
            "train": self.plan,
        }
        self.vocabulary = VocabularyRow(settings_of(GPTConfig)["vocab_size"])
        self.forms["model"].add_row(self.vocabulary, after="dropout")
        self.estimate = EstimatePanel()
        self._pages = {section: QWidget() for section in SECTIONS}
        self._lay_out()
        self._connect()
        self.show_section("model")
        follow(self.restyle)

    def _lay_out(self) -> None:
        model = Column(spacing=12, parent=self._pages["model"])
        model.addWidget(self.presets)
        model.addWidget(self.forms["model"])
        self._note = Label(PAUSED, "small", "text2", wrap=True)
        plan = Column(spacing=8, parent=self._pages["train"])
        plan.addWidget(self._note)
        plan.addWidget(self.plan)
        self._page = QWidget()
        inside = Column(spacing=0, parent=self._page)
        for page in self._pages.values():
            inside.addWidget(page)
        inside.addStretch(1)
        self._scroll = Scroll(self._page)
        column = Column(spacing=0, parent=self)
        column.addWidget(self.header)
        column.addWidget(self._scroll, 1)
        column.addWidget(self.estimate)

    def _connect(self) -> None:
        self.header.section_chosen.connect(self.show_section)
        self.header.reset_button.clicked.connect(self.reset_wanted)
        self.header.hide_button.clicked.connect(self.hide_wanted)
        self.presets.changed.connect(self._choose_preset)
        self.vocabulary.tokenizer.clicked.connect(self.tokenizer_wanted)
        self.forms["model"].edited.connect(lambda changes: self.edited.emit("model", changes))
        self.forms["train"].edited.connect(lambda changes: self.edited.emit("train", changes))
        self._scroll.verticalScrollBar().rangeChanged.connect(self.restyle)

    def restyle(self) -> None:
        """The page keeps its width when a scroll bar comes: the bar takes from the margin."""
        bar = self._scroll.verticalScrollBar()
        taken = bar.sizeHint().width() if bar.maximum() else 0
        margin = look.px(MARGIN)
        self._page.setContentsMargins(margin, look.px(4), max(0, margin - taken), look.px(12))

    def show_section(self, section: str) -> None:
        """Show the "model" or the "train" settings."""
        self.header.show_section(section)
        for name, page in self._pages.items():
            page.setVisible(name == section)
        self._scroll.verticalScrollBar().setValue(0)

    def section(self) -> str:
        return self.header.section()

    def focus_problem(self, where: str) -> None:
        """Show the field a problem is about ("section.field") and put the keyboard into it."""
        section, _, name = where.partition(".")
        if section not in self.forms or name not in self.forms[section].rows:
            return
        self.show_section(section)
        self.forms[section].focus_field(name)
        self._scroll.ensureWidgetVisible(self.forms[section].rows[name])

    def set_compact(self, compact: bool) -> None:
        """Shrink the estimate to what matters most, for a low window."""
        self.estimate.set_compact(compact)

    def show_state(self, state: State) -> None:
        self._state = state
        self.plan.show_step(state.step if state.run else 0)
        parts = (state.config, state.device, state.training, state.training_paused)
        if parts != self._shown:
            self._shown = parts
            for section, form in self.forms.items():
                prefix = f"{section}."
                problems = {
                    where.removeprefix(prefix): problem
                    for where, problem in state.problems.items()
                    if where.startswith(prefix)
                }
                form.show_config(getattr(state.config, section), problems)
                form.set_locked(locks(state, section))
            self.vocabulary.show_tokenizer(state.config.data.tokenizer)
            self._show_preset(state.config)
            self.presets.setEnabled(not state.training)
            self.presets.setToolTip(NEW_MODEL if state.training else "")
            self.header.show_locks(state.training, state.training_paused)
            self._note.setVisible(state.training_paused)
        self.estimate.show_state(state)

    def _cost(self, section: str, name: str) -> str:
        config = repaired(self._state.config, self._state.problems)
        return next_step_cost(config, section, name, self._state.device or UNKNOWN_CPU)

    def _show_preset(self, config: RunConfig) -> None:
        matching = next((preset for preset in presets() if preset.matches(config)), None)
        self._base = matching or self._base
        items = [(preset.name, preset.label, preset.caption) for preset in presets()]
        if matching is None:
            items.append((CUSTOM, "Custom", f"from {self._base.label}" if self._base else ""))
        self.presets.set_items(items)
        self.presets.set_value(matching.name if matching else CUSTOM)

    def _choose_preset(self, name: str) -> None:
        for preset in presets():
            if preset.name == name:
                self._base = preset
                self.preset_chosen.emit(preset)


def locks(state: State, section: str) -> dict[str, str]:
    """Which fields of a section cannot change now, and why."""
    if not state.training:
        return {}
    if section == "model":
        return dict.fromkeys(settings_of(GPTConfig), NEW_MODEL)
    free = state.training_paused
    return {
        name: RUNNING if setting.live else FIXED
        for name, setting in settings_of(TrainConfig).items()
        if not (free and setting.live)
    }


class _Header(QWidget):
    """Which settings are shown, and what can be done with the panel."""

    section_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._sections = Segmented(SECTIONS, "Settings shown")
        self._sections.changed.connect(self.section_chosen)
        self._locked = QWidget()
        lock = Row(spacing=7, parent=self._locked)
        self._icon = IconLabel("lock", "text3", 14)
        self._word = Label("Locked", "small", "text3")
        lock.addWidget(self._icon)
        lock.addWidget(self._word)
        self.reset_button = ToolButton("reset", "Back to the first settings")
        self.hide_button = ToolButton("hide-left", "Hide the settings")
        row = Row((MARGIN, 0, 10, 0), 3, self)
        row.addWidget(self._sections)
        row.addStretch(1)
        row.addWidget(self._locked)
        row.addWidget(self.reset_button)
        row.addWidget(self.hide_button)
        self.show_locks(training=False, paused=False)
        follow(self.restyle)

    def restyle(self) -> None:
        self.setFixedHeight(look.px(44))

    def section(self) -> str:
        return self._sections.value()

    def show_section(self, section: str) -> None:
        self._sections.set_value(section)
        self._tell()

    def show_locks(self, training: bool, paused: bool) -> None:
        """Say whether settings can change, and of which section."""
        self._paused = paused
        self._locked.setVisible(training)
        self.reset_button.setVisible(not training)
        self._tell()

    def _tell(self) -> None:
        section = self.section()
        changes = self._paused and section == "train"
        why = PAUSED if changes else NEW_MODEL if self._paused else TRAINING[section]
        self._icon.set_icon("pause" if changes else "lock", "text3")
        self._word.setText("Paused" if changes else "Locked")
        self._locked.setToolTip(why)
        self._locked.setAccessibleName(why if changes else f"Locked. {why}")


class VocabularyRow(FormRow):
    """How many tokens there are, and the tokenizer that says so."""

    ALIGNED = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.tokenizer = LinkButton("")
        self.value = Label(style="value", role="text", tabular=True)
        self.line.set_right(9)
        self.add_editor(self.tokenizer)
        self.line.addStretch(1)
        self.line.addWidget(self.value)

    def show_tokenizer(self, name: str) -> None:
        label = next(choice.label for choice in TOKENIZERS if choice.value == name)
        self.tokenizer.setText(label)
        self.tokenizer.setAccessibleName(f"Tokenizer: {label}. Change it on the Data page.")

    def show_value(self, value: object) -> None:
        if isinstance(value, int):
            self.value.setText(units.number(value))

    def value_text(self) -> str:
        return self.value.text()

    def set_locked(self, locked: bool) -> None:
        """The link leads to the tokenizer either way."""
        self.value.set_role("text2" if locked else "text")

    def tab_stops(self) -> list[QWidget]:
        return [*([self] if self.lock else []), self.tokenizer]
