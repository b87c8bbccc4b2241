"""The left column: presets, two forms and the estimate, drawn from the state alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import shiboken6
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from gpt_studio.core.events import Device, Ready
from gpt_studio.core.presets import presets
from gpt_studio.gui.form_rows import NumberRow
from gpt_studio.gui.settings_panel import SettingsPanel
from gpt_studio.gui.state import State
from gpt_studio.gui.store import Store
from gpt_studio.gui.theme import LIGHT, look

GPU = Device("cuda:0", "NVIDIA RTX 4090", 24 * 2**30, bf16=True)
BY_NAME = {preset.name: preset for preset in presets()}


class Left:
    """The panel wired to a real store, as in the window."""

    def __init__(self) -> None:
        self.panel = SettingsPanel()
        self.store = Store(lambda request: None)
        self.store.changed.connect(self.panel.show_state)
        self.panel.edited.connect(self.store.edit)
        self.panel.preset_chosen.connect(self.store.apply_preset)
        self.panel.reset_wanted.connect(self.store.reset)
        self.store.happened([Ready((GPU,), GPU.name)])

    @property
    def state(self) -> State:
        return self.store.state

    def choose(self, name: str) -> None:
        combo = self.panel.presets
        combo.setCurrentIndex(combo.findData(name))
        combo.activated.emit(combo.currentIndex())


@pytest.fixture
def left(qtbot):
    left = Left()
    qtbot.addWidget(left.panel)
    left.panel.resize(312, 840)
    with qtbot.waitExposed(left.panel):
        left.panel.show()
    left.panel.activateWindow()
    return left


def locked(state: State) -> State:
    return replace(state, running=frozenset({"train"}))


def texts(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


# ---------------------------------------------------------------- presets


def test_a_preset_sets_everything_and_is_named(left):
    left.choose("gpt2-355m")
    assert left.state.config.model.num_layers == 24
    assert left.panel.presets.currentText() == "GPT-2 Medium"
    assert left.panel.forms["model"].rows["num_layers"].field.text() == "24"
    assert left.panel.forms["train"].rows["accumulation"].field.text() == "× 16"
    assert left.panel.estimate.count.text() == "354.8\u202fM"


def test_another_model_is_custom_and_says_from_what(left):
    left.choose("gpt2-124m")
    left.store.edit("model", {"num_layers": 11})
    combo = left.panel.presets
    assert combo.currentText() == "Custom"
    assert combo.itemData(combo.currentIndex(), 257) == "from GPT-2"
    left.store.edit("model", {"num_layers": 12})
    assert (combo.currentText(), combo.count()) == ("GPT-2", len(BY_NAME))


def test_picking_custom_changes_nothing(left):
    left.store.edit("model", {"num_layers": 11})
    before = left.state.config
    left.choose("custom")
    assert left.state.config == before
    assert left.panel.presets.currentText() == "Custom"


def test_training_settings_do_not_make_a_model_custom(left):
    left.store.edit("train", {"steps": 77})
    assert left.panel.presets.currentText() == "Tiny"


# ---------------------------------------------------------------- header


def test_the_header_asks_for_reset_hide_and_the_other_settings(left, qtbot):
    header = left.panel.header
    left.store.edit("model", {"num_layers": 3})
    qtbot.mouseClick(header.reset_button, Qt.MouseButton.LeftButton)
    assert left.state.config.model.num_layers == 4
    with qtbot.waitSignal(left.panel.hide_wanted):
        qtbot.mouseClick(header.hide_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(header._sections.button("train"), Qt.MouseButton.LeftButton)
    assert left.panel.section() == "train"
    assert left.panel.forms["train"].isVisible()
    assert not left.panel.forms["model"].isVisible()


def test_training_locks_everything_and_says_why(left):
    before = left.state.config
    left.panel.show_state(locked(left.state))
    assert "Locked" in texts(left.panel.header)
    assert not left.panel.header.reset_button.isVisible()
    assert not left.panel.presets.isEnabled()
    reasons = {widget.toolTip() for widget in left.panel.header.findChildren(QWidget) if widget.isVisible()}
    assert "The model is being trained. Stop to change its shape." in reasons
    for form in left.panel.forms.values():
        for row in form.rows.values():
            if isinstance(row, NumberRow):
                QTest.keyClick(row.field, Qt.Key.Key_Up)
    assert left.state.config == before
    left.panel.show_state(left.state)
    assert "Locked" not in texts(left.panel.header)
    assert left.panel.header.reset_button.isVisible()


def test_the_vocabulary_follows_the_tokenizer_and_leads_to_it(left, qtbot):
    vocabulary = left.panel.vocabulary
    assert (vocabulary.tokenizer.text(), vocabulary.value.text()) == ("Characters", "340")
    left.store.edit("data", {"tokenizer": "gpt2"})
    assert (vocabulary.tokenizer.text(), vocabulary.value.text()) == ("GPT-2 BPE", "50\u202f257")
    left.panel.show_state(locked(left.state))
    with qtbot.waitSignal(left.panel.tokenizer_wanted):
        qtbot.mouseClick(vocabulary.tokenizer, Qt.MouseButton.LeftButton)


# ---------------------------------------------------------------- problems


@pytest.mark.parametrize("where", ["model.num_layers", "train.batch_size", "train.precision", "train.seed"])
def test_a_problem_is_brought_into_view_with_the_keyboard_in_it(left, qtbot, where):
    section, _, name = where.partition(".")
    left.panel.resize(312, 420)
    left.panel.focus_problem(where)
    row = left.panel.forms[section].rows[name]
    assert left.panel.section() == section
    assert row.isAncestorOf(QApplication.focusWidget())
    port = left.panel._scroll.viewport()
    qtbot.waitUntil(lambda: port.rect().contains(row.mapTo(port, QPoint(0, row.height() // 2))))


def test_a_problem_elsewhere_is_not_for_this_panel(left):
    left.panel.focus_problem("data.corpora")
    assert left.panel.section() == "model"


def test_a_device_without_bf16_is_explained_at_the_precision(left, qtbot):
    left.store.happened([Ready((replace(GPU, bf16=False),), GPU.name)])
    left.store.edit("train", {"precision": "bf16"})
    row = left.panel.forms["train"].rows["precision"]
    assert "does not train in bf16" in row.problem().text
    left.panel.show_section("train")
    (button,) = row.tab_stops()[-1:]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert left.state.config.train.precision == "fp16"
    assert row.problem() is None


def test_the_card_prices_the_next_step_even_around_a_problem(left):
    left.choose("gpt2-124m")
    left.store.edit("model", {"embed_size": 100})
    row = left.panel.forms["model"].rows["num_layers"]
    QTest.keyClick(row.field, Qt.Key.Key_F1)
    assert "Layers 16: +" in row.field.accessibleDescription()


# ---------------------------------------------------------------- shape


def test_a_scroll_bar_does_not_move_the_form(left, qtbot):
    form = left.panel.forms["model"]
    wide = form.width()
    left.panel.resize(312, 420)
    bar = left.panel._scroll.verticalScrollBar()
    qtbot.waitUntil(bar.isVisible)
    qtbot.waitUntil(lambda: form.width() == wide)
    right = form.mapTo(left.panel, QPoint(wide, 0)).x()
    assert right <= bar.mapTo(left.panel, QPoint(0, 0)).x()
    assert left.panel.estimate.geometry().bottom() == left.panel.rect().bottom()


def test_it_fits_its_narrowest_column_in_both_sections_and_all_sizes(left):
    left.store.edit("train", {"steps": 10_000_000, "batch_size": 0, "warmup": -5})
    for scale in (0.8, 1.0, 1.5):
        look.apply(LIGHT, scale)
        for section in ("model", "train"):
            left.panel.show_section(section)
            left.panel.grab()
            assert left.panel.minimumSizeHint().width() <= look.px(264)


EDITS = st.one_of(
    st.tuples(st.just("model"), st.sampled_from(["num_layers", "heads", "embed_size", "max_length"])),
    st.tuples(st.just("train"), st.sampled_from(["steps", "batch_size", "warmup"])),
)
NUMBERS = st.integers(-5, 5000)


@settings(max_examples=12)
@given(st.lists(st.tuples(EDITS, NUMBERS), max_size=6), st.booleans())
def test_showing_a_state_is_never_an_edit(qapp, edits, training):
    left = Left()
    told = []
    for signal in (left.panel.edited, left.panel.preset_chosen, left.panel.reset_wanted):
        signal.connect(lambda *args: told.append(args))
    for (section, name), value in edits:
        left.store.edit(section, {name: value})
        state = locked(left.state) if training else left.state
        left.panel.show_state(state)
        assert left.panel.forms[section].rows[name].field.value() == value
    for _ in edits:
        left.store.undo()
    assert told == []
    shiboken6.delete(left.panel)
