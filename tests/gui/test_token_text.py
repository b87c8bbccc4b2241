"""Tokens as text: nothing is lost or overlaps, words stay whole, and pointer, keys and themes work."""

from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QScrollArea, QWidget

from gpt_studio.gui.theme import DARK, LIGHT, look, surprise, token_tint
from gpt_studio.gui.token_flow import Flow
from gpt_studio.gui.token_popover import PopoverRow, TokenPopover, visible
from gpt_studio.gui.token_text import Span, TokenText

TEXT = [
    "Once", " upon", " a", " time", " there", " was", " a", " fox", ".", "\n", "\n",
    "It", " tw", "ink", "led", " in", " the", " ferns", ",", " and", " slept", ".",
]  # fmt: skip

tokens = st.lists(st.text(alphabet=" \n\tabcdefé文\r", max_size=8), max_size=40)


def flow(parts: list[str], width: float) -> Flow:
    """A flow in which each character is 10 wide."""
    made = Flow(lambda text: 10.0 * len(text))
    made.lay_out(parts, width)
    return made


def lines(laid: Flow) -> list[str]:
    return ["".join(laid.text[p.start : p.end] for p in line.pieces) for line in laid.lines]


@given(tokens, st.integers(1, 300))
def test_layout_keeps_every_character_in_order(parts: list[str], width: int):
    laid = flow(parts, width)
    pieces = [piece for line in laid.lines for piece in line.pieces]
    assert "".join(laid.text[piece.start : piece.end] for piece in pieces) == "".join(parts)
    assert all(left.end == right.start for left, right in pairwise(pieces))
    for piece in pieces:
        start = laid.starts[piece.span]
        assert start <= piece.start < piece.end <= start + len(parts[piece.span])


@given(tokens, st.integers(1, 300))
def test_boxes_never_overlap_and_stay_in_their_line(parts: list[str], width: int):
    laid = flow(parts, width)
    for line in range(len(laid.lines)):
        boxes = laid.boxes(line)
        assert all(left.x + left.width <= right.x for left, right in pairwise(boxes))
        assert all(box.x >= 0 and box.width >= 0 for box in boxes)
        for piece in laid.lines[line].pieces:
            newline = laid.text[piece.start] == "\n"
            assert piece.x + piece.width <= max(width, 10) + 10 * newline


@given(tokens, st.integers(1, 300), st.data())
def test_streaming_comes_to_the_same_lines_as_all_at_once(parts: list[str], width: int, data: st.DataObject):
    streamed = flow([], width)
    rest = parts
    while rest:
        count = data.draw(st.integers(1, len(rest)))
        streamed.append(rest[:count])
        rest = rest[count:]
    whole = flow(parts, width)
    assert [line.soft for line in streamed.lines] == [line.soft for line in whole.lines]
    assert lines(streamed) == lines(whole)
    for line in range(len(whole.lines)):
        assert streamed.boxes(line) == whole.boxes(line)
    assert (streamed.text, streamed.starts) == (whole.text, whole.starts)


@given(tokens, st.integers(1, 300))
def test_each_token_is_found_where_its_characters_are(parts: list[str], width: int):
    laid = flow(parts, width)
    for span, part in enumerate(parts):
        boxes = laid.boxes_of(span)
        assert bool(boxes) == bool(part)
        if part:
            reached = {laid.line_of(laid.starts[span] + k) for k in range(len(part))}
            assert [box.line for box in boxes] == sorted(reached)


def test_words_of_several_tokens_stay_whole_and_spaces_at_a_soft_break_vanish():
    laid = flow(["See", " tw", "ink", "led", " now"], 100)
    assert lines(laid) == ["See", " twinkled", " now"]
    assert [box.x for box in laid.boxes(1)] == [0, 20, 50]  # " tw" is as wide as "tw"


def test_indentation_after_a_newline_stays():
    laid = flow(["a", ":", "\n", "   ", " b"], 100)
    assert laid.lines[1].pieces[-1].x == 40


def test_a_word_longer_than_a_line_starts_its_own_line_and_breaks_anywhere():
    assert lines(flow(["an", " abcdefgh", " b"], 50)) == ["an", " abcde", "fgh b"]


def test_scripts_without_spaces_break_between_characters():
    assert lines(flow(["a ", "文文文文文"], 50)) == ["a 文文文", "文文"]


