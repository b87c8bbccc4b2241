"""The form: made from the fields' descriptions, never of another mind than the config."""

from __future__ import annotations

import pytest
import shiboken6
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from gpt_studio.core.config import GPTConfig, SampleConfig, TrainConfig
from gpt_studio.core.settings import settings_of
from gpt_studio.gui.form import Form, HelpCard, Part, harmless_stops
from gpt_studio.gui.form_rows import (
    WIDEST_FIELD,
    ChoiceSettingRow,
    FormRow,
    NumberRow,
    SwitchRow,
    TextRow,
)
from gpt_studio.gui.problems import ProblemStrip
from gpt_studio.gui.theme import LIGHT, color, look
from gpt_studio.gui.widgets import Hairline


class Owner(QWidget):
    """A window that holds a config and gives every edit back to its form, as the real one does."""

    def __init__(self, config, explain=lambda name: "", parts=None) -> None:
        super().__init__()
        self.config = config
        self.edits: list[dict] = []
        self.form = Form(type(config), explain, parts)
        layout = QVBoxLayout(self)
        layout.addWidget(self.form)
        layout.addStretch(1)
        self.form.edited.connect(self.take)
        self.show_config()

    def take(self, changes) -> None:
        self.edits.append(changes)
        self.config = self.config.changed(**changes)
        self.show_config()

    def show_config(self) -> None:
        self.form.show_config(self.config, self.config.problems())

    def row(self, name):
        return self.form.rows[name]


@pytest.fixture
def model(qtbot):
    owner = Owner(GPTConfig())
    qtbot.addWidget(owner)
    owner.resize(300, 700)
    with qtbot.waitExposed(owner):
        owner.show()
    owner.activateWindow()
    return owner


def type_into(field: QLineEdit, text: str) -> None:
    field.selectAll()
    QTest.keyClicks(field, text)


def shown(form: Form) -> dict[str, object]:
    """What a person reads in every row, as values."""
    values: dict[str, object] = {}
    for name, row in form.rows.items():
        if isinstance(row, NumberRow):
            text = row.field.text().removeprefix(row.setting.prefix).replace("−", "-")
            values[name] = int(float(text)) if row.setting.kind == "int" else float(text)
        elif isinstance(row, ChoiceSettingRow):
            values[name] = row.choice.value()
        elif isinstance(row, SwitchRow):
            values[name] = row.switch.isChecked()
        elif isinstance(row, TextRow):
            values[name] = row.field.text()
    return values


def strips(widget: QWidget) -> list[ProblemStrip]:
    return [strip for strip in widget.findChildren(ProblemStrip) if not strip.isHidden()]


# ---------------------------------------------------------------- what it is made of


@pytest.mark.parametrize("config", [GPTConfig(), TrainConfig(), SampleConfig()])
def test_every_shown_field_has_a_row_with_its_value(qtbot, config):
    owner = Owner(config)
    qtbot.addWidget(owner)
    names = [name for name, setting in settings_of(type(config)).items() if setting.shown]
    assert list(owner.form.rows) == names
    assert shown(owner.form) == {name: getattr(config, name) for name in names}


@pytest.mark.parametrize(("config", "lines"), [(GPTConfig(), 1), (SampleConfig(), 1)])
def test_hairlines_part_numbers_from_switches_and_choices(qtbot, config, lines):
    owner = Owner(config)
    qtbot.addWidget(owner)
    assert len(owner.form.findChildren(Hairline)) == lines


def test_tab_goes_from_top_to_bottom_with_the_fixes_in_between(model, qtbot):
    model.take({"embed_size": 100})
    model.row("num_layers").slider.setFocus()
    (strip,) = strips(model)
    visited, reached = [], []
    for _ in range(12):
        widget = QApplication.focusWidget()
        assert widget is not None
        reached.append(widget)
        visited.append(widget.mapTo(model, widget.rect().center()))
        QTest.keyClick(widget, Qt.Key.Key_Tab)
    assert reached[6:8] == strip.buttons
    assert visited == sorted(visited, key=lambda at: (round(at.y() / 10), at.x()))
    assert QApplication.focusWidget() is not model.row("num_layers").slider


