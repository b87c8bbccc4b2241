"""The generic widgets by keyboard, mouse and assistive tool, in both themes and all sizes."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QAccessible, QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from gpt_studio.gui.buttons import Button, LinkButton, ToolButton
from gpt_studio.gui.choices import Segmented, TabRow
from gpt_studio.gui.inputs import Combo, NumberField
from gpt_studio.gui.layouts import Column, FlowLayout
from gpt_studio.gui.theme import DARK, LIGHT, look
from gpt_studio.gui.toggles import CheckBox, Slider, Switch
from gpt_studio.gui.widgets import (
    Card,
    ElidedLabel,
    EmptyState,
    Floating,
    KeyValueRow,
    Label,
    Menu,
    Surface,
    Tile,
)

UNITS = {"model": "Model", "training": "Training"}


@pytest.fixture(autouse=True)
def plain_look(qapp: QApplication):
    look.apply(DARK)
    look.motion = False
    yield
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    look.apply(DARK)
    look.motion = True


def accessible(widget: QWidget) -> QAccessible:
    return QAccessible.queryAccessibleInterface(widget)


def colors(widget: QWidget) -> set[str]:
    picture = widget.grab().toImage()
    return {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}


def picture(qtbot, widget: QWidget) -> QImage:
    qtbot.addWidget(widget)
    widget.resize(widget.sizeHint())
    return widget.grab().toImage()


def wheel(widget: QWidget, by: int = 120) -> bool:
    """Turn the wheel over a widget; True if the widget kept the event."""
    at = QPointF(widget.rect().center())
    event = QWheelEvent(
        at,
        QPointF(widget.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, by),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    event.ignore()
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


MAKERS = {
    "button": lambda: Button("Train", "primary", "train"),
    "quiet button": lambda: Button("New", "quiet", "new"),
    "tool button": lambda: ToolButton("sun", "Switch theme"),
    "link": lambda: LinkButton("All 24"),
    "segmented": lambda: Segmented(UNITS, "Settings"),
    "small segmented": lambda: Segmented(UNITS, "Settings", small=True),
    "tabs": lambda: TabRow(UNITS, "Pages"),
    "switch": lambda: Switch("Bias terms"),
    "checkbox": lambda: CheckBox("Tiny stories"),
    "slider": lambda: Slider("Layers"),
    "number": lambda: NumberField("Layers", 12),
    "combo": lambda: Combo("Preset"),
    "label": lambda: Label("Layers"),
    "card": lambda: Card("Loss", "nats"),
    "tile": lambda: Tile("Step"),
    "row": lambda: KeyValueRow("Compute", "860"),
    "empty": lambda: EmptyState("Nothing yet", "Press Train."),
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_widget_follows_theme_and_size(qtbot, name):
    old = MAKERS[name]()
    dark = picture(qtbot, old)
    look.apply(LIGHT, 1.5)
    assert picture(qtbot, old) == picture(qtbot, MAKERS[name]())
    assert picture(qtbot, old) != dark


def test_a_deleted_widget_no_longer_follows(qtbot):
    parent = QWidget()
    for make in MAKERS.values():
        make().setParent(parent)
    parent.deleteLater()
    with qtbot.waitSignal(parent.destroyed):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    look.apply(LIGHT)


def test_button_goes_compact_and_keeps_its_name(qtbot):
    button = Button("Train", "primary", "train")
    qtbot.addWidget(button)
    wide = button.sizeHint().width()
    button.set_compact(True)
    assert button.sizeHint().width() < wide
    assert button.toolTip() == "Train"
    button.setText("Pause")
    assert (button.toolTip(), accessible(button).text(QAccessible.Text.Name)) == ("Pause", "Pause")
    button.set_compact(False)
    assert button.toolTip() == ""
    assert button.sizeHint().width() >= wide


def test_only_the_primary_kind_is_filled_with_the_accent(qtbot):
    for kind in ("primary", "tonal", "secondary", "quiet", "stop"):
        button = Button("Train", kind, "train")
        qtbot.addWidget(button)
        button.resize(button.sizeHint())
        assert (DARK.fill.lower() in colors(button)) == (kind == "primary")


def test_tool_button_names_itself_and_toggles(qtbot):
    button = ToolButton("drop", "Tint by surprise", checkable=True)
    qtbot.addWidget(button)
    assert accessible(button).text(QAccessible.Text.Name) == button.toolTip() == "Tint by surprise"
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert button.isChecked()


@pytest.mark.parametrize("kind", [Segmented, TabRow])
def test_choice_row_by_mouse_keyboard_and_program(qtbot, kind):
    row = kind({"a": "Alpha", "b": "Beta", "c": "Gamma"}, "Letters")
    qtbot.addWidget(row)
    chosen = []
    row.changed.connect(chosen.append)
    assert row.value() == "a"
    qtbot.mouseClick(row.button("b"), Qt.MouseButton.LeftButton)
    assert (row.value(), chosen) == ("b", ["b"])
    qtbot.mouseClick(row.button("b"), Qt.MouseButton.LeftButton)
    qtbot.keyClick(row.button("b"), Qt.Key.Key_Right)
    qtbot.keyClick(row.button("c"), Qt.Key.Key_Right)
    assert (row.value(), chosen) == ("a", ["b", "c", "a"])
    row.set_value("c")
    assert (row.value(), len(chosen)) == ("c", 3)


def test_segments_are_radio_buttons_to_assistive_tools(qtbot):
    row = Segmented(UNITS, "Settings")
    qtbot.addWidget(row)
    first, second = (accessible(row.button(name)) for name in UNITS)
    assert first.role() == QAccessible.Role.RadioButton
    assert first.text(QAccessible.Text.Name) == "Model"
    assert first.state().checked
    assert not second.state().checked
    assert accessible(row).text(QAccessible.Text.Name) == "Settings"


def test_tab_enters_a_row_at_its_chosen_option(qtbot):
    row = Segmented(UNITS, "Settings")
    qtbot.addWidget(row)
    row.set_value("training")
    policies = [row.button(name).focusPolicy() for name in UNITS]
    assert policies == [Qt.FocusPolicy.NoFocus, Qt.FocusPolicy.StrongFocus]


def test_switch_toggles_anywhere_and_tells_its_state(qtbot):
    switch = Switch("Bias terms")
    qtbot.addWidget(switch)
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert switch.isChecked()
    assert DARK.fill.lower() in colors(switch)
    interface = accessible(switch)
    assert interface.role() == QAccessible.Role.CheckBox
    assert interface.text(QAccessible.Text.Name) == "Bias terms"
    assert interface.state().checked
    qtbot.keyClick(switch, Qt.Key.Key_Space)
    assert not switch.isChecked()


def test_slider_by_mouse_keyboard_and_assistive_tool(qtbot):
    slider = Slider("Layers", 1, 12)
    qtbot.addWidget(slider)
    slider.resize(120, 24)
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(119, 12))
    assert slider.value() == 12
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(60, 12))
    assert slider.value() in (6, 7)
    before = slider.value()
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert slider.value() == before + 1
    interface = accessible(slider)
    assert interface.role() == QAccessible.Role.Slider
    assert interface.text(QAccessible.Text.Name) == "Layers"
    assert interface.valueInterface().currentValue() == before + 1


@pytest.mark.parametrize("make", [lambda: Slider("Layers"), lambda: NumberField("Layers", 5), None])
def test_wheel_belongs_to_the_page_without_focus(qtbot, make):
    widget = make() if make else filled_combo()
    qtbot.addWidget(widget)
    assert not widget.hasFocus()
    assert not wheel(widget)
    assert widget.value() == (filled_combo().value() if make is None else make().value())


def test_wheel_steps_a_field_that_has_focus(qtbot):
    window = QMainWindow()
    field = NumberField("Layers", 5)
    window.setCentralWidget(field)
    qtbot.addWidget(window)
    window.show()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    wheel(field)
    assert field.value() == 6


def typed(qtbot, field: NumberField, text: str) -> list:
    told = []
    field.committed.connect(told.append)
    field.selectAll()
    qtbot.keyClick(field, Qt.Key.Key_Delete)
    field.insert(text)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    field.committed.disconnect()
    return told


@pytest.mark.parametrize(
    ("text", "told"),
    [("24", [24]), (" 1\u202f024 ", [1024]), ("1,024", [1024]), ("1e3", [1000]), ("−3", [-3]), ("12", [])],
)
def test_whole_field_reads_what_people_type(qtbot, text, told):
    field = NumberField("Layers", 12)
    qtbot.addWidget(field)
    assert typed(qtbot, field, text) == told
    assert all(type(value) is int for value in told)


@pytest.mark.parametrize("text", ["", "twelve", "1.5", "nan", "inf", "1e999", "--3"])
def test_what_is_no_number_goes_back(qtbot, text):
    field = NumberField("Layers", 12)
    qtbot.addWidget(field)
    assert typed(qtbot, field, text) == []
    assert (field.value(), field.text()) == (12, "12")


@pytest.mark.parametrize("value", [5e-7, 6e-4, 1.23456789e-5, 0.1 + 0.2, 3e8])
def test_float_field_never_rounds_a_value_by_being_left(qtbot, value):
    for scientific in (False, True):
        field = NumberField("Rate", value, whole=False, decimals=2, scientific=scientific)
        qtbot.addWidget(field)
        shown = field.text()
        assert float(shown.replace("−", "-")) == pytest.approx(value, rel=1e-11)
        told = typed(qtbot, field, shown)
        assert told == [] or told[0] == pytest.approx(value, rel=1e-11)


def test_field_shows_scientific_and_decimal_comma(qtbot):
    field = NumberField("Rate", 6e-4, whole=False, scientific=True)
    qtbot.addWidget(field)
    assert field.text() == "6e−4"
    assert typed(qtbot, field, "2,5e-4") == [2.5e-4]
    assert field.text() == "2.5e−4"


def test_arrow_keys_step_and_shift_steps_ten(qtbot):
    field = NumberField("Dropout", 0.1, whole=False, decimals=2, step=0.01)
    qtbot.addWidget(field)
    told = []
    field.committed.connect(told.append)
    qtbot.keyClick(field, Qt.Key.Key_Up)
    qtbot.keyClick(field, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert told == [0.11, 0.01]
    assert field.text() == "0.01"


def test_field_prefix_is_shown_and_may_be_typed(qtbot):
    field = NumberField("Feed-forward", 4, prefix="× ")
    qtbot.addWidget(field)
    assert field.text() == "× 4"
    assert typed(qtbot, field, "× 8") == [8]
    assert typed(qtbot, field, "2") == [2]


def test_problem_and_lock_change_the_outline(qtbot):
    field = NumberField("Embedding", 100)
    qtbot.addWidget(field)
    field.resize(60, 26)
    assert DARK.warn.lower() not in colors(field)
    field.set_problem(True)
    assert DARK.warn.lower() in colors(field)
    look.apply(LIGHT)
    assert LIGHT.warn.lower() in colors(field)
    field.set_problem(False)
    field.set_locked(True)
    assert LIGHT.input.lower() not in colors(field)
    qtbot.keyClick(field, Qt.Key.Key_Up)
    assert field.value() == 100


def filled_combo() -> Combo:
    combo = Combo("Preset")
    combo.set_items([("tiny", "Tiny", "0.8 M"), ("gpt2", "GPT-2", "124 M"), ("custom", "Custom", "")])
    return combo


def test_combo_speaks_values_and_keeps_the_choice(qtbot):
    combo = filled_combo()
    qtbot.addWidget(combo)
    told = []
    combo.changed.connect(told.append)
    combo.set_value("gpt2")
    assert (combo.value(), told) == ("gpt2", [])
    combo.set_items([("gpt2", "GPT-2", "124 M"), ("large", "Large", "774 M")])
    assert combo.value() == "gpt2"
    qtbot.keyClick(combo, Qt.Key.Key_Down)
    assert (combo.value(), told) == ("large", ["large"])
    combo.set_value("unknown")
    assert combo.value() == "large"
    assert combo.accessibleName() == "Preset"  # on Linux assistive tools are given the value as the name
    assert accessible(combo).role() == QAccessible.Role.ComboBox
    assert accessible(combo).text(QAccessible.Text.Value) == "Large"


@pytest.mark.qt_log_ignore("This plugin does not support")  # offscreen has no windows to raise
def test_combo_popup_offers_every_item(qtbot):
    combo = filled_combo()
    qtbot.addWidget(combo)
    told = []
    combo.changed.connect(told.append)
    combo.show()
    combo.showPopup()
    view = combo.view()
    qtbot.waitUntil(view.isVisible)
    assert DARK.raised.lower() in colors(view)
    row = view.visualRect(view.model().index(1, 0))
    assert row.height() == look.px(30)
    qtbot.mouseMove(view.viewport(), row.center())
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=row.center())
    assert (combo.value(), told) == ("gpt2", ["gpt2"])
    combo.hidePopup()


def test_tile_says_unknown_until_it_knows(qtbot):
    tile = Tile("Train loss")
    qtbot.addWidget(tile)
    assert tile.value() == "—"
    assert accessible(tile).text(QAccessible.Text.Name) == "Train loss: —"
    tile.set_value("3.339", caption="best · step 12 000", role="ok")
    assert accessible(tile).text(QAccessible.Text.Name) == "Train loss: 3.339"
    assert accessible(tile).text(QAccessible.Text.Description) == "best · step 12 000"
    tile.resize(130, tile.sizeHint().height())
    assert DARK.ok.lower() in colors(tile)
    tile.set_value("")
    assert tile.value() == "—"


def test_long_captions_do_not_widen_anything(qtbot):
    card = Card("Preview", "a very long caption " * 20)
    tile = Tile("A label that is long as well")
    tile.set_value("12 400", "/ 20 000", "a long caption for one tile " * 5)
    for widget in (card, tile, ElidedLabel("word " * 50)):
        qtbot.addWidget(widget)
        assert widget.minimumSizeHint().width() < 140


def test_floating_card_stays_inside_its_window(qtbot):
    window = Surface("canvas")
    qtbot.addWidget(window)
    window.resize(300, 200)
    card = Floating(window)
    Column(parent=card).addWidget(Label("token"))
    card.adjustSize()
    for corner in (QPoint(-500, -500), QPoint(900, 900), QPoint(20, 30)):
        card.place(corner)
        assert window.rect().contains(card.card().translated(card.pos()))
    assert card.card().translated(card.pos()).topLeft() == QPoint(20, 30)
    assert not card.isWindow()


def test_flow_layout_breaks_rows(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    flow = FlowLayout(widget, spacing=10)
    buttons = [Button(f"Prompt {i}", height=26) for i in range(6)]
    for button in buttons:
        flow.addWidget(button)
    one = buttons[0].sizeHint()
    assert flow.heightForWidth(10_000) == one.height()
    two_per_row = 2 * buttons[0].sizeHint().width() + 30
    assert flow.heightForWidth(two_per_row) == 3 * one.height() + 20
    flow.setGeometry(QRect(0, 0, two_per_row, 200))
    assert buttons[2].pos() == QPoint(0, one.height() + 10)


def test_menu_takes_the_interface_font(qtbot):
    menu = Menu()
    qtbot.addWidget(menu)
    look.apply(DARK, 1.5)
    assert menu.font().pixelSize() == 20


def test_label_role_changes_its_color(qtbot):
    label = Label("Fits", "strong", "ok")
    qtbot.addWidget(label)
    assert label.palette().windowText().color() == QColor(DARK.ok)
    label.set_role("bad")
    assert label.palette().windowText().color() == QColor(DARK.bad)
    look.apply(LIGHT)
    assert label.palette().windowText().color() == QColor(LIGHT.bad)
