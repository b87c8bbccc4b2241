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

from gpt_studio.core.config import TrainConfig
from gpt_studio.core.events import Built, Device, Ready
from gpt_studio.core.presets import presets
from gpt_studio.core.settings import settings_of
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
    assert "The model is being trained. Stop the training to change its shape." in reasons
    assert left.panel.presets.toolTip() == "Needs a new model. Stop the training to change it."
    for form in left.panel.forms.values():
        for row in form.rows.values():
            if isinstance(row, NumberRow):
                QTest.keyClick(row.field, Qt.Key.Key_Up)
    assert left.state.config == before
    left.panel.show_state(left.state)
    assert "Locked" not in texts(left.panel.header)
    assert left.panel.header.reset_button.isVisible()


def paused(state: State) -> State:
    return replace(state, running=frozenset({"train"}), paused=frozenset({"train"}))


def locks(panel: SettingsPanel, section: str) -> dict[str, str]:
    return {name: row.lock for name, row in panel.forms[section].rows.items() if row.lock}


def told(panel: SettingsPanel) -> set[str]:
    """The header's accessible names in sight."""
    return {w.accessibleName() for w in panel.header.findChildren(QWidget) if w.isVisible()}


def test_each_locked_setting_says_what_would_free_it(left):
    left.panel.show_state(locked(left.state))
    assert set(locks(left.panel, "model").values()) == {"Needs a new model. Stop the training to change it."}
    assert locks(left.panel, "model").keys() == left.panel.forms["model"].rows.keys()
    found = locks(left.panel, "train")
    assert found["batch_size"] == "Fixed for this run. Stop the training to change it."
    assert found["steps"] == "Pause the training to change it."
    assert found.keys() == left.panel.plan.rows.keys()


def test_in_a_pause_the_plan_can_change_and_nothing_else(left, qtbot):
    left.panel.show_section("train")
    left.panel.show_state(paused(left.state))
    described = settings_of(TrainConfig)
    free = left.panel.plan.rows.keys() - locks(left.panel, "train").keys()
    assert free == {name for name, setting in described.items() if setting.live}
    assert {"steps", "learning_rate", "schedule", "sample_prompt"} <= free
    assert left.panel.header.isVisible()
    assert "Paused: the plan can change." in told(left.panel)
    assert "Paused: the plan can change." in texts(left.panel)
    edits = []
    left.panel.edited.connect(lambda section, changes: edits.append((section, changes)))
    QTest.keyClick(left.panel.plan.rows["batch_size"].field, Qt.Key.Key_Up)
    qtbot.mouseClick(left.panel.plan.rows["schedule"].choice.button("wsd"), Qt.MouseButton.LeftButton)
    assert edits == [("train", {"schedule": "wsd"})]
    left.panel.show_state(paused(left.state))
    left.panel.show_section("model")
    assert "Locked. Needs a new model. Stop the training to change it." in told(left.panel)
    assert locks(left.panel, "model").keys() == left.panel.forms["model"].rows.keys()
    left.panel.show_section("train")
    left.panel.show_state(locked(left.state))
    assert "Paused: the plan can change." not in texts(left.panel)
    assert "Locked" in texts(left.panel.header)
    left.panel.show_state(left.state)
    assert locks(left.panel, "train") == locks(left.panel, "model") == {}


# ---------------------------------------------------------------- the plan


def test_a_beginner_sees_what_matters_first_and_the_rest_in_short(left):
    left.panel.show_section("train")
    plan = left.panel.plan
    in_sight = [name for name, row in plan.rows.items() if row.isVisible()]
    assert in_sight == [
        "steps", "batch_size", "accumulation", "learning_rate", "warmup", "schedule", "seed",
    ]  # fmt: skip
    folds = [part.fold for part in plan.parts.values() if part.fold]
    assert [fold.text() for fold in folds] == ["Optimizer", "Device", "Checks and files"]
    left.store.edit("train", {
        "optimizer": "adamw", "weight_decay": 0.05, "gradient_clip": 0.0, "precision": "bf16",
        "attention": "plain", "compile": True, "evaluate_every": 2000, "patience": 3, "tensorboard": True,
    })  # fmt: skip
    assert [fold.accessibleDescription() for fold in folds] == [
        "AdamW · decay 0.05",
        "bf16 · plain attention · compiled",
        "every 2\u202f000 steps · stops early · TensorBoard",
    ]


def test_the_curve_follows_every_edit_and_the_run(left):
    left.panel.show_section("train")
    curve = left.panel.plan.curve
    left.store.edit("train", {"steps": 1000, "warmup": 100, "learning_rate": 1e-3, "schedule": "linear"})
    before = curve.grab().toImage()
    assert curve.accessibleDescription() == (
        "Rises over 100 steps to 1e−3, falls in a straight line to 1e−4 at step 1\u202f000."
    )
    left.store.edit("train", {"schedule": "constant"})
    assert curve.toolTip() == "Rises over 100 steps to 1e−3, stays there to step 1\u202f000."
    assert curve.grab().toImage() != before
    built = Built(left.state.config, 812_345, "cpu", 0)
    left.panel.show_state(replace(locked(left.state), model=built, step=550))
    assert curve.toolTip().endswith(" Now at step 550: 1e−3.")
    left.panel.show_state(replace(left.state, model=built, step=550, demo=True))
    assert "Now" not in curve.toolTip()  # the demo model's steps are not this run's


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


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.5])
def test_no_row_is_cut_off_in_the_narrowest_column(left, qtbot, scale):
    look.apply(LIGHT, scale)
    left.panel.show_section("train")
    for part in left.panel.plan.parts.values():
        part.unfold()
    left.store.edit("train", {"steps": 10_000_000, "save_every": 1_000_000, "learning_rate": 1.25e-4})
    port = left.panel._scroll.viewport()

    def narrow() -> bool:
        left.panel.resize(look.px(264), look.px(700))  # refused until the layout knows of the new size
        return left.panel.width() == look.px(264)

    qtbot.waitUntil(narrow)
    qtbot.waitUntil(lambda: left.panel._page.width() == port.width())


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