def test_every_control_has_a_name_a_description_and_a_buddy(model):
    for row in model.form.rows.values():
        assert row.label.buddy() is row.editor()
        for editor in row.tab_stops():
            assert row.setting.label in editor.accessibleName() + editor.accessibleDescription()
        assert row.setting.help in row.editor().accessibleDescription()


# ---------------------------------------------------------------- typing


def test_each_keystroke_that_makes_a_number_is_an_edit(model):
    type_into(model.row("num_layers").field, "24")
    assert model.edits == [{"num_layers": 2}, {"num_layers": 24}]


def test_what_is_typed_is_not_rewritten_on_the_way(model):
    field = model.row("dropout").field
    field.setFocus()
    field.selectAll()
    for so_far, key in (("0", "0"), ("0.", "."), ("0.1", "1"), ("0.15", "5")):
        QTest.keyClicks(field, key)
        assert field.text() == so_far
    assert model.config.dropout == 0.15


def test_scientific_numbers_are_understood_and_shown(qtbot):
    owner = Owner(TrainConfig())
    qtbot.addWidget(owner)
    field = owner.row("learning_rate").field
    type_into(field, "2.5e-4")
    assert owner.config.learning_rate == 2.5e-4
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert field.text() == "2.5e−4"
    type_into(field, "1.0")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert field.text() == "1"


def test_text_that_is_no_number_leaves_the_old_value_in_force(model):
    field = model.row("num_layers").field
    field.setFocus()
    type_into(field, "many")
    assert (model.edits, field.text()) == ([], "many")
    assert color("warn").name() in field.styleSheet().lower()
    model.show_config()
    assert field.text() == "many"  # nobody takes it away while it is being typed
    model.row("heads").slider.setFocus()
    assert (field.text(), field.styleSheet()) == ("12", "")


def test_leaving_an_unchanged_field_is_no_edit(qtbot):
    owner = Owner(TrainConfig(learning_rate=1 / 3000, weight_decay=1 / 3))
    qtbot.addWidget(owner)
    for name in ("learning_rate", "weight_decay"):
        QTest.keyClick(owner.row(name).field, Qt.Key.Key_Return)
    assert owner.edits == []


def test_a_long_number_is_not_cut_off(qtbot):
    owner = Owner(TrainConfig(steps=10_000_000))
    qtbot.addWidget(owner)
    field = owner.row("steps").field
    assert field.fontMetrics().horizontalAdvance("10000000") < field.width() - look.px(12)
    owner.take({"steps": 5})
    assert field.width() == look.px(60)
    type_into(field, "9e300")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert field.width() == look.px(WIDEST_FIELD)  # nothing typed widens the window


# ---------------------------------------------------------------- what is wrong


def test_a_value_out_of_range_stays_and_is_explained_under_its_row(model):
    type_into(model.row("num_layers").field, "960")
    assert model.config.num_layers == 960
    (strip,) = strips(model)
    assert model.row("num_layers").isAncestorOf(strip)
    assert [button.text() for button in strip.buttons] == ["Use 96"]
    assert "between 1 and 96" in model.row("num_layers").field.accessibleDescription()
    assert color("warn").name() in model.row("num_layers").field.styleSheet().lower()
    assert model.row("heads").field.isEnabled()


def test_a_fix_repairs_it_and_the_keyboard_stays_in_the_row(model, qtbot):
    model.take({"embed_size": 100})
    (strip,) = strips(model)
    assert [button.text() for button in strip.buttons] == ["Use 96", "Use 108"]
    qtbot.mouseClick(strip.buttons[1], Qt.MouseButton.LeftButton)
    assert model.config.embed_size == 108
    assert strips(model) == []
    assert model.row("embed_size").field.styleSheet() == ""
    assert QApplication.focusWidget() is model.row("embed_size").field


def test_a_strip_makes_room_for_itself(model, qtbot):
    heads, before = model.row("forward_expansion"), model.row("forward_expansion").y()
    model.take({"embed_size": 100})
    (strip,) = strips(model)
    qtbot.waitUntil(lambda: heads.y() >= before + strip.height() > before)
    assert strip.height() == strip.heightForWidth(strip.width())
    two_lines = strip.height()
    model.resize(220, 800)
    qtbot.waitUntil(lambda: strip.height() > two_lines)
    assert strip.height() == strip.heightForWidth(strip.width())