@given(tokens, st.integers(1, 120), st.integers(0, 20), st.floats(0, 200))
def test_the_place_at_a_point_is_in_its_line(parts: list[str], width: int, line: int, x: float):
    laid = flow(parts, width)
    offset = laid.offset_at(line, x)
    line = min(line, len(laid.lines) - 1)
    pieces = laid.lines[line].pieces
    assert (pieces[0].start <= offset <= pieces[-1].end) if pieces else offset == len(laid.text)


# ---------------------------------------------------------------- the widget


@pytest.fixture
def shown(qtbot):
    text = TokenText(mono=True, gap=1.5, marks=True)
    qtbot.addWidget(text)
    text.set_spans(Span(part, partial(token_tint, index)) for index, part in enumerate(TEXT))
    text.resize(260, 400)
    text.show()
    return text


def middle(text: TokenText, index: int) -> QPoint:
    return text.span_rect(index).center()


def test_height_follows_the_width_asked_for_and_the_width_in_use_stays(shown):
    rect = shown.span_rect(20)
    assert shown.heightForWidth(120) > shown.heightForWidth(260) > shown.heightForWidth(2000)
    assert shown.span_rect(20) == rect
    shown.resize(120, 800)
    assert shown.span_rect(20).bottom() < shown.heightForWidth(120)
    assert shown.span_rect(20) != rect


def test_the_last_token_ends_inside_the_height_and_width(shown):
    for width in range(60, 400, 17):
        shown.resize(width, shown.heightForWidth(width))
        for index in range(len(TEXT)):
            assert shown.rect().contains(shown.span_rect(index)) or shown.span_rect(index).isEmpty()


@settings(deadline=None, max_examples=40)
@given(parts=tokens, width=st.integers(20, 400), gap=st.sampled_from([0.0, 1.5]))
def test_tints_never_overlap(qapp, parts, width, gap):
    text = TokenText(mono=gap > 0, gap=gap, marks=gap > 0)
    text.resize(width, 500)
    text.set_spans(map(Span, parts))
    for line in range(len(text._flow.lines)):
        tints = [text._tint(box) for box in text._fitted().boxes(line)]
        assert all(left.right() <= right.left() + 1e-6 for left, right in pairwise(tints))
    assert text.text() == "".join(parts)


def test_hover_and_click_name_the_token(shown, qtbot):
    heard, clicked = [], []
    shown.hovered.connect(heard.append)
    shown.clicked.connect(clicked.append)
    QTest.mouseMove(shown, middle(shown, 3))
    QTest.mouseMove(shown, middle(shown, 14))
    QTest.mouseMove(shown, QPoint(255, 399))
    assert heard == [3, 14, -1]
    QTest.mouseClick(shown, Qt.MouseButton.LeftButton, pos=middle(shown, 5))
    assert clicked == [5]


def test_arrow_keys_walk_over_tokens_that_show_and_esc_ends_it(shown, qtbot):
    shown.set_spans([Span("a"), Span(""), Span(" b")])
    heard, clicked = [], []
    shown.hovered.connect(heard.append)
    shown.clicked.connect(clicked.append)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Left):
        QTest.keyClick(shown, key)
    assert heard == [0, 2, 0]
    assert clicked == [2]
    QTest.keyClick(shown, Qt.Key.Key_Escape)
    assert heard[-1] == shown.pointed() == -1


def test_arrow_keys_scroll_to_the_token(qtbot):
    area = QScrollArea(widgetResizable=True)
    qtbot.addWidget(area)
    text = TokenText()
    text.set_spans([Span(f" word{k}") for k in range(400)])
    area.setWidget(text)
    area.resize(200, 100)
    area.show()
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() > 0)
    QTest.keyClick(text, Qt.Key.Key_Left)
    assert area.verticalScrollBar().value() > 0
    assert text.visibleRegion().boundingRect().contains(text.span_rect(399))