# ---------------------------------------------------------------- sliders


def test_arrow_keys_on_a_slider_go_from_stop_to_stop(model):
    slider = model.row("num_layers").slider
    QTest.keyClick(slider, Qt.Key.Key_Right)
    QTest.keyClick(slider, Qt.Key.Key_Left)
    QTest.keyClick(slider, Qt.Key.Key_Left)
    assert [edit["num_layers"] for edit in model.edits] == [16, 12, 10]
    assert all(type(edit["num_layers"]) is int for edit in model.edits)


def test_from_between_two_stops_the_nearest_one_is_next(model):
    slider = model.row("num_layers").slider
    model.take({"num_layers": 13})
    low, high = slider.stops().index(12), slider.stops().index(16)
    assert low < slider.value() / slider.singleStep() < high
    QTest.keyClick(slider, Qt.Key.Key_Right)
    model.take({"num_layers": 13})
    QTest.keyClick(slider, Qt.Key.Key_Left)
    assert [edit["num_layers"] for edit in model.edits] == [13, 16, 13, 12]


def drag(widget: QWidget, at: QPoint) -> None:
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    local, everywhere = QPointF(at), QPointF(widget.mapToGlobal(at))
    QApplication.sendEvent(widget, QMouseEvent(QEvent.Type.MouseMove, local, everywhere, left, left, none))


def test_dragging_lands_on_stops_only(model, qtbot):
    slider = model.row("max_length").slider
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(2, 12))
    for x in range(2, slider.width(), 5):
        drag(slider, QPoint(x, 12))
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() - 2, 12))
    seen = [edit["max_length"] for edit in model.edits]
    assert seen == sorted(seen)
    assert set(seen) <= set(model.row("max_length").setting.stops)
    assert len(seen) >= 5


def test_stops_of_a_rate_are_round_numbers(qtbot):
    owner = Owner(TrainConfig(learning_rate=1e-6))
    qtbot.addWidget(owner)
    for _ in range(23):
        QTest.keyClick(owner.row("learning_rate").slider, Qt.Key.Key_Right)
    assert [len(repr(edit["learning_rate"])) < 8 for edit in owner.edits] == [True] * 23


@given(st.integers(1, 4096), st.sampled_from([1, 7, 12, 25]), st.integers(-3, 200))
def test_the_slider_of_heads_offers_divisors_only(embed, heads, layers):
    config = GPTConfig(embed_size=embed, heads=heads, num_layers=layers)
    setting = settings_of(GPTConfig)["heads"]
    assert harmless_stops(config, setting) == tuple(stop for stop in setting.stops if embed % stop == 0)


def test_the_slider_of_the_embedding_offers_every_size(model):
    model.take({"heads": 25})
    row = model.row("embed_size")
    assert row.slider.stops() == row.setting.stops
    model.take({"embed_size": 100})
    assert model.row("heads").slider.stops() == (1, 2, 4, 20, 25)


# ---------------------------------------------------------------- mouse and lock


def wheel_over(widget: QWidget) -> None:
    at = QPointF(widget.rect().center())
    event = QWheelEvent(
        at,
        QPointF(widget.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


@pytest.mark.parametrize("config", [GPTConfig(), TrainConfig()])
def test_the_wheel_scrolls_and_never_edits_what_has_no_focus(qtbot, config):
    owner = Owner(config)
    qtbot.addWidget(owner)
    for row in owner.form.rows.values():
        for control in row.tab_stops():
            wheel_over(control)
    assert owner.edits == []


def test_a_switch_is_as_wide_as_its_row(model, qtbot):
    row = model.row("bias")
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton, pos=QPoint(row.width() // 2, row.height() // 2))
    qtbot.mouseClick(row.label, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(row.switch, Qt.MouseButton.LeftButton)
    assert model.edits == [{"bias": False}, {"bias": True}, {"bias": False}]


REASON = "Because of a test."


def lock_all(form: Form, reason: str = REASON) -> None:
    form.set_locked(dict.fromkeys(form.rows, reason))


def controls(row: FormRow) -> list[QWidget]:
    """Whatever edits a row while it is not locked."""
    row.set_lock("")
    found = row.tab_stops()
    row.set_lock(REASON)
    return found


@pytest.mark.parametrize("config", [GPTConfig(), TrainConfig()])
def test_locked_rows_take_no_edit_and_show_their_values(qtbot, config):
    owner = Owner(config)
    qtbot.addWidget(owner)
    lock_all(owner.form)
    for row in owner.form.rows.values():
        qtbot.mouseClick(row.label, Qt.MouseButton.LeftButton)
        for control in (row, *controls(row)):
            qtbot.mouseClick(control, Qt.MouseButton.LeftButton)
            for key in (Qt.Key.Key_Up, Qt.Key.Key_Right, Qt.Key.Key_Space, Qt.Key.Key_1):
                qtbot.keyClick(control, key)
    assert owner.edits == []
    assert shown(owner.form) == {name: getattr(config, name) for name in owner.form.rows}
    owner.form.set_locked({})
    name, row = next(iter(owner.form.rows.items()))
    QTest.keyClick(row.field, Qt.Key.Key_Up)
    assert owner.edits == [{name: getattr(config, name) + 1}]


def test_only_the_rows_named_are_locked_each_for_its_reason(qtbot):
    owner = Owner(TrainConfig())
    qtbot.addWidget(owner)
    owner.form.set_locked({"batch_size": "Too late.", "seed": "Far too late.", "compile": "Not now."})
    assert {name: row.lock for name, row in owner.form.rows.items() if row.lock} == {
        "batch_size": "Too late.", "seed": "Far too late.", "compile": "Not now.",
    }  # fmt: skip
    for name, reason in (("batch_size", "Too late."), ("compile", "Not now.")):
        assert reason in owner.row(name).editor().toolTip()
        assert f"Locked. {reason}" in owner.row(name).editor().accessibleDescription()
        assert f"Locked. {reason}" in owner.row(name).accessibleDescription()
    assert owner.row("batch_size").accessibleName() == "Batch size 16"
    assert owner.row("compile").accessibleName() == "Compile the model off"
    QTest.keyClick(owner.row("steps").field, Qt.Key.Key_Up)
    QTest.keyClick(owner.row("batch_size").field, Qt.Key.Key_Up)
    owner.row("compile").switch.click()
    assert owner.edits == [{"steps": 1001}]
    owner.form.set_locked({"seed": "Far too late."})
    assert owner.row("batch_size").editor().toolTip() == ""
    assert "Locked" not in owner.row("batch_size").field.accessibleDescription()


def test_what_a_locked_row_says_follows_its_value(qtbot):
    owner = Owner(TrainConfig())
    qtbot.addWidget(owner)
    lock_all(owner.form)
    owner.take({"batch_size": 8, "optimizer": "muon", "sample_prompt": "Once"})
    names = ("batch_size", "optimizer", "sample_prompt")
    said = [owner.row(name).accessibleName() for name in names]
    assert said == ["Batch size 8", "Optimizer Muon", "Sample prompt Once"]


def test_the_keyboard_comes_to_a_locked_row_and_reads_why(explained, qtbot):
    explained.activateWindow()
    explained.form.set_locked({"heads": "Needs a new model."})
    explained.row("num_layers").field.setFocus()
    qtbot.waitUntil(explained.row("num_layers").field.hasFocus)
    QTest.keyClick(explained.row("num_layers").field, Qt.Key.Key_Tab)
    row = explained.row("heads")
    assert row.hasFocus()
    qtbot.waitUntil(lambda: "Needs a new model." in card_text(explained))
    assert row.setting.help in card_text(explained)
    assert "measured" not in card_text(explained)  # what another value would cost does not matter now
    edge = row.grab().toImage().pixelColor(row.width() // 2, 0)
    assert abs(edge.lightness() - color("accent").lightness()) < 40
    QTest.keyClick(row, Qt.Key.Key_Tab)
    assert explained.row("embed_size").slider.hasFocus()
    assert card_text(explained) == ""


def test_leading_to_a_locked_field_leads_to_its_row(model, qtbot):
    lock_all(model.form)
    model.form.focus_field("bias")
    qtbot.waitUntil(model.row("bias").hasFocus)


# ---------------------------------------------------------------- parts that fold

PARTS = {
    "num_layers": Part(),
    "max_length": Part("Size", lambda config: f"context {config.max_length}"),
    "bias": Part(),
}


@pytest.fixture
def folded(qtbot):
    owner = Owner(GPTConfig(), parts=PARTS)
    qtbot.addWidget(owner)
    owner.resize(300, 700)
    with qtbot.waitExposed(owner):
        owner.show()
    owner.activateWindow()
    return owner


def test_a_part_with_a_title_is_folded_and_says_what_is_inside(folded, qtbot):
    part = folded.form.part_of("max_length")
    assert not folded.row("max_length").isVisible()
    assert folded.row("heads").isVisible()
    assert folded.row("bias").isVisible()
    assert part.fold.accessibleDescription() == "context 1024"
    folded.take({"max_length": 512})
    assert part.fold.accessibleDescription() == "context 512"
    qtbot.mouseClick(part.fold, Qt.MouseButton.LeftButton)
    assert folded.row("max_length").isVisible()
    qtbot.mouseClick(part.fold, Qt.MouseButton.LeftButton)
    assert not folded.row("max_length").isVisible()


def test_what_is_wrong_is_not_folded_away(folded):
    folded.take({"max_length": 0})
    assert folded.row("max_length").isVisible()
    folded.form.part_of("max_length").fold.setChecked(False)
    folded.take({"dropout": 0.2})
    assert not folded.row("max_length").isVisible()  # who has seen it may fold it away


def test_leading_to_a_folded_field_unfolds_it(folded, qtbot):
    folded.form.focus_field("max_length")
    qtbot.waitUntil(folded.row("max_length").field.hasFocus)


def test_tab_passes_through_the_titles(folded, qtbot):
    before, fold = folded.row("forward_expansion"), folded.form.part_of("max_length").fold
    before.field.setFocus()
    QTest.keyClick(before.field, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is fold
    QTest.keyClick(fold, Qt.Key.Key_Space)
    QTest.keyClick(fold, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is folded.row("max_length").slider


def test_editors_of_a_part_begin_right_of_its_longest_label(qtbot):
    owner = Owner(TrainConfig(), parts={"steps": Part(), "evaluate_every": Part(), "seed": Part()})
    qtbot.addWidget(owner)
    owner.resize(300, 1200)
    with qtbot.waitExposed(owner):
        owner.show()
    for scale in (1.0, 1.5):
        look.apply(LIGHT, scale)
        owner.grab()
        for name in ("evaluate_every", "save_every", "keep", "sample_prompt"):
            label = owner.row(name).label
            assert label.width() == owner.row("keep").label.width()
            assert label.width() >= label.sizeHint().width()
        assert owner.row("steps").label.width() == look.px(96)


def test_four_choices_stand_below_their_label_where_there_is_no_room(qtbot):
    owner = Owner(TrainConfig())
    qtbot.addWidget(owner)
    row = owner.row("schedule")
    assert [row.choice.button(name).text() for name in ("cosine", "wsd", "linear", "constant")] == [
        "Cosine", "WSD", "Linear", "Flat",
    ]  # fmt: skip
    owner.show()
    for width, below in ((280, False), (236, True), (300, False)):
        owner.resize(width + 2 * owner.layout().contentsMargins().left(), 1200)
        qtbot.waitUntil(lambda width=width: row.width() == width)
        qtbot.waitUntil(lambda below=below: row.height() == look.px(57 if below else 36))
        label, choice = (part.mapTo(row, QPoint(0, 0)) for part in (row.label, row.choice))
        assert (choice.y() >= label.y() + row.label.sizeHint().height()) == below
        assert choice.x() + row.choice.width() <= row.width()
        assert choice.y() + row.choice.height() <= row.height()
        if not below:
            assert label.x() + row.label.sizeHint().width() <= choice.x()


# ---------------------------------------------------------------- the card about a setting


def card_text(owner: Owner) -> str:
    return "".join(card.accessibleName() for card in owner.findChildren(HelpCard) if card.isVisible())


@pytest.fixture
def explained(qtbot):
    owner = Owner(GPTConfig(), explain=lambda name: f"measured for {name}")
    qtbot.addWidget(owner)
    owner.resize(300, 700)
    with qtbot.waitExposed(owner):
        owner.show()
    return owner


def test_pointing_at_a_label_explains_the_setting(explained, qtbot):
    row = explained.row("num_layers")
    row.label.entered.emit()
    assert card_text(explained) == ""  # not at once
    qtbot.waitUntil(lambda: "measured for num_layers" in card_text(explained))
    assert row.setting.help in card_text(explained)
    assert row.setting.cost in card_text(explained)
    row.label.left.emit()
    assert card_text(explained) == ""


def test_f1_explains_and_an_edit_or_escape_takes_it_away(explained):
    row = explained.row("heads")
    QTest.keyClick(row.field, Qt.Key.Key_F1)
    assert "measured for heads" in card_text(explained)
    assert "measured for heads" in row.field.accessibleDescription()
    QTest.keyClick(row.field, Qt.Key.Key_Escape)
    assert card_text(explained) == ""
    QTest.keyClick(row.field, Qt.Key.Key_F1)
    QTest.keyClick(row.field, Qt.Key.Key_Up)
    assert card_text(explained) == ""


def test_the_card_goes_with_the_focus(explained, qtbot):
    explained.activateWindow()
    explained.row("heads").field.setFocus()
    qtbot.waitUntil(explained.row("heads").field.hasFocus)
    QTest.keyClick(explained.row("heads").field, Qt.Key.Key_F1)
    assert card_text(explained)
    QTest.keyClick(explained.row("heads").field, Qt.Key.Key_Tab)
    assert card_text(explained) == ""


def test_the_card_stays_inside_the_window(explained):
    QTest.keyClick(explained.row("bias").switch, Qt.Key.Key_F1)
    (card,) = explained.findChildren(HelpCard)
    inside = card.card().translated(card.pos())
    assert explained.rect().contains(inside)
    assert inside.height() > 40


# ---------------------------------------------------------------- of one mind


def test_the_form_survives_theme_and_size(model):
    model.take({"embed_size": 100})
    look.apply(LIGHT, 1.5)
    model.resize(450, 1000)
    model.grab()
    assert LIGHT.warn in model.row("embed_size").field.styleSheet()
    assert model.row("bias").height() == look.px(29)
    assert shown(model.form)["embed_size"] == 100


TEXTS = st.text("0123456789.e-x ", min_size=1, max_size=6)
KEYS = st.sampled_from(
    [Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp]
)
ACTIONS = st.one_of(
    st.tuples(st.just("type"), TEXTS),
    st.tuples(st.just("slide"), KEYS),
    st.tuples(st.just("step"), st.sampled_from([Qt.Key.Key_Up, Qt.Key.Key_Down])),
    st.tuples(st.just("fix"), st.integers(0, 1)),
    st.tuples(st.just("click"), st.none()),
)


def act(row, action: str, argument) -> None:
    if action == "click" and isinstance(row, SwitchRow):
        row.switch.click()
    elif action == "fix" and (found := strips(row)):
        found[0].buttons[min(argument, len(found[0].buttons) - 1)].click()
    elif isinstance(row, ChoiceSettingRow):
        row.choice.step(Qt.Key.Key_Right)
    elif isinstance(row, TextRow) and action == "type":
        type_into(row.field, argument)
    elif isinstance(row, NumberRow):
        if action == "type":
            type_into(row.field, argument)
            QTest.keyClick(row.field, Qt.Key.Key_Return)
        elif action == "step":
            QTest.keyClick(row.field, argument)
        elif action == "slide" and row.slider:
            QTest.keyClick(row.slider, argument)


@settings(max_examples=40)
@given(st.data())
def test_any_edits_leave_form_and_config_of_one_mind(qapp, data):
    owner = Owner(data.draw(st.sampled_from([GPTConfig(), TrainConfig(), SampleConfig()])))
    names = list(owner.form.rows)
    edits = st.lists(st.tuples(st.sampled_from(names), ACTIONS), max_size=8)
    for edited, (action, argument) in data.draw(edits):
        act(owner.row(edited), action, argument)
        assert shown(owner.form) == {name: getattr(owner.config, name) for name in names}
        explained = {name for name in names if strips(owner.row(name))}
        assert explained == owner.config.problems().keys() & set(names)
    shiboken6.delete(owner)