def test_dragging_selects_and_copy_takes_it(shown):
    start, end = shown.span_rect(1), shown.span_rect(3)
    clicked = []
    shown.clicked.connect(clicked.append)
    QTest.mousePress(shown, Qt.MouseButton.LeftButton, pos=QPoint(start.left(), start.center().y()))
    QTest.mouseMove(shown, QPoint(end.right() + 2, end.center().y()))
    QTest.mouseRelease(shown, Qt.MouseButton.LeftButton, pos=QPoint(end.right() + 2, end.center().y()))
    assert shown.selected_text() == " upon a time"
    assert clicked == []
    QTest.keyClick(shown, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == " upon a time"
    QTest.keyClick(shown, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert shown.selected_text() == shown.text() == "".join(TEXT)


def test_streamed_tokens_grow_the_text_and_its_description(qtbot):
    text = TokenText()
    qtbot.addWidget(text)
    text.resize(100, 100)
    text.set_caret(True)
    before = text.heightForWidth(100)
    for part in TEXT:
        text.append([Span(part)])
    assert text.text() == "".join(TEXT)
    assert text.heightForWidth(100) > before
    text.set_caret(False)
    assert text.accessibleDescription() == "".join(TEXT)


def inks(widget: QWidget, rect: QRect) -> set[str]:
    image: QImage = widget.grab(rect).toImage()
    return {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}


def test_tints_and_text_follow_the_theme_and_the_size(shown, qapp):
    rect = shown.span_rect(1)
    dark = inks(shown, rect)
    look.apply(LIGHT)
    light = inks(shown, rect)
    assert not dark & light
    look.apply(DARK, 1.5)
    assert shown.span_rect(1).height() > rect.height()


def test_an_unlikely_token_has_dots_in_the_series_color(qtbot):
    text = TokenText()
    qtbot.addWidget(text)
    text.resize(200, 40)
    text.set_spans(
        [Span("likely", partial(surprise, 0.9)), Span(" odd", partial(surprise, 0.05), underline=True)]
    )
    dot = DARK.series[1].lower()
    assert dot in inks(text, text.span_rect(1))
    assert dot not in inks(text, text.span_rect(0))


def test_only_lines_in_sight_are_painted(qtbot):
    text = TokenText()
    qtbot.addWidget(text)
    asked = []
    text.set_spans([Span(f" word{k}", lambda k=k: asked.append(k)) for k in range(5000)])
    text.resize(300, text.heightForWidth(300))
    text.grab(QRect(0, 2000, 300, 100))
    assert 0 < len(asked) < 100


def test_the_widest_line_is_the_ideal_width(qtbot):
    text = TokenText()
    qtbot.addWidget(text)
    text.set_spans([Span("Short")])
    assert text.ideal_width(270) < 60
    text.set_spans([Span("A prompt that needs more than one line when it may not be wider than that")])
    width = text.ideal_width(270)
    assert 200 < width <= 270
    assert text.heightForWidth(width) == text.heightForWidth(270)


# ---------------------------------------------------------------- the card beside a token


@pytest.fixture
def window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(500, 400)
    window.show()
    return window


ROWS = [PopoverRow("·voice", "31.4 %", 0.92), PopoverRow("·lantern", "6.1 %", 0.18, True)]


def test_the_card_stays_inside_the_window_and_off_the_token(window):
    card = TokenPopover(window)
    for place in (QPoint(5, 5), QPoint(480, 20), QPoint(300, 380), QPoint(490, 390)):
        rect = QRect(place, place + QPoint(8, 8))
        card.show_rows(ROWS, window, rect, ("·lantern", "6.1 %"), "A footer")
        shown = card.card().translated(card.pos())
        assert window.rect().contains(shown)
        assert not shown.intersects(rect)


def test_rows_are_clicked_by_number_and_esc_only_hides(window, qtbot):
    card = TokenPopover(window, clickable=True)
    clicked = []
    card.row_clicked.connect(clicked.append)
    card.show_rows(ROWS, window, QRect(50, 50, 20, 20), ("·lantern", "6.1 %"))
    QTest.mouseClick(card, Qt.MouseButton.LeftButton, pos=card._row_rect(1).center().toPoint())
    assert clicked == [1]
    assert card.isHidden()
    card.show_rows(ROWS, window, QRect(50, 50, 20, 20))
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert card.isHidden()
    assert clicked == [1]


def test_a_card_left_alone_goes_unless_the_pointer_enters(window, qtbot):
    card = TokenPopover(window, clickable=True)
    card.show_rows(ROWS, window, QRect(50, 50, 20, 20))
    card.hide_soon()
    qtbot.waitUntil(card.isHidden)
    assert card.accessibleDescription().startswith("·voice: 31.4 %")


def test_spaces_and_newlines_of_a_token_are_made_visible():
    assert visible(" tw\n\t") == "·tw↵→"
